"""The replicas of a trial, and what each is told of the others (docs/contract.md 4.4, 4.5 and 4.7).

Which there are follows from the job; where they are, only the platform knows.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from api_schemas.jobs import TrainingInput

MASTER, CHIEF = "master", "chief"
"""What the primary may be called in TF_CONFIG."""


class Role(StrEnum):
    """What a replica is there for; named as in its own name and in messages."""

    MASTER = "master"
    """The primary: its end is the trial's."""
    WORKER = "worker"
    PS = "ps"
    EVALUATOR = "evaluator"


@dataclass(frozen=True, slots=True)
class Replica:
    """One process of a trial, counted from 0 within its role."""

    role: Role
    index: int

    @property
    def name(self) -> str:
        """Its task_name."""
        return f"{self.role}-replica-{self.index}"

    @classmethod
    def named(cls, name: str) -> "Replica":
        """The replica of this name."""
        role, _, index = name.partition("-replica-")
        return cls(Role(role), int(index))

    def __str__(self) -> str:
        return f"{self.role} {self.index}"


PRIMARY = Replica(Role.MASTER, 0)


def replicas_of(training_input: TrainingInput) -> tuple[Replica, ...]:
    """All replicas of each of a job's trials, the primary first.

    Only the counts that the job gives make others; what STANDARD_1 and PREMIUM_1 stood for does not.
    """
    counts = {
        Role.WORKER: training_input.worker_count,
        Role.PS: training_input.parameter_server_count,
        Role.EVALUATOR: training_input.evaluator_count,
    }
    others = [Replica(role, index) for role, count in counts.items() for index in range(count or 0)]
    return (PRIMARY, *others)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A trial's replicas and what is the same in the TF_CONFIG of each."""

    replicas: tuple[Replica, ...] = (PRIMARY,)
    primary: str = CHIEF
    """What TF_CONFIG calls the primary."""
    trial: str | None = None
    """The number of the trial as text; None for plain training."""
    job: Mapping[str, Any] | None = None
    """trainingInput with snake_case keys."""
    runs_container: bool = False

    def variables(self, replica: Replica, addresses: Mapping[Replica, str]) -> dict[str, str]:
        """What a replica's environment says of the cluster.

        Args:
            addresses: `host:port` of every replica.
        """
        told = {"TF_CONFIG": self._config(replica, addresses, self.primary)}
        if self.runs_container:
            told["CLUSTER_SPEC"] = self._config(replica, addresses, MASTER)
        return told

    def _config(self, replica: Replica, addresses: Mapping[Replica, str], primary: str) -> str:
        cluster: dict[str, list[str]] = {}
        for each in self.replicas:
            # An evaluator is no member: the others neither wait for it nor talk to it.
            if each.role is not Role.EVALUATOR:
                cluster.setdefault(_key(each, primary), []).append(addresses[each])
        task: dict[str, Any] = {"type": _key(replica, primary), "index": replica.index}
        if self.trial is not None:
            task["trial"] = self.trial
        return json.dumps({"cluster": cluster, "task": task, "job": self.job or {}, "environment": "cloud"})


def _key(replica: Replica, primary: str) -> str:
    return primary if replica.role is Role.MASTER else str(replica.role)
