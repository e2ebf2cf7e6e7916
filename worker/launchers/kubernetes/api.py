"""What the launcher asks of the API server, through the official client: paths and plain JSON.

The client does the kubeconfig with all its kinds of login, TLS and connections. Its models are left out: to
decode a list of a thousand Jobs into them takes longer than to ask for it.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from yaml import YAMLError

INSTALL_HINT = "pip install 'vernier[kubernetes]'"
TIMEOUT = (5.0, 30.0)
"""Seconds to connect, and for each part of an answer."""

PASSING = frozenset({401, 408, 429})
"""Statuses besides 5xx after which the same request may be answered."""
SILENCE_SECONDS = 10.0
"""How much longer than it was asked for a watch may be silent."""
QUIET_LOG_SECONDS = 600.0
"""A log in which nothing comes for so long is asked for anew, whatever is between here and there."""

JOBS = "/apis/batch/v1/namespaces/{}/jobs"
PODS = "/api/v1/namespaces/{}/pods"
SERVICES = "/api/v1/namespaces/{}/services"
EVENTS = "/api/v1/namespaces/{}/events"

JSON = "application/json"
METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""Forms of answers: all there is, and a list of objects without what they are to be and how they are."""

Json = dict[str, Any]
Failures = tuple[type[Exception], ...]


class Unreachable(Exception):
    """The API server did not answer, or not in a way that says anything of what was asked. Try again."""


class Refused(Exception):
    """The API server refused a request; the message is its own."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    @property
    def is_for_now(self) -> bool:
        """Whether it may be granted later: a quota is used up, or someone else was quicker."""
        return self.status == 409 or (self.status == 403 and "exceeded quota" in str(self))


class LiveLog:
    """What a container prints, a line at a time, as it comes; to be gone through once.

    Raises:
        Unreachable: it broke off, or nothing was printed for `QUIET_LOG_SECONDS`.
    """

    def __init__(self, answer: Any, failures: Failures) -> None:
        self._answer = answer
        self._failures = failures

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from _lines(self._answer, self._failures)
        finally:
            self._answer.close()

    def end(self) -> None:
        """Let it come to its end now; from any thread."""
        with suppress(ValueError, OSError):  # It has by itself.
            self._answer.shutdown()


class ApiServer:
    """The API server of a cluster, and one namespace of it.

    Args:
        kubeconfig: a file; None: as kubectl finds it, or, in a pod, the pod's own account.
        namespace: None: the context's.

    Raises:
        Unreachable: no cluster is configured, or not in a way that can be read.
    """

    def __init__(self, kubeconfig: Path | None = None, namespace: str | None = None) -> None:
        # It takes a third of a second, which who runs trials on this machine need not wait.
        from kubernetes import client, config
        from kubernetes.config.config_exception import ConfigException
        from urllib3.exceptions import HTTPError

        # The client looks at the variable once, when it is first imported.
        file = os.environ.get("KUBECONFIG") if kubeconfig is None else str(kubeconfig)
        configuration = client.Configuration()
        try:
            config.load_kube_config(file, client_configuration=configuration)
            _, active = config.list_kube_config_contexts(file)
            of_context = active["context"].get("namespace")
        except ConfigException as no_file:
            try:
                config.load_incluster_config(client_configuration=configuration)
            except ConfigException:
                raise Unreachable(f"no cluster is configured: {no_file}") from no_file
            of_context = _own_namespace()
        except (OSError, YAMLError) as error:
            raise Unreachable(f"the kubeconfig can't be read: {' '.join(str(error).split())}") from error
        self.namespace = namespace or of_context or "default"
        configuration.connection_pool_maxsize = 20
        configuration.keep_alive = True  # Who listens for hours must notice that nobody is there any more.
        # Requests are repeated by who knows whether that makes sense.
        configuration.retries = False
        self._client = client.ApiClient(configuration)
        self._watches: set[Any] = set()
        self._stopped = False
        self._failures: Failures = (client.ApiException, HTTPError, OSError)

    def create(self, made: Json) -> bool:
        """Create an object; false if there is one of its name.

        Raises:
            Refused: it is not to be.
        """
        try:
            self._ask("POST", kind_of(made), body=made)
        except Refused as error:
            if error.status != 409:
                raise
            return False
        return True

    def get(self, where: str, name: str) -> Json | None:
        """The object of this name, if there is one."""
        return self._unless_gone("GET", f"{where}/{quote(name)}")

    def list(self, where: str, selector: str = "", fields: str = "", only_metadata: bool = False) -> Json:
        """The list of objects with these labels and fields, as the API gives it."""
        query = {"labelSelector": selector, "fieldSelector": fields}
        given = {name: value for name, value in query.items() if value}
        found: Json = self._ask("GET", where, given, accept=METADATA if only_metadata else JSON)
        found["items"] = found["items"] or []  # Of metadata it is null where there are none.
        return found

    def change(self, where: str, name: str, change: Json) -> bool:
        """Change some fields of an object; false if there is none."""
        return self._unless_gone("PATCH", f"{where}/{quote(name)}", body=change) is not None

    def delete(self, where: str, name: str, now: bool = False) -> None:
        """Delete an object with what belongs to it, if it is there.

        Args:
            now: whether a pod has no grace, and is off the books at once.
        """
        options: Json = {"propagationPolicy": "Background"}
        if now:
            options["gracePeriodSeconds"] = 0
        self._unless_gone("DELETE", f"{where}/{quote(name)}", body=options)

    def watch(self, where: str, selector: str, version: str, seconds: int) -> Iterator[Json]:
        """Events from a version of a list on, for so long at most.

        Raises:
            Refused: status 410: that version is too old. List again.
            Unreachable: nothing was heard for longer than the server may be silent. List again.
        """
        query = {
            "labelSelector": selector,
            "watch": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(seconds),
            "allowWatchBookmarks": "true",
        }
        answer = self._open("GET", where, query, timeout=(TIMEOUT[0], seconds + SILENCE_SECONDS))
        self._watches.add(answer)
        if self._stopped:
            answer.close()
            return
        try:
            for line in _lines(answer, self._failures):
                try:
                    event = json.loads(line)
                except ValueError as error:  # Cut off in the middle of a line.
                    raise Unreachable("the watch broke off") from error
                if event["type"] == "ERROR":
                    raise Refused(event["object"].get("code", 500), event["object"].get("message", ""))
                yield event
        finally:
            self._watches.discard(answer)
            answer.close()

    def log(self, pod: str, container: str, since: str | None) -> Iterator[bytes]:
        """What a container has printed, a line at a time, each with when it was, newlines included.

        Of a container that has not started there is nothing.

        Args:
            since: RFC 3339, of which full seconds count; None: all of it.
        """
        try:
            answer = self._open_log(pod, container, since)
        except Refused as error:
            # 400: it waits to start, or its log is gone.
            if error.status in (400, 404):
                return
            raise
        try:
            yield from _lines(answer, self._failures)
        finally:
            answer.close()

    def follow(self, pod: str, container: str, since: str) -> "LiveLog":
        """The same, and what it prints from now on, until it ends.

        Args:
            since: of then there must be a line, without which there is no answer before the next.
        """
        return LiveLog(self._open_log(pod, container, since, follow=True), self._failures)

    def _open_log(self, pod: str, container: str, since: str | None, follow: bool = False) -> Any:
        query = {"container": container, "timestamps": "true"}
        if since is not None:
            query["sinceTime"] = since
        timeout = TIMEOUT
        if follow:
            query["follow"] = "true"
            timeout = (TIMEOUT[0], QUIET_LOG_SECONDS)
        return self._open("GET", f"{PODS}/{quote(pod)}/log", query, timeout=timeout)

    def stop_watching(self) -> None:
        """End the watches that go on in other threads, and any that would begin: they hear nothing more."""
        self._stopped = True
        for answer in tuple(self._watches):
            with suppress(ValueError, OSError):  # It has come to its end by itself.
                answer.shutdown()

    def close(self) -> None:
        """Let go of the connections."""
        self._client.rest_client.pool_manager.clear()

    def _unless_gone(self, method: str, path: str, body: Json | None = None) -> Json | None:
        try:
            found: Json = self._ask(method, path, body=body)
        except Refused as error:
            if error.status == 404:
                return None
            raise
        return found

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        accept: str = JSON,
    ) -> Any:
        answer = self._open(method, path, query, body, accept=accept)
        try:
            return json.loads(answer.read())
        except self._failures as error:
            raise Unreachable(f"the answer of the Kubernetes API broke off: {error}") from error

    def _open(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        timeout: tuple[float, float] = TIMEOUT,
        accept: str = JSON,
    ) -> Any:
        """The answer to a request, a stream of its body."""
        headers = {"Accept": accept}
        if body is not None:
            kind = "merge-patch+json" if method == "PATCH" else "json"
            headers["Content-Type"] = f"application/{kind}"
        request = self._client.param_serialize(
            method,
            path.format(quote(self.namespace)),
            query_params=list((query or {}).items()),
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            response = self._client.call_api(*request, _request_timeout=timeout).response
            if response.status < 300:
                return response
            said = response.read()
        except self._failures as error:
            raise Unreachable(f"the Kubernetes API does not answer: {error}") from error
        message = _message(said)
        # These are of the server's own state, or of a login that has run out, not about what was asked.
        if response.status in PASSING or response.status >= 500:
            raise Unreachable(f"the Kubernetes API answers {response.status}: {message}")
        raise Refused(response.status, message)


def kind_of(made: Json) -> str:
    """Where objects of its kind are."""
    return SERVICES if made["kind"] == "Service" else JOBS


def is_installed() -> bool:
    """Whether the official client is there to be imported."""
    from importlib.util import find_spec

    return find_spec("kubernetes") is not None


def _lines(answer: Any, failures: Failures) -> Iterator[bytes]:
    left = b""
    try:
        for part in answer.stream(2**16):
            *whole, left = (left + part).split(b"\n")
            yield from (line + b"\n" for line in whole)
    except failures as error:
        raise Unreachable(f"the answer of the Kubernetes API broke off: {error}") from error
    if left:
        yield left


def _message(said: bytes) -> str:
    try:
        return str(json.loads(said)["message"])
    except (ValueError, KeyError, TypeError):
        return said.decode(errors="replace")[:1000]


def _own_namespace() -> str | None:
    file = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
    return file.read_text().strip() if file.exists() else None
