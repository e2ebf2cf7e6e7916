"""How buckets and objects look on the wire (docs/contract.md 9.1), and what a request says of them."""

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import orjson
from starlette.requests import Request

from api_schemas.errors import PayloadTooLarge
from service.storage.errors import invalid
from service.storage.parameters import base_url
from store.objects.buckets import Bucket
from store.objects.checksums import Checksums
from store.objects.records import About, StoredObject

DEFAULT_TYPE = "application/octet-stream"
SETTABLE = (
    "contentType",
    "cacheControl",
    "contentDisposition",
    "contentEncoding",
    "contentLanguage",
    "customTime",
)
"""Metadata that the uploader sets and that is kept as it is. What else a resource says is the service's."""
MAX_CUSTOM_BYTES = 8 * 1024
"""Of all keys and values of `metadata` together."""
_HEADER_VALUE = re.compile(r"[\x20-\x7e]{0,1024}")


async def read_resource(request: Request, max_bytes: int) -> dict[str, Any]:
    """The JSON object that a request carries; empty if it carries nothing.

    Raises:
        InvalidArgument: it is no JSON object.
        PayloadTooLarge
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise PayloadTooLarge(f"The request body is larger than {max_bytes} bytes.")
    return parse_resource(bytes(body))


def parse_resource(body: bytes) -> dict[str, Any]:
    """The same for bytes that have been read."""
    if not body.strip():
        return {}
    try:
        resource = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise invalid(f"Parse Error: the metadata is no JSON: {error}.") from error
    if not isinstance(resource, dict):
        raise invalid("Parse Error: the metadata must be a JSON object.")
    return resource


def text_field(resource: Mapping[str, Any], name: str) -> str | None:
    """A field that must be a string if it is there.

    Raises:
        InvalidArgument: it is something else.
    """
    value = resource.get(name)
    if value is not None and not isinstance(value, str):
        raise invalid(f"Invalid value for {name}: must be a string.")
    return value


def about_of(resource: Mapping[str, Any], before: About | None = None) -> About:
    """The metadata that a request sets; what it leaves out stays as `before`, and null takes it away.

    Raises:
        InvalidArgument: a field is of the wrong type, or no header could carry it.
    """
    before = before or About()
    headers = dict(before.headers)
    for name in SETTABLE:
        if name in resource:
            value = text_field(resource, name)
            if value is not None and not _HEADER_VALUE.fullmatch(value):
                raise invalid(
                    f"Invalid value for {name}: must be printable ASCII of at most 1024 characters."
                )
            headers.pop(name, None)
            if value:
                headers[name] = value
    custom = dict(before.custom)
    if "metadata" in resource:
        given = resource["metadata"]
        if given is None:
            custom = {}
        elif isinstance(given, dict):
            custom = {key: value for key, value in {**custom, **given}.items() if value is not None}
        else:
            raise invalid("Invalid value for metadata: must be an object.")
        if not all(isinstance(value, str) for value in custom.values()):
            raise invalid("Invalid value for metadata: its values must be strings.")
        if sum(len(key.encode()) + len(value.encode()) for key, value in custom.items()) > MAX_CUSTOM_BYTES:
            raise invalid(f"Invalid value for metadata: more than {MAX_CUSTOM_BYTES} bytes.")
    return About(headers, custom, before.md5, before.crc32c, before.metageneration, before.updated)


def checksums_in(resource: Mapping[str, Any]) -> Checksums:
    """The checksums that a resource promises of its content."""
    return Checksums(md5=text_field(resource, "md5Hash"), crc32c=text_field(resource, "crc32c"))


def object_wire(request: Request, stored: StoredObject) -> dict[str, Any]:
    """An object's resource."""
    about, base = stored.about, base_url(request)
    path = f"/storage/v1/b/{stored.bucket}/o/{quote(stored.name, safe='')}"
    created = stored.generation / 1e9
    wire: dict[str, Any] = {
        "kind": "storage#object",
        "id": f"{stored.bucket}/{stored.name}/{stored.generation}",
        "selfLink": base + path,
        "mediaLink": f"{base}/download{path}?alt=media",
        "name": stored.name,
        "bucket": stored.bucket,
        "generation": str(stored.generation),
        "metageneration": str(about.metageneration),
        "contentType": DEFAULT_TYPE,
        "storageClass": "STANDARD",
        "size": str(stored.size),
        "etag": etag(stored),
        "timeCreated": timestamp(created),
        "updated": timestamp(created if about.updated is None else about.updated),
        **about.headers,
    }
    if about.md5:
        wire["md5Hash"] = about.md5
    if about.crc32c:
        wire["crc32c"] = about.crc32c
    if about.custom:
        wire["metadata"] = about.custom
    return wire


def bucket_wire(request: Request, bucket: Bucket) -> dict[str, Any]:
    """A bucket's resource."""
    return {
        "kind": "storage#bucket",
        "id": bucket.name,
        "name": bucket.name,
        "selfLink": f"{base_url(request)}/storage/v1/b/{bucket.name}",
        "projectNumber": "0",
        "location": "LOCAL",
        "locationType": "region",
        "storageClass": "STANDARD",
        "metageneration": "1",
        "etag": _short(f"{bucket.name}/{bucket.create_time}"),
        "timeCreated": timestamp(bucket.create_time),
        "updated": timestamp(bucket.create_time),
    }


def etag(stored: StoredObject) -> str:
    """Changes with every change of content or metadata."""
    return _short(f"{stored.generation}/{stored.about.metageneration}")


def timestamp(seconds: float) -> str:
    """RFC 3339, UTC, milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _short(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
