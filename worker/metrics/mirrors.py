"""Copies of trials' event files elsewhere, brought up to date beside the looks at jobs.

    mirrors = Mirrors(stores.of)
    found = mirrors.look(place, folder, ended=False)   # starts to fetch what is new, and waits for nothing
    found = mirrors.look(place, folder, ended=True)    # once this is complete, all that there was is there

A store that is slow, throttles or is away so delays what is known of its own trials, and nothing else. It is
asked for each trial every so often, and left alone for as long once it did not answer.
"""

import fcntl
import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from store.objects.names import Place
from worker.elsewhere.remote import RemoteObject, Unreachable
from worker.metrics.mirror import Source, age, refresh

log = structlog.get_logger(__name__)

INTERVAL_SECONDS = 10.0
"""How often the place of a running trial is looked at: each look is a request that is billed."""
PATIENCE_SECONDS = 2.0
"""How long a look at a job waits for the rest of a trial that has ended, which mostly is there sooner."""
BUSY_SECONDS = 0.5
"""How soon a copy is tried again that somebody else was at."""
THREADS = 8
COPIES_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Found:
    """What came of a look.

    Attributes:
        complete: whether all is there that the trial left; false while it runs.
        problems: sentences about what can't be copied.
    """

    complete: bool
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class _Copy:
    """What is known of one copy in this process.

    Attributes:
        again_at: when it may be fetched again, on the monotonic clock.
        last: whether `task` began after the trial had ended.
    """

    again_at: float = -math.inf
    task: Future[None] | None = None
    last: bool = False
    found: Found = field(default_factory=lambda: Found(False))


class Mirrors:
    """All copies of one launcher. May be used from several threads, and by several processes on one folder.

    Args:
        source_of: the store that a place is in.
        interval: seconds between two looks at a place, and how long a store is left alone that is away.
        patience: seconds that `look` waits at most.
    """

    def __init__(
        self,
        source_of: Callable[[Place], Source],
        interval: float = INTERVAL_SECONDS,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._source_of = source_of
        self._interval = interval
        self._patience = patience
        self._lock = threading.Lock()
        self._copies: dict[Path, _Copy] = {}
        self._away: dict[tuple[str, str], float] = {}
        self._threads: ThreadPoolExecutor | None = None
        self._closed = False

    def look(self, place: Place, folder: Path, *, ended: bool) -> Found:
        """Start to bring a copy up to date if it is time for that, and say how far it is.

        Args:
            folder: of the copy; the event files are in `files` below it.
            ended: nobody writes there any more. What was known before does not count then.
        """
        with self._lock:
            copy = self._copies.get(folder)
            if copy is None:
                self._make_room()
                copy = self._copies[folder] = _Copy()
            self._begin(copy, place, folder, ended)
            task = copy.task if ended and copy.last else None
        if task is not None:
            wait((task,), self._patience)
        with self._lock:
            if not ended:
                return Found(False, copy.found.problems)
            if copy.found.complete:
                self._copies.pop(folder, None)
            return copy.found

    def close(self) -> None:
        """Fetch nothing more. What was begun is left where it is, and gone on with by who comes next."""
        with self._lock:
            self._closed = True
            if self._threads is not None:
                self._threads.shutdown(wait=False, cancel_futures=True)

    def _begin(self, copy: _Copy, place: Place, folder: Path, ended: bool) -> None:
        """Start what is to be fetched now, if anything. That a trial has ended is no reason to wait."""
        now = time.monotonic()
        first_of_ended = ended and not copy.last
        under_way = copy.task is not None and not copy.task.done()
        if not first_of_ended and (under_way or copy.found.complete or now < copy.again_at):
            return
        if self._closed or now < self._away.get((place.scheme, place.bucket), -math.inf):
            return
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="mirror")
        copy.again_at, copy.last = now + self._interval, ended
        copy.task = self._threads.submit(self._fetch, copy, place, folder, ended)

    def _fetch(self, copy: _Copy, place: Place, folder: Path, ended: bool) -> None:
        not_after = math.inf if ended else age(self._interval)
        source = _Interruptible(self._source_of(place), lambda: self._closed)
        try:
            with _alone(folder):
                problems = tuple(refresh(source, place, folder, not_after))
        except BlockingIOError:
            copy.again_at = time.monotonic() + min(self._interval, BUSY_SECONDS)
            return
        except Unreachable as error:
            if not error.lasting:
                self._note_away(place, str(error))
                return
            problems = (str(error),)
        except ImportError as error:
            problems = (f"{place} can't be read: {error}",)
        except Exception:
            log.exception("event files can't be copied", place=str(place))
            return
        with self._lock:
            if self._away.pop((place.scheme, place.bucket), None) is not None:
                log.info("an object store is back", bucket=f"{place.scheme}://{place.bucket}")
            if ended or not copy.last:
                copy.found = Found(ended, problems)

    def _note_away(self, place: Place, why: str) -> None:
        """Leave a store alone for a while. That it is away is told once."""
        key = (place.scheme, place.bucket)
        with self._lock:
            told = key in self._away
            self._away[key] = time.monotonic() + self._interval
        if not told and not self._closed:
            log.warning("an object store is away", bucket=f"{place.scheme}://{place.bucket}", reason=why)

    def _make_room(self) -> None:
        """Forget copies that were not asked for any more, as those of jobs that other workers look after."""
        if len(self._copies) >= COPIES_KEPT:
            oldest = sorted(self._copies, key=lambda folder: self._copies[folder].again_at)
            for folder in oldest[: COPIES_KEPT // 2]:
                del self._copies[folder]


class _Interruptible:
    """A store that is asked for no further piece once its user is closed."""

    def __init__(self, source: Source, closed: Callable[[], bool]) -> None:
        self._source = source
        self._closed = closed

    def list_below(self, place: Place) -> list[RemoteObject]:
        return self._source.list_below(place)

    def read(self, bucket: str, wanted: RemoteObject, first: int, last: int) -> bytes:
        if self._closed():
            raise Unreachable("the service is about to stop", lasting=False)
        return self._source.read(bucket, wanted, first, last)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep others that look after the same job from the copy meanwhile, in this process and in others.

    Raises:
        BlockingIOError: one of them is at it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
