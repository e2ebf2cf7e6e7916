"""python -m tests.model [--runs N] [--seed S]: many random runs of the model, and what they met.

Each run has a seed of its own, counted from the first. A broken guarantee ends it with the plan, made as
short as it could be, and the seed that finds it again.
"""

import argparse
import secrets
import sys
import time
from collections import Counter

from tests.model.search import search
from tests.model.world import Found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**9), help="of the first run")
    given = parser.parse_args()
    met: Counter[str] = Counter()
    began = time.monotonic()
    for seed in range(given.seed, given.seed + given.runs):
        try:
            met.update(search(range(seed, seed + 1)))
        except Found as found:
            print(f"\n{found}", file=sys.stderr)
            return 1
        if met["run"] % 100 == 0:
            print(f"{met['run']} runs", flush=True)
    print(f"{met['run']} runs, {met['run'] / (time.monotonic() - began):.1f} a second")
    for what, how_often in sorted(met.items()):
        print(f"{how_often:9} {what}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
