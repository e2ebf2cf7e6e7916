"""What an API server answers that says nothing of what was asked is no refusal."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from worker.launchers.kubernetes.api import ApiServer, Refused, Unreachable

QUOTA = 'jobs.batch "x" is forbidden: exceeded quota: few, requested: count/jobs.batch=1, used: 2, limited: 2'


class Answering(http.server.BaseHTTPRequestHandler):
    """Gives the same answer to all."""

    status, message = 200, ""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"kind": "Status", "message": self.message}).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Into no test's output."""


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "c",
        }
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
        api = ApiServer(tmp_path / "kubeconfig")
        yield api
        api.close()
        server.shutdown()
        thread.join()


def _create(api: ApiServer, monkeypatch: pytest.MonkeyPatch, status: int, message: str) -> bool:
    monkeypatch.setattr(Answering, "status", status)
    monkeypatch.setattr(Answering, "message", message)
    return api.create({"kind": "Job", "metadata": {"name": "x"}})


@pytest.mark.parametrize("status", [401, 408, 429, 500, 503, 504])
def test_what_may_pass_is_asked_again_later(
    api: ApiServer, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    with pytest.raises(Unreachable, match="come back"):
        _create(api, monkeypatch, status, "come back")


@pytest.mark.parametrize(
    ("status", "message", "for_now"),
    [(403, QUOTA, True), (403, "may not create", False), (422, "invalid", False), (400, "bad", False)],
    ids=["a quota", "no right", "not valid", "not understood"],
)
def test_what_is_refused_says_whether_for_now(
    api: ApiServer, monkeypatch: pytest.MonkeyPatch, status: int, message: str, for_now: bool
) -> None:
    with pytest.raises(Refused) as refused:
        _create(api, monkeypatch, status, message)
    assert (refused.value.is_for_now, str(refused.value)) == (for_now, message)


def test_what_is_there_already_is_found_rather_than_refused(
    api: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not _create(api, monkeypatch, 409, "there is one")
    assert _create(api, monkeypatch, 201, "")
