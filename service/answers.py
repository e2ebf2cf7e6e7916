"""JSON the way the old service sent it."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.field_mask import Mask, apply_mask

PRESENTATION = "presentation"
"""The key in a request's state under which it says how it wants its answer."""


@dataclass(frozen=True, slots=True)
class Presentation:
    """How a request wants its answer to look."""

    mask: Mask | None = None
    """The fields it wants of a good answer; None: all."""
    indent: bool = False


class JsonAnswer(Response):
    """A JSON object. An `orjson.Fragment` in it is JSON text that is sent as it is."""

    media_type = "application/json; charset=UTF-8"

    def __init__(
        self, content: Any, status_code: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(content, status_code, headers)
        self._content = content

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wanted: Presentation | None = scope.get("state", {}).get(PRESENTATION)
        if wanted is not None and wanted != Presentation():
            # A large answer takes a second, in which others are to be served.
            await run_in_threadpool(self._present, wanted)
        await super().__call__(scope, receive, send)

    def _present(self, wanted: Presentation) -> None:
        if wanted.mask is not None and self.status_code < HTTPStatus.MULTIPLE_CHOICES:
            self.body = orjson.dumps(apply_mask(wanted.mask, self._content))
        if wanted.indent:
            # Fragments are written as they are, so they have to be read to be indented.
            self.body = orjson.dumps(orjson.loads(self.body), option=orjson.OPT_INDENT_2) + b"\n"
        self.headers["Content-Length"] = str(len(self.body))
