"""Sends a file to the object store of the service that a job is for (docs/contract.md 9.4)."""

import base64
import hashlib
from pathlib import Path
from urllib.parse import quote

import httpx

from cli.errors import UsageError
from client import ServiceUnreachable, UnexpectedAnswer
from client.errors import error_from_answer
from client.transport import Transport
from store.objects.names import Place

TIMEOUT_SECONDS = 60.0
"""For connecting and between two reads; not for the whole."""
TRIES = 3


def upload(api: str, file: Path, place: Place) -> None:
    """Store a file under a name; the bucket is made if it is not there.

    Raises:
        UsageError: the file can't be read.
        ClientError: the service refused it, can't be reached, or keeps something else than was sent.
    """
    # It knows what an address is, and when a company's proxy is in the way.
    transport = Transport(api, timeout=TIMEOUT_SECONDS)
    transport.close()
    url = f"{transport.base_url}/upload/storage/v1/b/{quote(place.bucket, safe='')}/o"
    query = {"uploadType": "media", "name": place.name}
    with httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=not transport.is_loopback) as http:
        for tries_left in reversed(range(TRIES)):
            try:
                with file.open("rb") as content:
                    answer = http.post(
                        url,
                        params=query,
                        content=content,
                        headers={"Content-Type": "application/octet-stream"},
                    )
            except httpx.TransportError as problem:
                if not tries_left:
                    raise ServiceUnreachable(f"{file.name} can't be sent to {api}: {problem}") from problem
            except OSError as problem:
                raise UsageError(f"cannot stage {file}: {problem.strerror}") from problem
            else:
                if answer.is_success or answer.status_code < 500 or not tries_left:
                    _check(answer, file)
                    return
            transport.sleep(1.0)


def _check(answer: httpx.Response, file: Path) -> None:
    try:
        body = answer.json()
    except ValueError:
        body = answer.text
    if not answer.is_success:
        raise error_from_answer(answer.status_code, body, str(answer.url))
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).digest()
    if not isinstance(body, dict) or body.get("md5Hash") != base64.b64encode(digest).decode():
        raise UnexpectedAnswer(f"{answer.url} does not keep what was sent", http_status=answer.status_code)
