"""A service is upgraded while trials of an earlier release's jobs run."""

from pathlib import Path

import pytest
from alembic import command

from store.database import Database
from tests.durability.the_job import TheJob
from tests.running_service import RunningService
from tests.store.test_migrations import _config


@pytest.mark.parametrize("earlier", ["0003", "0005"])
def test_a_job_begun_before_an_upgrade_goes_on_after_it(tmp_path: Path, earlier: str) -> None:
    with RunningService(tmp_path / "data", slots=4) as service, service.client() as http:
        job = TheJob(http, tmp_path, "upgraded")
        job.submit()
        job.reach_the_middle()
        assert service.stop() == 0
    database = Database(f"sqlite:///{tmp_path / 'data' / 'vernier.sqlite3'}")
    config = _config()
    with database.engine.execution_options(writes=True).begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, earlier)
    database.close()
    with RunningService(tmp_path / "data", slots=4) as service, service.client() as http:
        job.over(http).ends_as_ever()
        assert service.stop() == 0
