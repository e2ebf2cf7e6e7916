"""Many runs with random plans, and a failing plan made short."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from random import Random

from tests.model.plan import Look, Plan, Wake, random_plan
from tests.model.workers import Cut
from tests.model.world import Found, run

TRIES = 400
"""Runs that making a plan short may take."""


def search(seeds: range) -> Counter[str]:
    """A run for each seed; gives what they met, and how often.

    Raises:
        Found: a run broke a guarantee. The message says by which seed, and has a plan made short.
    """
    met: Counter[str] = Counter()
    for seed in seeds:
        plan = random_plan(Random(seed))
        try:
            met.update(run(plan))
        except Found as found:
            shortest = shorten(plan, found)
            raise Found(f"{shortest}\nFound by: python -m tests.model --seed {seed} --runs 1") from found
        met["run"] += 1
    return met


def shorten(plan: Plan, found: Found) -> Found:
    """What a plan that can't do with any event less breaks."""
    tries = 0
    shorter: Plan | None = plan
    while shorter is not None:
        plan, shorter = shorter, None
        for candidate in _shorter(plan):
            tries += 1
            if tries > TRIES:
                return found
            try:
                run(candidate)
            except Found as again:
                found, shorter = again, candidate
                break
    return found


def _shorter(plan: Plan) -> Iterator[Plan]:
    """The plan without some of its events, first without many; then with fewer faults in it."""
    size = len(plan) // 2
    while size:
        for start in range(0, len(plan), size):
            yield plan[:start] + plan[start + size :]
        size //= 2
    for place, event in enumerate(plan):
        if isinstance(event, Look | Wake) and event.cut != Cut():
            yield [*plan[:place], replace(event, cut=Cut()), *plan[place + 1 :]]
