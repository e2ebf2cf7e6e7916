"""What attempts have printed: taken in from their pods as they are asked, and read from where it is kept."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from worker.cluster import Replica
from worker.launchers.kubernetes.api import ApiServer, Json, Refused, Unreachable
from worker.launchers.kubernetes.asking import FORGOTTEN_SECONDS, Asking, Which
from worker.launchers.kubernetes.directories import Directories
from worker.launchers.kubernetes.finding import Finder, Found
from worker.launchers.kubernetes.following import Follower
from worker.launchers.kubernetes.output import in_order, keep, kept_bytes, output_file
from worker.launchers.kubernetes.records import Record
from worker.launchers.kubernetes.states import has_started, is_live
from worker.launchers.protocol import AttemptRef, JobRef
from worker.metrics.regular_file import open_regular, read_at

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 60.0
"""How long an attempt that has ended counts as running while its output can't be read."""
FOLLOWED = 200
"""So many are listened to at most, each by a thread and a connection of its own."""
TOLD_SECONDS = 1.0
"""How often at most it is told of a job that one of its replicas has begun to print."""
JOBS_REMEMBERED = 1000


class Printed:
    """A replica that has begun to print is listened to. Until then, and where they are too many, it is asked,
    beside the looks at its job (`asking.py`). What it has printed comes with its end at the latest.

    Args:
        seconds: how often at most the output of one replica is asked for while it runs.
        most: bytes that a replica may print.
        too_much: called with what there is of an attempt of which a replica has printed more.
        begun: called, from another thread, with the job of which a replica has begun to print.
    """

    def __init__(
        self,
        api: ApiServer,
        finder: Finder,
        directories: Directories,
        seconds: float,
        most: int,
        too_much: Callable[[Replica, Found], None],
        begun: Callable[[JobRef], None],
    ) -> None:
        self._api = api
        self._finder = finder
        self._directories = directories
        self._most = most
        self._too_much = too_much
        self._begun = begun
        self._asking = Asking(self._ask, seconds)
        self._followers: dict[Which, Follower] = {}
        self._tidy_at = 0.0
        self._told: dict[JobRef, float] = {}
        """{job: when it was last told that one of its replicas has begun to print}"""
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
            self._asking.forget((ref, replica))
            if (follower := self._followers.pop((ref, replica), None)) is not None:
                follower.end()
        return True

    def close(self) -> None:
        """Ask and listen no more."""
        self._asking.close(1.0)
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
        """The file of what it has printed, with all that has been heard; for more it is asked soon."""
        which = ref, replica
        if (follower := self._followers.get(which)) is None:
            if self._asking.knows(which) or Record(self._directories.of_attempt(ref)).end() is None:
                self._asking.want(which)
        else:
            is_open = follower.is_open
            try:
                if not follower.keep().fits:
                    self._too_much(replica, self._finder.find_one(ref))
            except Unreachable as error:
                _tell_later(ref, error)
            if not is_open:
                self._followers.pop(which, None)
                self._asking.put_off(which, silent=not follower.fruitful)
                self._asking.want(which)
        return output_file(self._directories.of_replica(ref, replica))

    def _ask(self, which: Which) -> bool:
        """Take in what a replica has printed since it was asked last; whether to ask again soon.

        That is so if there was anything, or if it has not begun: nothing is requested for it then.
        """
        ref, replica = which
        self._tidy()
        if which in self._followers:
            return False
        try:
            if Record(self._directories.of_attempt(ref)).end() is not None:
                self._asking.forget(which)
                return False
            pods = in_order(filter(has_started, self._finder.pods(ref, replica)))
            return not pods or self._take_in(ref, replica, pods)
        except (Unreachable, Refused, OSError) as error:
            # It comes later: one node that does not answer is no reason to leave the job alone.
            _tell_later(ref, error)
            return False

    def _take_in(self, ref: AttemptRef, replica: Replica, pods: Sequence[Json]) -> bool:
        """The same of its pods; they are listened to from there on, if it goes on."""
        directory = self._directories.of_replica(ref, replica)
        before = _size(output_file(directory))
        kept = keep(self._api, pods, directory, self._most)

        def too_much() -> None:
            self._too_much(replica, self._finder.find_one(ref))

        which = ref, replica
        if not kept.fits:
            too_much()
        elif self._may_follow(which) and kept.goes_on and is_live(pods[-1]):
            self._followers[which] = Follower(self._api, pods[-1], directory, self._most, too_much)
        is_new = _size(output_file(directory)) != before
        if is_new and before == 0:
            self._tell_begun(ref.job)
        return is_new

    def _may_follow(self, which: Which) -> bool:
        """Unless there are too many, or its attempt has ended meanwhile."""
        return len(self._followers) < FOLLOWED and self._asking.knows(which)

    def _tell_begun(self, job: JobRef) -> None:
        """Have the job looked at: it may not be for some seconds else."""
        now = time.monotonic()
        if now - self._told.get(job, -TOLD_SECONDS) >= TOLD_SECONDS:
            if len(self._told) >= JOBS_REMEMBERED:
                self._told.clear()
            self._told[job] = now
            self._begun(job)

    def _tidy(self) -> None:
        """Let go of who has ended, as another worker saw."""
        now = time.monotonic()
        if now < self._tidy_at:
            return
        self._tidy_at = now + FORGOTTEN_SECONDS
        for which, follower in tuple(self._followers.items()):
            if follower.asked_at < now - FORGOTTEN_SECONDS:
                follower.end()
                self._followers.pop(which, None)


def _tell_later(ref: AttemptRef, error: Exception) -> None:
    log.info("a replica's output can't be read for now", attempt=ref.name, reason=str(error))


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
