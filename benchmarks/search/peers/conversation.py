"""How a search process is spoken to: one JSON document a line, and one in answer.

    {"begin": {"space": [...], "seed": 3}}         -> {}
    {"ask": 2}                                     -> {"points": [{"x": 0.5}, {"x": 0.1}], "cpu": 0.02}
    {"tell": {"points": [...], "losses": [...]}}   -> {"cpu": 0.001}

A parameter is {"name", "kind": "double" | "integer" | "categorical", "low", "high", "log", "values"}; losses
are minimised. A discrete parameter is told as the whole-number position among its values, which keeps their
order for libraries that know none. `cpu` counts all threads of the process, in seconds.

Only the standard library is imported here: this runs in every peer's environment.
"""

import json
import os
import sys
import time
import warnings
from typing import Any, Protocol

Parameters = list[dict[str, Any]]
Point = dict[str, Any]


class Search(Protocol):
    """A search that has begun."""

    def ask(self, count: int) -> list[Point]:
        """Points to try next, all at once."""

    def tell(self, points: list[Point], losses: list[float]) -> None:
        """What came of all points of the last answer."""


class Begin(Protocol):
    """Begins a search."""

    def __call__(self, space: Parameters, seed: int) -> Search: ...


def serve(begin: Begin) -> None:
    """Answer until the input ends."""
    warnings.simplefilter("ignore")
    # Libraries print what they like; only answers may reach the pipe.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    search: Search | None = None
    for line in sys.stdin:
        message = json.loads(line)
        answer: dict[str, Any] = {}
        began = time.process_time()
        if "begin" in message:
            search = begin(**message["begin"])
        elif "ask" in message:
            assert search is not None
            answer["points"] = search.ask(message["ask"])
        else:
            assert search is not None
            search.tell(**message["tell"])
        answer["cpu"] = time.process_time() - began
        print(json.dumps(answer, default=_plain), file=answers, flush=True)


def _plain(number: Any) -> Any:
    """A NumPy number as Python's own."""
    return number.item()
