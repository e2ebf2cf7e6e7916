"""What ended jobs leave behind is kept, made smaller or removed, as the settings say."""

from pathlib import Path

from tests.jobs.conftest import Jobs
from tests.jobs.test_logs_of_jobs import log_of, message
from tests.running_service import RunningService, wait_until

SOON = 0.5 / 86_400
SEARCH = {"maxTrials": 3, "maxParallelTrials": 1, "enableTrialEarlyStopping": True}
TRAINER = (
    "print('hello')\nopen('mine', 'w').close()\nfor step in range(1, 4): report(step, step / 10 * trial)"
)


def test_an_ended_job_is_made_smaller_and_later_removed(tmp_path: Path) -> None:
    data, folder = tmp_path / "data", tmp_path / "jobs"
    own = data / "jobs" / "p"
    with RunningService(data, slots=2) as service, service.client() as client:
        jobs = Jobs(client, folder)
        job_id = jobs.submit(TRAINER, SEARCH)
        whole, said = jobs.ended(job_id), [message(each) for each in log_of(jobs, service, job_id)]
        assert (own / job_id / "env").exists(), "kept, unless it is said otherwise"
        assert service.stop() == 0
    assert "hello" in said

    with RunningService(data, slots=2, retention="compact", retention_days=SOON) as service:
        with service.client() as client:
            jobs.client = client
            wait_until(lambda: not (own / job_id / "env").exists())
            heir = jobs.submit(TRAINER, {**SEARCH, "resumePreviousJobId": job_id})
            assert jobs.ended(heir)["state"] == "SUCCEEDED"
            wait_until(lambda: not (own / heir / "env").exists())
            assert jobs.get(job_id) == whole
            assert [message(each) for each in log_of(jobs, service, job_id)] == said
            assert len(list(own.rglob("mine"))) == 6
        assert service.stop() == 0

    with RunningService(data, slots=2, retention="remove", retention_days=SOON) as service:
        with service.client() as client:
            jobs.client = client
            wait_until(lambda: len(log_of(jobs, service, job_id)) == 1)
            (entry,) = log_of(jobs, service, job_id)
            assert "removed" in message(entry)
            assert "VERNIER_RETENTION" in message(entry)
            for trial in whole["trainingOutput"]["trials"]:
                del trial["allMetrics"]
            assert jobs.get(job_id) == whole
            assert not (own / job_id).exists()
            assert (folder / job_id).exists(), "job dirs are the user's"
            assert jobs.ended(jobs.submit("report(1, 1.0)"))["state"] == "SUCCEEDED"
        assert service.stop() == 0
