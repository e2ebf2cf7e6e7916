"""Whole jobs whose trials have several replicas."""

import json
from typing import Any

from tests.jobs.conftest import Jobs
from tests.jobs.test_logs_of_jobs import log_of, message
from tests.running_service import RunningService
from tests.worker.launcher_contract import is_running

SMALL: dict[str, Any] = {
    "scaleTier": "CUSTOM",
    "masterType": "n1-standard-4",
    "workerType": "n1-standard-4",
    "workerCount": "1",
    "parameterServerType": "n1-standard-4",
    "parameterServerCount": "1",
}
# Each replica tells who it is, and goes on once all have.
SHOWING = """
from pathlib import Path
config = json.loads(os.environ["TF_CONFIG"])
me = f"{config['task']['type']} {config['task']['index']}"
out = Path(sys.argv[-1])
print("this is", me, flush=True)
(out / f"{me}.part").write_text(json.dumps([os.getpid(), config, sys.argv[1:]]))
(out / f"{me}.part").rename(out / f"{me}.json")
while len(list(out.glob("*.json"))) < 3:
    time.sleep(0.01)
"""
ROLES = ("chief", "worker", "ps")


def test_trials_of_a_cluster_run_to_the_end_of_their_primary(jobs: Jobs, service: RunningService) -> None:
    source = SHOWING + 'report(1, trial) if me == "chief 0" else time.sleep(600)'
    job_id = jobs.submit(source, {"maxTrials": 2, "maxParallelTrials": 2}, args=["a b"], **SMALL)
    assert [trial["finalMetric"]["objectiveValue"] for trial in jobs.trials(job_id)] == [2.0, 1.0]
    assert jobs.get(job_id)["state"] == "SUCCEEDED"
    listening: list[str] = []
    for trial in ("1", "2"):
        told = [json.loads((jobs.folder / job_id / trial / f"{role} 0.json").read_text()) for role in ROLES]
        cluster = told[0][1]["cluster"]
        assert [config["cluster"] for _, config, _ in told] == [cluster] * 3
        assert {config["task"]["trial"] for _, config, _ in told} == {trial}
        assert [arguments for _, _, arguments in told] == [told[0][2]] * 3
        listening += [address for addresses in cluster.values() for address in addresses]
    assert len(set(listening)) == 6, "no two replicas share an address"
    log = [
        (entry["resource"]["labels"]["task_name"], message(entry)) for entry in log_of(jobs, service, job_id)
    ]
    for task, me in (("master", "chief"), ("worker", "worker"), ("ps", "ps")):
        assert log.count((f"{task}-replica-0", f"this is {me} 0")) == 2
        assert sum(name == f"{task}-replica-0" and "Running command" in said for name, said in log) == 2


def test_a_failed_worker_fails_the_job_and_is_named(jobs: Jobs) -> None:
    source = SHOWING + 'if me == "worker 0": raise ValueError("no data here")\ntime.sleep(600)'
    job = jobs.ended(jobs.submit(source, **SMALL))
    assert job["state"] == "FAILED"
    assert job["errorMessage"].startswith("The replica worker 0 exited with a non-zero status of 1.")
    assert job["errorMessage"].rstrip().endswith("ValueError: no data here")


def test_cancelling_stops_every_replica(jobs: Jobs) -> None:
    job_id = jobs.submit(SHOWING + "time.sleep(600)", **SMALL)
    folder = jobs.folder / job_id
    jobs.wait(job_id, lambda _: len(list(folder.glob("*.json"))) == 3)
    jobs.cancel(job_id)
    assert jobs.ended(job_id)["state"] == "CANCELLED"
    for role in ROLES:
        assert not is_running(json.loads((folder / f"{role} 0.json").read_text())[0])
