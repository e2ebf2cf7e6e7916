"""Asking a search for points within a time: what is asked, who answers, and what stands in for no answer.

A search may hang or raise: a user's own may do anything, and linear algebra has its days. Neither may stall
a job. So it is asked through an `Ask`, which gives points or raises `NoAnswer`; then a quasi-random point is
served, and the answer says so.

`ask_here` asks in this process, and so has no time limit; `worker/suggesting_processes.py` has one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tuning.search import Search
from tuning.space import Categorical, Discrete, Double, Integer, Value
from tuning.suggest import Suggester
from tuning.trials import FinishedTrial, PendingTrial

FALLBACK = "QUASI_RANDOM"

# A user's search may give NumPy's numbers, which are these and more.
_PLAIN: Mapping[type, Callable[[Any], Value]] = {
    Double: float,
    Integer: int,
    Discrete: float,
    Categorical: str,
}


@dataclass(frozen=True, slots=True)
class Question:
    """What a search is asked.

    Attributes:
        study: a name that all questions about one growing history share, and no others.
        search: what makes the suggester; the same for a study's questions.
        history, pending, count: as `Suggester.suggest` has them.
    """

    study: str
    search: Search
    history: Sequence[FinishedTrial]
    pending: Sequence[PendingTrial]
    count: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Points to try next, and whose they are."""

    values: list[dict[str, Value]]
    algorithm: str
    version: str
    instead_of: str | None = None
    """The algorithm that was asked first and gave none."""
    because: str | None = None
    """Why it gave none, in words."""


class NoAnswer(Exception):
    """The search gave no points; the message says why."""


Ask = Callable[[Question], Answer]


@dataclass
class AskHere:
    """Asks in this process, however long it takes. Not for several threads at once."""

    _known: dict[str, Suggester] = field(default_factory=dict)

    def __call__(self, question: Question) -> Answer:
        """Answer a question.

        Raises:
            NoAnswer: the search raised something, or gave what are not points of its space.
        """
        try:
            suggester = self._known.get(question.study)
            if suggester is None:
                # One is enough to be quick while one study is asked again and again.
                self._known.clear()
                suggester = self._known[question.study] = question.search.make()
            return answer_of(suggester, question)
        except Exception as error:
            raise NoAnswer(reason_of(error)) from error


def answer_of(suggester: Suggester, question: Question) -> Answer:
    """What a suggester says, checked.

    Raises:
        Exception: whatever the suggester raises, and ValueError if its answer is none.
    """
    values = suggester.suggest(question.history, question.pending, question.count)
    if len(values) > question.count:
        raise ValueError(f"{len(values)} points for a question about {question.count}")
    space = question.search.space
    for point in values:
        if not space.contains(point):
            raise ValueError(f"{repr(point)[:200]} is no point of the space")
    plain = [
        {p.name: _PLAIN[type(p)](point[p.name]) for p in space.parameters if p.name in point}
        for point in values
    ]
    return Answer(plain, suggester.algorithm, suggester.version)


def answer_in_any_case(ask: Ask, question: Question) -> Answer:
    """The search's answer, or quasi-random points, marked as such, if it gives none."""
    if question.count == 0:
        return Answer([], question.search.algorithm, "")
    try:
        return ask(question)
    except NoAnswer as why:
        asked = question.search.algorithm
        stand_in = replace(question.search, algorithm=FALLBACK, arguments={})
        found = answer_of(stand_in.make(), question)
        return replace(found, instead_of=asked, because=str(why))


def reason_of(error: Exception) -> str:
    """An exception in one line."""
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said}"[:500] if said else type(error).__name__
