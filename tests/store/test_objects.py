"""The object store beneath the routes: objects are whole whatever happens, and trials write as they like."""

import errno
import io
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.objects.buckets import Buckets
from store.objects.checksums import Checksums
from store.objects.errors import (
    BucketNotEmpty,
    InvalidName,
    NameTaken,
    NoSuchBucket,
    NoSuchObject,
    NoSuchUpload,
    PreconditionFailed,
    TooManyUploads,
    UploadBusy,
)
from store.objects.files import ObjectFiles
from store.objects.listing import Question, list_objects
from store.objects.names import Place, name_problem
from store.objects.preconditions import ANYHOW, Preconditions
from store.objects.records import About, StoredObject
from store.objects.uploads import KEPT_SECONDS, Session, Uploads

B = "bucket"


@pytest.fixture
def files(tmp_path: Path) -> ObjectFiles:
    return ObjectFiles(tmp_path / "objects")


def put(files: ObjectFiles, name: str, content: bytes = b"x", **given: Preconditions) -> StoredObject:
    with files.incoming() as partial:
        partial.file.write(content)
        partial.file.flush()
        return files.commit(B, name, partial.path, About({"contentType": "text/plain"}), **given)


def content_of(files: ObjectFiles, name: str) -> bytes:
    with files.open(B, name) as (_, file):
        return file.read()


def names(files: ObjectFiles, **asked: str | int) -> list[str]:
    found = list_objects(files, B, Question(**asked)).found  # type: ignore[arg-type]
    return [each if isinstance(each, str) else each.name for each in found]


class TestWriting:
    def test_an_object_is_the_plain_file_of_its_name(self, files: ObjectFiles) -> None:
        put(files, "a/b.txt", b"hello")
        assert (files.root / B / "a" / "b.txt").read_bytes() == b"hello"
        assert files.path(Place(B, "a/b.txt")) == files.root / B / "a" / "b.txt"

    def test_nothing_but_the_object_is_left_in_the_bucket(self, files: ObjectFiles) -> None:
        put(files, "a/b.txt")
        assert [path.name for path in files.root.rglob("*")] == [B, "a", "b.txt"]
        assert not list(files.uploads_dir.glob("incoming-*"))

    def test_a_reader_keeps_what_it_opened_while_it_is_replaced(self, files: ObjectFiles) -> None:
        put(files, "x", b"old")
        with files.open(B, "x") as (stored, file):
            put(files, "x", b"new content")
            assert (stored.size, file.read()) == (3, b"old")

    def test_a_failed_rename_leaves_the_old_object_as_it_was(
        self, files: ObjectFiles, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = put(files, "x", b"old")

        def full(*_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "replace", full)
        with pytest.raises(OSError, match="No space"):
            put(files, "x", b"new")
        assert files.get(B, "x") == before
        assert content_of(files, "x") == b"old"
        assert not list(files.uploads_dir.glob("incoming-*"))

    def test_of_many_who_want_to_be_first_one_is(self, files: ObjectFiles) -> None:
        winners: list[int] = []
        losers: list[int] = []
        start = threading.Barrier(8)

        def write(number: int) -> None:
            start.wait()
            try:
                put(files, "lock", str(number).encode(), preconditions=Preconditions(generation=0))
                winners.append(number)
            except PreconditionFailed:
                losers.append(number)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(winners), len(losers)) == (1, 7)
        assert content_of(files, "lock") == str(winners[0]).encode()

    def test_readers_meet_one_whole_object_or_another(self, files: ObjectFiles) -> None:
        put(files, "x", b"0" * 100_000)
        done = threading.Event()

        def write() -> None:
            for number in range(1, 30):
                put(files, "x", str(number % 10).encode() * (100_000 + number))
            done.set()

        writer = threading.Thread(target=write)
        writer.start()
        while not done.is_set():
            with files.open(B, "x") as (stored, file):
                read = file.read()
            assert (len(set(read)), len(read)) == (1, stored.size)
            # What is known of it belongs to that very content, too.
            assert stored.about.headers == {"contentType": "text/plain"}
        writer.join()

    def test_generations_grow_when_the_clock_goes_back(
        self, files: ObjectFiles, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = put(files, "x")
        monkeypatch.setattr(time, "time_ns", lambda: first.generation - 10**12)
        assert put(files, "x").generation > first.generation


class TestBesideTrials:
    def test_what_a_trial_changes_is_known_by_nothing_but_the_file(self, files: ObjectFiles) -> None:
        before = put(files, "x", b"hello")
        (files.root / B / "x").write_bytes(b"other")
        now = files.get(B, "x")
        assert now.generation > before.generation
        assert now.about == About()

    def test_a_copy_of_the_data_folder_keeps_what_is_known(self, files: ObjectFiles, tmp_path: Path) -> None:
        before = put(files, "a/x", b"hello")
        assert os.system(f"cp -a {tmp_path}/objects {tmp_path}/copied") == 0
        assert os.system(f"cp -a {tmp_path}/objects.meta {tmp_path}/copied.meta") == 0
        assert ObjectFiles(tmp_path / "copied").get(B, "a/x") == before

    @pytest.mark.parametrize(
        "text", ["", "{", "[]", '{"generations": 3}', '{"generations": {"1": {"size": 5}}}']
    )
    def test_a_damaged_record_costs_no_object(self, files: ObjectFiles, text: str) -> None:
        put(files, "x", b"hello")
        (record,) = files.root.with_name("objects.meta").rglob("*.json")
        record.write_text(text)
        assert (files.get(B, "x").size, files.get(B, "x").about) == (5, About())

    def test_empty_directories_do_not_show_and_stay_where_they_are(self, files: ObjectFiles) -> None:
        put(files, "run/1/x")
        (files.root / B / "run" / "2" / "deep").mkdir(parents=True)
        files.delete(B, "run/1/x")
        assert names(files) == names(files, delimiter="/") == []
        assert (files.root / B / "run" / "1").is_dir()

    def test_a_bucket_that_holds_what_is_no_object_is_not_deleted(self, files: ObjectFiles) -> None:
        buckets = Buckets(files)
        buckets.create(B, "p")
        (files.root / B / "run").mkdir()
        (files.root / B / "run" / "link").symlink_to("/tmp")
        with pytest.raises(BucketNotEmpty):
            buckets.delete(B)
        (files.root / B / "run" / "link").unlink()
        buckets.delete(B)
        with pytest.raises(NoSuchBucket):
            buckets.get(B)

    def test_directories_too_deep_to_look_through_are_not_empty(self, files: ObjectFiles) -> None:
        buckets = Buckets(files)
        buckets.create(B, "p")
        top = os.open(files.root / B, os.O_RDONLY)
        for _ in range(600):
            os.mkdir("d", dir_fd=top)
            below = os.open("d", os.O_RDONLY, dir_fd=top)
            os.close(top)
            top = below
        os.close(top)
        assert names(files) == []
        with pytest.raises(BucketNotEmpty):
            buckets.delete(B)

    def test_a_file_that_a_trial_removes_meanwhile_is_missing(
        self, files: ObjectFiles, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(files, "run/x")

        def quicker(*_: object, **__: object) -> None:
            raise FileNotFoundError(errno.ENOENT, "No such file")

        monkeypatch.setattr(os, "unlink", quicker)
        with pytest.raises(NoSuchObject):
            files.delete(B, "run/x")

    def test_a_new_bucket_knows_nothing_of_an_old_one(self, files: ObjectFiles) -> None:
        buckets = Buckets(files)
        buckets.create(B, "first")
        put(files, "folder/", b"")
        files.delete(B, "folder/")
        buckets.delete(B)
        assert buckets.create(B, "second").project == "second"
        assert names(files) == []


SEGMENT = st.sampled_from(["a", "b", "a-b", "a.b", "A", "é", "\U0001f600", "0"])
NAME = st.lists(SEGMENT, min_size=1, max_size=3).map("/".join)


def without_conflicts(wanted: set[str]) -> set[str]:
    return {name for name in wanted if not any(other.startswith(f"{name}/") for other in wanted)}


@settings(max_examples=60)
@given(
    wanted=st.sets(NAME, max_size=12).map(without_conflicts),
    prefix=st.sampled_from(["", "a", "a/", "b/a", "é", "zzz"]),
    delimiter=st.sampled_from(["", "/", "-", "a/"]),
    start=st.sampled_from(["", "a", "a/b", "b"]),
    end=st.sampled_from(["", "a/b", "b", "é"]),
    limit=st.integers(1, 5),
)
def test_pages_of_a_list_are_what_sorting_all_names_gives(
    tmp_path_factory: pytest.TempPathFactory,
    wanted: set[str],
    prefix: str,
    delimiter: str,
    start: str,
    end: str,
    limit: int,
) -> None:
    files = ObjectFiles(tmp_path_factory.mktemp("listing") / "objects")
    (files.root / B).mkdir(parents=True)
    for name in wanted:
        path = files.path(Place(B, name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    expected: list[str] = []
    for name in sorted(wanted, key=str.encode):
        if not name.startswith(prefix) or name < start or (end and name >= end):
            continue
        cut = name.find(delimiter, len(prefix)) if delimiter else -1
        shown = name if cut < 0 else name[: cut + len(delimiter)]
        if shown not in expected:
            expected.append(shown)

    found: list[str] = []
    more = True
    while more:
        after = found[-1] if found else ""
        page = list_objects(files, B, Question(prefix, delimiter, after, start, end, limit))
        found += [each if isinstance(each, str) else each.name for each in page.found]
        more = page.more
        assert len(page.found) == limit or not more
    assert found == expected


@given(st.text(max_size=40))
@settings(max_examples=300)
def test_every_name_is_refused_or_stays_in_its_bucket(name: str) -> None:
    files = ObjectFiles(Path("/data/objects"))
    if name_problem(name) is None:
        path = files.path(Place(B, name))
        assert Path(os.path.normpath(path)) == path
        assert path.is_relative_to("/data/objects/bucket")
        assert path != Path("/data/objects/bucket")
    elif name:
        with pytest.raises(InvalidName):
            files.path(Place(B, name))


def test_a_file_in_the_way_of_a_directory_is_a_refusal_that_changes_nothing(files: ObjectFiles) -> None:
    put(files, "a", b"kept")
    with pytest.raises(NameTaken):
        put(files, "a/b")
    put(files, "c/d", b"kept")
    with pytest.raises(NameTaken):
        put(files, "c")
    assert (content_of(files, "a"), content_of(files, "c/d")) == (b"kept", b"kept")


class TestUploads:
    SESSION = Session(B, "big", About(), ANYHOW, Checksums(), None)

    @pytest.fixture
    def uploads(self, files: ObjectFiles) -> Uploads:
        return Uploads(files, 1000, 3)

    def test_they_outlive_the_process(self, files: ObjectFiles, uploads: Uploads) -> None:
        upload_id = uploads.begin(self.SESSION)
        with uploads.hold(upload_id) as upload:
            upload.append(b"hello ")
        again = Uploads(ObjectFiles(files.root), 1000, 3)
        with again.hold(upload_id) as upload:
            assert upload.received == 6
            upload.append(b"world")
            upload.finish(Checksums())
        assert content_of(files, "big") == b"hello world"

    def test_one_request_at_a_time_writes(self, uploads: Uploads) -> None:
        upload_id = uploads.begin(self.SESSION)
        with uploads.hold(upload_id), pytest.raises(UploadBusy), uploads.hold(upload_id):
            pass

    def test_who_comes_too_late_does_not_write_into_the_object(
        self, files: ObjectFiles, uploads: Uploads, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        upload_id = uploads.begin(self.SESSION)
        plain = files.uploads_dir / upload_id / "content"

        def finish_meanwhile(path: Path, mode: str, buffering: int) -> object:
            """Another request finishes between the opening of the file and its lock."""
            opened = open(path, mode, buffering=buffering)  # noqa: SIM115
            monkeypatch.undo()
            with uploads.hold(upload_id) as upload:
                upload.append(b"done")
                upload.finish(Checksums())
            return opened

        assert plain.exists()
        monkeypatch.setattr("store.objects.uploads.open", finish_meanwhile, raising=False)
        with pytest.raises(UploadBusy), uploads.hold(upload_id) as upload:
            upload.append(b" and more")
        assert content_of(files, "big") == b"done"

    def test_nothing_is_written_to_one_that_is_finished(self, files: ObjectFiles, uploads: Uploads) -> None:
        upload_id = uploads.begin(self.SESSION)
        with uploads.hold(upload_id) as upload:
            upload.append(b"done")
            upload.finish(Checksums())
        with pytest.raises(UploadBusy), uploads.hold(upload_id) as upload:
            upload.append(b"more")
        assert not list(files.uploads_dir.glob("**/content"))
        assert content_of(files, "big") == b"done"

    def test_one_that_ended_without_a_word_is_found_finished(
        self, files: ObjectFiles, uploads: Uploads, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        upload_id = uploads.begin(self.SESSION)
        with monkeypatch.context() as killed:
            killed.setattr("store.objects.uploads._write", kill)
            with uploads.hold(upload_id) as upload:
                upload.append(b"done")
                with pytest.raises(Killed):
                    upload.finish(Checksums())
        stored = uploads.finished(upload_id)
        assert stored is not None
        assert stored.size == 4

    def test_a_piece_that_the_disk_takes_in_parts_is_written_whole(
        self, files: ObjectFiles, uploads: Uploads, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Halving(io.FileIO):
            def write(self, piece: Any, /) -> int:
                return super().write(piece[: max(1, len(piece) // 2)])

        monkeypatch.setattr(
            "store.objects.uploads.open", lambda path, mode, **_: Halving(path, mode), raising=False
        )
        with uploads.hold(uploads.begin(self.SESSION)) as upload:
            upload.append(b"in several parts")
            upload.finish(Checksums())
        assert content_of(files, "big") == b"in several parts"

    def test_one_that_is_given_up_while_it_is_written_to_is_unknown(
        self, files: ObjectFiles, uploads: Uploads
    ) -> None:
        upload_id = uploads.begin(self.SESSION)
        with uploads.hold(upload_id) as upload:
            upload.append(b"some")
            uploads.drop(upload_id)
            with pytest.raises(NoSuchUpload):
                upload.expect(100)
            with pytest.raises(NoSuchUpload):
                upload.finish(Checksums())
        with pytest.raises(NoSuchUpload):
            uploads.finished(upload_id)
        assert [path.name for path in files.uploads_dir.iterdir()] in ([], ["lock"])

    def test_no_more_are_begun_than_may_be_open_and_those_that_ended_make_room(
        self, files: ObjectFiles, uploads: Uploads
    ) -> None:
        first, second, _ = (uploads.begin(self.SESSION) for _ in range(3))
        for uploads_again in (uploads, Uploads(ObjectFiles(files.root), 1000, 3)):
            with pytest.raises(TooManyUploads, match="VERNIER_MAX_OPEN_UPLOADS"):
                uploads_again.begin(self.SESSION)
        uploads.drop(first)
        uploads.begin(self.SESSION)
        with uploads.hold(second) as upload:
            upload.append(b"done")
            upload.finish(Checksums())
        uploads.begin(self.SESSION)
        stored = uploads.finished(second)
        assert stored is not None
        assert stored.size == 4
        with pytest.raises(TooManyUploads):
            uploads.begin(self.SESSION)

    def test_those_that_ended_where_they_began_make_room_too(
        self, files: ObjectFiles, uploads: Uploads, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As in folders of earlier releases, and where a process died in between."""
        monkeypatch.setattr(Path, "rename", kill)
        for _ in range(3):
            upload_id = uploads.begin(self.SESSION)
            with uploads.hold(upload_id) as upload, pytest.raises(Killed):
                upload.finish(Checksums())
            assert (files.uploads_dir / upload_id).is_dir()
        assert uploads.begin(self.SESSION)

    def test_one_that_was_finished_is_forgotten_after_a_week(self, uploads: Uploads) -> None:
        upload_id = uploads.begin(self.SESSION)
        with uploads.hold(upload_id) as upload:
            upload.finish(Checksums())
        uploads.remove_old(time.time() + KEPT_SECONDS / 2)
        assert uploads.finished(upload_id) is not None
        uploads.remove_old(time.time() + KEPT_SECONDS + 1)
        with pytest.raises(NoSuchUpload):
            uploads.finished(upload_id)

    def test_what_nobody_writes_to_is_removed(self, files: ObjectFiles, uploads: Uploads) -> None:
        old, young = uploads.begin(self.SESSION), uploads.begin(self.SESSION)
        (files.uploads_dir / "incoming-dead").touch()
        now = time.time()
        past = now - KEPT_SECONDS - 1
        for path in (files.uploads_dir / old / "content", files.uploads_dir / "incoming-dead"):
            os.utime(path, (past, past))
        uploads.remove_old(now)
        with pytest.raises(NoSuchUpload), uploads.hold(old):
            pass
        with uploads.hold(young):
            pass
        assert not (files.uploads_dir / "incoming-dead").exists()


class Killed(BaseException):
    pass


def kill(*_: object) -> None:
    raise Killed


@pytest.mark.parametrize("ask", [ObjectFiles.get, ObjectFiles.open_now, ObjectFiles.delete])
def test_what_is_missing_is_told_by_what_is_missing(
    files: ObjectFiles, ask: Callable[[ObjectFiles, str, str], object]
) -> None:
    with pytest.raises(NoSuchBucket):
        ask(files, B, "x")
    Buckets(files).create(B, None)
    with pytest.raises(NoSuchObject):
        ask(files, B, "x")


def test_a_file_whose_record_cannot_be_read_is_closed_again(
    files: ObjectFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(files, "a", b"content")

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(type(files.records), "find", fail)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="Input/output") as raised:
        files.open_now(B, "a")
    # What is held here holds the frames that failed, so nothing is closed only for being collected.
    assert raised.traceback
    assert len(os.listdir("/proc/self/fd")) == before
