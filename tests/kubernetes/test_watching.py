"""Ends of pods are heard within a moment, whatever becomes of the API server meanwhile."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.kubernetes.cluster import ControlPlane
from tests.running_service import wait_until
from worker.launchers.kubernetes import names
from worker.launchers.kubernetes.api import PODS, ApiServer, Json, Refused
from worker.launchers.kubernetes.watching import EndOfPod

WHOSE = "watching"


class Watched:
    """An EndOfPod, what it has told, and the pods of a cluster without nodes: the test plays their part."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self.control_plane = control_plane
        self.api = ApiServer(control_plane.kubeconfig("admin"))
        self.ends = EndOfPod(self.api, f"{names.OWNER}={WHOSE}")
        self.told: list[str] = []

    def watch(self, attempt: str) -> None:
        self.ends.watch(attempt, lambda: self.told.append(attempt))

    def pod(self, attempt: str) -> None:
        """Create it; its name is its attempt's."""
        labels = {names.OWNER: WHOSE, names.ATTEMPT: attempt}
        self._change(lambda http: http.post(PODS.format("default"), json=_pod(attempt, labels)), 201)

    def end(self, attempt: str) -> None:
        path = f"{PODS.format('default')}/{attempt}/status"
        headers = {"Content-Type": "application/merge-patch+json"}
        content = '{"status": {"phase": "Succeeded"}}'
        self._change(lambda http: http.patch(path, content=content, headers=headers), 200)

    def close(self) -> None:
        self.ends.close()
        for pod in self.api.list(PODS, f"{names.OWNER}={WHOSE}")["items"]:
            self.api.delete(PODS, pod["metadata"]["name"], now=True)
        self.api.close()

    def _change(self, ask: Callable[[Any], Any], status: int) -> None:
        with self.control_plane.client() as http:
            answer = ask(http)
        assert answer.status_code == status, answer.text


def _pod(name: str, labels: dict[str, str]) -> Json:
    spec = {"containers": [{"name": "trial", "image": "none"}], "automountServiceAccountToken": False}
    return {"metadata": {"name": name, "labels": labels}, "spec": spec}


@pytest.fixture
def watched(control_plane: ControlPlane) -> Iterator[Watched]:
    watched = Watched(control_plane)
    try:
        yield watched
    finally:
        watched.close()


def test_the_end_of_a_pod_is_told_once_and_of_what_is_watched_only(watched: Watched) -> None:
    for attempt in ("one", "two", "other"):
        watched.pod(attempt)
    watched.watch("one")
    watched.watch("one")
    watched.watch("two")
    watched.end("other")
    watched.end("one")
    wait_until(lambda: watched.told, 5)
    watched.end("two")
    wait_until(lambda: len(watched.told) == 2, 5)
    assert watched.told == ["one", "two"]


def test_what_had_ended_before_it_was_watched_is_told(watched: Watched) -> None:
    watched.pod("early")
    watched.end("early")
    watched.watch("early")
    wait_until(lambda: watched.told == ["early"], 5)


def test_a_pod_that_is_deleted_is_told(watched: Watched) -> None:
    watched.pod("gone")
    watched.watch("gone")
    wait_until(lambda: watched.ends.cache.known("gone"), 10)
    watched.api.delete(PODS, "gone", now=True)
    wait_until(lambda: watched.told == ["gone"], 5)


def test_a_pod_that_is_still_to_come_is_not_told_before_it_has_ended(watched: Watched) -> None:
    watched.watch("late")
    watched.pod("first")
    watched.watch("first")
    watched.end("first")
    wait_until(lambda: watched.told == ["first"], 5)
    watched.pod("late")
    watched.end("late")
    wait_until(lambda: watched.told == ["first", "late"], 5)


def test_the_watch_goes_on_after_the_api_server_was_away(watched: Watched) -> None:
    watched.pod("before")
    watched.pod("after")
    watched.watch("before")
    watched.watch("after")
    watched.end("before")
    wait_until(lambda: watched.told == ["before"], 5)
    watched.control_plane.stop_api_server()
    watched.control_plane.start_api_server()
    watched.end("after")
    wait_until(lambda: watched.told == ["before", "after"], 10)


def test_a_version_that_the_server_has_forgotten_is_an_answer(watched: Watched) -> None:
    with pytest.raises(Refused) as refused:
        list(watched.api.watch(PODS, f"{names.OWNER}={WHOSE}", "1", 5))
    assert refused.value.status == 410


def test_closing_ends_a_watch_at_once(watched: Watched) -> None:
    watched.pod("going-on")
    watched.watch("going-on")
    watched.ends.close()
    watched.watch("too-late")
    assert watched.told == []
