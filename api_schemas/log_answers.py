"""The shape of what the Logging API's entries.list answers (docs/contract.md 10.3)."""

from typing import Any

from pydantic import Field

from api_schemas.scalars import Message, Text, Timestamp


class MonitoredResource(Message):
    """What an entry is of: a task of a job."""

    type: Text | None = None
    labels: dict[str, Text] = Field(default_factory=dict)


class LogEntry(Message):
    insert_id: Text | None = None
    log_name: Text | None = None
    timestamp: Timestamp | None = None
    receive_timestamp: Timestamp | None = None
    severity: Text | None = None
    resource: MonitoredResource | None = None
    labels: dict[str, Text] = Field(default_factory=dict)
    json_payload: dict[str, Any] = Field(default_factory=dict)


class ListLogEntriesResponse(Message):
    """A page of entries, and how to ask for the next one."""

    entries: list[LogEntry] = Field(default_factory=list)
    next_page_token: Text | None = None
