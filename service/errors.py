"""Every failure leaves in the google.rpc shape (docs/contract.md 1.8), whoever raised it."""

import errno
import sqlite3
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api_schemas.errors import (
    ApiError,
    FieldViolation,
    Internal,
    InvalidArgument,
    NotFound,
    Unavailable,
    Unimplemented,
)
from api_schemas.names import shortened
from service.answers import JsonAnswer

log = structlog.get_logger(__name__)

RETRY_SECONDS = 2
"""When a client may ask again for what is not to be had now; nobody knows when it will be."""
READ_ONLY, DISK_FULL = "25006", "53100"
"""PostgreSQL's SQLSTATEs of a statement that would write: where one may only read, where there is no room."""


def add_error_handlers(app: FastAPI) -> None:
    """Answer our own errors, the framework's, and those nobody expected."""
    app.add_exception_handler(ApiError, _ours)
    app.add_exception_handler(HTTPException, _frameworks)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(SQLAlchemyError, _databases)
    app.add_exception_handler(OSError, _disks)
    app.add_exception_handler(Exception, _unexpected)


def _ours(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JsonAnswer(error.body(), status_code=error.http_status, headers=headers_of(error))


def headers_of(error: ApiError) -> dict[str, str]:
    """What an answer with this error says in its headers."""
    return {"Retry-After": str(RETRY_SECONDS)} if isinstance(error, Unavailable) else {}


def disk_error(error: OSError) -> ApiError | None:
    """What is told of a disk that refuses; None for what nobody thought of."""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return Unavailable("The disk of this service is full.")
        case errno.EMFILE | errno.ENFILE | errno.EIO:
            return Unavailable("The disk of this service can't be used now.")
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return Unavailable("The service may not read or write that file.")
        case _:
            return None


def routing_error(request: Request, error: Exception) -> ApiError:
    """What the framework says of a request that it found no route for, or could not read."""
    assert isinstance(error, HTTPException)
    path = shortened(request.url.path, 200)
    if error.status_code == HTTPStatus.NOT_FOUND:
        return NotFound(f"There is nothing at {path}.")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return Unimplemented(f"{request.method} is not served at {path}.")
    return InvalidArgument([], message=str(error.detail))


def _frameworks(request: Request, error: Exception) -> Response:
    return _ours(request, routing_error(request, error))


def _malformed(request: Request, error: Exception) -> Response:
    # Routes declare their parameters as texts and check them themselves; this is for one that does not.
    assert isinstance(error, RequestValidationError)
    violations = [FieldViolation(".".join(map(str, e["loc"][1:])), str(e["msg"])) for e in error.errors()]
    return _ours(request, InvalidArgument(violations))


def _databases(request: Request, error: Exception) -> Response:
    if not _is_away(error):
        raise error
    log.error("database failed", method=request.method, path=request.url.path, exc_info=error)
    return _ours(request, Unavailable(_why(error)))


def _why(error: Exception) -> str:
    cause: Any = getattr(error, "orig", None)
    if getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL or _sqlstate(error) == DISK_FULL:
        return "The disk of the database is full; try again later."
    return "The database can't be reached or written, or is too busy; try again later."


def _sqlstate(error: Exception) -> str | None:
    return getattr(getattr(error, "orig", None), "sqlstate", None)


def _is_away(error: Exception) -> bool:
    """Whether the database is away, full, busy or read-only, and later may not be; the rest are mistakes."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, NoConnectionFree)
    # SQLite gives OperationalError for mistakes too, and this number.
    is_mistake = getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
    is_operational = isinstance(error, OperationalError | InterfaceError) and not is_mistake
    return is_operational or error.connection_invalidated or _sqlstate(error) == READ_ONLY


def _disks(request: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)
    told = disk_error(error)
    if told is None:
        raise error
    log.error("disk failed", method=request.method, path=request.url.path, exc_info=error)
    return _ours(request, told)


def _unexpected(request: Request, error: Exception) -> Response:
    # What went wrong stays in the log: a traceback could quote what the caller must not see.
    log.error("request failed", method=request.method, path=request.url.path, exc_info=error)
    return _ours(request, Internal("The service failed; its log says why."))
