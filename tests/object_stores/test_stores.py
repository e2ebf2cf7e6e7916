"""What the worker asks of stores elsewhere, asked of a real S3 server and of one that plays Google's."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import pytest

from store.objects.names import Place, Scheme
from tests.object_stores.conftest import Put
from tests.object_stores.servers import Minio, Server
from worker.elsewhere.remote import RemoteObject, RemoteStore, Unreachable
from worker.elsewhere.stores import Stores
from worker.metrics.mirror import OVERLAP_BYTES, refresh

_numbers = itertools.count(1)
EVENTS = "events.out.tfevents.1"


@dataclass
class Store:
    """A store behind a server, and a bucket of the test's own."""

    scheme: Scheme
    server: Server
    put: Put
    asked: RemoteStore

    def __post_init__(self) -> None:
        self.bucket = f"bucket-{next(_numbers)}"

    def place(self, name: str) -> Place:
        return Place(self.bucket, name, self.scheme)

    def add(self, name: str, content: bytes) -> None:
        self.put(self.bucket, name, content)

    def listed(self, name: str) -> dict[str, RemoteObject]:
        return {each.name: each for each in self.asked.list_below(self.place(name))}


@pytest.fixture(params=["s3", "gs"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Store:
    scheme: Scheme = request.param
    server: Server = request.getfixturevalue({"s3": "minio", "gs": "fake_gcs"}[scheme])
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    made = Stores().of(Place("any", "", scheme))
    return Store(scheme, server, request.getfixturevalue(f"put_{scheme}"), made)


@pytest.fixture
def s3(minio: Minio, put_s3: Put, monkeypatch: pytest.MonkeyPatch) -> Store:
    for name, value in minio.environment.items():
        monkeypatch.setenv(name, value)
    return Store("s3", minio, put_s3, Stores().of(Place("any", "", "s3")))


def test_all_objects_below_a_place_are_listed_and_no_others(store: Store) -> None:
    names = ["runs/1/a b+%2F#?é/events", "runs/1/x", *(f"runs/1/many/{number}" for number in range(5))]
    for name in (*names, "runs/10/y", "runs/1-beside", "other"):
        store.add(name, name.encode())
    found = store.listed("runs/1")
    assert sorted(found) == sorted(names)
    assert all(found[name].size == len(name.encode()) for name in names)
    assert len(store.listed("")) == len(names) + 3
    assert store.listed("runs/none") == {}


def test_more_objects_are_listed_than_one_answer_has(s3: Store) -> None:
    for number in range(1005):
        s3.add(f"runs/1/{number}", b"")
    assert len(s3.listed("runs/1")) == 1005


def test_a_piece_is_read_and_another_content_is_another_version(store: Store) -> None:
    store.add("runs/1/x", b"0123456789")
    first = store.listed("runs/1")["runs/1/x"]
    assert store.asked.read(store.bucket, first, 2, 4) == b"234"
    assert store.asked.read(store.bucket, first, 9, 9) == b"9"
    store.add("runs/1/x", b"0123456789ab")
    second = store.listed("runs/1")["runs/1/x"]
    assert second.version != first.version
    assert store.asked.read(store.bucket, second, 10, 11) == b"ab"


def test_what_was_replaced_since_it_was_listed_is_not_read_for_the_moment(s3: Store) -> None:
    s3.add("runs/1/x", b"0123456789")
    first = s3.listed("runs/1")["runs/1/x"]
    s3.add("runs/1/x", b"9876543210")
    with pytest.raises(Unreachable, match="for the moment: PreconditionFailed") as error:
        s3.asked.read(s3.bucket, first, 2, 4)
    assert not error.value.lasting


def test_a_package_comes_whole_unless_it_is_too_large(store: Store, tmp_path: Path) -> None:
    content = bytes(range(256)) * 12_000
    store.add("p/trainer.whl", content)
    store.asked.download(store.place("p/trainer.whl"), tmp_path / "whole", len(content))
    assert (tmp_path / "whole").read_bytes() == content
    with pytest.raises(Unreachable, match="is larger than 1000 bytes") as error:
        store.asked.download(store.place("p/trainer.whl"), tmp_path / "none", 1000)
    assert error.value.lasting
    assert not (tmp_path / "none").exists()
    with pytest.raises(Unreachable, match="can't be read"):
        store.asked.download(store.place("p/missing.whl"), tmp_path / "missing", 1000)


def test_a_bucket_that_is_not_there_is_a_lasting_refusal(store: Store) -> None:
    with pytest.raises(Unreachable, match=f"{store.scheme}://no-such-bucket/runs can't be read: ") as error:
        store.asked.list_below(Place("no-such-bucket", "runs", store.scheme))
    assert error.value.lasting


def test_who_may_not_read_is_refused_for_good_and_told_no_secrets(
    s3: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-wrong-secret")
    with pytest.raises(Unreachable, match="SignatureDoesNotMatch") as error:
        Stores().of(s3.place("")).list_below(s3.place("runs"))
    assert error.value.lasting
    assert "a-wrong-secret" not in str(error.value)


def test_who_acts_may_be_a_profile_of_the_users_own(
    s3: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in s3.server.environment:
        monkeypatch.delenv(name)
    (tmp_path / "credentials").write_text(
        f"[team]\naws_access_key_id = {Minio.user}\naws_secret_access_key = {Minio.password}\n"
    )
    (tmp_path / "config").write_text(
        f"[profile team]\nregion = us-east-1\nendpoint_url = {s3.server.address}\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "team")
    s3.add("runs/1/x", b"")
    assert len(Stores().of(s3.place("")).list_below(s3.place("runs"))) == 1


def test_an_event_file_that_grows_is_read_by_its_new_part(store: Store, tmp_path: Path) -> None:
    read: list[int] = []

    class Counted:
        def list_below(self, place: Place) -> list[RemoteObject]:
            return store.asked.list_below(place)

        def read(self, bucket: str, wanted: RemoteObject, first: int, last: int) -> bytes:
            piece = store.asked.read(bucket, wanted, first, last)
            read.append(len(piece))
            return piece

    def brought() -> bytes:
        assert refresh(Counted(), store.place("runs/1"), tmp_path, float("inf")) == []
        return (tmp_path / "files" / "eval" / EVENTS).read_bytes()

    content = bytes(range(256)) * 4000
    store.add(f"runs/1/eval/{EVENTS}", content)
    assert brought() == content
    read.clear()
    store.add(f"runs/1/eval/{EVENTS}", content + b"more")
    assert brought() == content + b"more"
    assert read == [OVERLAP_BYTES + 4]
    read.clear()
    assert brought() == content + b"more"
    assert read == [], "what has not changed is only listed"
    store.add(f"runs/1/eval/{EVENTS}", b"another file")
    assert brought() == b"another file"
