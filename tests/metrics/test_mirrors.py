"""Copies of event files elsewhere that are brought up to date beside the looks at jobs."""

import fcntl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from store.objects.names import Place
from tests.running_service import wait_until
from worker.elsewhere.remote import RemoteObject, Unreachable
from worker.metrics.mirrors import Found, Mirrors

PLACE = Place("bucket", "runs/1", "s3")
NAME = "runs/1/events.out.tfevents.1"
OFTEN, SELDOM = 0.01, 3600.0


class Elsewhere:
    """A store of one object that may be slow, be away or refuse."""

    def __init__(self) -> None:
        self.content = b"first"
        self.trouble: Exception | None = None
        self.lists = 0
        self.answers = threading.Event()
        self.answers.set()

    def list_below(self, place: Place) -> list[RemoteObject]:
        self.lists += 1
        content = self.content
        assert self.answers.wait(60)
        if self.trouble is not None:
            raise self.trouble
        return [RemoteObject(NAME, content.decode(), len(content))]

    def read(self, bucket: str, wanted: RemoteObject, first: int, last: int) -> bytes:
        return wanted.version.encode()[first : last + 1]


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    made = Elsewhere()
    yield made
    made.answers.set()


def mirrors_of(elsewhere: Elsewhere, interval: float, patience: float = 60.0) -> Mirrors:
    return Mirrors(lambda place: elsewhere, interval, patience)


def copied(folder: Path) -> bytes:
    file = folder / "files" / "events.out.tfevents.1"
    return file.read_bytes() if file.exists() else b""


def test_what_runs_is_copied_without_any_look_waiting_for_it(elsewhere: Elsewhere, tmp_path: Path) -> None:
    mirrors = mirrors_of(elsewhere, OFTEN)
    elsewhere.answers.clear()
    began = time.monotonic()
    for _ in range(3):
        assert mirrors.look(PLACE, tmp_path, ended=False) == Found(False)
    assert time.monotonic() - began < 30
    assert elsewhere.lists <= 1, "one look at a place at a time"
    elsewhere.answers.set()
    wait_until(lambda: copied(tmp_path) == b"first")
    elsewhere.content = b"first, second"

    def grown() -> bool:
        mirrors.look(PLACE, tmp_path, ended=False)
        return copied(tmp_path) == b"first, second"

    wait_until(grown)


def test_a_place_is_asked_no_more_often_than_said_until_its_trial_has_ended(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    mirrors = mirrors_of(elsewhere, SELDOM)
    mirrors.look(PLACE, tmp_path, ended=False)
    wait_until(lambda: (tmp_path / "versions.json").exists())
    elsewhere.content = b"first, last"
    for _ in range(10):
        mirrors.look(PLACE, tmp_path, ended=False)
    assert elsewhere.lists == 1
    wait_until(lambda: mirrors.look(PLACE, tmp_path, ended=True).complete)
    assert copied(tmp_path) == b"first, last"
    assert elsewhere.lists == 2


def test_nor_by_the_next_process(elsewhere: Elsewhere, tmp_path: Path) -> None:
    mirrors_of(elsewhere, SELDOM).look(PLACE, tmp_path, ended=False)
    wait_until(lambda: (tmp_path / "versions.json").exists())
    following = mirrors_of(elsewhere, SELDOM)
    following.look(PLACE, tmp_path, ended=False)
    wait_until(lambda: following.look(PLACE, tmp_path, ended=True).complete)
    assert elsewhere.lists == 2


def test_what_was_listed_before_the_trial_ended_is_not_all_of_it(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    mirrors = mirrors_of(elsewhere, OFTEN, patience=0.01)
    elsewhere.answers.clear()
    mirrors.look(PLACE, tmp_path, ended=False)
    wait_until(lambda: elsewhere.lists == 1)
    elsewhere.content = b"first, last"
    assert mirrors.look(PLACE, tmp_path, ended=True) == Found(False)
    elsewhere.answers.set()
    wait_until(lambda: mirrors.look(PLACE, tmp_path, ended=True).complete)
    assert copied(tmp_path) == b"first, last"


def test_a_store_that_is_away_is_told_once_left_alone_and_waited_for(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    mirrors = mirrors_of(elsewhere, 0.05)
    elsewhere.trouble = Unreachable("SlowDown: Please reduce your request rate.", lasting=False)
    with capture_logs() as logs:
        for number in range(3):
            mirrors.look(PLACE / str(number), tmp_path / str(number), ended=False)

        def asked_again_and_again() -> bool:
            assert mirrors.look(PLACE, tmp_path / "ended", ended=True) == Found(False)
            return elsewhere.lists >= 6

        wait_until(asked_again_and_again)
        elsewhere.trouble = None
        wait_until(lambda: mirrors.look(PLACE, tmp_path / "ended", ended=True).complete)
    assert copied(tmp_path / "ended") == b"first"
    told = [(each["event"], each["bucket"]) for each in logs]
    assert told == [("an object store is away", "s3://bucket"), ("an object store is back", "s3://bucket")]


def test_while_it_is_away_others_do_not_ask_it(elsewhere: Elsewhere, tmp_path: Path) -> None:
    mirrors = mirrors_of(elsewhere, SELDOM)
    elsewhere.trouble = Unreachable("away", lasting=False)
    assert not mirrors.look(PLACE, tmp_path / "1", ended=True).complete
    for number in range(2, 10):
        assert not mirrors.look(PLACE, tmp_path / str(number), ended=True).complete
    assert elsewhere.lists == 1
    other = Place("another-bucket", "runs/1", "s3")
    mirrors.look(other, tmp_path / "other", ended=True)
    assert elsewhere.lists == 2


@pytest.mark.parametrize(
    "trouble", [Unreachable("no such bucket", lasting=True), ImportError("No module named 'botocore'")]
)
def test_a_refusal_is_told_and_not_waited_for(
    elsewhere: Elsewhere, tmp_path: Path, trouble: Exception
) -> None:
    mirrors = mirrors_of(elsewhere, SELDOM)
    elsewhere.trouble = trouble
    found = mirrors.look(PLACE, tmp_path, ended=True)
    assert found.complete
    assert str(trouble) in found.problems[0]


def test_a_copy_that_another_process_is_at_is_left_to_it(elsewhere: Elsewhere, tmp_path: Path) -> None:
    mirrors = mirrors_of(elsewhere, OFTEN)
    with (tmp_path / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert mirrors.look(PLACE, tmp_path, ended=True) == Found(False)
        assert elsewhere.lists == 0
    wait_until(lambda: mirrors.look(PLACE, tmp_path, ended=True).complete)


def test_nothing_is_begun_once_closed(elsewhere: Elsewhere, tmp_path: Path) -> None:
    mirrors = mirrors_of(elsewhere, OFTEN)
    mirrors.close()
    assert mirrors.look(PLACE, tmp_path, ended=True) == Found(False)
    assert elsewhere.lists == 0
