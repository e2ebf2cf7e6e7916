"""Why an attempt failed: classified once, with its evidence, in words for the job's owner.

The classes are described in docs/reference/states.md.
"""

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from worker.cluster import PRIMARY, Replica
from worker.failure_classes import FailureClass
from worker.launchers.protocol import (
    AttemptPhase,
    AttemptStatus,
    Cause,
    Exceeded,
    Fault,
    Limit,
    MemoryUse,
    ReplicaEnd,
)
from worker.symptoms import symptom_in, tells_of_a_kill

TRACEBACK = "Traceback (most recent call last):"
CHAINED = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)
"""What Python prints between two tracebacks that belong together."""
EVIDENCE_CHARACTERS = 8000
REPLICAS_TOLD = 4
UNKNOWN = MemoryUse()
NEARLY_ALL = 0.9
"""Of the machine's memory: whoever is killed with so much of it has most likely been killed for it."""
HINTS = {
    FailureClass.OOM_HOST: (
        "It ran out of the machine's memory: a smaller batch, or fewer trials side by side, need less."
    ),
    FailureClass.OOM_GPU: "It ran out of the GPU's memory: a smaller batch or model needs less.",
    FailureClass.HW_FAULT: "A GPU of the machine failed, and should be looked at.",
}
"""What would help, where that can be told."""


BEYOND = {
    Limit.OUTPUT: FailureClass.OUTPUT,
    Limit.DISK: FailureClass.DISK,
    Limit.MEMORY: FailureClass.OOM_HOST,
    Limit.TIME: FailureClass.TIMEOUT,
}

BY_PLATFORM = {
    Fault.EVICTED: FailureClass.EVICTED,
    Fault.PREEMPTED: FailureClass.PREEMPTED,
    Fault.NODE_LOST: FailureClass.NODE_LOST,
    Fault.REFUSED: FailureClass.LAUNCH,
    Fault.IMAGE: FailureClass.IMAGE,
    Fault.CONFIG: FailureClass.CONFIG,
}


@dataclass(frozen=True, slots=True)
class Failure:
    failure_class: FailureClass
    message: str
    evidence: dict[str, Any]


def failure_of(status: AttemptStatus, last_lines: Mapping[ReplicaEnd, str]) -> Failure | None:
    """Why an attempt failed that ended by itself; None if it ended well.

    Args:
        last_lines: the end of what each replica printed that failed.
    """
    if status.phase is AttemptPhase.LOST:
        return lost(status.lost) if status.cause is None else by_platform(status.cause)
    if status.exceeded is not None:
        return too_much(status.exceeded, status.memory)
    if status.exit_code == 0:
        return None
    return all_exited(last_lines, status.memory)


def exited(
    exit_code: int, last_lines: str, replica: Replica = PRIMARY, memory: MemoryUse = UNKNOWN
) -> Failure:
    """A replica that ended by itself with `exit_code` (minus the signal's number for a signal)."""
    status = str(exit_code) if exit_code >= 0 else f"{-exit_code}({_signal_name(-exit_code)})"
    cause = last_traceback(last_lines) or last_lines.strip()[-EVIDENCE_CHARACTERS:]
    failure_class = _class_of(exit_code, cause, memory)
    said = [f"The replica {replica} exited with a non-zero status of {status}."]
    if cause:
        said.append("Termination reason: Error.")
    if failure_class in HINTS:
        said.append(HINTS[failure_class])
    if failure_class is FailureClass.OOM_HOST and (seen := _seen(memory)):
        said.append(seen)
    message = " ".join(said) + (f"\n{cause}" if cause else "")
    return Failure(failure_class, message, {"exit_code": exit_code, "last_lines": cause})


def all_exited(last_lines: Mapping[ReplicaEnd, str], memory: MemoryUse = UNKNOWN) -> Failure:
    """Replicas of one attempt that ended by themselves, each with the end of what it printed."""
    failures = {
        end.replica: exited(end.exit_code, lines, end.replica, memory) for end, lines in last_lines.items()
    }
    first, *others = failures.values()
    if not others:
        return first
    # Several that failed together tell what each said; a message has a bound all the same.
    parts = [failure.message for failure in failures.values()][:REPLICAS_TOLD]
    if len(failures) > REPLICAS_TOLD:
        parts.append(f"So did {len(failures) - REPLICAS_TOLD} other replicas.")
    evidence = {replica.name: failure.evidence for replica, failure in failures.items()}
    # One that says more than that it failed is what made the others fail.
    classes = [failure.failure_class for failure in failures.values()]
    telling = next((each for each in classes if each is not FailureClass.USER_ERROR), first.failure_class)
    return Failure(telling, "\n".join(parts), {**first.evidence, "replicas": evidence})


def lost(replica: Replica = PRIMARY) -> Failure:
    """An attempt of which a replica is gone without a trace."""
    message = (
        f"The replica {replica} vanished without an exit status: the machine restarted, or the whole process "
        "group was killed from outside."
    )
    return Failure(FailureClass.LOST, message, {})


def by_platform(cause: Cause) -> Failure:
    """An attempt that the platform ended, or could not begin, and says why."""
    return Failure(BY_PLATFORM[cause.fault], cause.sentence, {"fault": cause.fault})


def too_much(exceeded: Exceeded, memory: MemoryUse = UNKNOWN) -> Failure:
    """An attempt that was ended since it went beyond a limit."""
    message = exceeded.sentence
    if exceeded.limit is Limit.MEMORY and (seen := _seen(memory)):
        message += f" {seen}"
    return Failure(BEYOND[exceeded.limit], message, {"limit": exceeded.limit})


def not_launched(refused: str, for_now: bool) -> Failure:
    """An attempt that the platform refused to start, for a reason that may pass or not."""
    failure_class = FailureClass.LAUNCH if for_now else FailureClass.CONFIG
    return Failure(failure_class, f"The replica master 0 could not be started: {refused}", {})


def out_of_time() -> Failure:
    """An attempt that was stopped since the job's time to run was over."""
    return Failure(FailureClass.TIMEOUT, "It was stopped when the job's maxRunningTime was over.", {})


def no_metric(why: str) -> Failure:
    """An attempt that ended well and left no objective."""
    return Failure(FailureClass.NO_METRIC, why, {})


def _class_of(exit_code: int, cause: str, memory: MemoryUse) -> FailureClass:
    symptom = symptom_in(cause)
    if symptom is not None:
        return symptom
    killed = exit_code == -signal.SIGKILL
    had_nearly_all = (
        memory.peak_bytes is not None
        and memory.total_bytes is not None
        and memory.peak_bytes > NEARLY_ALL * memory.total_bytes
    )
    if (killed or tells_of_a_kill(cause)) and (memory.oom_kills or had_nearly_all):
        return FailureClass.OOM_HOST
    return FailureClass.USER_ERROR


def _seen(memory: MemoryUse) -> str:
    if memory.peak_bytes is None:
        return ""
    of = "" if memory.total_bytes is None else f", of {_size(memory.total_bytes)} that all trials share"
    return f"At most {_size(memory.peak_bytes)} were seen to be taken{of}."


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


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
