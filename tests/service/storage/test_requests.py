"""Requests as gcloud and other clients send them, and such as nobody should."""

import hashlib
import json
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.auth.credentials import AnonymousCredentials
from googleapiclient import discovery
from googleapiclient.discovery_cache import get_static_doc
from googleapiclient.http import MediaInMemoryUpload

from service.storage.house import LONG_AT_ONCE
from store.database import Database
from tests.running_service import wait_until
from tests.service.door import ANYTHING_GOES, Door, client, open_door
from tests.service.storage.conftest import MAX_OBJECT_BYTES

UP = "/upload/storage/v1/b/{}/o"
ODD_CONTENT = b"\r\n--frame\r\nfirst\n--frame\n\0\xff--frame--x\r\r\n--fram"
"""Bytes that look like the frame around them."""


def refused(response: httpx.Response, status: int, reason: str) -> str:
    """The message of a refusal, which has the shape that storage clients read."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json; charset=UTF-8"
    error = response.json()["error"]
    assert error["code"] == status
    assert error["errors"] == [{"domain": "global", "reason": reason, "message": error["message"]}]
    assert error["message"]
    message: str = error["message"]
    return message


def put(http: httpx.Client, bucket: str, name: str, content: bytes = b"x") -> dict[str, Any]:
    answer = http.post(UP.format(bucket), params={"name": name}, content=content)
    assert answer.status_code == 200, answer.text
    stored: dict[str, Any] = answer.json()
    return stored


def media(http: httpx.Client, bucket: str, name: str, **headers: str) -> httpx.Response:
    path = f"/storage/v1/b/{bucket}/o/{name.replace('%', '%25').replace('/', '%2F')}"
    return http.get(path, params={"alt": "media"}, headers=headers)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("content", [b"", b"x", ODD_CONTENT, b"\n", b"\r\n", os.urandom(300_000)])
@pytest.mark.parametrize(
    ("prefix", "quote"), [("/upload/storage/v1", "'"), ("/resumable/upload/storage/v1", '"')]
)
def test_gclouds_multipart_upload(
    http: httpx.Client, bucket_name: str, end: bytes, content: bytes, prefix: str, quote: str
) -> None:
    # gcloud stages packages so: the lines of the frame end with LF alone, the boundary has single quotes.
    body = end.join(
        [
            b"--===frame==",
            b"Content-Type: application/json",
            b"MIME-Version: 1.0",
            b"",
            b'{"name": "ignored", "metadata": {"k": "v"}}',
            b"--===frame==",
            b"Content-Type: text/x-odd",
            b"MIME-Version: 1.0",
            b"Content-Transfer-Encoding: binary",
            b"",
            content,
            b"--===frame==--",
        ]
    )
    answer = http.post(
        f"{prefix}/b/{bucket_name}/o?uploadType=multipart&name=job%2Fabc%2Ftrainer-0.1.tar.gz&alt=json",
        content=body,
        headers={"Content-Type": f"multipart/related; boundary={quote}===frame=={quote}"},
    )
    assert answer.status_code == 200, answer.text
    stored = answer.json()
    assert stored["size"] == str(len(content))
    assert (stored["name"], stored["bucket"]) == ("job/abc/trainer-0.1.tar.gz", bucket_name)
    assert (stored["contentType"], stored["metadata"]) == ("text/x-odd", {"k": "v"})
    assert media(http, bucket_name, "job/abc/trainer-0.1.tar.gz").content == content


@pytest.mark.parametrize(
    ("content_type", "body", "said"),
    [
        ("text/plain", b"x", "multipart/related with a boundary"),
        ("multipart/related", b"x", "multipart/related with a boundary"),
        ("multipart/form-data; boundary=a", b"x", "multipart/related with a boundary"),
        ("multipart/related; boundary=a", b"", "ends before its last boundary"),
        (
            "multipart/related; boundary=a",
            b'--a\n\n{"name":"x"}\n--a\n\ncut off',
            "ends before its last boundary",
        ),
        ("multipart/related; boundary=a", b"--a\n\n{}\n--a--\n", "ends before its last boundary"),
        ("multipart/related; boundary=a", b"--a\n\n{\n--a\n\nx\n--a--", "no JSON"),
        ("multipart/related; boundary=a", b"--a\n\n[]\n--a\n\nx\n--a--", "must be a JSON object"),
        ("multipart/related; boundary=a", b"--a\n\n{}\n--a\n\nx\n--a--", "Required parameter: name"),
        ("multipart/related; boundary=a", b'--a\n\n{"name":3}\n--a\n\nx\n--a--', "name: must be a string"),
        ("multipart/related; boundary=a", b"x" * 70_000, "longer than 65536"),
        ("multipart/related; boundary=\u00fc", b"--a\n\n{}\n--a\n\nx\n--a--", "boundary"),
    ],
)
def test_a_multipart_body_that_is_none_is_refused_in_words(
    http: httpx.Client, bucket_name: str, content_type: str, body: bytes, said: str
) -> None:
    answer = http.post(
        UP.format(bucket_name),
        params={"uploadType": "multipart"},
        content=body,
        headers={"Content-Type": content_type.encode("latin-1")},
    )
    assert said in refused(answer, 400, "invalid")
    assert http.get(f"/storage/v1/b/{bucket_name}").status_code == 404


@pytest.mark.parametrize("base", ["/storage/v1/", "/"])
def test_googleapiclient_with_its_own_description(storing: Door, bucket_name: str, base: str) -> None:
    description = json.loads(get_static_doc("storage", "v1"))
    # Its option api_endpoint would leave uploads at https.
    description |= {"rootUrl": f"{storing.address}/"}
    service = discovery.build_from_document(
        description,
        client_options={"api_endpoint": storing.address + base},
        credentials=AnonymousCredentials(),
    )
    service.buckets().insert(project="p", body={"name": bucket_name}).execute()
    upload = MediaInMemoryUpload(ODD_CONTENT, "text/plain", resumable=False)
    stored = service.objects().insert(bucket=bucket_name, name="a/b", media_body=upload).execute()
    assert stored["size"] == str(len(ODD_CONTENT))
    big = MediaInMemoryUpload(os.urandom(600_000), chunksize=256 * 1024, resumable=True)
    assert (
        service.objects().insert(bucket=bucket_name, name="big", media_body=big).execute()["size"] == "600000"
    )
    assert service.objects().get_media(bucket=bucket_name, object="a/b").execute() == ODD_CONTENT
    listed = service.objects().list(bucket=bucket_name, delimiter="/").execute()
    assert (listed["prefixes"], [each["name"] for each in listed["items"]]) == (["a/"], ["big"])
    service.objects().delete(bucket=bucket_name, object="a/b").execute()
    service.close()


class TestResumable:
    def begin(self, http: httpx.Client, bucket: str, name: str = "big", **headers: str) -> str:
        answer = http.post(
            UP.format(bucket), params={"uploadType": "resumable", "name": name}, json={}, headers=headers
        )
        assert answer.status_code == 200, answer.text
        where = answer.headers["location"]
        assert re.search(r"upload_id=[\w-]{43}$", where)
        return str(where)

    def send(self, http: httpx.Client, where: str, content: bytes, span: str) -> httpx.Response:
        return http.put(where, content=content, headers={"Content-Range": f"bytes {span}"})

    def test_it_goes_on_where_it_was_cut_off(self, http: httpx.Client, bucket_name: str) -> None:
        where = self.begin(http, bucket_name)
        asked = self.send(http, where, b"", "*/*")
        assert (asked.status_code, "range" in asked.headers) == (308, False)
        first = self.send(http, where, b"01234", "0-4/*")
        assert (first.status_code, first.headers["range"]) == (308, "bytes=0-4")
        assert self.send(http, where, b"", "*/10").headers["range"] == "bytes=0-4"
        assert http.get(f"/storage/v1/b/{bucket_name}").status_code == 404  # Nothing of it is to be seen.
        last = self.send(http, where, b"56789", "5-9/10")
        assert (last.status_code, last.json()["size"]) == (200, "10")
        assert media(http, bucket_name, "big").content == b"0123456789"

    def test_pieces_sent_twice_or_too_early_do_no_harm(self, http: httpx.Client, bucket_name: str) -> None:
        where = self.begin(http, bucket_name)
        self.send(http, where, b"01234", "0-4/10")
        early = self.send(http, where, b"89", "8-9/10")
        assert (early.status_code, early.headers["range"]) == (308, "bytes=0-4")
        again = self.send(http, where, b"0123456", "0-6/10")
        assert (again.status_code, again.headers["range"]) == (308, "bytes=0-6")
        assert self.send(http, where, b"6789", "6-9/10").status_code == 200
        assert media(http, bucket_name, "big").content == b"0123456789"

    def test_the_last_answer_can_be_had_again(self, http: httpx.Client, bucket_name: str) -> None:
        where = self.begin(http, bucket_name)
        first = self.send(http, where, b"abc", "0-2/3").json()
        assert self.send(http, where, b"abc", "0-2/3").json() == first
        assert self.send(http, where, b"", "*/*").json() == first
        put(http, bucket_name, "big", b"newer")
        refused(self.send(http, where, b"", "*/*"), 404, "notFound")
        assert media(http, bucket_name, "big").content == b"newer"

    def test_all_at_once_without_a_range(self, http: httpx.Client, bucket_name: str) -> None:
        assert http.put(self.begin(http, bucket_name), content=b"whole").json()["size"] == "5"
        assert self.send(http, self.begin(http, bucket_name, "empty"), b"", "*/0").json()["size"] == "0"
        assert http.put(self.begin(http, bucket_name, "empty2"), content=b"").json()["size"] == "0"

    @pytest.mark.parametrize(
        ("span", "content", "said"),
        [
            ("0-4/3", b"01234", "Content-Range"),
            ("4-0/9", b"01234", "Content-Range"),
            ("rubbish", b"", "Content-Range"),
            ("0-1/*", b"01234", "longer than its Content-Range"),
            ("0-4/6", b"01234", "of 5 bytes, not of 6"),
            ("0-4/99999999999999999999", b"01234", "Content-Range"),
        ],
    )
    def test_ranges_that_can_not_be_are_refused(
        self, http: httpx.Client, bucket_name: str, span: str, content: bytes, said: str
    ) -> None:
        where = self.begin(http, bucket_name, **{"X-Upload-Content-Length": "5"})
        assert said in refused(self.send(http, where, content, span), 400, "invalid")

    def test_a_wrong_checksum_at_the_end_leaves_no_object(self, http: httpx.Client, bucket_name: str) -> None:
        where = self.begin(http, bucket_name)
        answer = http.put(
            where, content=b"abc", headers={"Content-Range": "bytes 0-2/3", "X-Goog-Hash": "crc32c=AAAAAA=="}
        )
        assert "CRC32C" in refused(answer, 400, "invalid")
        assert media(http, bucket_name, "big").status_code == 404

    @pytest.mark.parametrize("upload_id", ["", "x", "a" * 43, "..%2F..%2Flock", "%2E%2E", "lock", "%00" * 43])
    def test_unknown_uploads_are_not_found(self, http: httpx.Client, upload_id: str) -> None:
        where = f"{UP.format('any-bucket')}?uploadType=resumable&upload_id={upload_id}"
        refused(self.send(http, where, b"abc", "0-2/3"), 404, "notFound")
        refused(http.delete(where), 404, "notFound")

    def test_an_upload_that_is_given_up_is_gone(self, http: httpx.Client, bucket_name: str) -> None:
        where = self.begin(http, bucket_name)
        assert http.delete(where).status_code == 499
        refused(self.send(http, where, b"abc", "0-2/3"), 404, "notFound")

    def test_too_much_is_refused_when_announced_and_when_sent(
        self, http: httpx.Client, bucket_name: str
    ) -> None:
        announced = http.post(
            UP.format(bucket_name),
            params={"uploadType": "resumable", "name": "big"},
            headers={"X-Upload-Content-Length": str(MAX_OBJECT_BYTES + 1)},
        )
        assert "VERNIER_MAX_OBJECT_BYTES" in refused(announced, 413, "uploadTooLarge")
        where = self.begin(http, bucket_name)
        refused(self.send(http, where, b"x", f"0-0/{MAX_OBJECT_BYTES + 1}"), 413, "uploadTooLarge")
        refused(http.put(where, content=bytes(MAX_OBJECT_BYTES + 1)), 413, "uploadTooLarge")


def test_one_upload_too_many_is_refused_until_another_is_finished(database: Database, tmp_path: Path) -> None:
    config = replace(ANYTHING_GOES, objects_dir=tmp_path / "objects", max_open_uploads=1)
    with open_door(database, config) as door, client(door.address) as http:

        def begin() -> httpx.Response:
            return http.post(UP.format("bucket"), params={"uploadType": "resumable", "name": "big"})

        first = begin()
        assert "VERNIER_MAX_OPEN_UPLOADS" in refused(begin(), 429, "rateLimitExceeded")
        assert http.put(first.headers["Location"], content=b"all of it").status_code == 200
        assert begin().status_code == 200


def test_too_large_an_object_is_refused_and_leaves_nothing(
    http: httpx.Client, bucket_name: str, objects_dir: Path
) -> None:
    def chunks() -> Any:
        for _ in range(MAX_OBJECT_BYTES // 2**16 + 1):
            yield bytes(2**16)

    put(http, bucket_name, "fits", bytes(MAX_OBJECT_BYTES))
    for content in (bytes(MAX_OBJECT_BYTES + 1), chunks()):  # With its length told, and without.
        answer = http.post(UP.format(bucket_name), params={"name": "big"}, content=content)
        assert "VERNIER_MAX_OBJECT_BYTES" in refused(answer, 413, "uploadTooLarge")
    refused(
        http.post(
            f"/storage/v1/b/{bucket_name}/o/twice/compose",
            json={"sourceObjects": [{"name": "fits"}, {"name": "fits"}]},
        ),
        413,
        "uploadTooLarge",
    )
    assert [each["name"] for each in http.get(f"/b/{bucket_name}/o").json()["items"]] == ["fits"]
    assert not list(objects_dir.with_name("objects.uploads").glob("incoming-*"))


@pytest.mark.parametrize(
    "name",
    [
        "..",
        ".",
        "../x",
        "a/../../x",
        "a/./b",
        "/etc/passwd",
        "a//b",
        "//",
        "/",
        "a\0b",
        "a\nb",
        "a\rb",
        "a" * 256,
        "ab/" * 400,
        "../" * 30 + "tmp/x",
    ],
)
def test_names_that_are_no_paths_inside_the_bucket_are_refused(
    http: httpx.Client, bucket_name: str, objects_dir: Path, name: str
) -> None:
    before = sorted(objects_dir.parent.rglob("*"))
    for query in ({"uploadType": "media"}, {"uploadType": "resumable"}):
        answer = http.post(UP.format(bucket_name), params={**query, "name": name}, content=b"")
        assert "object's name" in refused(answer, 400, "invalid")
    encoded = "".join(f"%{byte:02X}" for byte in name.encode())
    for method in ("GET", "DELETE", "PATCH"):
        answer = http.request(method, f"/storage/v1/b/{bucket_name}/o/{encoded}")
        # The router already finds nothing where a line ends within a path.
        assert answer.status_code == (404 if name == "a\nb" else 400), answer.text
    assert sorted(objects_dir.parent.rglob("*")) == before


@pytest.mark.parametrize(
    "bucket", ["..", "%2e%2e", "UPPER", "a..b", "-ab", "a%2Fb", "a%00b", ".meta", "a" * 64]
)
def test_names_that_no_bucket_has_are_refused(http: httpx.Client, bucket: str) -> None:
    answer = http.post(f"/upload/storage/v1/b/{bucket}/o?name=x", content=b"x")
    assert answer.status_code in (400, 404)  # A client may take `..` out of the path itself.
    answer = http.post("/storage/v1/b?project=p", json={"name": bucket})
    assert "must name a bucket" in refused(answer, 400, "invalid")


def test_no_link_leads_out_of_the_store(
    http: httpx.Client, bucket_name: str, objects_dir: Path, tmp_path: Path
) -> None:
    put(http, bucket_name, "here")
    (tmp_path / "secret").write_text("secret")
    top = objects_dir / bucket_name
    (top / "file").symlink_to(tmp_path / "secret")
    (top / "folder").symlink_to(tmp_path)
    (top / "inside").symlink_to(top / "here")
    os.mkfifo(top / "pipe")

    for name in ("file", "folder/secret", "inside", "pipe"):
        for query in ({"alt": "media"}, {}):
            path = f"/storage/v1/b/{bucket_name}/o/{name.replace('/', '%2F')}"
            refused(http.get(path, params=query), 404, "notFound")
        refused(http.delete(path), 404, "notFound")
    for prefix in ("", "folder/"):
        listed = http.get(f"/storage/v1/b/{bucket_name}/o", params={"prefix": prefix}).json()
        assert "secret" not in json.dumps(listed)
    answer = http.post(UP.format(bucket_name), params={"name": "folder/new"}, content=b"x")
    refused(answer, 400, "invalid")
    put(http, bucket_name, "file", b"takes the link's place")
    assert (tmp_path / "secret").read_text() == "secret"
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_a_linked_bucket_is_none(
    http: httpx.Client, bucket_name: str, objects_dir: Path, tmp_path: Path
) -> None:
    put(http, f"{bucket_name}-x", "here")
    (tmp_path / "secret").write_text("secret")
    (objects_dir / bucket_name).symlink_to(tmp_path)
    refused(http.get(f"/storage/v1/b/{bucket_name}"), 404, "notFound")
    refused(http.get(f"/storage/v1/b/{bucket_name}/o/secret"), 404, "notFound")
    refused(http.post(UP.format(bucket_name), params={"name": "x"}, content=b"x"), 400, "invalid")


def test_a_name_that_needs_a_file_and_a_directory_is_refused(http: httpx.Client, bucket_name: str) -> None:
    put(http, bucket_name, "a/b")
    for name in ("a", "a/b/c", "a/b/"):
        answer = http.post(UP.format(bucket_name), params={"name": name}, content=b"")
        assert "one name would need a file where another has a directory" in refused(answer, 400, "invalid")


def test_conditions_of_a_read(http: httpx.Client, bucket_name: str) -> None:
    generation = put(http, bucket_name, "x")["generation"]
    path = f"/storage/v1/b/{bucket_name}/o/x"
    for query in ({}, {"alt": "media"}):
        same = http.get(path, params={**query, "ifGenerationNotMatch": generation})
        assert (same.status_code, same.content) == (304, b"")
        assert http.get(path, params={**query, "ifGenerationNotMatch": "1"}).status_code == 200
        refused(http.get(path, params={**query, "ifGenerationMatch": "1"}), 412, "conditionNotMet")
        refused(http.get(path, params={**query, "ifMetagenerationMatch": "2"}), 412, "conditionNotMet")
        refused(http.get(path, params={**query, "ifGenerationMatch": "one"}), 400, "invalid")
        refused(http.get(path, params={**query, "generation": "1"}), 404, "notFound")


@pytest.mark.parametrize(
    ("wanted", "status", "content"),
    [
        ("bytes=0-", 206, b"0123456789"),
        ("bytes=9-9", 206, b"9"),
        ("bytes=5-99999", 206, b"56789"),
        ("bytes=-3", 206, b"789"),
        ("bytes=-99", 206, b"0123456789"),
        ("bytes=0-1,3-4", 200, b"0123456789"),
        ("bytes=5-2", 200, b"0123456789"),
        ("lines=1-2", 200, b"0123456789"),
        ("bytes=", 200, b"0123456789"),
        ("bytes=-", 200, b"0123456789"),
    ],
)
def test_ranges_of_a_download(
    http: httpx.Client, bucket_name: str, wanted: str, status: int, content: bytes
) -> None:
    put(http, bucket_name, "digits", b"0123456789")
    answer = media(http, bucket_name, "digits", Range=wanted)
    assert (answer.status_code, answer.content) == (status, content)
    assert answer.headers["content-length"] == str(len(content))
    assert ("content-range" in answer.headers) == (status == 206)


@pytest.mark.parametrize(
    ("size", "wanted"), [(10, "bytes=10-"), (10, "bytes=99-100"), (10, "bytes=-0"), (0, "bytes=0-")]
)
def test_ranges_of_nothing(http: httpx.Client, bucket_name: str, size: int, wanted: str) -> None:
    put(http, bucket_name, "x", bytes(size))
    answer = media(http, bucket_name, "x", Range=wanted)
    refused(answer, 416, "requestedRangeNotSatisfiable")
    assert answer.headers["content-range"] == f"bytes */{size}"


def test_content_of_the_store_can_not_act_as_a_page_of_the_service(
    http: httpx.Client, bucket_name: str
) -> None:
    http.post(
        UP.format(bucket_name),
        params={"name": "evil.html"},
        content=b"<script>",
        headers={"Content-Type": "text/html"},
    )
    answer = media(http, bucket_name, "evil.html")
    assert answer.headers["content-security-policy"] == "sandbox"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("contentType", "text/plain\r\nSet-Cookie: a=b"),
        ("contentDisposition", "ü"),
        ("cacheControl", 3),
        ("contentEncoding", ["gzip"]),
        ("metadata", "text"),
        ("metadata", {"k": 3}),
        ("metadata", {"k": "v" * 9000}),
        ("md5Hash", 3),
    ],
)
def test_metadata_that_no_header_could_carry_is_refused(
    http: httpx.Client, bucket_name: str, field: str, value: object
) -> None:
    answer = http.post(
        UP.format(bucket_name), params={"uploadType": "resumable", "name": "x"}, json={field: value}
    )
    assert field in refused(answer, 400, "invalid")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/b", 400),
        ("POST", "/b?project=p", 400),
        ("GET", "/b?project=UPPER/..", 400),
        ("GET", "/storage/v1", 404),
        ("GET", "/storage/v2/b/x", 404),
        ("GET", "/storage/v1/b/abc/acl", 404),
        ("PUT", "/storage/v1/b/abc", 501),
        ("POST", "/upload/storage/v1/b/abc/o?uploadType=xml&name=x", 400),
        ("POST", "/upload/storage/v1/b/abc/o?uploadType=media", 400),
        ("POST", "/upload/storage/v1/b/abc/o?name=x&ifGenerationMatch=-1", 400),
        ("GET", "/storage/v1/b/abc/o?matchGlob=*", 400),
        ("GET", "/storage/v1/b/abc/o?pageToken=%FF", 400),
        ("GET", "/storage/v1/b/abc/o?pageToken=a", 400),
        ("GET", "/storage/v1/b/abc/o?maxResults=many", 400),
        ("GET", "/storage/v1/b/abc/o/%FF", 400),
        ("POST", "/storage/v1/b/abc/o/x/compose", 400),
        ("POST", "/storage/v1/b/abc/o/x/copyTo/b/abc/o/y", 404),
        ("DELETE", "/b/no-such-bucket", 404),
    ],
)
def test_requests_that_make_no_sense_get_an_answer_that_does(
    http: httpx.Client, method: str, path: str, status: int
) -> None:
    answer = http.request(method, path)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["errors"][0]["reason"]


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b'{"name": "\\ud800"}', b"3"])
def test_bodies_that_are_no_json_object_are_refused(http: httpx.Client, content: bytes) -> None:
    for path in ("/storage/v1/b?project=p", "/storage/v1/b/abc/o/x/compose"):
        refused(http.post(path, content=content), 400, "invalid")


def test_answers_have_the_fields_that_are_asked_for(http: httpx.Client, bucket_name: str) -> None:
    for name in ("a/x", "b"):
        put(http, bucket_name, name)
    path = f"/storage/v1/b/{bucket_name}/o"
    assert http.get(f"{path}/b", params={"fields": "name,size"}).json() == {"name": "b", "size": "1"}
    listed = http.get(path, params={"fields": "items(name),prefixes", "delimiter": "/"}).json()
    assert listed == {"items": [{"name": "b"}], "prefixes": ["a/"]}
    assert http.get(f"{path}/b", params={"fields": "name", "alt": "media"}).content == b"x"
    assert "fields" in refused(http.get(f"{path}/b", params={"fields": "name("}), 400, "invalid")
    assert b"\n  " in http.get(f"{path}/b", params={"prettyPrint": "true"}).content


def test_the_guard_stands_before_the_objects_too(http: httpx.Client, bucket_name: str) -> None:
    put(http, bucket_name, "x")
    path = f"/storage/v1/b/{bucket_name}/o/x"
    assert http.get(path, headers={"Host": "evil.example"}).status_code == 403
    assert http.get(path, headers={"Origin": "http://evil.example"}).status_code == 403


def test_what_is_sent_in_full_is_what_is_kept(http: httpx.Client, bucket_name: str) -> None:
    content = os.urandom(3 * 2**20 + 7)
    stored = put(http, bucket_name, "random", content)
    got = media(http, bucket_name, "random")
    assert hashlib.sha256(got.content).digest() == hashlib.sha256(content).digest()
    assert got.headers["x-goog-hash"] == f"crc32c={stored['crc32c']},md5={stored['md5Hash']}"
    assert got.headers["x-goog-generation"] == stored["generation"]


def test_a_download_that_is_asked_for_by_post_leaves_the_service_free(
    http: httpx.Client, bucket_name: str
) -> None:
    put(http, bucket_name, "a", b"content")
    headers = {"X-HTTP-Method-Override": "GET", "Content-Type": "application/x-www-form-urlencoded"}
    answer = http.post(f"/storage/v1/b/{bucket_name}/o/a", content=b"alt=media", headers=headers)
    assert (answer.status_code, answer.content) == (200, b"content")
    assert http.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "body",
    [b"\n" * 200_000, b"--a\n" + b"a: b\n" * 50_000, b"--a\n\n" + b"{}\n" * 50_000],
    ids=["before", "headers", "resource"],
)
def test_the_head_of_a_multipart_body_has_an_end(http: httpx.Client, bucket_name: str, body: bytes) -> None:
    answer = http.post(
        UP.format(bucket_name),
        params={"uploadType": "multipart", "name": "a"},
        content=body,
        headers={"Content-Type": "multipart/related; boundary=a"},
    )
    assert "longer than 65536" in refused(answer, 400, "invalid")


def test_the_size_of_an_object_is_told_without_its_content(
    http: httpx.Client, bucket_name: str, objects_dir: Path
) -> None:
    put(http, bucket_name, "a")
    with (objects_dir / bucket_name / "a").open("wb") as file:
        file.truncate(2**40)  # To read it would take an hour.
    answer = http.head(f"/storage/v1/b/{bucket_name}/o/a", params={"alt": "media"}, timeout=20)
    assert (answer.status_code, answer.headers["content-length"]) == (200, str(2**40))


def test_the_rest_of_an_object_is_sent_only_while_it_is_the_same(
    http: httpx.Client, bucket_name: str
) -> None:
    put(http, bucket_name, "a", b"first")
    etag = media(http, bucket_name, "a").headers["etag"]
    ask = {"Range": "bytes=2-", "If-Range": etag}
    assert media(http, bucket_name, "a", **ask).content == b"rst"
    put(http, bucket_name, "a", b"second")
    answer = media(http, bucket_name, "a", **ask)
    assert (answer.status_code, answer.content) == (200, b"second")


def test_too_many_fields_are_refused(http: httpx.Client, bucket_name: str) -> None:
    put(http, bucket_name, "a")
    many = ",".join(f"items(a{number})" for number in range(600))
    answer = http.get(f"/storage/v1/b/{bucket_name}/o", params={"fields": many})
    assert "more than 1000 fields" in refused(answer, 400, "invalid")


def test_long_copies_leave_threads_to_others(
    http: httpx.Client,
    storing: Door,
    objects_dir: Path,
    bucket_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(http, bucket_name, "a")
    uploads_dir = objects_dir.with_name(f"{objects_dir.name}.uploads")
    goes_on = threading.Event()

    def copy_slowly(source: Any, target: Any, _: int) -> None:
        assert goes_on.wait(30)
        target.write(source.read())

    monkeypatch.setattr("service.storage.copies.shutil.copyfileobj", copy_slowly)

    def copy(number: int) -> int:
        with client(storing.address) as own:
            path = f"/storage/v1/b/{bucket_name}/o/a/copyTo/b/{bucket_name}/o/{number}"
            return own.post(path).status_code

    with ThreadPoolExecutor(60) as clients:
        copies = [clients.submit(copy, number) for number in range(60)]
        wait_until(lambda: len(list(uploads_dir.glob("incoming-*"))) == LONG_AT_ONCE)
        assert http.get("/healthz", timeout=5).status_code == 200
        goes_on.set()
        assert {each.result() for each in copies} == {200}
