"""Errors as clients see them: a google.rpc code, a message and typed details (CONTRACT.md 1.8).

    ApiError
    ├── InvalidArgument     400   the request is wrong, whatever the state of things
    │   └── PayloadTooLarge 413
    ├── FailedPrecondition  400   the request is right, the state does not allow it
    ├── Unauthenticated     401
    ├── PermissionDenied    403
    ├── NotFound            404
    ├── AlreadyExists       409
    ├── Aborted             409   somebody else changed it first
    ├── ResourceExhausted   429
    ├── Internal            500
    ├── Unimplemented       501
    └── Unavailable         503

The first line of a class's docstring is its default message.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar

MAX_VIOLATIONS = 100
"""Violations that one error carries; more than that help nobody and could outweigh the request."""


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One thing that is wrong with a request.

    Args:
        field: snake_case path, relative to the training input for its fields (`hyperparameters.params[0].type`),
            to the job for the job's own (`labels`), and rooted at `job` for JSON that is no job at all.
        description: why, and what would be right.
    """

    field: str
    description: str

    def as_message(self) -> str:
        """The violation as a line of an error's message."""
        return f"Field: {self.field} Error: {self.description}"


class ApiError(Exception):
    """The request failed."""

    http_status: ClassVar[int] = 500
    status: ClassVar[str] = "UNKNOWN"

    def __init__(self, message: str | None = None, details: Sequence[dict[str, Any]] = ()) -> None:
        self.message = message if message is not None else _first_line(type(self))
        self.details = list(details)
        super().__init__(self.message)

    def body(self) -> dict[str, Any]:
        """The envelope that goes out as JSON, with `http_status`."""
        error: dict[str, Any] = {
            "code": self.http_status,
            "message": self.message,
            "status": self.status,
        }
        if self.details:
            error["details"] = self.details
        return {"error": error}


class InvalidArgument(ApiError):
    """The request is not valid."""

    http_status = 400
    status = "INVALID_ARGUMENT"

    def __init__(self, violations: Sequence[FieldViolation] = (), message: str | None = None) -> None:
        """Name everything that is wrong at once.

        Args:
            violations: the first `MAX_VIOLATIONS` are carried, with a line that counts the others.
            message: by default a line for each violation.
        """
        self.violations = tuple(islice(violations, MAX_VIOLATIONS))
        if message is None and violations:
            message = "\n".join(violation.as_message() for violation in self.violations)
        left_out = len(violations) - len(self.violations)
        if left_out:
            message = f"{message}\n... and {left_out} more."
        super().__init__(message, [_bad_request(self.violations)] if violations else ())


class PayloadTooLarge(InvalidArgument):
    """The request body is larger than this service takes."""

    http_status = 413

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message=message)


class FailedPrecondition(ApiError):
    """The state of the resource does not allow this."""

    http_status = 400
    status = "FAILED_PRECONDITION"


class Unauthenticated(ApiError):
    """The request carries no valid credentials."""

    http_status = 401
    status = "UNAUTHENTICATED"


class PermissionDenied(ApiError):
    """The caller may not do this."""

    http_status = 403
    status = "PERMISSION_DENIED"


class NotFound(ApiError):
    """There is no such resource."""

    http_status = 404
    status = "NOT_FOUND"


class AlreadyExists(ApiError):
    """A resource of this name exists already."""

    http_status = 409
    status = "ALREADY_EXISTS"


class Aborted(ApiError):
    """The resource was changed by somebody else; read it again and retry."""

    http_status = 409
    status = "ABORTED"


class ResourceExhausted(ApiError):
    """A quota or a rate limit is used up; try again later."""

    http_status = 429
    status = "RESOURCE_EXHAUSTED"


class Internal(ApiError):
    """The service failed."""

    http_status = 500
    status = "INTERNAL"


class Unimplemented(ApiError):
    """This service does not serve that."""

    http_status = 501
    status = "UNIMPLEMENTED"


class Unavailable(ApiError):
    """The service can't answer now; try again."""

    http_status = 503
    status = "UNAVAILABLE"


def _bad_request(violations: Sequence[FieldViolation]) -> dict[str, Any]:
    return {
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{"field": v.field, "description": v.description} for v in violations],
    }


def _first_line(error: type[ApiError]) -> str:
    # Docstrings are gone under python -OO; the code's name still says what happened.
    return (error.__doc__ or error.status).splitlines()[0]
