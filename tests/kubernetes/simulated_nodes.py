"""Nodes that are played: real Node objects with GPUs, and pods that run nothing.

Of a kubelet there is what can be told from outside: a pod runs for a while and ends with a status, is told to
end (deletion, activeDeadlineSeconds), has a log to ask for, and writes to a volume that is a host's path.
A node says that it lives, and can be lost: then it says and does nothing more.
"""

import heapq
import itertools
import json
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import httpx

from tests.kubernetes.cluster import ControlPlane

Json = dict[str, Any]

HEARTBEAT_SECONDS = 3.0
AGAIN_SECONDS = 0.2
"""From a request that the API server could not be asked to the next."""
SIGKILLED, SIGTERMED = 137, 143
NODES = "/api/v1/nodes"


@dataclass(frozen=True, slots=True)
class Run:
    """What the program of a pod does."""

    seconds: float
    """How long it runs; infinite: until it is told to end."""
    exit_code: int = 0
    printed: str = ""
    writes: Mapping[str, str] = field(default_factory=dict)
    """{path in the container: what is added to that file} when it ends by itself."""


Program = Callable[[Json], Run]
"""What a pod would do, from the pod."""


class _Pod:
    """One pod that is bound to a node of ours."""

    def __init__(self, seen: Json) -> None:
        self.seen = seen
        self.run: Run | None = None
        self.started = ""
        self.printed_at = ""
        self.over = False
        """It has ended, or is about to."""
        self.told = False
        self.removed = False


class SimulatedNodes:
    """Nodes of a control plane; entered, they are there, and left, nobody plays them any more."""

    def __init__(self, control_plane: ControlPlane, program: Program, actors: int = 8) -> None:
        self._control_plane = control_plane
        self._program = program
        self._lock = threading.Lock()
        self._nodes: dict[str, bool] = {}
        """{name: whether it lives}"""
        self._pods: dict[str, _Pod] = {}
        self._closed = threading.Event()
        self._http = control_plane.client()
        self._actors = ThreadPoolExecutor(actors, "kubelet")
        self._later = _Later(self._act)
        self._logs = _LogServer(self, control_plane)
        self._threads = [
            threading.Thread(target=each, name=f"nodes-{each.__name__}", daemon=True)
            for each in (self._listen, self._beat, self._later.run, self._logs.serve_forever)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._later.close()
        self._logs.shutdown()
        self._logs.server_close()
        self._actors.shutdown(cancel_futures=True)
        for thread in self._threads:
            thread.join(10)
        self._http.close()

    def add(self, name: str, gpus: int = 8, pods: int = 110, cpus: int = 256) -> None:
        """A node that is ready, or will be within moments."""
        about = {"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}}}
        self._insist(lambda: self._http.post(NODES, json=about))
        room = {"cpu": str(cpus), "memory": "1024Gi", "pods": str(pods), "nvidia.com/gpu": str(gpus)}
        status = {
            "capacity": room,
            "allocatable": room,
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._logs.server_address[1]}},
            "conditions": [_ready(_now())],
        }
        self._insist(lambda: self._patch(f"{NODES}/{name}/status", {"status": status}))
        with self._lock:
            self._nodes[name] = True

    def lose(self, name: str) -> None:
        """Its power is gone: nobody hears of it again."""
        with self._lock:
            self._nodes[name] = False

    def write_off(self, name: str) -> None:
        """What an administrator does about a node that is lost for good: its pods run nowhere any more."""
        taint = {"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"}
        found = self._insist(lambda: self._http.get(f"{NODES}/{name}")).json()
        taints = [*found["spec"].get("taints", ()), taint]
        self._insist(lambda: self._patch(f"{NODES}/{name}", {"spec": {"taints": taints}}))

    def bring_back(self, name: str) -> None:
        """It starts again, and finds nothing running of what ran on it."""
        with self._lock:
            self._nodes[name] = True
            here = [pod for pod in self._pods.values() if pod.seen["spec"]["nodeName"] == name]
            for pod in here:
                if pod.run is not None and not pod.over:
                    pod.over = True
                    self._later.soon(lambda pod=pod: self._end(pod, SIGKILLED, "ContainerStatusUnknown"))
        self._renew(name)
        for pod in here:
            self._see(pod.seen)

    def finish(self, name: str) -> None:
        """The program of the pod of this name comes to its end now. Returns when that has been told."""
        with self._lock:
            pod = next(each for each in self._pods.values() if each.seen["metadata"]["name"] == name)
        self._end_by_itself(pod)

    def running(self) -> int:
        """How many pods have begun and not ended."""
        with self._lock:
            return sum(
                pod.run is not None and not pod.over and not pod.removed for pod in self._pods.values()
            )

    def log_of(self, namespace: str, name: str) -> bytes:
        """What the API server is given when it is asked for the log of a pod."""
        with self._lock:
            for pod in self._pods.values():
                about = pod.seen["metadata"]
                if (about["namespace"], about["name"]) == (namespace, name) and pod.run is not None:
                    lines = pod.run.printed.splitlines() if pod.printed_at else []
                    return "".join(f"{pod.printed_at} {line}\n" for line in lines).encode()
        return b""

    # What the nodes hear

    def _listen(self) -> None:
        while not self._closed.is_set():
            with suppress(httpx.HTTPError, ValueError, KeyError):
                self._listen_once()
            self._closed.wait(AGAIN_SECONDS)

    def _listen_once(self) -> None:
        bound = {"fieldSelector": "spec.nodeName!="}
        listed = self._http.get("/api/v1/pods", params=bound).raise_for_status().json()
        there = {pod["metadata"]["uid"] for pod in listed["items"]}
        with self._lock:
            for uid in [uid for uid in self._pods if uid not in there]:
                self._pods.pop(uid).removed = True
        for pod in listed["items"]:
            self._see(pod)
        asked = {**bound, "watch": "true", "resourceVersion": listed["metadata"]["resourceVersion"]}
        with self._http.stream(
            "GET", "/api/v1/pods", params=asked, timeout=httpx.Timeout(30, read=2)
        ) as told:
            # Silence is no sign of a server that is gone: it is asked again from a list on, which is cheap.
            for line in told.iter_lines():
                event = json.loads(line)
                if self._closed.is_set() or event["type"] == "ERROR":
                    return
                if event["type"] == "DELETED":
                    with self._lock:
                        gone = self._pods.pop(event["object"]["metadata"]["uid"], None)
                        if gone is not None:
                            gone.removed = True
                else:
                    self._see(event["object"])

    def _see(self, seen: Json) -> None:
        """Do what a kubelet does about a pod that is like this."""
        with self._lock:
            pod = self._pods.setdefault(seen["metadata"]["uid"], _Pod(seen))
            pod.seen = seen
            if not self._nodes.get(seen["spec"]["nodeName"], False):
                return
            ended = seen["status"].get("phase") in ("Succeeded", "Failed")
            if "deletionTimestamp" in seen["metadata"]:
                if not pod.told:
                    pod.told = True
                    # Its program ends as soon as it is asked to.
                    self._later.soon(lambda: self._remove(pod, ended))
            elif pod.run is None and not ended:
                pod.run = self._program(seen)
                self._later.soon(lambda: self._start(pod))
            elif pod.started and not pod.over and "activeDeadlineSeconds" in seen["spec"]:
                limit = float(seen["spec"]["activeDeadlineSeconds"])
                began = datetime.fromisoformat(pod.started).timestamp()
                self._later.after(began + limit - time.time(), lambda: self._run_out(pod))

    # What the nodes do

    def _start(self, pod: _Pod) -> None:
        assert pod.run is not None
        pod.started = _now()
        running = {"running": {"startedAt": pod.started}}
        self._say(pod, "Running", running, ready="True")
        self._later.after(pod.run.seconds, lambda: self._end_by_itself(pod))

    def _end_by_itself(self, pod: _Pod) -> None:
        assert pod.run is not None
        if not self._claim(pod):
            return
        for path, text in pod.run.writes.items():
            with _behind(pod.seen, path).open("a") as file:
                file.write(text)
        self._end(pod, pod.run.exit_code, "Completed" if pod.run.exit_code == 0 else "Error")

    def _run_out(self, pod: _Pod) -> None:
        """Its activeDeadlineSeconds are over."""
        if self._claim(pod):
            self._end(pod, SIGTERMED, "Error", why="DeadlineExceeded")

    def _remove(self, pod: _Pod, ended: bool) -> None:
        """It is deleted: it ends if it has not, and goes."""
        if not ended and self._claim(pod):
            self._end(pod, SIGTERMED, "Error")
        about = pod.seen["metadata"]
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": about["uid"]}}
        self._insist(lambda: self._http.request("DELETE", _path(about), json=options))

    def _claim(self, pod: _Pod) -> bool:
        """Whether the caller is the one who ends it."""
        with self._lock:
            lives = self._nodes.get(pod.seen["spec"]["nodeName"], False)
            if pod.over or pod.removed or not lives:
                return False
            pod.over = True
            return True

    def _end(self, pod: _Pod, status: int, reason: str, why: str | None = None) -> None:
        pod.printed_at = _now_exactly()
        about = {
            "exitCode": status,
            "reason": reason,
            "startedAt": pod.started or _now(),
            "finishedAt": _now(),
        }
        self._say(
            pod,
            "Failed" if status else "Succeeded",
            {"terminated": about},
            ready="False",
            reason=why,
        )

    def _say(self, pod: _Pod, phase: str, state: Json, ready: str, reason: str | None = None) -> None:
        container = pod.seen["spec"]["containers"][0]
        status: Json = {
            "phase": phase,
            "podIP": "127.0.0.1",
            "hostIP": "127.0.0.1",
            "startTime": pod.started or None,
            "conditions": [
                *(each for each in pod.seen["status"].get("conditions", ()) if each["type"] != "Ready"),
                {"type": "Ready", "status": ready, "lastTransitionTime": _now()},
            ],
            "containerStatuses": [
                {
                    "name": container["name"],
                    "image": container["image"],
                    "imageID": "",
                    "ready": ready == "True",
                    "restartCount": 0,
                    "state": state,
                }
            ],
        }
        if reason is not None:
            status["reason"] = reason
        about = pod.seen["metadata"]
        said = {"metadata": {"uid": about["uid"]}, "status": status}
        self._insist(lambda: self._patch(f"{_path(about)}/status", said))

    # That they live

    def _beat(self) -> None:
        while not self._closed.wait(HEARTBEAT_SECONDS):
            with self._lock:
                living = [name for name, lives in self._nodes.items() if lives]
            for name in living:
                self._later.soon(lambda name=name: self._renew(name))

    def _renew(self, name: str) -> None:
        """Say that it is ready, also where others have given it up."""
        about = {"status": {"conditions": [_ready(_now())]}}
        self._insist(lambda: self._patch(f"{NODES}/{name}/status", about))

    # Asking the API server

    def _act(self, action: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # It is closed.
            self._actors.submit(self._quietly, action)

    def _quietly(self, action: Callable[[], None]) -> None:
        try:
            action()
        except _Closed:
            pass
        except Exception as error:
            print(f"a simulated node failed: {error!r}")

    def _patch(self, path: str, change: Json) -> httpx.Response:
        headers = {"Content-Type": "application/strategic-merge-patch+json"}
        return self._http.patch(path, content=json.dumps(change), headers=headers)

    def _insist(self, ask: Callable[[], httpx.Response]) -> httpx.Response:
        """Ask until there is an answer. That something is gone, or another by now, is one."""
        while not self._closed.is_set():
            try:
                answer = ask()
            except httpx.HTTPError:
                answer = None
            if answer is not None and (answer.is_success or answer.status_code in (404, 409)):
                return answer
            # While it starts it refuses who it will know in a moment.
            assert answer is None or answer.status_code in (401, 403, 429, 500, 503, 504), answer.text
            self._closed.wait(AGAIN_SECONDS)
        raise _Closed


class _Closed(Exception):
    """The nodes are played no more."""


class _Later:
    """Hands actions over when it is time."""

    def __init__(self, act: Callable[[Callable[[], None]], None]) -> None:
        self._act = act
        self._changed = threading.Condition()
        self._count = itertools.count()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._closed = False

    def soon(self, action: Callable[[], None]) -> None:
        self.after(0.0, action)

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._count), action))
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()

    def run(self) -> None:
        while (action := self._next()) is not None:
            self._act(action)

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                if self._due and self._due[0][0] <= now:
                    return heapq.heappop(self._due)[2]
                wait = self._due[0][0] - now if self._due else None
                self._changed.wait(None if wait is None else min(wait, 3600.0))
        return None


class _LogServer(ThreadingHTTPServer):
    """The part of a kubelet that the API server asks for logs, for all nodes."""

    daemon_threads = True

    def __init__(self, nodes: SimulatedNodes, control_plane: ControlPlane) -> None:
        super().__init__(("127.0.0.1", 0), _LogHandler)
        self.nodes = nodes
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certs = control_plane.home / "certs"
        context.load_cert_chain(certs / "apiserver.crt", certs / "apiserver.key")
        self._context = context

    def finish_request(self, request: Any, client_address: Any) -> None:
        # In the connection's own thread: a handshake that hangs keeps nobody else waiting.
        with suppress(OSError), self._context.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)


class _LogHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _LogServer

    def do_GET(self) -> None:
        _, kind, namespace, pod, *_ = [*self.path.partition("?")[0].split("/"), "", "", ""]
        found = self.server.nodes.log_of(namespace, pod) if kind == "containerLogs" else b""
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(found)))
        self.end_headers()
        self.wfile.write(found)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def environment_of(pod: Json) -> dict[str, str]:
    """The variables of its container."""
    return {each["name"]: each.get("value", "") for each in pod["spec"]["containers"][0].get("env", ())}


def arguments_of(pod: Json) -> list[str]:
    container = pod["spec"]["containers"][0]
    return [*container.get("command", ()), *container.get("args", ())]


def _behind(pod: Json, path: str) -> Path:
    """Where a path in the container is on this machine; it must be on a volume that is a host's path."""
    volumes = {each["name"]: each for each in pod["spec"]["volumes"]}
    for mount in pod["spec"]["containers"][0]["volumeMounts"]:
        if Path(path).is_relative_to(mount["mountPath"]):
            root = Path(volumes[mount["name"]]["hostPath"]["path"], mount.get("subPath", ""))
            return root / Path(path).relative_to(mount["mountPath"])
    raise ValueError(f"{path} is on no volume")


def _path(about: Json) -> str:
    return f"/api/v1/namespaces/{about['namespace']}/pods/{about['name']}"


def _ready(now: str) -> Json:
    return {
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "lastHeartbeatTime": now,
        "lastTransitionTime": now,
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _now_exactly() -> str:
    """With nanoseconds, as a kubelet's log has them."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"
