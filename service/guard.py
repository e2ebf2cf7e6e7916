"""Who may come in. There is no authentication on loopback, so nothing but this machine's own user may.

A web page open in the user's browser can send requests to loopback too. It can't read the answers, but a job
runs programs: so what a browser says comes from another site is refused, and so is a host name that is not
ours (an outside name that was pointed at loopback).
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api_schemas.errors import ApiError, PermissionDenied
from service.answers import JsonAnswer


class Guard:
    """ASGI middleware that refuses requests of other hosts and other sites."""

    def __init__(self, app: ASGIApp, allowed_hosts: frozenset[str]) -> None:
        self._app = app
        self._allowed = allowed_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(Headers(scope=scope))
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await JsonAnswer(refusal.body(), status_code=refusal.http_status)(scope, receive, send)

    def _refusal(self, headers: Headers) -> ApiError | None:
        host = _host_name("//" + headers.get("host", ""))
        if host not in self._allowed:
            return PermissionDenied(f"This service does not answer to the host name '{host}'.")
        origin = headers.get("origin")
        if origin is not None and _host_name(origin) not in self._allowed:
            return PermissionDenied(f"Requests from pages of '{origin}' are not served.")
        # A page may load what is here as a script or a picture, and browsers name no origin then. A link from
        # elsewhere may be followed: that page does not get to see the answer.
        is_link = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")
        if headers.get("sec-fetch-site") == "cross-site" and not is_link:
            return PermissionDenied("Requests from pages of other sites are not served.")
        return None


def _host_name(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
