"""The algorithms that are compared, and the processes they run in.

Ours run in the project's own environment. A peer gets one of its own under ~/.cache/vernier-benchmarks, made
from the package registry when it is first asked for; some of them take gigabytes.
"""

import json
import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.search.task import Point
from tuning.space import Categorical, Discrete, Integer, Parameter, Space

ENVIRONMENTS = Path.home() / ".cache" / "vernier-benchmarks" / "env"
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Contestant:
    """One algorithm: the file of `peers/` that runs it, its name there, and what has to be installed."""

    module: str
    name: str = ""
    packages: tuple[str, ...] = ()

    def python(self) -> str:
        """The interpreter that has its library; made on demand."""
        if not self.packages:
            return sys.executable
        home = ENVIRONMENTS / self.module
        interpreter = home / "bin" / "python"
        ready = home / "ready"
        if not ready.exists():
            print(f"Installing {', '.join(self.packages)} for the comparison …", file=sys.stderr)
            venv.create(home, with_pip=True)
            subprocess.run([interpreter, "-m", "pip", "install", "--quiet", *self.packages], check=True)
            ready.touch()
        return str(interpreter)


_OPTUNA = ("optuna==5.0.0", "scipy", "torch", "cmaes")
_HYPEROPT = ("hyperopt==0.3.0", "setuptools<80")
# HEBO wants an old NumPy and pymoo, which only libraries of their time run with.
_HEBO = (
    "HEBO==0.3.6",
    "numpy==1.24.4",
    "scipy==1.11.4",
    "pandas==2.0.3",
    "scikit-learn==1.3.2",
    "torch==2.2.2",
    "gpytorch==1.11",
    "linear_operator==0.5.2",
    "GPy==1.13.2",
    "catboost==1.2.8",
    "pymoo==0.6.0",
    "matplotlib==3.8.4",
    "setuptools<80",
)
# Vizier's extra for its default algorithm names a nightly build; these are the releases it was written for.
_VIZIER = (
    "google-vizier==0.1.24",
    "jax==0.4.35",
    "jaxlib==0.4.35",
    "jaxopt==0.8.3",
    "flax==0.10.0",
    "optax==0.2.3",
    "chex==0.1.87",
    "tensorflow-probability==0.25.0",
    "equinox==0.11.7",
    "jaxtyping==0.2.34",
    "typeguard==2.13.3",
    "numpy==1.26.4",
    "scipy==1.13.1",
    "setuptools<80",
)

CONTESTANTS = {
    "vernier": Contestant("vernier", "DEFAULT"),
    "vernier-tpe": Contestant("vernier", "TPE"),
    "random": Contestant("vernier", "RANDOM_SEARCH"),
    "optuna-gp": Contestant("optuna", "gp", _OPTUNA),
    "optuna-tpe": Contestant("optuna", "tpe", _OPTUNA),
    "optuna-cma-es": Contestant("optuna", "cma-es", _OPTUNA),
    "scikit-optimize": Contestant("skopt", "", ("scikit-optimize==0.10.2",)),
    "hyperopt-tpe": Contestant("hyperopt", "tpe", _HYPEROPT),
    "hyperopt-anneal": Contestant("hyperopt", "anneal", _HYPEROPT),
    "nni-tpe": Contestant("nni", "", ("nni==3.0", "setuptools<80")),
    "smac3": Contestant("smac", "30", ("smac==2.4.1",)),
    "hebo": Contestant("hebo", "", _HEBO),
    "ax": Contestant("ax", "", ("ax-platform==1.3.1",)),
    "oss-vizier": Contestant("vizier", "", _VIZIER),
}


class Process:
    """A contestant at work. Use it as a context; one search at a time."""

    def __init__(self, contestant: Contestant) -> None:
        command = [contestant.python(), "-m", f"benchmarks.search.peers.{contestant.module}", contestant.name]
        environment = os.environ | {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("VERBOSE") else subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def begin(self, space: Space, seed: int) -> None:
        self._space = space
        self._say({"begin": {"space": [_told(p) for p in space.parameters], "seed": seed}})

    def ask(self, count: int) -> tuple[list[Point], float]:
        """Points to try, and the seconds of CPU they took."""
        answer = self._say({"ask": count})
        return [self._of_wire(point) for point in answer["points"]], answer["cpu"]

    def tell(self, points: Sequence[Point], losses: Sequence[float]) -> float:
        """What came of the last points; the seconds of CPU it took to take that in."""
        on_wire = [self._to_wire(point) for point in points]
        cpu: float = self._say({"tell": {"points": on_wire, "losses": list(losses)}})["cpu"]
        return cpu

    def _say(self, message: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the search process has ended; VERBOSE=1 shows what it said")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _to_wire(self, point: Point) -> Point:
        return {
            p.name: p.position(point[p.name]) if isinstance(p, Discrete) else point[p.name]
            for p in self._space.parameters
        }

    def _of_wire(self, point: Point) -> Point:
        values = {
            p.name: p.at(int(point[p.name])) if isinstance(p, Discrete) else point[p.name]
            for p in self._space.parameters
        }
        assert self._space.contains(values), f"{values} is not a point of the space"
        return values


def _told(parameter: Parameter) -> dict[str, Any]:
    """A parameter as the conversation tells it."""
    told: dict[str, Any] = {"name": parameter.name, "log": False}
    if isinstance(parameter, Categorical):
        return told | {"kind": "categorical", "values": list(parameter.categories)}
    if isinstance(parameter, Discrete):
        return told | {"kind": "integer", "low": 0, "high": parameter.size - 1}
    kind = "integer" if isinstance(parameter, Integer) else "double"
    return told | {
        "kind": kind,
        "low": parameter.low,
        "high": parameter.high,
        "log": parameter.scale.is_logarithmic,
    }
