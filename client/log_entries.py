"""Reading a job's log, which the service keeps as entries of the Logging API (docs/contract.md 10)."""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, cast

from client.errors import ClientError, ResourceExhausted, ServiceFault, ServiceUnreachable
from client.resources import LogEntry

if TYPE_CHECKING:
    from client.jobs import VernierClient
    from client.transport import Transport

PATH = "/v2/entries:list"
PAGE_SIZE = 1000
# What passes by itself while a service restarts or is busy, so that following a log outlives it.
_PASSING = (ServiceUnreachable, ServiceFault, ResourceExhausted)


def list_entries(transport: "Transport", project: str, where: str) -> Iterator[LogEntry]:
    """The project's entries for which the filter holds, oldest first, fetched a page at a time."""
    body = {
        "resourceNames": [f"projects/{project}"],
        "filter": where,
        "orderBy": "timestamp asc",
        "pageSize": PAGE_SIZE,
    }
    while True:
        page = transport.send("POST", PATH, body=body).unwrap()
        yield from cast(list[LogEntry], page.get("entries", []))
        token = page.get("nextPageToken", "")
        if not token:
            return
        body["pageToken"] = token


def follow_entries(
    client: "VernierClient",
    job_id: str,
    task_name: str | None,
    poll: float,
    patience: float,
    on_outage: Callable[[ClientError], None],
    sleep: Callable[[float], None],
) -> Iterator[LogEntry]:
    """The entries of a job's log, each once, until the job has ended and all have come.

    `VernierClient.follow_log` says what the arguments mean.
    """
    client.get_job(job_id)
    of_job = filter_of(job_id, task_name)
    after = ""
    ended = False
    reached = time.monotonic()
    while True:
        found = False
        try:
            for entry in client.list_log_entries(of_job + after):
                found = True
                after = " AND " + _beyond(entry)
                yield entry
            if ended:
                return
            # The last entry is there before the end is: what a look after it finds is all.
            ended = not found and "endTime" in client.get_job(job_id)
        except _PASSING as error:
            if time.monotonic() - reached > patience:
                raise
            on_outage(error)
            sleep(poll)
        else:
            reached = time.monotonic()
            if not ended:
                sleep(poll)


def filter_of(job_id: str, task_name: str | None = None) -> str:
    """The filter for a job's entries, those of one task if that is named."""
    of_job = f'resource.type="ml_job" AND resource.labels.job_id={_quoted(job_id)}'
    if task_name is None:
        return of_job
    return f"{of_job} AND resource.labels.task_name={_quoted(task_name)}"


def _beyond(entry: LogEntry) -> str:
    time, number = _quoted(entry.get("timestamp", "")), _quoted(entry.get("insertId", ""))
    return f"((timestamp={time} AND insertId>{number}) OR timestamp>{time})"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
