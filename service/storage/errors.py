"""Refusals of the storage routes: google.rpc errors with the `errors` list that storage clients look into."""

from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from api_schemas.errors import (
    AlreadyExists,
    ApiError,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PayloadTooLarge,
    ResourceExhausted,
    Unavailable,
)
from service.answers import JsonAnswer
from service.errors import disk_error, headers_of, routing_error
from store.objects import errors as stored

CLIENT_GONE = 499


class BucketNotEmpty(FailedPrecondition):
    http_status = 409


class ConditionNotMet(FailedPrecondition):
    http_status = 412


class RangeNotSatisfiable(InvalidArgument):
    http_status = 416

    def __init__(self, size: int) -> None:
        super().__init__([], f"The object has {size} bytes; the range asks for others.")
        self.size = size


REASONS: dict[int, str] = {
    400: "invalid",
    404: "notFound",
    409: "conflict",
    412: "conditionNotMet",
    413: "uploadTooLarge",
    416: "requestedRangeNotSatisfiable",
    429: "rateLimitExceeded",
    501: "notImplemented",
    503: "backendError",
}


_MEANING: dict[type[stored.ObjectStoreError], type[ApiError]] = {
    stored.NoSuchBucket: NotFound,
    stored.NoSuchObject: NotFound,
    stored.NoSuchUpload: NotFound,
    stored.BucketExists: AlreadyExists,
    stored.BucketNotEmpty: BucketNotEmpty,
    stored.PreconditionFailed: ConditionNotMet,
    stored.TooLarge: PayloadTooLarge,
    stored.TooManyUploads: ResourceExhausted,
    stored.UploadBusy: Unavailable,
}


def invalid(message: str) -> ApiError:
    return InvalidArgument([], message)


def answer_api_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    reason = REASONS.get(error.http_status, "backendError")
    body: dict[str, Any] = error.body()
    body["error"]["errors"] = [{"domain": "global", "reason": reason, "message": error.message}]
    headers = headers_of(error)
    if isinstance(error, RangeNotSatisfiable):
        headers["Content-Range"] = f"bytes */{error.size}"
    return JsonAnswer(body, status_code=error.http_status, headers=headers)


def answer_store_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, stored.ObjectStoreError)
    if isinstance(error, stored.PreconditionFailed) and error.unchanged and request.method == "GET":
        return Response(status_code=HTTPStatus.NOT_MODIFIED)
    meaning = _MEANING.get(type(error))
    return answer_api_error(request, invalid(str(error)) if meaning is None else meaning(str(error)))


def answer_routing_error(request: Request, error: Exception) -> Response:
    return answer_api_error(request, routing_error(request, error))


def answer_disk_error(request: Request, error: Exception) -> Response:
    """What a disk refuses is told; what nobody thought of goes on to the log."""
    assert isinstance(error, OSError)
    told = disk_error(error)
    if told is None:
        raise error
    return answer_api_error(request, told)


def answer_nobody(_: Request, __: Exception) -> Response:
    # The client hung up while it sent; nobody reads this.
    return Response(status_code=CLIENT_GONE)


HANDLERS = {
    ApiError: answer_api_error,
    stored.ObjectStoreError: answer_store_error,
    HTTPException: answer_routing_error,
    ClientDisconnect: answer_nobody,
    OSError: answer_disk_error,
}
