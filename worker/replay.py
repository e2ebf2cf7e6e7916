"""Asks a job's search again what it was asked, from the rows alone, and says whether it answers the same.

The ledger has, for each decision, the algorithm with its version and seed, how many ended trials were known
and which ran, and the trials that came of it. That is all that an answer depends on.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from sqlalchemy.orm import Session

from api_schemas.hyperparameters import HyperparameterSpec
from store.decisions import decisions_of
from store.models import Decision, Job, Trial
from store.trials import trials_of
from tuning.space import Value
from worker.study import Study


class Verdict(Enum):
    """What came of asking again."""

    SAME = "same"
    DIFFERENT = "different"
    OTHER_VERSION = "other version"
    """The algorithm has changed since, and may answer otherwise."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """One decision, asked again.

    Attributes:
        decision: the ledger's row.
        became: the values of the trials that came of it.
        again: the points that are suggested now; none if it was not asked, for its version.
    """

    decision: Decision
    verdict: Verdict
    became: list[Mapping[str, Value]]
    again: list[dict[str, Value]]


def replay(session: Session, job: Job) -> Iterator[Replayed]:
    """Each suggestion of a tuning job, in the order they were made."""
    study = Study(HyperparameterSpec.model_validate(job.hyperparameters), job.seed)
    study.catch_up(session, job)
    trials = {trial.number: trial for trial in trials_of(session, job)}
    for decision in decisions_of(session, job.id):
        if decision.kind == "SUGGEST":
            yield _replay(study, decision, trials)


def _replay(study: Study, decision: Decision, trials: Mapping[int, Trial]) -> Replayed:
    search = replace(study.search, seed=decision.seed)
    if "insteadOf" in decision.outcome:
        search = replace(search, algorithm=decision.algorithm, arguments={})
    became: list[Mapping[str, Any]] = [trials[number].values for number in decision.outcome["trials"]]
    try:
        # Made anew for each: whatever the one that was asked had remembered may not matter.
        suggester = search.make()
    except Exception:
        # One that was plugged in: it is no more, can't be loaded or refuses its arguments now.
        return Replayed(decision, Verdict.OTHER_VERSION, became, [])
    version = suggester.algorithm[:64], suggester.version[:32]
    if version != (decision.algorithm, decision.version):
        return Replayed(decision, Verdict.OTHER_VERSION, became, [])
    history, pending = study.known_at(decision, trials)
    try:
        again = suggester.suggest(history, pending, decision.outcome["asked"])
    except Exception:
        again = []  # It answered once.
    same = again[: len(became)] == became
    return Replayed(decision, Verdict.SAME if same else Verdict.DIFFERENT, became, again)
