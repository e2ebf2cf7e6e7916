"""How an S3 server that fails is told to the worker: what passes, what lasts, and no secret in either."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from store.objects.names import Place
from worker.elsewhere.remote import RemoteObject, Unreachable
from worker.elsewhere.s3 import S3Storage

PLACE = Place("bucket", "runs/1", "s3")
SECRET = "never-to-be-told"


class Failing(ThreadingHTTPServer):
    """Answers every request with one status and one error; with a part of what it promised if the error is
    empty."""

    def __init__(self) -> None:
        self.status, self.error = 503, "SlowDown"
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: Failing

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        error = self.server.error
        body = f"<Error><Code>{error}</Code><Message>So it is.</Message></Error>".encode() if error else b"a"
        self.send_response(self.server.status)
        self.send_header("content-length", str(len(body) + (0 if error else 9)))
        self.send_header("x-amz-request-id", str(len(self.server.asked)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Failing]:
    with Failing() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        yield server
        server.shutdown()
        thread.join()


def refusal() -> Unreachable:
    with pytest.raises(Unreachable) as caught:
        S3Storage().list_below(PLACE)
    assert SECRET not in str(caught.value)
    assert str(PLACE) in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (503, "SlowDown"),
        (503, "ServiceUnavailable"),
        (500, "InternalError"),
        (429, "TooManyRequests"),
        (400, "RequestTimeout"),
        (404, "NoSuchKey"),
        (412, "PreconditionFailed"),
    ],
)
def test_what_passes_is_told_as_such_in_the_same_words_each_time(
    failing: Failing, status: int, code: str
) -> None:
    failing.status, failing.error = status, code
    error = refusal()
    assert not error.lasting
    assert str(error) == f"{PLACE} can't be read for the moment: {code}: So it is."
    assert len(failing.asked) == 1, "there is another look: nothing is asked again at once"
    assert str(refusal()) == str(error)


@pytest.mark.parametrize(
    ("status", "code"),
    [(403, "AccessDenied"), (403, "InvalidAccessKeyId"), (404, "NoSuchBucket"), (400, "ExpiredToken")],
)
def test_what_lasts_is_told_with_the_stores_own_reason(failing: Failing, status: int, code: str) -> None:
    failing.status, failing.error = status, code
    error = refusal()
    assert error.lasting
    assert str(error) == f"{PLACE} can't be read: {code}: So it is."


def test_an_answer_that_is_cut_short_passes(failing: Failing) -> None:
    failing.status, failing.error = 206, ""
    with pytest.raises(Unreachable) as caught:
        S3Storage().read("bucket", RemoteObject("runs/1/x", '"1"', 10), 0, 9)
    assert not caught.value.lasting


def test_a_server_that_is_not_there_passes(failing: Failing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert not refusal().lasting


def test_nobody_to_act_as_lasts(failing: Failing, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    error = refusal()
    assert error.lasting
    assert "credentials" in str(error)
