"""Uploads that are cut off: by the client, and by the service being killed."""

import socket
from pathlib import Path

import httpx

from tests.running_service import RunningService, wait_until
from tests.service.door import Door


def test_an_upload_goes_on_after_the_service_was_killed(tmp_path: Path) -> None:
    first = b"a" * 300_000
    with RunningService(tmp_path) as service:
        begun = httpx.post(
            f"{service.address}/upload/storage/v1/b/bucket/o",
            params={"uploadType": "resumable", "name": "big"},
            trust_env=False,
        )
        where = httpx.URL(begun.headers["location"])
        answer = httpx.put(
            where, content=first, headers={"Content-Range": "bytes 0-299999/*"}, trust_env=False
        )
        assert answer.status_code == 308
        service.kill()
    with RunningService(tmp_path) as service:
        where = httpx.URL(service.address).copy_with(raw_path=where.raw_path)
        asked = httpx.put(where, headers={"Content-Range": "bytes */*"}, trust_env=False)
        assert asked.headers["range"] == "bytes=0-299999"
        done = httpx.put(
            where, content=b"b", headers={"Content-Range": "bytes 300000-300000/300001"}, trust_env=False
        )
        assert done.json()["size"] == "300001"
        media = httpx.get(
            f"{service.address}/storage/v1/b/bucket/o/big", params={"alt": "media"}, trust_env=False
        )
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
    storing: Door, http: httpx.Client, bucket_name: str
) -> None:
    begun = http.post(
        f"/upload/storage/v1/b/{bucket_name}/o", params={"uploadType": "resumable", "name": "x"}
    )
    where = httpx.URL(begun.headers["location"])

    def received() -> str:
        asked = http.put(where, headers={"Content-Range": "bytes */*"})
        return str(asked.headers.get("range")) if asked.status_code == 308 else ""

    with socket.create_connection((where.host, where.port)) as raw:
        head = f"PUT {where.raw_path.decode()} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        raw.sendall(head.encode() + b"Content-Length: 3000000\r\n\r\n" + bytes(1_500_000))
        # While it is being written to, others are told to come again.
        wait_until(lambda: http.put(where, headers={"Content-Range": "bytes */*"}).status_code == 503)
    wait_until(lambda: received() == "bytes=0-1499999")
    rest = bytes(1_500_000)
    done = http.put(where, content=rest, headers={"Content-Range": "bytes 1500000-2999999/3000000"})
    assert done.json()["size"] == "3000000"
