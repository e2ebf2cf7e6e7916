"""A job that is cancelled before anything of it has begun (docs/contract.md 3.1)."""

import time
from pathlib import Path

from store.database import Database
from store.jobs import NewJob, create_job, request_cancel
from tests.running_service import RunningService, wait_until

TRAINING = {"packageUris": ["/nowhere/trainer.tar.gz"], "pythonModule": "trainer.task"}


def test_it_ends_without_ever_having_started(tmp_path: Path) -> None:
    # Written before the service starts, so that no worker can have taken it out of the queue.
    database = Database(f"sqlite:///{tmp_path / 'vernier.sqlite3'}")
    database.upgrade()
    with database.write() as session:
        job = create_job(session, NewJob("p", "a", TRAINING, None, {}, 0), time.time())
        request_cancel(job, "The job was cancelled by its user.", time.time())
    database.close()
    with RunningService(tmp_path) as service, service.client() as http:
        wait_until(lambda: http.get("/jobs/a").json()["state"] == "CANCELLED")
        ended = http.get("/jobs/a").json()
        assert service.stop() == 0
    assert ended["endTime"] >= ended["createTime"]
    assert ended["errorMessage"] == "The job was cancelled by its user."
    assert not {"startTime", "jobPosition", "trainingOutput"} & ended.keys()
