"""What keeps the service from starting is said in words that name the setting."""

import re
from pathlib import Path

import pytest
from sqlalchemy import text

from cli.data_folder import CannotServe
from cli.embedded import Embedded
from cli.settings_from import settings_from
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


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("VERNIER_SLTOS", "VERNIER_SLTOS is no setting; is VERNIER_SLOTS meant?"),
        ("VERNIER_QUITE_ELSE", "VERNIER_QUITE_ELSE is no setting.\n"),
    ],
)
def test_a_variable_that_is_no_setting_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    for each in (name, "VERNIER_API", "VERNIER_SERVICE_PORT_HTTP", "VERNIER_PORT_8080_TCP_ADDR"):
        monkeypatch.setenv(each, "7")
    settings_from("serve")
    warned = capsys.readouterr().err
    assert said in warned
    assert warned.count("WARNING") == 1
