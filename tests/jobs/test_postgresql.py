"""A whole tuning job on a service whose database is PostgreSQL."""

from pathlib import Path

from tests.jobs.conftest import Jobs
from tests.postgres_server import PostgresServer
from tests.running_service import RunningService

# The second trial dies with what PostgreSQL takes in no text. The last waits for the service to be killed.
SOURCE = """
report(1, 0.0)
report(2, trial / 4, "score")
report(3, float("nan"), "other")
if trial == 2:
    os.write(2, b"\\0 and \\xff\\n")
    raise ValueError("\\0 is no text")
while trial == 4 and not os.path.exists(os.path.join(sys.argv[-1], "..", "go")):
    time.sleep(0.02)
"""


def test_a_tuning_job_survives_a_kill_of_the_service(postgres: PostgresServer, tmp_path: Path) -> None:
    with postgres.database() as url:
        with (
            RunningService(tmp_path / "data", slots=2, database_url=url) as service,
            service.client() as client,
        ):
            jobs = Jobs(client, tmp_path)
            job_id = jobs.submit(SOURCE, {"maxTrials": 4, "maxParallelTrials": 2})
            jobs.wait(job_id, lambda job: len(job["trainingOutput"].get("trials", ())) == 4)
            service.kill()
        (tmp_path / job_id / "go").touch()
        with (
            RunningService(tmp_path / "data", slots=2, database_url=url) as service,
            service.client() as client,
        ):
            jobs = Jobs(client, tmp_path)
            job = jobs.ended(job_id)
            assert client.get("/jobs").json()["jobs"][0]["state"] == "SUCCEEDED"
            assert service.stop() == 0
    assert not list((tmp_path / "data").glob("*.sqlite3"))
    assert job["state"] == "SUCCEEDED", job.get("errorMessage")
    trials = job["trainingOutput"]["trials"]
    assert [trial["trialId"] for trial in trials] == ["4", "3", "1", "2"]
    assert [trial["state"] for trial in trials] == ["SUCCEEDED", "SUCCEEDED", "SUCCEEDED", "FAILED"]
    for trial in trials:
        value = int(trial["trialId"]) / 4
        assert trial["finalMetric"] == {"trainingStep": "2", "objectiveValue": value}
        assert [point["objectiveValue"] for point in trial["allMetrics"]] == [0.0, value]
    assert "\0" not in trials[3]["errorMessage"]
    assert trials[3]["errorMessage"].rstrip().endswith(" is no text")
