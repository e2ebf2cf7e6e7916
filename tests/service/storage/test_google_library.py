"""google-cloud-storage, unmodified, against the service's own store."""

import io
import os
from pathlib import Path

import pytest
from google.api_core import exceptions
from google.cloud import storage

KIB = 2**10
CHUNK = 256 * KIB
"""The least that the library takes for a chunk."""


def test_a_small_object_comes_back_with_what_was_said_of_it(bucket: storage.Bucket) -> None:
    blob = bucket.blob("a/b c/ü?&#%.txt")
    blob.metadata = {"owner": "ana"}
    blob.cache_control = "no-store"
    blob.upload_from_string("hello", content_type="text/plain")

    found = bucket.get_blob("a/b c/ü?&#%.txt")
    assert found is not None
    assert found.download_as_bytes() == b"hello"
    assert (found.size, found.content_type, found.metadata) == (5, "text/plain", {"owner": "ana"})
    assert found.cache_control == "no-store"
    assert found.md5_hash == "XUFAKrxLKna5cZ2REBfFkg=="
    assert found.crc32c == "mnG7TA=="
    assert found.generation == blob.generation
    assert found.metageneration == 1
    assert found.time_created is not None
    assert found.storage_class == "STANDARD"


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, 3 * CHUNK, 3 * CHUNK + 17])
def test_objects_of_any_size_go_up_in_chunks_and_come_down_in_chunks(
    bucket: storage.Bucket, size: int
) -> None:
    content = os.urandom(size)
    bucket.blob("x", chunk_size=CHUNK).upload_from_file(io.BytesIO(content), size=size, checksum="md5")
    assert bucket.get_blob("x").size == size
    assert bucket.blob("x").download_as_bytes() == content
    if size:  # The library asks for the first bytes of an empty object and takes no "there are none".
        assert bucket.blob("x", chunk_size=CHUNK).download_as_bytes() == content


def test_a_stream_of_unknown_length_goes_up(bucket: storage.Bucket) -> None:
    content = os.urandom(2 * CHUNK + 5)
    with bucket.blob("streamed").open("wb", chunk_size=CHUNK) as out:
        out.write(content[: CHUNK + 1])
        out.write(content[CHUNK + 1 :])
    with bucket.blob("streamed").open("rb", chunk_size=CHUNK) as back:
        assert back.read() == content


def test_a_file_goes_up_and_down(bucket: storage.Bucket, tmp_path: Path) -> None:
    (tmp_path / "up").write_bytes(os.urandom(100_000))
    bucket.blob("f").upload_from_filename(tmp_path / "up")
    bucket.blob("f").download_to_filename(tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == (tmp_path / "up").read_bytes()


def test_checksums_are_verified_on_the_way_up(bucket: storage.Bucket) -> None:
    blob = bucket.blob("x")
    blob.md5_hash = "AAAAAAAAAAAAAAAAAAAAAA=="
    with pytest.raises(exceptions.BadRequest, match="MD5"):
        blob.upload_from_string("hello")
    assert not bucket.blob("x").exists()


@pytest.mark.parametrize(("start", "end"), [(0, 0), (2, 4), (7, None), (0, 100), (-3, None)])
def test_ranges(bucket: storage.Bucket, start: int, end: int | None) -> None:
    bucket.blob("digits").upload_from_string("0123456789")
    got = bucket.blob("digits").download_as_bytes(start=start, end=end)
    assert got == b"0123456789"[start : None if end is None else end + 1]


def test_a_range_behind_the_end_is_told(bucket: storage.Bucket) -> None:
    bucket.blob("digits").upload_from_string("0123456789")
    with pytest.raises(exceptions.RequestRangeNotSatisfiable):
        bucket.blob("digits").download_as_bytes(start=10)


def test_lists_by_prefix_and_delimiter(google: storage.Client, bucket: storage.Bucket) -> None:
    for name in ("a/1", "a/b/2", "a/b/3", "a-b", "a.txt", "c", "a/b.txt"):
        bucket.blob(name).upload_from_string(name)

    assert [blob.name for blob in google.list_blobs(bucket)] == [
        "a-b",
        "a.txt",
        "a/1",
        "a/b.txt",
        "a/b/2",
        "a/b/3",
        "c",
    ]
    found = google.list_blobs(bucket, delimiter="/")
    assert [blob.name for blob in found] == ["a-b", "a.txt", "c"]
    assert found.prefixes == {"a/"}
    found = google.list_blobs(bucket, prefix="a/", delimiter="/")
    assert [blob.name for blob in found] == ["a/1", "a/b.txt"]
    assert found.prefixes == {"a/b/"}
    names = google.list_blobs(bucket, start_offset="a/1", end_offset="a/b/3")
    assert [blob.name for blob in names] == ["a/1", "a/b.txt", "a/b/2"]


@pytest.mark.parametrize(("delimiter", "page_size"), [(None, 2), ("/", 1), (".", 3)])
def test_pages_of_any_size_make_the_same_list(
    google: storage.Client, bucket: storage.Bucket, delimiter: str | None, page_size: int
) -> None:
    for name in ("a/1", "a/b/2", "a/b/3", "a-b", "a.txt", "b/c/d", "b/e", "c"):
        bucket.blob(name).upload_from_string("")
    whole = google.list_blobs(bucket, delimiter=delimiter)
    names = [blob.name for blob in whole]
    paged = google.list_blobs(bucket, delimiter=delimiter, page_size=page_size)
    assert [blob.name for blob in paged] == names
    assert paged.prefixes == whole.prefixes
    assert paged.num_results == len(names)


def test_what_is_not_there(google: storage.Client, bucket: storage.Bucket) -> None:
    assert not bucket.blob("no").exists()
    assert bucket.get_blob("no") is None
    with pytest.raises(exceptions.NotFound):
        bucket.blob("no").download_as_bytes()
    with pytest.raises(exceptions.NotFound):
        bucket.blob("no").delete()
    with pytest.raises(exceptions.NotFound):
        list(google.list_blobs("no-such-bucket"))


def test_deleted_objects_are_gone_and_their_names_free(bucket: storage.Bucket) -> None:
    bucket.blob("a/b").upload_from_string("1")
    bucket.blob("a/b").delete()
    assert not bucket.blob("a/b").exists()
    bucket.blob("a").upload_from_string("the directory is in no one's way")
    assert bucket.blob("a").exists()


def test_only_the_first_writer_wins_who_asks_for_generation_0(bucket: storage.Bucket) -> None:
    bucket.blob("lock").upload_from_string("first", if_generation_match=0)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("lock").upload_from_string("second", if_generation_match=0)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("lock", chunk_size=CHUNK).upload_from_file(
            io.BytesIO(b"x" * 2 * CHUNK), if_generation_match=0
        )
    assert bucket.blob("lock").download_as_bytes() == b"first"


def test_each_write_is_a_later_generation(bucket: storage.Bucket) -> None:
    blob = bucket.blob("x")
    generations = []
    for text in ("1", "2", "3"):
        blob = bucket.blob("x")
        blob.upload_from_string(text)
        generations.append(blob.generation)
    assert generations == sorted(set(generations))
    bucket.blob("x").upload_from_string("4", if_generation_match=generations[-1])
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("x").delete(if_generation_match=generations[-1])
    assert bucket.blob("x").download_as_bytes() == b"4"


def test_generations_that_were_replaced_are_gone(bucket: storage.Bucket) -> None:
    blob = bucket.blob("x")
    blob.upload_from_string("1")
    bucket.blob("x").upload_from_string("2")
    with pytest.raises(exceptions.NotFound):
        bucket.blob("x", generation=blob.generation).download_as_bytes()


def test_etags_are_conditions_too(bucket: storage.Bucket) -> None:
    bucket.blob("x").upload_from_string("x")
    etag = bucket.get_blob("x").etag
    assert bucket.blob("x").download_as_bytes(if_etag_match=etag) == b"x"
    bucket.blob("x").upload_from_string("y")
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("x").download_as_bytes(if_etag_match=etag)
    assert bucket.blob("x").exists(if_etag_not_match=etag)


def test_metadata_changes_count_metagenerations(bucket: storage.Bucket) -> None:
    blob = bucket.blob("x")
    blob.metadata = {"a": "1", "b": "2"}
    blob.upload_from_string("x", content_type="text/plain")
    blob.metadata = {"a": None, "c": "3"}
    blob.content_type = "text/csv"
    blob.patch()
    found = bucket.get_blob("x")
    assert (found.metadata, found.content_type) == ({"b": "2", "c": "3"}, "text/csv")
    assert (found.metageneration, found.generation) == (2, blob.generation)
    assert found.md5_hash == blob.md5_hash
    found.metadata = {"z": "9"}
    found.update()
    assert bucket.get_blob("x").metadata == {"z": "9"}


def test_copies_and_renames(google: storage.Client, bucket: storage.Bucket, bucket_name: str) -> None:
    other = google.create_bucket(f"{bucket_name}-2")
    blob = bucket.blob("a/x")
    blob.metadata = {"k": "v"}
    blob.upload_from_string("hello", content_type="text/plain")

    copied = bucket.copy_blob(blob, other, "b/y")
    assert copied.download_as_bytes() == b"hello"
    assert (copied.content_type, copied.metadata) == ("text/plain", {"k": "v"})

    token, written, total = other.blob("z").rewrite(blob)
    assert (token, written, total) == (None, 5, 5)
    assert other.blob("z").download_as_bytes() == b"hello"

    bucket.rename_blob(blob, "a/new")
    assert [each.name for each in google.list_blobs(bucket)] == ["a/new"]


def test_compose(bucket: storage.Bucket) -> None:
    parts = []
    for text in ("one ", "two ", "three"):
        part = bucket.blob(f"parts/{text.strip()}")
        part.upload_from_string(text)
        parts.append(part)
    whole = bucket.blob("whole")
    whole.content_type = "text/plain"
    whole.compose(parts)
    assert bucket.blob("whole").download_as_bytes() == b"one two three"
    assert bucket.get_blob("whole").content_type == "text/plain"


def test_buckets(google: storage.Client, bucket_name: str) -> None:
    made = google.create_bucket(bucket_name, project="p-buckets")
    assert google.get_bucket(bucket_name).name == bucket_name
    assert google.lookup_bucket("no-such-bucket") is None
    with pytest.raises(exceptions.Conflict):
        google.create_bucket(bucket_name)
    google.create_bucket(f"{bucket_name}-2", project="p-buckets")
    google.create_bucket(f"{bucket_name}-3", project="p-others")
    listed = [each.name for each in google.list_buckets(project="p-buckets", page_size=1)]
    assert [name for name in listed if name.startswith(bucket_name)] == [bucket_name, f"{bucket_name}-2"]

    made.blob("x").upload_from_string("x")
    with pytest.raises(exceptions.Conflict):
        made.delete()
    made.delete(force=True)
    assert google.lookup_bucket(bucket_name) is None


def test_a_bucket_comes_into_being_with_its_first_object(google: storage.Client, bucket_name: str) -> None:
    google.bucket(bucket_name).blob("x").upload_from_string("x")
    assert google.get_bucket(bucket_name).exists()


def test_folder_placeholders_are_objects(google: storage.Client, bucket: storage.Bucket) -> None:
    bucket.blob("a/b/").upload_from_string("")
    bucket.blob("a/b/x").upload_from_string("x")
    assert [each.name for each in google.list_blobs(bucket)] == ["a/b/", "a/b/x"]
    assert [each.name for each in google.list_blobs(bucket, prefix="a/b/", delimiter="/")] == [
        "a/b/",
        "a/b/x",
    ]
    assert bucket.blob("a/b/").download_as_bytes() == b""
    bucket.blob("a/b/").delete()
    assert [each.name for each in google.list_blobs(bucket)] == ["a/b/x"]


def test_what_a_trial_writes_is_there_at_once(
    google: storage.Client, bucket: storage.Bucket, objects_dir: Path
) -> None:
    folder = objects_dir / bucket.name / "run" / "1"
    folder.mkdir(parents=True)
    (folder / "model.bin").write_bytes(b"first")
    blob = bucket.get_blob("run/1/model.bin")
    assert blob.download_as_bytes() == b"first"
    with (folder / "model.bin").open("ab") as file:
        file.write(b" and more")
    assert bucket.get_blob("run/1/model.bin").generation > blob.generation
    # A client that still has the old description reads what is there now.
    assert blob.download_as_bytes() == b"first and more"
    assert [each.name for each in google.list_blobs(bucket)] == ["run/1/model.bin"]
