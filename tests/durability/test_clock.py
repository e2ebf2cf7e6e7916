"""The machine's clock is set, an hour ahead and back, while a job runs: that does not concern the job."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import func, select

from store.database import Database
from store.models import Job
from tests.clock_that_jumps import Offset
from tests.durability.the_job import TheJob
from tests.running_service import RunningService, wait_until

HOUR = 3600.0
LOOKS_SECONDS = 20.0
"""A look follows the last one in less than a second; it must not take an hour after the clock was set."""


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Offset:
    offset = Offset(tmp_path_factory.mktemp("clock") / "offset")
    offset.set(0.0)
    return offset


@pytest.fixture(scope="module")
def service(clock: Offset, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    settings = {"slots": 4, "lease_seconds": 3, "stop_grace_seconds": 1, "trouble_seconds": 1}
    program = ("-m", "tests.clock_that_jumps", str(clock.file))
    with RunningService(tmp_path_factory.mktemp("data"), program=program, **settings) as service:
        yield service
        assert service.stop() == 0


def test_a_job_goes_on_while_the_clock_is_set(service: RunningService, clock: Offset, tmp_path: Path) -> None:
    with service.client() as http:
        job = TheJob(http, tmp_path, "timeless")
        job.submit()
        job.reach_the_middle()
        for hours in (1, 0, -1, 0):
            clock.set(hours * HOUR)
            before = looks(service)
            wait_until(lambda before=before: looks(service) >= before + 5, LOOKS_SECONDS)  # type: ignore[misc]
        job.ends_as_ever()


def looks(service: RunningService) -> int:
    """How often jobs have been looked at."""
    database = Database(f"sqlite:///{service.data_dir / 'vernier.sqlite3'}")
    with closing(database), database.read() as session:
        return session.scalar(select(func.sum(Job.lease_fence))) or 0
