"""What keeps the service from starting is said in words that name the setting."""

import re
from pathlib import Path

import pytest
from sqlalchemy import text

from cli.data_folder import CannotServe
from cli.embedded import Embedded
from settings import Settings
from store.database import Database


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite:////no/such/folder/x.sqlite3", "unable to open database file"),
        ("postgresql+psycopg://ana:hidden@127.0.0.1:1/vernier", "Connection refused"),
        (
            "postgresql+psycopg://ana:hidden@127.0.0.1:1/vernier?color=red",
            'invalid connection option "color"',
        ),
        ("postgresql+nosuch://ana:hidden@127.0.0.1/vernier", "there is no postgresql+nosuch"),
        ("hidden", "is written like postgresql+psycopg://user:password@host/database"),
        ("mysql://ana:hidden@127.0.0.1/vernier", "only SQLite and PostgreSQL are supported, not mysql"),
        (
            "postgresql+psycopg2://ana:hidden@127.0.0.1/vernier",
            "needs a package that is not installed: psycopg2",
        ),
    ],
)
def test_a_database_that_cannot_be_used_is_refused_in_words(tmp_path: Path, url: str, said: str) -> None:
    with pytest.raises(CannotServe, match=re.escape(said)) as refusal:
        Embedded(Settings(data_dir=tmp_path, database_url=url), "worker")
    assert "VERNIER_DATABASE_URL" in str(refusal.value)
    assert "hidden" not in str(refusal.value)
    assert "sqlalche.me" not in str(refusal.value)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "vernier.sqlite3").write_text("not a database, however long it is" * 100)
    with pytest.raises(CannotServe, match=r"vernier\.sqlite3.*file is not a database"):
        Embedded(Settings(data_dir=tmp_path), "worker")


def test_a_database_of_a_newer_release_is_left_alone(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'vernier.sqlite3'}")
    database.upgrade()
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(CannotServe, match=r"vernier\.sqlite3.*9999"):
        Embedded(Settings(data_dir=tmp_path), "worker")
