"""The local copy of event files that a trial writes to an object store elsewhere."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from store.objects.names import Place
from worker.elsewhere.remote import RemoteObject
from worker.metrics import mirror
from worker.metrics.mirror import OVERLAP_BYTES, PIECE_BYTES, age, refresh

PLACE = Place("bucket", "runs/1")
NAME = "runs/1/eval/events.out.tfevents.1"
COPY = Path("files/eval/events.out.tfevents.1")


class Elsewhere:
    """A store whose objects are replaced as a whole, that counts what is read of it."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[int, bytes]] = {}
        self.bytes_read = 0
        self.reads = 0
        self.lists = 0
        self.before_read: Callable[[], None] = lambda: None

    def put(self, name: str, content: bytes) -> None:
        generation = self.objects.get(name, (0, b""))[0] + 1
        self.objects[name] = (generation, content)

    def list_below(self, place: Place) -> list[RemoteObject]:
        self.lists += 1
        return [
            RemoteObject(name, str(generation), len(content))
            for name, (generation, content) in self.objects.items()
            if name.startswith(f"{place.name}/" if place.name else "")
        ]

    def read(self, bucket: str, wanted: RemoteObject, first: int, last: int) -> bytes:
        self.before_read()
        generation, content = self.objects[wanted.name]
        assert (bucket, str(generation)) == (PLACE.bucket, wanted.version)
        piece = content[first : last + 1]
        assert piece, "no server gives nothing"
        self.bytes_read += len(piece)
        self.reads += 1
        return piece


@pytest.fixture
def elsewhere() -> Elsewhere:
    return Elsewhere()


def test_event_files_are_copied_where_they_stand_and_nothing_else_is(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    elsewhere.put(NAME, b"events")
    elsewhere.put("runs/1/model.bin", b"large")
    elsewhere.put("runs/1/tfevents/model.bin", b"large")
    elsewhere.put("runs/10/events.out.tfevents.1", b"another trial's")
    assert refresh(elsewhere, PLACE, tmp_path, math.inf) == []
    assert [path for path in (tmp_path / "files").rglob("*") if path.is_file()] == [tmp_path / COPY]
    assert (tmp_path / COPY).read_bytes() == b"events"


def test_only_what_is_new_is_fetched_with_a_little_overlap(elsewhere: Elsewhere, tmp_path: Path) -> None:
    content = bytes(range(256)) * 400
    elsewhere.put(NAME, content)
    refresh(elsewhere, PLACE, tmp_path, math.inf)
    elsewhere.put(NAME, content + b"new")
    elsewhere.bytes_read = elsewhere.reads = 0
    refresh(elsewhere, PLACE, tmp_path, math.inf)
    assert (tmp_path / COPY).read_bytes() == content + b"new"
    assert (elsewhere.bytes_read, elsewhere.reads) == (OVERLAP_BYTES + 3, 1)


def test_what_has_not_changed_is_not_read(elsewhere: Elsewhere, tmp_path: Path) -> None:
    elsewhere.put(NAME, b"events")
    refresh(elsewhere, PLACE, tmp_path, math.inf)
    elsewhere.bytes_read = 0
    refresh(elsewhere, PLACE, tmp_path, math.inf)
    assert elsewhere.bytes_read == 0


@pytest.mark.parametrize("new", [b"others", b"other, and longer", b"sh", b""])
def test_another_file_under_the_same_name_is_copied_anew(
    elsewhere: Elsewhere, tmp_path: Path, new: bytes
) -> None:
    elsewhere.put(NAME, b"events")
    refresh(elsewhere, PLACE, tmp_path, math.inf)
    elsewhere.put(NAME, new)
    refresh(elsewhere, PLACE, tmp_path, math.inf)
    assert (tmp_path / COPY).read_bytes() == new


@pytest.mark.parametrize("names", [(NAME, f"{NAME}/tfevents"), (f"{NAME}/tfevents", NAME)])
def test_an_object_beside_others_below_its_name_can_be_no_file_and_is_told(
    elsewhere: Elsewhere, tmp_path: Path, names: tuple[str, str]
) -> None:
    for name in (*names, "runs/1/later.tfevents"):
        elsewhere.put(name, b"events")
    (problem,) = refresh(elsewhere, PLACE, tmp_path, math.inf)
    assert f"bucket/{names[1]} is not read" in problem
    assert (tmp_path / "files" / "later.tfevents").exists()


def test_files_larger_than_a_piece_come_whole(elsewhere: Elsewhere, tmp_path: Path) -> None:
    content = b"x" * (PIECE_BYTES + 1)
    elsewhere.put(NAME, content)
    refresh(elsewhere, PLACE, tmp_path, math.inf)
    assert (tmp_path / COPY).read_bytes() == content


def test_a_break_between_pieces_costs_only_the_piece(elsewhere: Elsewhere, tmp_path: Path) -> None:
    elsewhere.put(NAME, b"x" * PIECE_BYTES + b"y" * 10)
    reads = iter([None, ConnectionError("away")])

    def break_off() -> None:
        if (problem := next(reads, None)) is not None:
            raise problem

    elsewhere.before_read = break_off
    with pytest.raises(ConnectionError):
        refresh(elsewhere, PLACE, tmp_path, math.inf)
    elsewhere.bytes_read = 0
    # Although it was looked at a moment ago: that look was not finished.
    refresh(elsewhere, PLACE, tmp_path, age(60))
    assert (tmp_path / COPY).read_bytes() == b"x" * PIECE_BYTES + b"y" * 10
    assert elsewhere.bytes_read == OVERLAP_BYTES + 10


def test_damaged_notes_cost_only_another_look(elsewhere: Elsewhere, tmp_path: Path) -> None:
    elsewhere.put(NAME, b"events")
    refresh(elsewhere, PLACE, tmp_path, math.inf)
    (tmp_path / "versions.json").write_text("")
    elsewhere.put(NAME, b"events, more")
    assert refresh(elsewhere, PLACE, tmp_path, math.inf) == []
    assert (tmp_path / COPY).read_bytes() == b"events, more"


def test_it_is_not_looked_at_more_often_than_asked(elsewhere: Elsewhere, tmp_path: Path) -> None:
    refresh(elsewhere, PLACE, tmp_path, age(60))
    elsewhere.put(NAME, b"events")
    refresh(elsewhere, PLACE, tmp_path, age(60))
    assert elsewhere.lists == 1
    refresh(elsewhere, PLACE, tmp_path, math.inf)
    assert (tmp_path / COPY).exists()


@pytest.mark.parametrize(
    "below", ["../../tfevents", "a//tfevents", "./tfevents", "/etc/tfevents", "a\ntfevents"]
)
def test_names_that_lead_out_of_the_copy_are_told_and_left_out(
    elsewhere: Elsewhere, tmp_path: Path, below: str
) -> None:
    elsewhere.put(f"runs/1/{below}", b"evil")
    elsewhere.put(NAME, b"events")
    (problem,) = refresh(elsewhere, PLACE, tmp_path, math.inf)
    assert below in problem
    assert [path for path in (tmp_path / "files").rglob("*") if path.is_file()] == [tmp_path / COPY]


def test_a_job_dir_may_be_a_whole_bucket(elsewhere: Elsewhere, tmp_path: Path) -> None:
    elsewhere.put("eval/events.out.tfevents.1", b"events")
    refresh(elsewhere, Place("bucket", ""), tmp_path, math.inf)
    assert (tmp_path / COPY).read_bytes() == b"events"


def test_no_more_is_copied_than_a_trial_may_have(
    elsewhere: Elsewhere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "MOST_BYTES", 20)
    elsewhere.put(NAME, b"x" * 12)
    assert refresh(elsewhere, PLACE, tmp_path, math.inf) == []
    elsewhere.put("runs/1/more.tfevents", b"y" * 9)
    (problem,) = refresh(elsewhere, PLACE, tmp_path, math.inf)
    assert "bucket/runs/1/more.tfevents is not read further" in problem
    assert refresh(elsewhere, PLACE, tmp_path, math.inf) == [problem], "told in the same words"
    assert (tmp_path / COPY).read_bytes() == b"x" * 12
    assert not (tmp_path / "files" / "more.tfevents").exists()
