"""What a job's trials wait for that have been started and have not begun: a node, an image, a quota."""

from collections.abc import Mapping, Sequence

from store.models import Job, Trial
from store.states import State
from worker.launchers.protocol import AttemptPhase
from worker.observe import Sight

LONGEST = 2000
"""Characters: a scheduler may have something to say of every node."""


def why_waiting(trials: Sequence[Trial], sights: Mapping[int, Sight], is_tuning: bool) -> str | None:
    """A sentence for the job's owner; None while nothing holds any of these trials up."""
    held = [(trial.number, sights[trial.id].status.waiting) for trial in trials if _waits(trial, sights)]
    held = [(number, why) for number, why in held if why]
    if not held:
        return None
    number, why = held[0]
    if is_tuning:
        why = (
            f"Trial {number} waits. {why}"
            if len(held) == 1
            else f"{len(held)} trials wait. Trial {number}: {why}"
        )
    return str(why)[:LONGEST]


def none_has_begun(job: Job, live: Sequence[Trial]) -> bool:
    """Whether no trial of the job has run, as far as was seen."""
    return not job.finished_trials and all(
        trial.state == State.PREPARING and len(trial.attempts) == 1 for trial in live
    )


def _waits(trial: Trial, sights: Mapping[int, Sight]) -> bool:
    sight = sights.get(trial.id)
    return (
        sight is not None and sight.status.phase is AttemptPhase.RUNNING and sight.status.waiting is not None
    )
