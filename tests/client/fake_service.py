"""A small HTTP server that speaks the part of the contract that clients see, from a dict of jobs."""

import copy
import json
import re
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

STATUS_NAMES = {
    400: "INVALID_ARGUMENT",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


class FakeService:
    """Serves `jobs` at `address`.

    `faults` are used up one per request: a status code is answered with an error of that code, "drop" closes
    the connection unread, "lose" does what was asked and then closes it. `stories[job_id]` are versions of a
    job: each GET of it shows the next one, and the last one for ever.
    """

    def __init__(self) -> None:
        self.jobs: dict[tuple[str, str], dict[str, Any]] = {}
        self.stories: dict[str, list[dict[str, Any]]] = {}
        self.log_pages: list[dict[str, Any]] = []  # answers to entries:list, one a request; then empty ones
        self.faults: list[int | str] = []
        self.raw_answer: tuple[int, str, bytes] | None = None  # status, content type, body: for every request
        self.retry_after: str | None = None
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []  # method, path, query, body
        self.headers: list[dict[str, str]] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                service._handle(self)

            def do_POST(self) -> None:
                service._handle(self)

            def do_PATCH(self) -> None:
                service._handle(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def add(self, jobId: str, project: str = "local", **fields: Any) -> dict[str, Any]:
        job = {"jobId": jobId, "state": "QUEUED", "createTime": "2020-03-02T10:00:00Z", **fields}
        self.jobs[project, jobId] = job
        return job

    def methods(self) -> list[str]:
        return [method for method, *_ in self.requests]

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        url = urlsplit(handler.path)
        length = int(handler.headers.get("Content-Length") or 0)
        raw = handler.rfile.read(length)
        query = dict(parse_qsl(url.query))
        body = json.loads(raw) if raw else None
        self.requests.append((handler.command, url.path, query, body))
        self.headers.append(dict(handler.headers))
        fault = self.faults.pop(0) if self.faults else None
        if fault == "drop":
            return
        if isinstance(fault, int):
            status, answer = fault, error(fault, f"scripted {fault}")
        else:
            status, answer = self._answer(handler.command, url.path, query, body)
        if fault == "lose":
            return
        kind, content = "application/json; charset=UTF-8", json.dumps(answer).encode()
        if self.raw_answer:
            status, kind, content = self.raw_answer
        with suppress(BrokenPipeError):
            handler.send_response(status)
            handler.send_header("Content-Type", kind)
            handler.send_header("Content-Length", str(len(content)))
            if self.retry_after is not None:
                handler.send_header("Retry-After", self.retry_after)
            handler.end_headers()
            handler.wfile.write(content)

    def _answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, dict[str, Any]]:
        if path == "/v2/entries:list":
            return 200, self.log_pages.pop(0) if self.log_pages else {}
        match = re.fullmatch(r"/v1/projects/([^/]+)/jobs(?:/([^/:]+)(:cancel)?)?", path)
        if match is None:
            return 404, {"detail": "Not Found"}
        project, job_id, cancel = unquote(match[1]), match[2], match[3]
        if job_id is None and method == "POST":
            return self._create(project, body)
        if job_id is None:
            return 200, self._page([job for (owner, _), job in self.jobs.items() if owner == project], query)
        job = self.jobs.get((project, job_id))
        if job is None:
            return 404, error(404, f"Job {job_id!r} does not exist in project {project!r}.")
        if cancel:
            job["state"] = "CANCELLING"
            return 200, {}
        if method == "PATCH":
            job.update({path: copy.deepcopy(body[path]) for path in query["updateMask"].split(",")})
            return 200, job
        story = self.stories.get(job_id)
        if story:
            job.update(story.pop(0) if len(story) > 1 else story[0])
        return 200, job

    def _create(self, project: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        job_id = body["jobId"]
        if (project, job_id) in self.jobs:
            return 409, error(409, f"Job {job_id!r} already exists.")
        if body.get("trainingInput", {}).get("region") == "mars-1":
            why = "The provided GCE region 'mars-1' is not available."
            return 400, error(400, f"Field: region Error: {why}", [{"field": "region", "description": why}])
        job = self.add(job_id, project)
        job.update(copy.deepcopy(body))
        return 200, job

    def _page(self, jobs: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
        begin = int(query.get("pageToken", "0"))
        end = begin + int(query.get("pageSize", "20"))
        page: dict[str, Any] = {"jobs": jobs[begin:end]} if jobs[begin:end] else {}
        return page | ({"nextPageToken": str(end)} if end < len(jobs) else {})


def error(code: int, message: str, violations: list[dict[str, str]] | None = None) -> dict[str, Any]:
    body: dict[str, Any] = {"code": code, "message": message, "status": STATUS_NAMES[code]}
    if violations:
        body["details"] = [
            {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations}
        ]
    return {"error": body}
