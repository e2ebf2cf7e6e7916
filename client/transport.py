"""What one request goes through: the address, the token, the retries and the decoding of the answer.

Every call of this API may be repeated: reads change nothing, a cancelled job stays cancelled, and a second
create of the same jobId meets 409. So connection errors, 429 and 5xx are retried for every method; what a
409 after such a retry means is decided in `jobs.py`, which asks `Answer.maybe_repeated`.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from client.errors import (
    ClientError,
    InvalidArgument,
    ServiceUnreachable,
    UnexpectedAnswer,
    error_from_answer,
)

RETRIES = 4
FIRST_DELAY = 0.1  # seconds; doubles from try to try
MAX_RETRY_AFTER = 60.0  # seconds; what gcloud waits at most as well

# httpx raises these before a byte of the request has left: a retry is then not a repetition.
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True)
class Answer:
    """A decoded answer, or the error it stands for.

    `maybe_repeated` is True when an earlier try may have reached the service and done its work.
    """

    document: dict[str, Any]
    error: ClientError | None
    maybe_repeated: bool

    def unwrap(self) -> dict[str, Any]:
        """The document.

        Raises:
            ClientError: the error, where the answer is one.
        """
        if self.error is not None:
            raise self.error
        return self.document


class Transport:
    """Sends requests to one address over kept-open connections; safe to use from several threads."""

    def __init__(
        self,
        base_url: str,
        *,
        timeout: float,
        token: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """
        Args:
            base_url: e.g. http://127.0.0.1:8080, with or without a trailing slash.
            timeout: seconds for connecting and, again, between two reads.
            token: sent as a bearer token.
            sleep: waits that many seconds; tests pass their own.

        Raises:
            InvalidArgument: `base_url` is no http(s) address.
        """
        self.base_url = base_url.rstrip("/")
        host = _host(self.base_url)
        if not host:
            raise InvalidArgument(
                f"{base_url!r} is no address of a service; write it like http://127.0.0.1:8080"
            )
        self.is_loopback = host in ("localhost", "::1") or host.startswith("127.")
        self.sleep = sleep
        self._http = httpx.Client(
            timeout=timeout,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            # A company's HTTP_PROXY must not catch what is meant for this machine.
            trust_env=not self.is_loopback,
        )

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def send(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: object = None
    ) -> Answer:
        """One request with its retries.

        Raises:
            ServiceUnreachable: no try got an answer.
            UnexpectedAnswer: the answer of a success is not a JSON object.
        """
        url = f"{self.base_url}{path}"
        delays = _delays()
        maybe_repeated = False
        while True:
            try:
                response = self._http.request(method, url, params=params, json=body)
            except httpx.HTTPError as problem:
                maybe_repeated |= not isinstance(problem, _NEVER_SENT)
                delay = next(delays, None)
                if delay is None:
                    raise self._unreachable(problem) from problem
            else:
                retryable = response.status_code == 429 or response.status_code >= 500
                delay = next(delays, None) if retryable else None
                if delay is None:
                    return self._answer(response, url, maybe_repeated)
                maybe_repeated |= response.status_code >= 500
                delay = max(delay, _retry_after(response))
            self.sleep(delay)

    def _answer(self, response: httpx.Response, url: str, maybe_repeated: bool) -> Answer:
        try:
            body: object = response.json()
        except ValueError:
            body = response.text
        if not response.is_success:
            return Answer({}, error_from_answer(response.status_code, body, url), maybe_repeated)
        if not isinstance(body, dict):
            raise UnexpectedAnswer(
                f"what answers at {url} is not this service: it sent {response.headers.get('content-type')}",
                http_status=response.status_code,
            )
        return Answer(body, None, maybe_repeated)

    def _unreachable(self, problem: httpx.HTTPError) -> ServiceUnreachable:
        advice = "start one with `vernier serve`" if self.is_loopback else "is it up, and the address right?"
        why = str(problem) or type(problem).__name__
        return ServiceUnreachable(f"no service answers at {self.base_url} ({why}); {advice}")


def _host(address: str) -> str:
    """The host of an http(s) address; "" where it is none."""
    try:
        url = httpx.URL(address)
        port = urlsplit(address).port  # which httpx takes as it comes, however large
    except (httpx.InvalidURL, ValueError):
        return ""
    return url.host if url.scheme in ("http", "https") and port != 0 else ""


def _delays() -> Iterator[float]:
    """Seconds to wait before each retry: exponential, with up to a quarter on top so that clients part."""
    for attempt in range(RETRIES):
        yield FIRST_DELAY * 2**attempt * random.uniform(1.0, 1.25)  # noqa: S311 - no secret


def _retry_after(response: httpx.Response) -> float:
    """The answer's own wish in seconds; 0 where it has none or gives a date."""
    try:
        return min(max(float(response.headers.get("retry-after", "0")), 0.0), MAX_RETRY_AFTER)
    except ValueError:
        return 0.0
