"""What a call can raise.

ClientError
├── InvalidArgument      400  a field is missing, unknown or wrong: see `.violations`
├── FailedPrecondition   400  the job's state does not allow it
├── Unauthenticated      401
├── PermissionDenied     403
├── NotFound             404
├── AlreadyExists        409  the jobId is taken
├── Aborted              409  the etag is not the current one
├── ResourceExhausted    429  quota or rate, after the retries
├── ServiceFault         5xx  the service failed, after the retries
├── ServiceUnreachable        no connection, or it broke, after the retries
└── UnexpectedAnswer          something answers there that is not this service
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from client.resources import FieldViolation


class ClientError(Exception):
    """The call failed.

    Attributes:
        status: the google.rpc code name, e.g. "NOT_FOUND" (docs/contract.md 1.8).
        message: the service's own sentence.
        details: the typed details of the error body, as sent; empty when there are none.
        http_status: the HTTP status, or None when there was no answer.
    """

    code: ClassVar[str] = "UNKNOWN"

    def __init__(
        self,
        message: str,
        *,
        status: str | None = None,
        details: Sequence[dict[str, Any]] = (),
        http_status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status or self.code
        self.message = message
        self.details = list(details)
        self.http_status = http_status

    @property
    def violations(self) -> list[FieldViolation]:
        """The fields that are wrong, in the service's order; empty for other kinds of error."""
        return [
            FieldViolation(field=str(entry.get("field", "")), description=str(entry.get("description", "")))
            for detail in self.details
            for entry in detail.get("fieldViolations") or ()
        ]


class InvalidArgument(ClientError):
    """A field is missing, unknown or wrong."""

    code = "INVALID_ARGUMENT"


class FailedPrecondition(ClientError):
    """The job's state does not allow this."""

    code = "FAILED_PRECONDITION"


class Unauthenticated(ClientError):
    """There is no token, or it is not valid."""

    code = "UNAUTHENTICATED"


class PermissionDenied(ClientError):
    """The caller may not do this in this project."""

    code = "PERMISSION_DENIED"


class NotFound(ClientError):
    """There is no such job in this project."""

    code = "NOT_FOUND"


class AlreadyExists(ClientError):
    """The project has a job of this jobId."""

    code = "ALREADY_EXISTS"


class Aborted(ClientError):
    """The etag is not the job's current one."""

    code = "ABORTED"


class ResourceExhausted(ClientError):
    """A quota or a rate limit refused the call, again after the retries."""

    code = "RESOURCE_EXHAUSTED"


class ServiceFault(ClientError):
    """The service failed, again after the retries."""

    code = "INTERNAL"


class ServiceUnreachable(ClientError):
    """There was no connection to the service, or it broke before an answer came."""

    code = "UNAVAILABLE"


class UnexpectedAnswer(ClientError):
    """The answer is not one this service gives: the address probably belongs to something else."""

    code = "UNKNOWN"


_BY_STATUS: dict[str, type[ClientError]] = {
    kind.code: kind
    for kind in (
        InvalidArgument,
        FailedPrecondition,
        Unauthenticated,
        PermissionDenied,
        NotFound,
        AlreadyExists,
        Aborted,
        ResourceExhausted,
    )
}


def error_from_answer(http_status: int, body: object, url: str) -> ClientError:
    """The error that an answer of status 4xx or 5xx stands for.

    Args:
        http_status: the answer's HTTP status.
        body: the answer's decoded JSON, or its text where that is not JSON.
        url: what was asked, for the message.
    """
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        said = str(body).strip()[:200] or "nothing"
        if http_status >= 500:  # a proxy's own error page, while the service restarts
            return ServiceFault(f"HTTP {http_status} from {url}: {said}", http_status=http_status)
        return UnexpectedAnswer(
            f"what answers at {url} is not this service: HTTP {http_status}, {said}", http_status=http_status
        )
    status = str(error.get("status") or "UNKNOWN")
    fallback = ServiceFault if http_status >= 500 else ClientError
    details = [detail for detail in error.get("details") or () if isinstance(detail, dict)]
    return _BY_STATUS.get(status, fallback)(
        str(error.get("message") or f"HTTP {http_status}"),
        status=status,
        details=details,
        http_status=http_status,
    )
