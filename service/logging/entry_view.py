"""How a stored entry looks on the wire (docs/contract.md 10.3)."""

from datetime import UTC, datetime
from typing import Any

from service.logging.conditions import INSERT_ID_DIGITS, LOG_AREA, RESOURCE_TYPE
from store.log_entries import StoredEntry


def entry_wire(entry: StoredEntry) -> dict[str, Any]:
    """The LogEntry resource."""
    time = nanosecond_timestamp(entry.time_ns)
    return {
        # Of one length, so that its order as a string is that of writing.
        "insertId": f"{entry.id:0{INSERT_ID_DIGITS}d}",
        "logName": f"projects/{entry.project}/logs/{entry.task_name}",
        "timestamp": time,
        "receiveTimestamp": time,
        "severity": entry.severity,
        "resource": {
            "type": RESOURCE_TYPE,
            "labels": {
                "job_id": entry.job_id,
                "project_id": entry.project,
                "task_name": entry.task_name,
            },
        },
        "labels": {
            "ml.googleapis.com/trial_id": "" if entry.trial is None else str(entry.trial),
            "ml.googleapis.com/job_id/log_area": LOG_AREA,
        },
        "jsonPayload": {
            "message": entry.message,
            "levelname": entry.severity,
            "created": entry.time_ns / 1e9,
        },
    }


def nanosecond_timestamp(time_ns: int) -> str:
    """RFC 3339, UTC, nine decimals."""
    seconds, fraction = divmod(time_ns, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z"
