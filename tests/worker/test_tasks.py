"""Messages: each leads to a look, none is waited for, none is needed."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from tests.running_service import wait_until
from worker.tasks import Beat, OncePerJob, make_app, make_notify


class Looking:
    """A look that lasts until it is let go on."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.only_if_due: list[bool] = []
        self.may_end = threading.Semaphore(0)

    def __call__(self, job_pk: int, if_due: bool) -> None:
        self.begun.append(job_pk)
        self.only_if_due.append(if_due)
        assert self.may_end.acquire(timeout=60)


def _in_thread(call: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    return thread


def test_hints_during_a_look_cause_exactly_one_more() -> None:
    look = Looking()
    once = OncePerJob(look)
    thread = _in_thread(lambda: once(1))
    wait_until(lambda: len(look.begun) == 1)
    for _ in range(5):
        once(1)  # Comes back at once: the look under way has it.
    look.may_end.release()
    wait_until(lambda: len(look.begun) == 2)
    look.may_end.release()
    thread.join(60)
    assert not thread.is_alive()
    assert look.begun == [1, 1]


def test_a_hint_during_the_second_look_causes_a_third() -> None:
    look = Looking()
    once = OncePerJob(look)
    thread = _in_thread(lambda: once(1))
    for number in (1, 2):
        wait_until(lambda number=number: len(look.begun) == number)  # type: ignore[misc]
        once(1)
        look.may_end.release()
    wait_until(lambda: len(look.begun) == 3)
    look.may_end.release()
    thread.join(60)
    assert look.begun == [1, 1, 1]


@pytest.mark.parametrize(("hints", "only_if_due"), [([True, True], True), ([True, False, True], False)])
def test_if_all_hints_are_about_a_job_that_is_due_it_has_to_be(hints: list[bool], only_if_due: bool) -> None:
    look = Looking()
    once = OncePerJob(look)
    thread = _in_thread(lambda: once(1))
    wait_until(lambda: len(look.begun) == 1)
    for if_due in hints:
        once(1, if_due)
    look.may_end.release(2)
    thread.join(60)
    assert look.only_if_due == [False, only_if_due]


def test_jobs_are_looked_at_side_by_side() -> None:
    look = Looking()
    once = OncePerJob(look)
    threads = [_in_thread(lambda pk=pk: once(pk)) for pk in (1, 2)]  # type: ignore[misc]
    wait_until(lambda: sorted(look.begun) == [1, 2])
    look.may_end.release(2)
    for thread in threads:
        thread.join(60)


def test_without_a_hint_one_look_is_all() -> None:
    looks: list[int] = []
    once = OncePerJob(lambda job_pk, if_due: looks.append(job_pk))
    once(1)
    assert looks == [1]
    once(1)
    assert looks == [1, 1]


def test_a_look_that_fails_says_so_and_leaves_the_job_open_to_the_next() -> None:
    looks: list[int] = []

    def look(job_pk: int, if_due: bool) -> None:
        looks.append(job_pk)
        if len(looks) == 1:
            once(job_pk)  # A hint that arrives before the failure is dropped with it.
            raise RuntimeError("database away")

    once = OncePerJob(look)
    with pytest.raises(RuntimeError, match="database away"):
        once(1)
    once(1)
    assert looks == [1, 1]


def test_a_broker_that_is_away_is_a_warning_not_an_error() -> None:
    with capture_logs() as logs:
        make_notify(make_app("amqp://127.0.0.1:1//", sweep_seconds=1.0))(7)
    assert [(line["log_level"], line["job_pk"]) for line in logs] == [("warning", 7)]
    assert "Connection refused" in logs[0]["reason"]


def test_what_waits_longer_than_a_sweep_is_dropped() -> None:
    app = make_app("memory://localhost", sweep_seconds=3.0)
    sweep = app.conf.beat_schedule["sweep"]
    assert sweep["schedule"].run_every.total_seconds() == 3.0
    assert sweep["options"]["expires"] == 3.0


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
def test_a_clock_that_is_set_does_not_change_when_a_sweep_is_due(
    jump: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app("memory://localhost", sweep_seconds=60.0)
    beat = Beat(app, lazy=True)
    beat.setup_schedule()
    entry = next(beat.reserve(entry) for name, entry in beat.schedule.items() if name == "sweep")
    wrong = time.time() + jump
    monkeypatch.setattr(time, "time", lambda: wrong)
    monkeypatch.setattr(app, "now", lambda: datetime.fromtimestamp(wrong, UTC))
    due, seconds = entry.is_due()
    assert not due
    assert 50 < seconds <= 60
