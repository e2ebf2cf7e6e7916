"""gcloud as the service sees it: the requests that its commands send, as its HTTP library sends them.

Recorded from apitools 0.5.35, that library, with the storage client that gsutil 5.38 carries; what each
command sends is docs/contract.md 7. gcloud itself is no Python package, so it can't be installed for tests.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

HEADERS = {
    "user-agent": "google-cloud-sdk gcloud/578.0.0 command/gcloud.ai-platform.jobs",
    "accept": "application/json",
    "accept-encoding": "gzip, deflate",
}
BOUNDARY = "===============3016341781946403634=="


class Refused(Exception):
    """What gcloud prints after `ERROR:`."""


@dataclass
class Gcloud:
    """Commands of `gcloud ai-platform jobs`, with the three endpoint overrides set to one address."""

    address: str
    project: str
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30.0, trust_env=False))

    def submit(
        self,
        job_id: str,
        region: str,
        *args: str,
        package: Path | None = None,
        staging_bucket: str = "",
        **training: Any,
    ) -> dict[str, Any]:
        """jobs submit training JOB --region R [--package-path …] [--staging-bucket …] [flags] [-- ARGS]."""
        uris = [] if package is None else [self._stage(package, job_id, staging_bucket)]
        # It overwrites packageUris and sends enableWebAccess in any case.
        inputs = {
            **training,
            "args": list(args),
            "enableWebAccess": False,
            "packageUris": uris,
            "region": region,
        }
        return self._ml("POST", "jobs", {"jobId": job_id, "trainingInput": inputs})

    def describe(self, job_id: str) -> dict[str, Any]:
        return self._ml("GET", f"jobs/{job_id}")

    def list(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        page: dict[str, str] = {"pageSize": "100"}
        while True:
            answer = self._ml("GET", "jobs", **page)
            found += answer.get("jobs", [])
            if "nextPageToken" not in answer:
                return found
            page["pageToken"] = answer["nextPageToken"]

    def cancel(self, job_id: str) -> None:
        assert self._ml("POST", f"jobs/{job_id}:cancel", {}) == {}

    def update(self, job_id: str, labels: dict[str, str]) -> dict[str, Any]:
        """jobs update JOB --update-labels K=V: what is there, with these on top."""
        merged = {**self.describe(job_id).get("labels", {}), **labels}
        return self._ml("PATCH", f"jobs/{job_id}", {"labels": merged}, updateMask="labels")

    def stream_logs(
        self, job_id: str, task_name: str = "", pause: Callable[[], None] = lambda: None
    ) -> Iterator[str]:
        """jobs stream-logs JOB [--task-name T]: its lines, until the job has ended and no more come.

        The real one leaves out the last five seconds of the clock and asks once a minute. It does not look
        again when it has seen the end; at a test's pace, that would lose what came just before it.
        """
        start = self.describe(job_id)["createTime"]
        after = ""
        empty_polls = 0
        ended = False
        while True:
            entries = list(self._entries(job_id, task_name, after or f'timestamp>="{start}"'))
            for entry in entries:
                yield from _lines(entry)
            if entries:
                stamp, insert_id = entries[-1]["timestamp"], entries[-1]["insertId"]
                after = f'((timestamp="{stamp}" AND insertId>"{insert_id}") OR timestamp>"{stamp}")'
            empty_polls = 0 if entries else empty_polls + 1
            if ended and not entries:
                return
            ended = empty_polls > 1 and "endTime" in self.describe(job_id)
            pause()

    def _entries(self, job_id: str, task_name: str, after: str) -> Iterator[dict[str, Any]]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        wanted = [
            '(resource.type="ml_job" OR resource.type="cloudml_job")',
            f'resource.labels.job_id="{job_id}"',
            *(
                [f'(resource.labels.task_name="{task_name}" OR labels.task_name="{task_name}")']
                if task_name
                else []
            ),
            after,
            f'timestamp<"{now}"',
        ]
        body = {
            "resourceNames": [f"projects/{self.project}"],
            "filter": " AND ".join(wanted),
            "orderBy": "timestamp asc",
            "pageSize": 1000,
        }
        while True:
            answer = self._send("POST", "/v2/entries:list", body, alt="json")
            yield from answer.get("entries", [])
            if "nextPageToken" not in answer:
                return
            body["pageToken"] = answer["nextPageToken"]

    def _stage(self, package: Path, job_id: str, bucket: str) -> str:
        content = package.read_bytes()
        name = f"{job_id}/{hashlib.sha256(content).hexdigest()}/{package.name}"
        plain = bucket.removeprefix("gs://").rstrip("/")
        # Line feeds alone between the parts, and the boundary in single quotes: that is how it sends them.
        parts = [
            (["Content-Type: application/json"], json.dumps({"bucket": plain, "name": name}).encode()),
            (["Content-Type: application/octet-stream", "Content-Transfer-Encoding: binary"], content),
        ]
        body = b"".join(
            f"--{BOUNDARY}\n{chr(10).join(head)}\nMIME-Version: 1.0\n\n".encode() + payload + b"\n"
            for head, payload in parts
        )
        answer = self.http.post(
            f"{self.address}/upload/storage/v1/b/{plain}/o",
            params={"alt": "json", "name": name, "uploadType": "multipart"},
            content=body + b"--" + BOUNDARY.encode() + b"--\n",
            headers={**HEADERS, "content-type": f"multipart/related; boundary='{BOUNDARY}'"},
        )
        stored = self._read(answer)
        assert int(stored["size"]) == len(content), "gcloud gives up where the size is another"
        return f"gs://{stored['bucket']}/{stored['name']}"

    def _ml(self, method: str, path: str, body: Any = None, **query: str) -> dict[str, Any]:
        return self._send(method, f"/v1/projects/{self.project}/{path}", body, alt="json", **query)

    def _send(self, method: str, path: str, body: Any = None, **query: str) -> dict[str, Any]:
        content = None if body is None else json.dumps(body, sort_keys=True)
        typed = {} if body is None else {"content-type": "application/json"}
        return self._read(
            self.http.request(
                method, f"{self.address}{path}", params=query, content=content, headers={**HEADERS, **typed}
            )
        )

    def _read(self, answer: httpx.Response) -> dict[str, Any]:
        decoded: dict[str, Any] = answer.json()
        if answer.is_success:
            return decoded
        error = decoded["error"]
        raise Refused(f"{error['status']}: {error['message']}")


def _lines(entry: dict[str, Any]) -> Iterator[str]:
    """As stream-logs prints it: severity, time, task, trial, message, a line of it at a time."""
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", entry["timestamp"])
    task = entry.get("resource", {}).get("labels", {}).get("task_name", "unknown_task")
    trial = entry.get("labels", {}).get("ml.googleapis.com/trial_id", "")
    payload = entry.get("jsonPayload", {})
    message = payload.get("message", entry.get("textPayload", ""))
    for line in message.splitlines():
        yield "\t".join((entry.get("severity", "DEFAULT"), task, trial, line))
