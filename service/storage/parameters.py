"""What the query and the headers of a storage request say."""

import re
from urllib.parse import unquote

from starlette.datastructures import QueryParams
from starlette.requests import Request

from service.storage.errors import invalid
from store.objects.checksums import Checksums
from store.objects.errors import NoSuchObject, PreconditionFailed
from store.objects.preconditions import Preconditions
from store.objects.records import StoredObject

PAGE_SIZE = 1000
_INTEGER = re.compile(r"\d{1,19}")
_HASH = re.compile(r"\s*(md5|crc32c)=([A-Za-z0-9+/]+={0,2})\s*")


def path_part(request: Request, name: str) -> str:
    """A part of the path, decoded: the router saw it as it was sent.

    Raises:
        InvalidArgument: it is not UTF-8.
    """
    try:
        return unquote(request.path_params[name], errors="strict")
    except UnicodeDecodeError as error:
        raise invalid("The path must be UTF-8, percent-encoded.") from error


def integer(query: QueryParams, name: str) -> int | None:
    """A whole number, not negative; None if it is not given.

    Raises:
        InvalidArgument: it is something else.
    """
    text = query.get(name)
    if text is None or text == "":
        return None
    if not _INTEGER.fullmatch(text):
        raise invalid(f"Invalid value for {name}: '{text[:80]}' is not a whole number of at most 19 digits.")
    return int(text)


def preconditions(query: QueryParams, kind: str = "if") -> Preconditions:
    """The four `ifGenerationMatch` and so on; of the source of a copy, with `kind` "ifSource"."""
    return Preconditions(
        generation=integer(query, f"{kind}GenerationMatch"),
        not_generation=integer(query, f"{kind}GenerationNotMatch"),
        metageneration=integer(query, f"{kind}MetagenerationMatch"),
        not_metageneration=integer(query, f"{kind}MetagenerationNotMatch"),
    )


def check_generation(query: QueryParams, stored: StoredObject, name: str = "generation") -> None:
    """Only the newest generation is kept, so no other is found.

    Raises:
        NoSuchObject
    """
    if integer(query, name) not in (None, stored.generation):
        raise NoSuchObject(f"There is no such generation of {stored.bucket}/{stored.name} any more.")


def check_etags(request: Request, current: str) -> None:
    """The conditions that HTTP itself has (RFC 9110, 13.1).

    Raises:
        PreconditionFailed
    """
    wanted, known = request.headers.get("if-match"), request.headers.get("if-none-match")
    if wanted is not None and not _names(wanted, current):
        raise PreconditionFailed("At least one of the pre-conditions you specified did not hold.")
    if known is not None and _names(known, current):
        raise PreconditionFailed("The object is the one you have.", unchanged=True)


def _names(header: str, etag: str) -> bool:
    # Some clients leave out the quotes.
    named = {each.strip().removeprefix("W/").strip('"') for each in header.split(",")}
    return etag in named or "*" in named


def page_size(query: QueryParams) -> int:
    """How many results a page has at most, from 1 to 1000."""
    asked = integer(query, "maxResults")
    return PAGE_SIZE if asked is None else max(1, min(asked, PAGE_SIZE))


def announced_checksums(request: Request) -> Checksums:
    """The checksums that the request's headers promise.

    Raises:
        InvalidArgument: X-Goog-Hash is none.
    """
    found: dict[str, str] = {}
    for part in filter(None, request.headers.get("x-goog-hash", "").split(",")):
        match = _HASH.fullmatch(part)
        if match is None:
            raise invalid("X-Goog-Hash must be crc32c=… or md5=…, in base64, with a comma between.")
        found[match[1]] = match[2]
    return Checksums(md5=found.get("md5"), crc32c=found.get("crc32c"))


def base_url(request: Request) -> str:
    """Where the client reached the service, for links that lead back. The guard knows the host."""
    return f"{request.url.scheme}://{request.headers['host']}"
