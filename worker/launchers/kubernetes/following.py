"""Listens to what a pod prints, so that nothing is missed when its node begins another log."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from worker.launchers.kubernetes.api import ApiServer, Json, LiveLog, Refused, Unreachable
from worker.launchers.kubernetes.lines import After, Line, since
from worker.launchers.kubernetes.objects import CONTAINER
from worker.launchers.kubernetes.output import Kept, Overtaken, append, taken

log = structlog.get_logger(__name__)

HEARD_BYTES = 2**18
"""So much is kept at once, whoever asks for it."""
FINDING_SECONDS = 5.0
"""How long it may take to come to where the log had been taken to."""


class Follower:
    """Hears a pod's log from where it has been taken to, in a thread of its own, until it ends.

    What it hears is kept when somebody asks for it. Whatever goes wrong ends it: what it has heard and not
    kept by then is had again by who goes on from where the log has been taken to.

    Args:
        pod: of whose log something has been taken.
        directory: where what its replica prints is kept.
        most: how many bytes the replica may print.
        too_much: called from the thread when it has printed more.

    Attributes:
        is_open: whether there may be more to hear.
        is_complete: whether the log came to its end.
        fruitful: whether it has heard anything new.
    """

    def __init__(
        self, api: ApiServer, pod: Json, directory: Path, most: int, too_much: Callable[[], None]
    ) -> None:
        self._api = api
        self._name: str = pod["metadata"]["name"]
        self._uid: str = pod["metadata"]["uid"]
        self._directory = directory
        self._most = most
        self._too_much = too_much
        self._place = taken(directory, self._uid)
        self._after = After(self._place)
        self._lock = threading.Lock()
        self._heard: list[Line] = []
        self._bytes = 0
        self._log: LiveLog | None = None
        self._began = self.asked_at = time.monotonic()
        self.is_open = True
        self.is_complete = False
        self.fruitful = False
        self._thread = threading.Thread(target=self._run, name="pod-log", daemon=True)
        self._thread.start()

    def keep(self) -> Kept:
        """Keep what has been heard."""
        self.asked_at = time.monotonic()
        if not self._after.found and self.asked_at - self._began > FINDING_SECONDS:
            self.end()
        with self._lock:
            heard, self._heard, self._bytes = self._heard, [], 0
            if not heard:
                return Kept()
            try:
                kept = append(self._directory, self._uid, self._place, heard, self._most)
            except Overtaken:
                self.end()
                return Kept()
            except BaseException:
                self.end()  # What comes next must not be kept without it.
                raise
            self._place = heard[-1][0]
            if not kept.fits:
                self.end()
            return kept

    def end(self) -> None:
        """Listen no more."""
        self.is_open = False
        if self._log is not None:
            self._log.end()

    def join(self, seconds: float) -> None:
        """Wait for so long until its thread is over."""
        if self._log is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self._listen()
        except (Unreachable, Refused, OSError) as error:
            if self.is_open:
                log.info(
                    "a replica's output is listened to no more for now", pod=self._name, reason=str(error)
                )
        except Exception:
            log.exception("listening to a replica's output failed", pod=self._name)
        finally:
            self.is_open = False

    def _listen(self) -> None:
        when = since(self._place)
        assert when is not None, "something has been taken"
        self._log = live = self._api.follow(self._name, CONTAINER, when)
        if not self.is_open:
            live.end()
        for line in live:
            new = self._after.take(line)
            if self._after.gap:
                return  # For who asks next, who is to say so.
            with self._lock:
                if not self.is_open:
                    return
                self._heard += new
                self._bytes += sum(len(text) for _, text in new)
                self.fruitful = self.fruitful or bool(new)
                is_much = self._bytes > HEARD_BYTES
            if is_much and not self.keep().fits:
                self._too_much()
                return
        self.is_complete = self.is_open
