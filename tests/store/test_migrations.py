"""The schema's history ends where the models stand."""

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from store.database import MIGRATIONS, Database, Schema
from store.jobs import find_job
from store.models import Base
from tests.stored_rows import add_job


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def _migrate(database: Database, revision: str) -> None:
    config = _config()
    with database.engine.execution_options(writes=True).begin() as connection:
        config.attributes["connection"] = connection
        (command.downgrade if revision == "base" else command.upgrade)(config, revision)


def _tables(database: Database) -> set[str]:
    return set(inspect(database.engine).get_table_names())


def _differences(database: Database) -> list[object]:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        return compare_metadata(context, Base.metadata)  # type: ignore[no-any-return]


def test_an_empty_database_becomes_what_the_models_say(own_database: Database) -> None:
    assert _differences(own_database) == []
    assert set(Base.metadata.tables) <= _tables(own_database)


def test_a_difference_would_be_noticed(own_database: Database) -> None:
    with own_database.engine.execution_options(writes=True).begin() as connection:
        connection.exec_driver_sql("ALTER TABLE trials DROP COLUMN error_message")
        connection.exec_driver_sql("DROP INDEX jobs_due")
    assert len(_differences(own_database)) == 2


def test_upgrading_what_is_up_to_date_keeps_all(own_database: Database) -> None:
    with own_database.write() as session:
        add_job(session, "kept")
    own_database.upgrade()
    with own_database.read() as session:
        assert find_job(session, "p", "kept") is not None


def test_the_way_back_ends_with_nothing_and_forth_again_with_all(own_database: Database) -> None:
    _migrate(own_database, "base")
    assert _tables(own_database) == {"alembic_version"}
    _migrate(own_database, "head")
    assert _differences(own_database) == []


def _revisions() -> list[str]:
    return [each.revision for each in ScriptDirectory.from_config(_config()).walk_revisions()]


@pytest.mark.parametrize("revision", _revisions())
def test_every_earlier_release_can_be_upgraded_with_what_it_holds(
    own_database: Database, revision: str
) -> None:
    _migrate(own_database, "base")
    _migrate(own_database, revision)
    with own_database.engine.execution_options(writes=True).begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO jobs (project, job_id, training_input, labels, version, state, create_time, seed,"
            " finished_trials, lease_fence) VALUES ('p', 'kept', '{}', '{}', 1, 'QUEUED', 1.5, 7, 0, 0)"
        )
    newest = revision == _revisions()[0]
    assert own_database.schema() is (Schema.CURRENT if newest else Schema.OLDER)
    own_database.upgrade()
    assert own_database.schema() is Schema.CURRENT
    assert _differences(own_database) == []
    with own_database.read() as session:
        kept = find_job(session, "p", "kept")
        assert kept is not None
        assert (kept.state, kept.seed, kept.create_time) == ("QUEUED", 7, 1.5)


def test_the_history_has_one_end() -> None:
    assert len(ScriptDirectory.from_config(_config()).get_heads()) == 1
