"""What the service does on a cluster: `python -m benchmarks.kubernetes [--trials 1000] [--json]`.

A real control plane (etcd, API server, controllers, scheduler) whose nodes are played. One tuning job of the
service (`vernier serve --launcher kubernetes`, SQLite, RANDOM_SEARCH) with all its trials at once:

* Launched: from the request that submits the job until the last of its Jobs is there, against a loop in one
  thread that creates the same Jobs with the official client, in the same cluster, before and after. No node
  is there yet in either.
* Idle: with nodes, all trials run and say nothing. CPU of the service's process, and how often it looks.
* Ends: trials end one at a time. From the moment the API server has been told until the database says so.

Requests are counted by the API server itself, in its audit log, by who made them.
"""

import argparse
import json
import math
import os
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import yaml
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from benchmarks.durable_service import memory_mb
from benchmarks.overhead import cpu_seconds
from store.database import Database
from store.models import Attempt, Job, Trial
from tests.kubernetes.cluster import ControlPlane
from tests.kubernetes.simulated_nodes import Run, SimulatedNodes, environment_of
from tests.running_service import RunningService, wait_until
from worker.launchers.kubernetes import names
from worker.launchers.kubernetes.api import JOBS, PODS

Json = dict[str, Any]
NAMESPACE, BARE = "trials", "bare"
PODS_OF_NODE = 110
PATIENCE_SECONDS = 900.0
SETTLE_SECONDS = 20.0
"""Until what is new of so many trials has been looked at."""
POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata", "users": ["admin"]}, {"level": "None"}],
}


@dataclass(frozen=True, slots=True)
class Launched:
    trials: int
    seconds: float
    bare_before: float
    """Jobs a second."""
    bare_after: float
    requests: float
    """To the API server, a trial."""
    cpu_ms: float
    """Of the service, a trial."""

    @property
    def rate(self) -> float:
        return self.trials / self.seconds

    @property
    def of_bare(self) -> float:
        return self.rate / ((self.bare_before + self.bare_after) / 2)


@dataclass(frozen=True, slots=True)
class Idle:
    trials: int
    cores: float
    looks: float
    """A second."""
    look_cpu_ms: float
    """All CPU of the service, divided by looks."""
    requests: float
    """To the API server, a second."""
    memory_mb: float


@dataclass(frozen=True, slots=True)
class Ends:
    count: int
    p50: float
    p95: float
    longest: float
    requests: float
    """To the API server, an end."""


class Bench:
    """A cluster and a service on it."""

    def __init__(self, control_plane: ControlPlane, nodes: SimulatedNodes, folder: Path, slots: int) -> None:
        self._control_plane = control_plane
        self._nodes = nodes
        self._folder = folder
        self._http = control_plane.client()
        for name in (NAMESPACE, BARE):
            self._http.post("/api/v1/namespaces", json={"metadata": {"name": name}}).raise_for_status()
            accounts = f"/api/v1/namespaces/{name}/serviceaccounts/default"
            wait_until(lambda accounts=accounts: self._http.get(accounts).is_success)
        data = folder / "data"
        # The service's own, by way of this one's.
        os.environ["KUBECONFIG"] = str(control_plane.kubeconfig("admin"))
        self._service = RunningService(
            data,
            launcher="kubernetes",
            kubernetes_namespace=NAMESPACE,
            kubernetes_host_path=str(data),
            kubernetes_cpu="10m",
            kubernetes_memory="16Mi",
            slots=slots,
            poll_seconds=0.5,
            sweep_seconds=0.5,
        )
        self._client = self._service.client()
        self._database = Database(f"sqlite:///{data / 'vernier.sqlite3'}")
        self._manifest = self._one_job()

    def close(self) -> None:
        self._client.close()
        self._database.close()
        self._http.close()
        self._service.__exit__()

    def launch(self, trials: int, bare: int) -> Launched:
        before = self._bare(bare)
        cpu, requests = self._cpu(), self._requests()
        began = time.monotonic()
        self._submit("launched", trials)
        there = JOBS.format(NAMESPACE)

        def all_there() -> bool:
            time.sleep(0.1)  # Each look is a request of its own, and no part of what is measured.
            listed = self._http.get(there, params={"limit": "1"}).json()
            more = listed["metadata"].get("remainingItemCount", 0)
            return len(listed["items"]) + int(more) >= trials

        wait_until(all_there, PATIENCE_SECONDS)
        seconds = time.monotonic() - began
        used, asked = self._cpu() - cpu, self._requests() - requests
        return Launched(trials, seconds, before, self._bare(bare), asked / trials, 1000 * used / trials)

    def idle(self, trials: int, seconds: float) -> Idle:
        for number in range(math.ceil(1.1 * trials / PODS_OF_NODE)):
            self._nodes.add(f"node-{number}", pods=PODS_OF_NODE)
        wait_until(lambda: self._nodes.running() == trials, PATIENCE_SECONDS)
        time.sleep(SETTLE_SECONDS)
        cpu, requests, looks, began = self._cpu(), self._requests(), self._looks(), time.monotonic()
        time.sleep(seconds)
        passed = time.monotonic() - began
        used, looked = self._cpu() - cpu, self._looks() - looks
        return Idle(
            trials,
            used / passed,
            looked / passed,
            1000 * used / max(1, looked),
            (self._requests() - requests) / passed,
            memory_mb(self._service.process.pid),
        )

    def ends(self, count: int, every: float) -> Ends:
        listed = self._http.get(PODS.format(NAMESPACE), params={"limit": str(count)}).json()["items"]
        requests = self._requests()
        ended: dict[int, float] = {}
        for pod in listed:
            self._nodes.finish(pod["metadata"]["name"])
            ended[int(pod["metadata"]["labels"][names.TRIAL])] = time.time()
            time.sleep(every)

        def seen() -> dict[int, float]:
            time.sleep(0.5)
            with self._database.read() as session:
                rows = session.execute(
                    select(Trial.number, Attempt.end_time).where(
                        Attempt.trial_pk == Trial.id, Attempt.end_time.is_not(None), Trial.number.in_(ended)
                    )
                ).all()
            found = {number: at for number, at in rows if at is not None}
            return found if len(found) >= len(ended) else {}

        at = wait_until(seen, PATIENCE_SECONDS)
        late = sorted(max(0.0, at[number] - when) for number, when in ended.items())
        asked = (self._requests() - requests) / len(late)
        return Ends(len(late), median(late), late[math.ceil(0.95 * len(late)) - 1], late[-1], asked)

    def _one_job(self) -> Json:
        """What the service creates for a trial, to be created by the loop as well."""
        job_id = "manifest"
        self._submit(job_id, 1)
        path = JOBS.format(NAMESPACE)
        made = (wait_until(lambda: self._http.get(path).json()["items"]) or [{}])[0]
        self._client.post(f"/jobs/{job_id}:cancel", json={}).raise_for_status()
        wait_until(lambda: self._client.get(f"/jobs/{job_id}").json()["state"] == "CANCELLED")
        self._clear(NAMESPACE)
        template = made["spec"]["template"]
        kept = ("backoffLimit", "podReplacementPolicy", "podFailurePolicy")
        labels = made["metadata"]["labels"]
        for name in [name for name in template["metadata"]["labels"] if name not in labels]:
            del template["metadata"]["labels"][name]
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"labels": labels, "annotations": made["metadata"]["annotations"]},
            "spec": {"template": template, **{name: made["spec"][name] for name in kept}},
        }

    def _bare(self, count: int) -> float:
        """Jobs a second that one thread creates with the official client."""
        from kubernetes import client, config

        configuration = client.Configuration()
        file = str(self._control_plane.kubeconfig("admin"))
        config.load_kube_config(file, client_configuration=configuration)
        with client.ApiClient(configuration) as api:
            batch = client.BatchV1Api(api)
            began = time.monotonic()
            for number in range(count):
                about = {**self._manifest["metadata"], "name": f"bare-{number}"}
                batch.create_namespaced_job(BARE, {**self._manifest, "metadata": about})
            rate = count / (time.monotonic() - began)
        self._clear(BARE)
        return rate

    def _clear(self, namespace: str) -> None:
        options = {"propagationPolicy": "Background"}
        self._http.delete(JOBS.format(namespace), params=options, timeout=120).raise_for_status()
        for where in (JOBS, PODS):
            path = where.format(namespace)
            wait_until(lambda path=path: not self._http.get(path, params={"limit": "1"}).json()["items"])

    def _submit(self, job_id: str, trials: int) -> None:
        hyperparameters = {
            "goal": "MINIMIZE",
            "hyperparameterMetricTag": "loss",
            "maxTrials": trials,
            "maxParallelTrials": trials,
            "algorithm": "RANDOM_SEARCH",
            "params": [{"parameterName": "x", "type": "DOUBLE", "minValue": 0, "maxValue": 1}],
        }
        training = {
            "region": "local",
            "scaleTier": "CUSTOM",
            "masterType": "standard",
            "masterConfig": {"imageUri": "trainer"},
            "hyperparameters": hyperparameters,
        }
        answer = self._client.post("/jobs", json={"jobId": job_id, "trainingInput": training})
        answer.raise_for_status()

    def _looks(self) -> int:
        with self._database.read() as session:
            return session.scalar(select(func.sum(Job.lease_fence))) or 0

    def _cpu(self) -> float:
        return cpu_seconds(self._service.process.pid)

    def _requests(self) -> int:
        return sum(self.requests().values())

    def requests(self) -> Counter[str]:
        """{verb and resource: how often the service has asked for it}; what the loop asked stands apart."""
        counted: Counter[str] = Counter()
        with (self._folder / "audit.log").open() as lines:
            for line in lines:
                event = json.loads(line)
                about = event.get("objectRef", {})
                if about.get("namespace") == NAMESPACE and "httpx" not in event.get("userAgent", ""):
                    resource = "/".join(filter(None, (about.get("resource"), about.get("subresource"))))
                    counted[f"{event['verb']} {resource}"] += 1
        return counted


@contextmanager
def running_bench(slots: int) -> Iterator[Bench]:
    """Start everything; nothing is left of it."""
    with tempfile.TemporaryDirectory(prefix="vernier-kubernetes-bench-") as scratch:
        folder = Path(scratch)
        policy = folder / "policy.yaml"
        policy.write_text(yaml.safe_dump(POLICY))
        audit = (f"--audit-policy-file={policy}", f"--audit-log-path={folder / 'audit.log'}")
        with (
            ControlPlane({"kube-apiserver": audit}) as control_plane,
            SimulatedNodes(control_plane, _trial) as nodes,
        ):
            bench = Bench(control_plane, nodes, folder, slots)
            try:
                yield bench
            finally:
                bench.close()


def _trial(pod: Json) -> Run:
    """Runs until it is told to end, and reports then."""
    measured = '{"global_step": "1", "timestamp": 1.0, "trial": "1", "loss": "0.5"}\n'
    return Run(math.inf, writes={environment_of(pod)["CLOUD_ML_HP_METRIC_FILE"]: measured})


def document(launched: Launched, idle: Idle, ends: Ends, requests: Counter[str]) -> Json:
    """What `--json` prints."""
    return {
        "benchmark": "kubernetes",
        "machine": {
            "cpus": os.cpu_count(),
            "python": platform.python_version(),
            "system": platform.platform(),
            "load_average": os.getloadavg()[0],
        },
        "launched": {**asdict(launched), "rate": launched.rate, "of_bare": launched.of_bare},
        "idle": asdict(idle),
        "ends": asdict(ends),
        "requests": dict(requests),
    }


def table(launched: Launched, idle: Idle, ends: Ends) -> Table:
    """The same for people."""
    shown = Table("", "", "aim", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    bare = f"bare loop {launched.bare_before:.0f} and {launched.bare_after:.0f} a second"
    rows = [
        ("trials launched", f"{60 * launched.rate:.0f} a minute ({launched.rate:.0f} a second; {bare})", ""),
        ("of the bare loop's rate", f"{launched.of_bare:.0%}", "80 %"),
        ("to launch a trial", f"{launched.requests:.2f} requests, {launched.cpu_ms:.1f} ms of CPU", ""),
        (f"{idle.trials} idle trials", f"{idle.cores:.3f} of a core", "0.1"),
        ("", f"{idle.looks:.1f} looks a second, of {idle.look_cpu_ms:.0f} ms of CPU", ""),
        ("", f"{idle.requests:.1f} requests a second, {idle.memory_mb:.0f} MB", ""),
        (f"{ends.count} ends are seen after", f"p50 {ends.p50:.2f} s, p95 {ends.p95:.2f} s", "p95 1 s"),
        ("", f"longest {ends.longest:.2f} s, {ends.requests:.1f} requests an end", ""),
    ]
    for row in rows:
        shown.add_row(*row)
    return shown


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.kubernetes", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--trials", type=int, default=1000, help="trials of the job, all at once")
    parser.add_argument("--bare", type=int, default=500, help="Jobs of the loop beside it, before and after")
    parser.add_argument("--seconds", type=float, default=60, help="how long they are left idle")
    parser.add_argument("--ends", type=int, default=100, help="trials that end, one at a time")
    parser.add_argument("--every", type=float, default=0.2, help="seconds from one end to the next")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    given = parser.parse_args(arguments)
    with running_bench(given.trials) as bench:
        launched = bench.launch(given.trials, given.bare)
        idle = bench.idle(given.trials, given.seconds)
        ends = bench.ends(min(given.ends, given.trials), given.every)
        requests = bench.requests()
    if given.json:
        print(json.dumps(document(launched, idle, ends, requests), indent=2))
    else:
        Console().print(table(launched, idle, ends))
        Console().print(", ".join(f"{name}: {count}" for name, count in requests.most_common()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
