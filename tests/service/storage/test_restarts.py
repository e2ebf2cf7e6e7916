"""Uploads that are cut off: by the client, and by the service being killed."""

import os
import socket
from pathlib import Path

import httpx

from tests.running_service import RunningService, wait_until
from tests.service.door import Door, client


def test_an_upload_goes_on_after_the_service_was_killed(tmp_path: Path) -> None:
    first = b"a" * 300_000
    with RunningService(tmp_path) as service, client(service.address) as http:
        begun = http.post("/upload/storage/v1/b/bucket/o", params={"uploadType": "resumable", "name": "big"})
        where = httpx.URL(begun.headers["location"]).raw_path.decode()
        answer = http.put(where, content=first, headers={"Content-Range": "bytes 0-299999/*"})
        assert answer.status_code == 308
        service.kill()
    with RunningService(tmp_path) as service, client(service.address) as http:
        asked = http.put(where, headers={"Content-Range": "bytes */*"})
        assert asked.headers["range"] == "bytes=0-299999"
        done = http.put(where, content=b"b", headers={"Content-Range": "bytes 300000-300000/300001"})
        assert done.json()["size"] == "300001"
        media = http.get("/storage/v1/b/bucket/o/big", params={"alt": "media"})
        assert media.content == first + b"b"


def test_a_client_that_hangs_up_leaves_no_object_and_no_rubbish(
    storing: Door, http: httpx.Client, bucket_name: str, objects_dir: Path
) -> None:
    rubbish = objects_dir.with_name("objects.uploads")
    with socket.create_connection((httpx.URL(storing.address).host, httpx.URL(storing.address).port)) as raw:
        head = f"POST /upload/storage/v1/b/{bucket_name}/o?name=x HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        raw.sendall(head.encode() + b"Content-Length: 3000000\r\n\r\n" + bytes(1_500_000))
        wait_until(lambda: list(rubbish.glob("incoming-*")))
    wait_until(lambda: not list(rubbish.glob("incoming-*")))
    assert http.get(f"/storage/v1/b/{bucket_name}").status_code == 404


def test_a_piece_that_is_cut_off_counts_as_far_as_it_came(
    storing: Door, http: httpx.Client, bucket_name: str, objects_dir: Path
) -> None:
    whole = os.urandom(3_000_000)
    begun = http.post(
        f"/upload/storage/v1/b/{bucket_name}/o", params={"uploadType": "resumable", "name": "x"}
    )
    where = httpx.URL(begun.headers["location"])

    content = objects_dir.with_name("objects.uploads") / where.params["upload_id"] / "content"

    def received() -> int:
        """How many bytes; 0 while others hold the upload."""
        asked = http.put(where, headers={"Content-Range": "bytes */*"})
        return 1 + int(asked.headers["range"].rpartition("-")[2]) if asked.status_code == 308 else 0

    with socket.create_connection((where.host, where.port)) as raw:
        head = f"PUT {where.raw_path.decode()} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        raw.sendall(head.encode() + b"Content-Length: 3000000\r\n\r\n" + whole[:1_500_000])
        wait_until(lambda: content.stat().st_size)
        # While it is being written to, others are told to come again.
        assert http.put(where, headers={"Content-Range": "bytes */*"}).status_code == 503
    # What the server had not handed on when the line broke may be lost.
    come = wait_until(received)
    assert come <= 1_500_000
    done = http.put(where, content=whole[come:], headers={"Content-Range": f"bytes {come}-2999999/3000000"})
    assert done.json()["size"] == "3000000"
    media = http.get(f"/storage/v1/b/{bucket_name}/o/x", params={"alt": "media"})
    assert media.content == whole
