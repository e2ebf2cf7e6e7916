"""The errors a client can be sent, in the google.rpc shape (docs/contract.md 1.8).

ApiError
├── InvalidArgument      400   a field is wrong; each violation names it
│   ├── PayloadTooLarge  413
│   └── UnsupportedMediaType 415
├── FailedPrecondition   400   well-formed, but the state of things does not allow it
├── Unauthenticated      401
├── PermissionDenied     403
├── NotFound             404
├── AlreadyExists        409
├── Aborted              409
├── ResourceExhausted    429
├── Internal             500
├── Unimplemented        501
└── Unavailable          503
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field that is wrong, by its snake_case path, and why."""

    field: str
    description: str


class ApiError(Exception):
    """Something a client is told; knows its HTTP status and its body."""

    http_status: ClassVar[int] = 500
    status: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str, details: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.details = list(details)

    def body(self) -> dict[str, Any]:
        """The envelope that is sent."""
        error: dict[str, Any] = {"code": self.http_status, "message": self.message, "status": self.status}
        if self.details:
            error["details"] = self.details
        return {"error": error}


class InvalidArgument(ApiError):
    """One or more fields are wrong.

    By default the message joins the violations, one a line, as `Field: <f> Error: <why>`.
    """

    http_status = 400
    status = "INVALID_ARGUMENT"

    def __init__(self, violations: Sequence[FieldViolation], message: str | None = None) -> None:
        self.violations = tuple(violations)
        listed = [{"field": v.field, "description": v.description} for v in violations]
        if message is None:
            message = "\n".join(f"Field: {v.field} Error: {v.description}" for v in violations)
        super().__init__(message, [{"@type": BAD_REQUEST, "fieldViolations": listed}] if listed else [])


class PayloadTooLarge(InvalidArgument):
    http_status = 413

    def __init__(self, message: str) -> None:
        super().__init__([], message)


class UnsupportedMediaType(InvalidArgument):
    http_status = 415

    def __init__(self, message: str) -> None:
        super().__init__([], message)


class FailedPrecondition(ApiError):
    http_status = 400
    status = "FAILED_PRECONDITION"


class Unauthenticated(ApiError):
    http_status = 401
    status = "UNAUTHENTICATED"


class PermissionDenied(ApiError):
    http_status = 403
    status = "PERMISSION_DENIED"


class NotFound(ApiError):
    http_status = 404
    status = "NOT_FOUND"


class AlreadyExists(ApiError):
    http_status = 409
    status = "ALREADY_EXISTS"


class Aborted(ApiError):
    http_status = 409
    status = "ABORTED"


class ResourceExhausted(ApiError):
    http_status = 429
    status = "RESOURCE_EXHAUSTED"


class Internal(ApiError):
    http_status = 500
    status = "INTERNAL"


class Unimplemented(ApiError):
    http_status = 501
    status = "UNIMPLEMENTED"


class Unavailable(ApiError):
    http_status = 503
    status = "UNAVAILABLE"
