"""Why an attempt failed: classified once, with its evidence, in words for the job's owner.

The classes are described in docs/reference/states.md.
"""

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from worker.cluster import PRIMARY, Replica
from worker.launchers.protocol import Exceeded, Limit, ReplicaEnd

TRACEBACK = "Traceback (most recent call last):"
CHAINED = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)
"""What Python prints between two tracebacks that belong together."""
EVIDENCE_CHARACTERS = 8000
REPLICAS_TOLD = 4


class FailureClass(StrEnum):
    USER_ERROR = "USER_ERROR"
    """The program ended with a status other than 0, or was killed by a signal that was not ours."""
    LOST = "LOST"
    """It vanished: the machine restarted, or everything of it was killed from outside."""
    OUTPUT = "OUTPUT"
    """It printed more than it may."""
    DISK = "DISK"
    """It wrote more than it may."""
    OOM_HOST = "OOM_HOST"
    """It took more of the machine's memory than it may, or than there was."""
    LAUNCH = "LAUNCH"
    """The platform could not start it."""


BEYOND = {
    Limit.OUTPUT: FailureClass.OUTPUT,
    Limit.DISK: FailureClass.DISK,
    Limit.MEMORY: FailureClass.OOM_HOST,
}


@dataclass(frozen=True, slots=True)
class Failure:
    failure_class: FailureClass
    message: str
    evidence: dict[str, Any]


def exited(exit_code: int, last_lines: str, replica: Replica = PRIMARY) -> Failure:
    """A replica that ended by itself with `exit_code` (minus the signal's number for a signal)."""
    status = str(exit_code) if exit_code >= 0 else f"{-exit_code}({_signal_name(-exit_code)})"
    cause = last_traceback(last_lines) or last_lines.strip()[-EVIDENCE_CHARACTERS:]
    message = f"The replica {replica} exited with a non-zero status of {status}."
    if cause:
        message += f" Termination reason: Error.\n{cause}"
    return Failure(FailureClass.USER_ERROR, message, {"exit_code": exit_code, "last_lines": cause})


def all_exited(last_lines: Mapping[ReplicaEnd, str]) -> Failure:
    """Replicas of one attempt that ended by themselves, each with the end of what it printed."""
    failures = {end.replica: exited(end.exit_code, lines, end.replica) for end, lines in last_lines.items()}
    first, *others = failures.values()
    if not others:
        return first
    # Several that failed together tell what each said; a message has a bound all the same.
    parts = [failure.message for failure in failures.values()][:REPLICAS_TOLD]
    if len(failures) > REPLICAS_TOLD:
        parts.append(f"So did {len(failures) - REPLICAS_TOLD} other replicas.")
    evidence = {replica.name: failure.evidence for replica, failure in failures.items()}
    return Failure(first.failure_class, "\n".join(parts), {**first.evidence, "replicas": evidence})


def lost(attempts: int, replica: Replica = PRIMARY) -> Failure:
    """An attempt of which a replica is gone without a trace, the `attempts`-th of its trial."""
    message = (
        f"The replica {replica} vanished without an exit status, {attempts} times in a row: the machine "
        "restarted, or the whole process group was killed from outside."
    )
    return Failure(FailureClass.LOST, message, {"attempts": attempts})


def too_much(exceeded: Exceeded) -> Failure:
    """An attempt that was ended since it went beyond a limit."""
    return Failure(BEYOND[exceeded.limit], exceeded.sentence, {"limit": exceeded.limit})


def not_launched(reason: str) -> Failure:
    """An attempt that the platform refused to start."""
    return Failure(
        FailureClass.LAUNCH, f"The replica master 0 could not be started: {reason}", {"reason": reason}
    )


def last_traceback(text: str) -> str | None:
    """The last Python traceback, with those it is chained to, and all that follows; None if there is none.

    An exception's message may have any number of lines, so nothing tells where it ends.
    """
    start = text.rfind(TRACEBACK)
    if start < 0:
        return None
    while text[:start].rstrip().endswith(CHAINED):
        earlier = text.rfind(TRACEBACK, 0, start)
        if earlier < 0:
            break
        start = earlier
    return text[start:].strip()[-EVIDENCE_CHARACTERS:]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown signal"
