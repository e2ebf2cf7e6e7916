"""What attempts have printed: taken in from their pods as it is asked for, and read from where it is kept."""

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from worker.cluster import Replica
from worker.launchers.kubernetes.api import ApiServer, Json, Unreachable
from worker.launchers.kubernetes.directories import Directories
from worker.launchers.kubernetes.finding import Finder, Found
from worker.launchers.kubernetes.following import Follower
from worker.launchers.kubernetes.output import in_order, keep, kept_bytes, output_file
from worker.launchers.kubernetes.records import Record
from worker.launchers.kubernetes.states import has_started, is_live
from worker.launchers.protocol import AttemptRef
from worker.metrics.regular_file import open_regular, read_at

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 60.0
"""How long an attempt that has ended counts as running while its output can't be read."""

LONGEST_PAUSE_SECONDS = 10.0
REQUESTS_A_SECOND, SILENT_REQUESTS_A_SECOND = 100.0, 5.0
"""How many there are about at most, over all replicas that run, and over those that are silent."""
PART_OF_TIME = 0.5
"""Where nodes are slow to answer, no more of the time than this is waited for what running replicas print."""
FEW = 20
"""So many that begin at once are asked at once."""
FORGOTTEN_SECONDS = 600.0
"""A replica that nobody has asked for since it was due has ended, as another worker saw."""
FOLLOWED = 200
"""So many are listened to at most, each by a thread and a connection of its own."""


class Printed:
    """A replica that has begun to print is listened to. Until then, and where they are too many, it is asked.

    One that is silent is asked again after twice as long each time, up to ten seconds. Where there are many
    it takes longer: a hundred that print are asked once a second each, a thousand silent ones every three
    minutes. What they have printed comes with their end at the latest.

    Args:
        seconds: how often at most the output of one replica is asked for while it runs.
        most: bytes that a replica may print.
        too_much: called with what there is of an attempt of which a replica has printed more.
    """

    def __init__(
        self,
        api: ApiServer,
        finder: Finder,
        directories: Directories,
        seconds: float,
        most: int,
        too_much: Callable[[Replica, Found], None],
    ) -> None:
        self._api = api
        self._finder = finder
        self._directories = directories
        self._seconds = seconds
        self._most = most
        self._too_much = too_much
        self._due: dict[tuple[AttemptRef, Replica], tuple[float, float]] = {}
        """{replica: when it is asked again, and how long that is after it was asked last}"""
        self._followers: dict[tuple[AttemptRef, Replica], Follower] = {}
        self._tidy_at = 0.0
        self._allowed, self._allowed_at = 1.0, time.monotonic()
        """Seconds that may be waited for output now, and since when."""
        self._unread_since: dict[AttemptRef, float] = {}
        """{attempt that has ended: since when not all that it printed could be had}"""

    def read(self, ref: AttemptRef, replica: Replica, offset: int, limit: int) -> bytes:
        """At most `limit` bytes from `offset` on."""
        try:
            with open_regular(self._file(ref, replica)) as (descriptor, about):
                if about.st_size <= offset:
                    return b""
                # What is written and not accounted for may be taken back.
                there = min(kept_bytes(self._directories.of_replica(ref, replica)), self._most)
                return read_at(descriptor, max(0, min(limit, there - offset)), offset)
        except OSError:
            return b""

    def end(self, ref: AttemptRef, replica: Replica, limit: int) -> bytes:
        """The last `limit` bytes."""
        try:
            with open_regular(self._file(ref, replica)) as (descriptor, about):
                return read_at(descriptor, limit, max(0, about.st_size - limit))
        except OSError:
            return b""

    def keep_all(self, ref: AttemptRef, replicas: Sequence[Replica], found: Found) -> bool:
        """Keep all that an attempt has printed which has ended; false if it can't be had for now.

        It can't be had any more of a node that is gone, which is not waited for.
        """
        since = self._unread_since.setdefault(ref, time.monotonic())
        patient = time.monotonic() - since < PATIENCE_SECONDS
        try:
            rests = [self._keep_rest(ref, each, found, patient) for each in replicas]
            if not all(rests):
                return False
        except Unreachable as error:
            if patient:
                return False
            log.warning("what an attempt printed last is lost", attempt=ref.name, reason=str(error))
        self._unread_since.pop(ref, None)
        for replica in replicas:
            self._due.pop((ref, replica), None)
            if (follower := self._followers.pop((ref, replica), None)) is not None:
                follower.end()
        return True

    def close(self) -> None:
        """Listen no more."""
        followers, self._followers = list(self._followers.values()), {}
        for follower in followers:
            follower.end()
        for follower in followers:
            follower.join(1.0)

    def _keep_rest(self, ref: AttemptRef, replica: Replica, found: Found, patient: bool) -> bool:
        """The same for one replica. What only who has listened can have is waited for."""
        directory = self._directories.of_replica(ref, replica)
        is_open = is_complete = False
        if (follower := self._followers.get((ref, replica))) is not None:
            is_open, is_complete = follower.is_open, follower.is_complete
            follower.keep()
        kept = keep(
            self._api,
            found.pods.get(replica, ()),
            directory,
            self._most,
            over_gaps=not (is_open and patient),
            ended=not is_complete,
        )
        return not kept.waits

    def _file(self, ref: AttemptRef, replica: Replica) -> Path:
        """The file of what it has printed, with what is new unless that was asked for just now."""
        which = ref, replica
        directory = self._directories.of_replica(ref, replica)
        file = output_file(directory)
        try:
            if (follower := self._followers.get(which)) is not None:
                is_open = follower.is_open
                if not follower.keep().fits:
                    self._too_much(replica, self._finder.find_one(ref))
                if is_open:
                    return file
                self._followers.pop(which, None)
                _, pause = self._due.get(which, (0.0, 0.0))
                self._put_off(which, 0.0 if follower.fruitful else 2 * pause)
            due, pause = self._due.get(which, (0.0, 0.0))
            if time.monotonic() < due or Record(self._directories.of_attempt(ref)).end() is not None:
                return file
            pods = in_order(filter(has_started, self._finder.pods(ref, replica)))
            if not pods or not self._is_its_turn(which):
                return file
            silent = self._ask(ref, replica, pods, directory)
        except Unreachable as error:
            # It comes later: one node that does not answer is no reason to leave the job alone.
            log.info("a replica's output can't be read for now", attempt=ref.name, reason=str(error))
            silent = True
        _, pause = self._due.get(which, (0.0, 0.0))
        self._put_off(which, 2 * pause if silent else 0.0)
        return file

    def _ask(self, ref: AttemptRef, replica: Replica, pods: Sequence[Json], directory: Path) -> bool:
        """Take in what is new, and listen from there on, if it goes on; true if nothing is new."""
        before, began = _size(output_file(directory)), time.monotonic()
        try:
            kept = keep(self._api, pods, directory, self._most)
        finally:
            self._allowed -= time.monotonic() - began
        if not kept.fits:
            self._too_much(replica, self._finder.find_one(ref))
        elif kept.goes_on and is_live(pods[-1]) and len(self._followers) < FOLLOWED:

            def too_much() -> None:
                self._too_much(replica, self._finder.find_one(ref))

            self._followers[ref, replica] = Follower(self._api, pods[-1], directory, self._most, too_much)
        return _size(output_file(directory)) == before

    def _is_its_turn(self, which: tuple[AttemptRef, Replica]) -> bool:
        """Of many that begin at once not all are asked at once: the look at their job would take minutes."""
        if which not in self._due:
            wait = random.random() * (len(self._due) // FEW * FEW) / SILENT_REQUESTS_A_SECOND  # noqa: S311
            self._due[which] = time.monotonic() + wait, 0.0
        now = time.monotonic()
        self._allowed = min(1.0, self._allowed + PART_OF_TIME * (now - self._allowed_at))
        self._allowed_at = now
        return self._due[which][0] <= now and self._allowed > 0

    def _put_off(self, which: tuple[AttemptRef, Replica], pause: float) -> None:
        """Ask again after this, or what is the least or the most with so many."""
        now = time.monotonic()
        if now >= self._tidy_at:
            self._tidy_at = now + FORGOTTEN_SECONDS
            long_ago = now - FORGOTTEN_SECONDS
            for each in [each for each, (due, _) in tuple(self._due.items()) if due < long_ago]:
                self._due.pop(each, None)
            for each, follower in tuple(self._followers.items()):
                if follower.asked_at < long_ago:
                    follower.end()
                    self._followers.pop(each, None)
        least = max(self._seconds, len(self._due) / REQUESTS_A_SECOND)
        most = max(LONGEST_PAUSE_SECONDS, len(self._due) / SILENT_REQUESTS_A_SECOND)
        pause = min(max(pause, least), most)
        self._due[which] = now + pause, pause


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
