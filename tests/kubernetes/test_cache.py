"""What is known of the cluster without asking keeps up with it, whatever becomes of server and connection."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kubernetes.cluster import ControlPlane
from tests.running_service import wait_until
from tests.unreliable_line import UnreliableLine
from worker.launchers.kubernetes import cache as cache_module
from worker.launchers.kubernetes import names
from worker.launchers.kubernetes.api import JOBS, PODS, ApiServer, Json, Refused
from worker.launchers.kubernetes.cache import Cache

WHOSE = "cached"
SELECTOR = f"{names.OWNER}={WHOSE}"


class Cached:
    """A cache, what it has told of, and a hand on the cluster beside it."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self.control_plane = control_plane
        self.line = UnreliableLine(control_plane.port)
        self.api = ApiServer(control_plane.kubeconfig("admin"))
        self.told: list[tuple[str, str, bool]] = []
        between = ApiServer(self.line.kubeconfig(control_plane))
        self.cache = Cache(between, SELECTOR, self._hear)
        self.cache.start()
        wait_until(lambda: self.cache.is_current, 10)

    def create(self, attempt: str) -> None:
        assert self.api.create(_job(attempt))

    def delete(self, attempt: str) -> None:
        self.api.delete(JOBS, attempt)

    def mark(self, attempt: str, mark: str) -> None:
        assert self.api.change(JOBS, attempt, {"metadata": {"annotations": {"mark": mark}}})

    def marks(self, attempt: str) -> list[str | None]:
        known = self.cache.known(attempt)
        return [each["metadata"].get("annotations", {}).get("mark") for each in known.jobs] if known else []

    def close(self) -> None:
        self.cache.close()
        self.line.close()
        for job in self.api.list(JOBS, SELECTOR)["items"]:
            self.api.delete(JOBS, job["metadata"]["name"])
        self.api.close()

    def _hear(self, attempt: str, where: str, made: Json, gone: bool) -> None:
        self.told.append((attempt, where, gone))


def _job(attempt: str) -> Json:
    pod = {"restartPolicy": "Never", "containers": [{"name": "trial", "image": "none"}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": attempt, "labels": {names.OWNER: WHOSE, names.ATTEMPT: attempt}},
        "spec": {"suspend": True, "template": {"spec": pod}},
    }


@pytest.fixture
def cached(control_plane: ControlPlane) -> Iterator[Cached]:
    cached = Cached(control_plane)
    try:
        yield cached
    finally:
        cached.close()


def test_what_comes_changes_and_goes_is_known_and_told(cached: Cached) -> None:
    cached.create("one")
    wait_until(lambda: cached.marks("one") == [None], 5)
    before = cached.cache.version("one")
    cached.mark("one", "changed")
    wait_until(lambda: cached.marks("one") == ["changed"], 5)
    assert cached.cache.version("one") != before
    cached.delete("one")
    wait_until(lambda: cached.cache.known("one") is None, 5)
    assert cached.told[0] == ("one", JOBS, False)
    assert cached.told[-1] == ("one", JOBS, True)


def test_what_stays_the_same_keeps_its_version(cached: Cached) -> None:
    cached.create("still")
    cached.create("busy")
    wait_until(lambda: cached.marks("still") and cached.marks("busy"), 5)
    # A controller notes that it has seen a new Job.
    wait_until(lambda: (known := cached.cache.known("still")) and known.jobs[0]["status"], 5)
    before = cached.cache.version("still")
    cached.mark("busy", "changed")
    wait_until(lambda: cached.marks("busy") == ["changed"], 5)
    assert cached.cache.version("still") == before


def test_what_was_there_before_it_began_is_known(control_plane: ControlPlane, cached: Cached) -> None:
    cached.create("earlier")
    later = Cached(control_plane)
    try:
        assert later.marks("earlier") == [None]
    finally:
        later.close()


def test_a_cut_connection_is_noticed_and_what_happened_meanwhile_too(cached: Cached) -> None:
    cached.create("goes")
    cached.create("changes")
    wait_until(lambda: cached.marks("goes") and cached.marks("changes"), 5)
    cached.line.cut()
    wait_until(lambda: not cached.cache.is_current, 5)
    assert cached.cache.known("goes") is None, "nobody is to believe it"
    cached.delete("goes")
    cached.mark("changes", "unheard")
    cached.create("comes")
    cached.told.clear()
    cached.line.mend()
    wait_until(lambda: cached.cache.is_current, 15)
    assert cached.cache.known("goes") is None
    assert cached.marks("changes") == ["unheard"]
    assert cached.marks("comes") == [None]
    assert {("goes", JOBS, True), ("changes", JOBS, False), ("comes", JOBS, False)} <= set(cached.told)


def test_silence_is_noticed(
    control_plane: ControlPlane, cached: Cached, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "WATCH_SECONDS", 1)
    monkeypatch.setattr("worker.launchers.kubernetes.api.SILENCE_SECONDS", 1.0)
    other = Cached(control_plane)
    try:
        other.line.hold()
        wait_until(lambda: not other.cache.is_current, 15)
        cached.create("unheard")
        other.line.mend()
        wait_until(lambda: other.marks("unheard") == [None], 20)
    finally:
        other.close()


def test_an_api_server_that_is_restarted_is_followed_again(cached: Cached) -> None:
    cached.create("survivor")
    wait_until(lambda: cached.marks("survivor"), 5)
    cached.control_plane.stop_api_server()
    wait_until(lambda: not cached.cache.is_current, 10)
    cached.control_plane.start_api_server()
    wait_until(lambda: cached.cache.is_current, 20)
    cached.mark("survivor", "after")
    wait_until(lambda: cached.marks("survivor") == ["after"], 5)


def test_a_history_that_was_forgotten_is_listed_anew(cached: Cached, monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch is told 410 for where it wants to go on: nothing is lost by it."""
    cached.create("kept")
    wait_until(lambda: cached.marks("kept"), 5)
    told: list[int] = []
    watch = ApiServer.watch

    def forgetful(api: ApiServer, where: str, selector: str, version: str, seconds: int) -> Iterator[Json]:
        try:
            yield from watch(api, where, selector, version if told else "1", seconds)
        except Refused as error:
            told.append(error.status)
            raise

    monkeypatch.setattr(ApiServer, "watch", forgetful)
    # Once it is back, it remembers nothing from before.
    cached.control_plane.stop_api_server()
    cached.control_plane.start_api_server()
    wait_until(lambda: told)
    assert set(told) == {410}
    wait_until(lambda: cached.cache.is_current, 15)
    cached.mark("kept", "heard")
    wait_until(lambda: cached.marks("kept") == ["heard"], 5)


def test_a_watch_goes_on_where_the_last_one_ended(
    control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "WATCH_SECONDS", 1)
    asked: list[str] = []
    listing = ApiServer.list
    monkeypatch.setattr(
        ApiServer, "list", lambda api, where, selector: asked.append(where) or listing(api, where, selector)
    )
    begun: list[str] = []
    watch = ApiServer.watch

    def noted(api: ApiServer, where: str, *rest: Any) -> Iterator[Json]:
        begun.append(where)
        return watch(api, where, *rest)

    monkeypatch.setattr(ApiServer, "watch", noted)
    cached = Cached(control_plane)
    try:
        wait_until(lambda: begun.count(PODS) >= 3 and begun.count(JOBS) >= 3, 20)
        cached.create("late")
        wait_until(lambda: cached.marks("late"), 5)
        assert sorted(asked) == sorted([JOBS, PODS])
        assert cached.cache.is_current
    finally:
        cached.close()


def test_one_listener_that_fails_leaves_the_others_heard(control_plane: ControlPlane) -> None:
    heard = threading.Event()

    def listen(attempt: str, where: str, made: Json, gone: bool) -> None:
        if attempt == "trouble":
            raise RuntimeError("a listener's own trouble")
        heard.set()

    api = ApiServer(control_plane.kubeconfig("admin"))
    cache = Cache(api, SELECTOR, listen)
    cache.start()
    try:
        for attempt in ("trouble", "none"):
            api.create(_job(attempt))
        assert heard.wait(10)
    finally:
        cache.close()
        for attempt in ("trouble", "none"):
            api = ApiServer(control_plane.kubeconfig("admin"))
            api.delete(JOBS, attempt)
            api.close()
