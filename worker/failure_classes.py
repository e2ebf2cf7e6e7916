"""The classes of failures, and what follows from each; docs/reference/states.md has the same table.

A launcher for another platform adds the classes that it can tell apart, and their rows.
"""

from dataclasses import dataclass
from enum import StrEnum


class FailureClass(StrEnum):
    USER_ERROR = "USER_ERROR"
    """The program ended with a status other than 0, or was killed by a signal that was not ours."""
    OOM_HOST = "OOM_HOST"
    """It took more of the machine's memory than it may, or than there was."""
    OOM_GPU = "OOM_GPU"
    """It took more of a GPU's memory than there was."""
    NO_METRIC = "NO_METRIC"
    """It ended well and left no objective. Its trial is SUCCEEDED; the class is evidence only."""
    OUTPUT = "OUTPUT"
    """It printed more than it may."""
    DISK = "DISK"
    """It wrote more than it may."""
    TIMEOUT = "TIMEOUT"
    """It was stopped when the job's maxRunningTime was over. Its trial is CANCELLED."""
    CONFIG = "CONFIG"
    """What is to be started can't be, now or later: there is no such interpreter, or no such place."""
    LAUNCH = "LAUNCH"
    """The platform could not start it for now: it had no process, memory, disk or port left."""
    HW_FAULT = "HW_FAULT"
    """A GPU failed."""
    IMAGE = "IMAGE"
    """The image of a container can't be had."""
    EVICTED = "EVICTED"
    """The platform stopped it for reasons of its own, as to empty a machine."""
    PREEMPTED = "PREEMPTED"
    """It had to make way for something of higher priority."""
    NODE_LOST = "NODE_LOST"
    """The platform lost the machine that it ran on."""
    LOST = "LOST"
    """It vanished: the machine restarted, or everything of it was killed from outside."""


class Told(StrEnum):
    """What the search is told of a trial."""

    FAILED = "FAILED"
    """That its point fails."""
    NOTHING = "NOTHING"
    """Nothing: its point may be tried again."""
    RESULT = "RESULT"
    """What it measured, if anything."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What follows from a failure."""

    counts: bool
    """Towards maxFailedTrials: it is the user's own."""
    retried: bool
    """It is the platform's: another attempt is made, as often as the settings say."""
    told: Told


USERS_OWN = Policy(counts=True, retried=False, told=Told.FAILED)
PLATFORMS = Policy(counts=False, retried=True, told=Told.NOTHING)

POLICIES = {
    FailureClass.USER_ERROR: USERS_OWN,
    # Another attempt would have no more memory than this one had.
    FailureClass.OOM_HOST: USERS_OWN,
    FailureClass.OOM_GPU: USERS_OWN,
    FailureClass.OUTPUT: USERS_OWN,
    FailureClass.DISK: USERS_OWN,
    FailureClass.NO_METRIC: Policy(counts=False, retried=False, told=Told.RESULT),
    FailureClass.TIMEOUT: Policy(counts=False, retried=False, told=Told.NOTHING),
    FailureClass.CONFIG: Policy(counts=False, retried=False, told=Told.NOTHING),
    FailureClass.IMAGE: Policy(counts=False, retried=False, told=Told.NOTHING),
    FailureClass.LAUNCH: PLATFORMS,
    FailureClass.EVICTED: PLATFORMS,
    FailureClass.PREEMPTED: PLATFORMS,
    FailureClass.NODE_LOST: PLATFORMS,
    FailureClass.HW_FAULT: PLATFORMS,
    FailureClass.LOST: PLATFORMS,
}
"""One row for each class. Stopping a trial early, or since its job ends, is no failure."""

COUNTED = frozenset(name for name, policy in POLICIES.items() if policy.counts)
TOLD_NOTHING = frozenset(name for name, policy in POLICIES.items() if policy.told is Told.NOTHING)
