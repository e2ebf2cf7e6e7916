"""Requests that come as POST and mean another method (docs/contract.md 1.1).

googleapiclient sends a GET whose address is longer than 2048 characters, as with a long filter, as a POST
with its query for a body. Others get PATCH past a proxy in this way.
"""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api_schemas.errors import PayloadTooLarge
from service.answers import JsonAnswer

HEADER = "x-http-method-override"
FORM = "application/x-www-form-urlencoded"
MAX_QUERY_BYTES = 64 * 1024
"""The same that the server takes of headers and address together."""


class MethodOverride:
    """ASGI middleware that makes such a request what it means; whether that may be is for others to say."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        meant = headers.get(HEADER, "").upper()
        if not meant or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        meaning = {**scope, "method": meant}
        if meant == "GET" and headers.get("content-type", "").partition(";")[0].strip().lower() == FORM:
            query = await _body(receive)
            if query is None:
                refusal = PayloadTooLarge(f"The query is longer than {MAX_QUERY_BYTES} bytes.")
                await JsonAnswer(refusal.body(), refusal.http_status)(scope, receive, send)
                return
            meaning["query_string"] = b"&".join(filter(None, (scope["query_string"], query)))
            receive = _empty_body(receive)
        await self._app(meaning, receive, send)


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None if it is too long."""
    body, more = bytearray(), True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MAX_QUERY_BYTES:
            return None
    return bytes(body)


def _empty_body(receive: Receive) -> Receive:
    """Nothing, once, and then what comes after the body that was read.

    Nothing for ever would be an answer at once to whoever waits for the client to go, and asks again.
    """
    is_told = False

    async def receive_next() -> Message:
        nonlocal is_told
        if is_told:
            return await receive()
        is_told = True
        return {"type": "http.request", "body": b"", "more_body": False}

    return receive_next
