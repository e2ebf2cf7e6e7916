"""JSON the way the old service sent it."""

from typing import Any

import orjson
from starlette.responses import Response


class JsonAnswer(Response):
    """A JSON object. An `orjson.Fragment` in it is JSON text that is sent as it is."""

    media_type = "application/json; charset=UTF-8"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)
