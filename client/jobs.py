"""The calls on jobs (docs/contract.md 1.2)."""

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import quote

from client.errors import (
    AlreadyExists,
    ClientError,
    InvalidArgument,
    ResourceExhausted,
    ServiceFault,
    ServiceUnreachable,
)
from client.log_entries import follow_entries, list_entries
from client.resources import Job, LogEntry
from client.transport import Transport

DEFAULT_ADDRESS = "http://127.0.0.1:8080"
ADDRESS_VARIABLE = "VERNIER_API"
MAX_PAGE_SIZE = 100  # docs/contract.md 1.3
TERMINAL_STATES = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})

_JOB_ID = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,127}")  # docs/contract.md 1.9
# What passes by itself while a service restarts or is busy, so a poll outlives it.
_PASSING = (ServiceUnreachable, ServiceFault, ResourceExhausted)


class VernierClient:
    """Calls the jobs of one project.

    Every method raises a `ClientError` of `client.errors`; connection errors, 429 and 5xx have then been
    retried. Use it as a context manager, or call `close`. Threads may share one.
    """

    def __init__(
        self,
        base_url: str | None = None,
        project: str = "local",
        *,
        timeout: float = 30.0,
        token: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """
        Args:
            base_url: the service's address; without it `$VERNIER_API`, else http://127.0.0.1:8080.
            project: the project's id.
            timeout: seconds that one try may wait for the service.
            token: a bearer token, where the service asks for one.
            sleep: waits that many seconds; tests pass their own.

        Raises:
            InvalidArgument: the address or the project's id cannot be one.
        """
        if not project.strip(". "):
            raise InvalidArgument(f"{project!r} is no project id")
        address = base_url or os.environ.get(ADDRESS_VARIABLE) or DEFAULT_ADDRESS
        self._transport = Transport(address, timeout=timeout, token=token, sleep=sleep)
        self._jobs_path = f"/v1/projects/{quote(project, safe='')}/jobs"
        self.project = project

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def base_url(self) -> str:
        """The service's address, without a trailing slash."""
        return self._transport.base_url

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()

    def create_job(self, body: Mapping[str, Any]) -> Job:
        """Creates the job and gives it as the service has it.

        A try whose answer was lost may have created the job: when the retry then meets 409 and the job of
        that name has the training input that was sent, it is ours and is given as if nothing had happened.

        Raises:
            InvalidArgument: with one violation per field that is wrong.
            AlreadyExists: the jobId is taken by another job.
        """
        answer = self._transport.send("POST", self._jobs_path, body=dict(body))
        if isinstance(answer.error, AlreadyExists) and answer.maybe_repeated:
            existing = self.get_job(str(body.get("jobId", body.get("job_id"))))
            if existing.get("trainingInput", {}) == _canonical_training_input(body):
                return existing
        return cast(Job, answer.unwrap())

    def get_job(self, job_id: str) -> Job:
        """The job.

        Raises:
            NotFound: the project has no such job.
        """
        return cast(Job, self._transport.send("GET", self._job_path(job_id)).unwrap())

    def list_jobs(self, page_size: int = MAX_PAGE_SIZE, *, where: str = "") -> Iterator[Job]:
        """Jobs of the project, newest first, fetched a page at a time as they are asked for.

        Args:
            page_size: jobs per request, 1 to 100.
            where: a filter, such as `state=RUNNING AND labels.owner=ana` (docs/contract.md 1.3); all without.

        Raises:
            InvalidArgument: `where` is no filter.
        """
        asked = {"pageSize": str(page_size)} | ({"filter": where} if where else {})
        token = ""
        while True:
            params = asked | ({"pageToken": token} if token else {})
            page = self._transport.send("GET", self._jobs_path, params=params).unwrap()
            yield from cast(list[Job], page.get("jobs", []))
            token = page.get("nextPageToken", "")
            if not token:
                return

    def update_labels(
        self,
        job_id: str,
        update: Mapping[str, str] | None = None,
        *,
        remove: Iterable[str] = (),
        clear: bool = False,
    ) -> Job:
        """Changes labels of a job and gives it as the service has it then.

        They are read, changed here and written as a whole, as gcloud does it.

        Args:
            job_id: the job.
            update: labels that it is to have, whether it has them yet or not.
            remove: keys of labels that it is not to have, even if `update` has them.
            clear: whether it loses the labels that `update` does not name.

        Raises:
            NotFound: the project has no such job.
            InvalidArgument: these can't be labels.
        """
        labels = ({} if clear else self.get_job(job_id).get("labels", {})) | dict(update or {})
        kept = {key: value for key, value in labels.items() if key not in set(remove)}
        path, mask = self._job_path(job_id), {"updateMask": "labels"}
        return cast(Job, self._transport.send("PATCH", path, params=mask, body={"labels": kept}).unwrap())

    def cancel_job(self, job_id: str) -> None:
        """Asks for the job to be cancelled; it ends a moment later. A finished job stays as it is.

        Raises:
            NotFound: the project has no such job.
        """
        self._transport.send("POST", f"{self._job_path(job_id)}:cancel", body={}).unwrap()

    def follow(
        self,
        job_id: str,
        *,
        poll: float = 2.0,
        patience: float = 300.0,
        on_outage: Callable[[ClientError], None] = lambda error: None,
    ) -> Iterator[Job]:
        """The job again and again, until it has ended; the last one given is in a terminal state.

        Args:
            job_id: the job.
            poll: seconds between two looks.
            patience: for how many seconds in a row the service may be away, as while it restarts.
            on_outage: told of each failed look that is forgiven.

        Raises:
            NotFound: the project has no such job.
            ServiceUnreachable, ServiceFault, ResourceExhausted: for longer than `patience`.
        """
        reached = time.monotonic()
        while True:
            try:
                job = self.get_job(job_id)
            except _PASSING as error:
                if time.monotonic() - reached > patience:
                    raise
                on_outage(error)
            else:
                reached = time.monotonic()
                yield job
                if job.get("state") in TERMINAL_STATES:
                    return
            self._transport.sleep(poll)

    def list_log_entries(self, where: str) -> Iterator[LogEntry]:
        """The project's log entries, oldest first, fetched a page at a time as they are asked for.

        Args:
            where: a filter in the language of the Logging API (docs/contract.md 10.4).

        Raises:
            InvalidArgument: it is none.
        """
        return list_entries(self._transport, self.project, where)

    def follow_log(
        self,
        job_id: str,
        *,
        task_name: str | None = None,
        poll: float = 1.0,
        patience: float = 300.0,
        on_outage: Callable[[ClientError], None] = lambda error: None,
    ) -> Iterator[LogEntry]:
        """The entries of a job's log, each once and in order, until the job has ended and all have come.

        Args:
            job_id: the job.
            task_name: of this task only, such as `master-replica-0`.
            poll: seconds between two looks.
            patience: for how many seconds in a row the service may be away, as while it restarts.
            on_outage: told of each failed look that is forgiven.

        Raises:
            NotFound: the project has no such job.
            ServiceUnreachable, ServiceFault, ResourceExhausted: for longer than `patience`.
        """
        sleep = self._transport.sleep
        return follow_entries(self, job_id, task_name, poll, patience, on_outage, sleep)

    def wait(self, job_id: str, poll: float = 2.0, *, patience: float = 300.0) -> Job:
        """Waits until the job has ended and gives it; `follow` says what the arguments mean."""
        *_, ended = self.follow(job_id, poll=poll, patience=patience)
        return ended

    def _job_path(self, job_id: str) -> str:
        # Checked here, as an id like "" or "a/../b" would name another resource.
        if not _JOB_ID.fullmatch(job_id):
            why = "a job id is a letter, followed by up to 127 letters, digits or underscores"
            violation = {"field": "job_id", "description": why}
            raise InvalidArgument(f"{job_id!r}: {why}", details=[{"fieldViolations": [violation]}])
        return f"{self._jobs_path}/{job_id}"


def _canonical_training_input(body: Mapping[str, Any]) -> object:
    """`body`'s training input in the form in which the service gives it back; None where it cannot be."""
    # Imported here: only a create that was repeated needs the models, and they take long to load.
    import json

    from api_schemas.errors import ApiError
    from api_schemas.parsing import parse_job
    from api_schemas.wire import to_wire

    try:
        return to_wire(parse_job(json.dumps(body).encode())).get("trainingInput", {})
    except ApiError:  # a newer service than these models
        return None
