"""What a user is told of an objective that doesn't come: most often its tag is misspelt, or was forgotten.

A trial without an objective is no failure (docs/contract.md 3.3), so it is the only sign of such a mistake.
"""

from collections.abc import Sequence
from difflib import SequenceMatcher

from sqlalchemy.orm import Session

from store.models import Job, Trial
from store.trials import last_without_objective

TAGS_NAMED = 10
TOO_CLOSE = 0.85
"""How alike two tags are, from 0 to 1, where one may well be the other misspelt."""

COMPARED = 100
"""So many characters of each; the time that takes grows with their square."""


def why_missing(trial: Trial, tag: str) -> str:
    """Why a trial that ended well has no objective."""
    tags = trial.tags or []
    if tag in tags:
        return f"The last value of '{tag}' that the trial reported is not a finite number."
    if not tags:
        return f"The trial reported no metric: neither '{tag}' nor any other scalar was found in its job dir."
    return f"The trial never reported '{tag}'. It did write {_named(tags, tag)}."


def missing_so_far(tags: Sequence[str], tag: str) -> tuple[str, str] | None:
    """A severity and a sentence, if a trial that runs has written scalars, and the objective is none of them.

    Often it is still to come, as where a loss is written in every step and the objective after each epoch.
    """
    if not tags or tag in tags:
        return None
    said = f"So far the trial has written {_named(tags, tag)}, and not '{tag}', which the job looks for."
    nearest = max(tags, key=lambda each: _likeness(each, tag))
    if _likeness(nearest, tag) < TOO_CLOSE:
        return "INFO", said
    return "WARNING", f"{said} Is '{nearest}' what hyperparameterMetricTag should say?"


def nothing_to_rank(session: Session, job: Job) -> str | None:
    """What is to be said of a job that has succeeded, if none of its trials has an objective."""
    last = last_without_objective(session, job) if job.hyperparameters is not None else None
    if last is None:
        return None
    why = f" Trial {last.number}: {last.error_message}" if last.error_message else ""
    return f"No trial has an objective, so there is no best one.{why}"


def _named(tags: Sequence[str], tag: str) -> str:
    """The tags, those most like the one that is missing first."""
    nearest = sorted(tags, key=lambda each: -_likeness(each, tag))
    named = ", ".join(f"'{name}'" for name in nearest[:TAGS_NAMED])
    return f"{named} and {len(tags) - TAGS_NAMED} more" if len(tags) > TAGS_NAMED else named


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one.casefold()[:COMPARED], other.casefold()[:COMPARED]).ratio()
