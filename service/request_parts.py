"""What routes ask a request for: its project, its job's name, its body, its mask."""

from collections.abc import Awaitable, Callable, Collection
from typing import Annotated

from fastapi import Depends, Request
from starlette.requests import ClientDisconnect

from api_schemas.errors import (
    FieldViolation,
    InvalidArgument,
    NotFound,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from api_schemas.names import check_project_id, job_id_problem, shortened

PLAIN = "identity"


# Both are async only to be called at once: the framework sends what is not to a thread, which takes longer.


async def read_project(project: str) -> str:
    check_project_id(project)
    return project


Project = Annotated[str, Depends(read_project)]
"""A project's id, of the right form."""


async def read_job_id(project: Project, job_id: str) -> str:
    # A name that no job can have is not looked for: PostgreSQL takes no NUL in a text.
    if job_id_problem(job_id) is not None:
        raise no_such_job(project, job_id)
    return job_id


JobId = Annotated[str, Depends(read_job_id)]
"""A job's id, of the right form; others are not found."""


def no_such_job(project: str, job_id: str) -> NotFound:
    return NotFound(f"There is no job projects/{project}/jobs/{shortened(job_id)}.")


def body_reader(max_bytes: int) -> Callable[[Request], Awaitable[bytes]]:
    """A dependency that gives the body, and takes no more of it than this.

    Raises:
        PayloadTooLarge: it is larger, or is said to be.
        UnsupportedMediaType: it is compressed, so that its size would say nothing.
    """
    too_large = PayloadTooLarge(
        f"The request body is larger than {max_bytes} bytes (VERNIER_MAX_BODY_BYTES)."
    )

    async def read_body(request: Request) -> bytes:
        encoding = request.headers.get("content-encoding", PLAIN)
        if encoding.lower() != PLAIN:
            raise UnsupportedMediaType(
                f"A body in the Content-Encoding '{shortened(encoding)}' is not read; send it plain."
            )
        # The server has seen to it that this is a number. Who says so beforehand need not send it all.
        if int(request.headers.get("content-length", 0)) > max_bytes:
            raise too_large
        body = bytearray()
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > max_bytes:
                    raise too_large
        except ClientDisconnect as error:
            # Nobody is there to be answered, and nothing of ours has failed.
            raise InvalidArgument([], "The request ended before its body did.") from error
        return bytes(body)

    return read_body


def read_mask(mask: str | None, legal: Collection[str], prefix: str = "") -> frozenset[str]:
    """The paths of a field mask, which are parted by commas; camelCase ones become snake_case.

    Args:
        legal: the paths there may be, in snake_case.
        prefix: a path that begins with this is legal too, and stays as it is.

    Raises:
        InvalidArgument: it has no path, or another.
    """
    paths = [path.strip() for path in (mask or "").split(",")]
    legal_ones = ", ".join([*legal, *([f"{prefix}KEY"] if prefix else [])])
    if paths == [""]:
        raise InvalidArgument([FieldViolation("update_mask", f"Is needed: one or more of {legal_ones}.")])
    read = set()
    for path in paths:
        name = path if prefix and path.startswith(prefix) else _snake_case(path)
        if name not in legal and not (prefix and name.startswith(prefix)):
            wrong = f"'{shortened(path)}' can't be updated; the paths are {legal_ones}, parted by commas."
            raise InvalidArgument([FieldViolation("update_mask", wrong)])
        read.add(name)
    return frozenset(read)


def _snake_case(path: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in path)
