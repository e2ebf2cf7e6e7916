"""What happens in one run, event by event, and how plans are drawn.

Events name workers, jobs and processes by numbers that wrap around, so that every plan makes sense and still
does when events are taken out of it: that is how a failing one is made short.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.model.platform import End
from tests.model.workers import At, Cut, Fate

X = {"parameterName": "x", "type": "DOUBLE", "minValue": 0.0, "maxValue": 1.0}
TWO_POINTS = {"parameterName": "n", "type": "INTEGER", "minValue": 1, "maxValue": 2}


@dataclass(frozen=True, slots=True)
class Kind:
    """A job to submit. `tuning` is the HyperparameterSpec in wire form; None for plain training."""

    training: dict[str, Any]
    tuning: dict[str, Any] | None = None
    resumes: bool = False
    """Whether it continues the last tuning job that has ended, if there is one."""


def _tuning(*, params: dict[str, Any] = X, algorithm: str = "RANDOM_SEARCH", **given: Any) -> dict[str, Any]:
    return {"params": [params], "algorithm": algorithm, "maxTrials": 3, "maxParallelTrials": 2, **given}


KINDS = {
    "plain": Kind({}),
    "packages": Kind({"packageUris": ["/package.tar.gz"]}),
    "impatient": Kind({"packageUris": ["/package.tar.gz"], "scheduling": {"maxWaitTime": "60s"}}),
    "replicas": Kind({"workerCount": "1"}),
    "random": Kind({}, _tuning()),
    "exhausted": Kind(
        {}, _tuning(params=TWO_POINTS, algorithm="GRID_SEARCH", maxTrials=4, maxParallelTrials=3)
    ),
    "early": Kind({}, _tuning(enableTrialEarlyStopping=True)),
    "few failures": Kind({}, _tuning(maxFailedTrials=2)),
    "limited": Kind({"scheduling": {"maxRunningTime": "60s"}}, _tuning(algorithm="ALGORITHM_UNSPECIFIED")),
    "resumed": Kind({}, _tuning(maxTrials=2), resumes=True),
}


@dataclass(frozen=True, slots=True)
class Submit:
    kind: str


@dataclass(frozen=True, slots=True)
class Look:
    """A message arrives: a worker looks at a job, due or not."""

    worker: int
    job: int
    cut: Cut = Cut()  # noqa: RUF009  it is frozen


@dataclass(frozen=True, slots=True)
class Wake:
    """A worker that hangs goes on."""

    worker: int
    cut: Cut = Cut()  # noqa: RUF009


@dataclass(frozen=True, slots=True)
class Restart:
    """A worker is killed while it does nothing, and replaced."""

    worker: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Its owner cancels a job."""

    job: int


@dataclass(frozen=True, slots=True)
class Report:
    process: int
    step: int
    value: float


@dataclass(frozen=True, slots=True)
class Ends:
    process: int
    how: End


@dataclass(frozen=True, slots=True)
class Installed:
    """The oldest installation that runs comes to its end."""

    ready: bool


@dataclass(frozen=True, slots=True)
class Platform:
    """How the platform treats what it is asked to start from now on."""

    refusals: int = 0
    stubborn: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    seconds: float


@dataclass(frozen=True, slots=True)
class SetClock:
    """How far the clock of a worker, or of the database (the last number), is off from now on."""

    whose: int
    off_by: float


Event = Submit | Look | Wake | Restart | Cancel | Report | Ends | Installed | Platform | Wait | SetClock
Plan = list[Event]

WORKERS, JOBS, PROCESSES = 2, 3, 4
LEASE_SECONDS = 30.0
OFF_BY = 40.0
"""Of clocks, at most."""
GATES_OF_A_LOOK = 30
"""As many as most looks have at most."""


def random_plan(rng: Random) -> Plan:
    """A plan of up to some 50 events that begins with one to three jobs."""
    plan: Plan = [_submit(rng) for _ in range(rng.randint(1, JOBS))]
    for _ in range(rng.choice((5, 15, 30))):
        plan += rng.choices(PASSAGES, WEIGHTS)[0](rng)
    return plan


def _submit(rng: Random) -> Event:
    return Submit(rng.choice(list(KINDS)))


def _look(rng: Random) -> Event:
    return Look(rng.randrange(WORKERS), rng.randrange(JOBS), _maybe_cut(rng))


def _cut(rng: Random, fate: Fate) -> Cut:
    if rng.random() < 0.5:
        return Cut(fate, None, rng.randrange(GATES_OF_A_LOOK))
    return Cut(fate, rng.choice(list(At)), rng.choice((0, 0, 0, 1)))


def _maybe_cut(rng: Random) -> Cut:
    return Cut() if rng.random() < 0.4 else _cut(rng, rng.choice(list(Fate)[1:]))


def _progress(rng: Random) -> Plan:
    """Looks in a row, so that a job gets somewhere."""
    job = rng.randrange(JOBS)
    return [Look(rng.randrange(WORKERS), job), Wait(1.0), Look(rng.randrange(WORKERS), job)]


def _last_words(rng: Random) -> Plan:
    """A trial reports and ends at once."""
    process = rng.randrange(PROCESSES)
    return [Report(process, rng.randrange(4), rng.random()), Ends(process, rng.choice(list(End)))]


def _slow(rng: Random) -> Plan:
    """A worker hangs while other things happen, and goes on; often another has taken the job over."""
    slow, job = rng.randrange(WORKERS), rng.randrange(JOBS)
    meanwhile = [_other(rng) for _ in range(rng.randrange(4))]
    if rng.random() < 0.5:
        meanwhile += _last_words(rng)
    if rng.random() < 0.6:
        meanwhile += [Wait(LEASE_SECONDS + 1), *(Look(slow + 1, job) for _ in range(rng.randint(1, 3)))]
    return [Look(slow, job, _cut(rng, Fate.HANGS)), *meanwhile, Wake(slow, _maybe_cut(rng))]


def _other(rng: Random) -> Event:
    """Anything but a look."""
    match rng.choices(OTHERS, (6, 6, 2, 2, 1, 3, 2, 1, 1, 1))[0]:
        case "report":
            value = rng.choice((0.5, 1.0, -1.0, math.nan, math.inf))
            return Report(rng.randrange(PROCESSES), rng.randrange(4), value)
        case "end":
            return Ends(rng.randrange(PROCESSES), rng.choice((End.WELL, *End)))
        case "installed":
            return Installed(rng.random() < 0.7)
        case "platform":
            return Platform(rng.randrange(3), rng.random() < 0.5)
        case "cancel":
            return Cancel(rng.randrange(JOBS))
        case "wait":
            return Wait(rng.choice((1.0, 6.0, LEASE_SECONDS + 1, 70.0)))
        case "wake":
            return Wake(rng.randrange(WORKERS), _maybe_cut(rng))
        case "restart":
            return Restart(rng.randrange(WORKERS))
        case "clock":
            return SetClock(rng.randrange(WORKERS + 1), rng.choice((0.0, 3.0, -3.0, OFF_BY, -OFF_BY)))
        case _:
            return _submit(rng)


OTHERS = ("report", "end", "installed", "platform", "cancel", "wait", "wake", "restart", "clock", "submit")
PASSAGES: tuple[Callable[[Random], Plan], ...] = (
    _progress,
    lambda rng: [_look(rng)],
    lambda rng: [_other(rng)],
    _slow,
)
WEIGHTS = (2, 4, 6, 3)
