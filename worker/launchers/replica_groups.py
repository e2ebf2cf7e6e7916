"""The replicas of one attempt as process groups of this machine, of which the attempt's state is made.

The primary's group is the attempt's own directory: an attempt with no other is nothing but that. The others
are below it, with what belongs to all of them:

<attempt>/replicas/addresses.json   where each replica listens
                  /lock             an flock, held while they are being started
                  /started          all of them have been
                  /stop             the attempt was told to stop, before it had come to its end
                  /<name>/          another replica's group
"""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from worker.cluster import PRIMARY, Replica
from worker.launchers.notes import read_note, write_note
from worker.launchers.process_group import ProcessGroup
from worker.launchers.protocol import AttemptPhase, AttemptStatus, Exceeded, ReplicaEnd

LONE_ADDRESS = "127.0.0.1:2222"
"""Where a cluster of one finds itself (docs/contract.md 4.4). Nobody else needs to reach it."""


class ReplicaGroups:
    """The processes of the attempt in this directory, running, ended or not yet started."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._shared = directory / "replicas"
        self._failed = directory / "failed"

    def place(self, replica: Replica) -> Path:
        """The replica's own directory."""
        return self.directory if replica == PRIMARY else self._shared / replica.name

    def group(self, replica: Replica) -> ProcessGroup:
        return ProcessGroup(self.place(replica))

    def groups(self) -> dict[Replica, ProcessGroup]:
        """The group of every replica, the primary's first; of an attempt not yet started only that."""
        return {replica: self.group(replica) for replica in self._replicas()}

    @contextmanager
    def starting(
        self, replicas: Sequence[Replica], find: Callable[[int], Sequence[str]]
    ) -> Iterator[Mapping[Replica, str]]:
        """Hold the attempt while its replicas are started; gives where each is to listen.

        Nothing, if all have been started before, or are never to be. Either all come to be started or none
        goes on.

        Args:
            find: gives so many addresses.
        """
        if tuple(replicas) == (PRIMARY,):
            yield {PRIMARY: LONE_ADDRESS}
            return
        self._shared.mkdir(parents=True, exist_ok=True)
        with self._locked(wait=True):
            if self._started() or self._is_sealed():
                yield {}
                return
            self._abandon()
            addresses = dict(zip(replicas, find(len(replicas)), strict=True))
            told = {replica.name: address for replica, address in addresses.items()}
            write_note(self._shared / "addresses.json", told)
            try:
                yield addresses
                (self._shared / "started").touch()
            except BaseException:
                self._abandon()
                raise

    def status(self, grace_seconds: float) -> AttemptStatus:
        """How the attempt is. Once it has come to its end, what goes on is stopped with this grace."""
        if not self._shared.exists():
            return self.group(PRIMARY).status()
        if not self._started():
            # Its launch is under way, or was cut short, by a crash.
            with self._locked(wait=False) as is_ours:
                if not is_ours:
                    return AttemptStatus(AttemptPhase.RUNNING)
                if not self._started():
                    self._abandon()
                    return AttemptStatus(AttemptPhase.ABSENT)
        groups = self.groups()
        statuses = {replica: group.status() for replica, group in groups.items()}
        end = outcome(statuses, told=(self._shared / "stop").exists())
        going_on = [replica for replica in groups if statuses[replica].phase is AttemptPhase.RUNNING]
        if end is None:
            return AttemptStatus(AttemptPhase.RUNNING)
        for replica in going_on:
            groups[replica].stop(grace_seconds)
        return AttemptStatus(AttemptPhase.RUNNING) if going_on else end

    def stop(self, grace_seconds: float) -> None:
        """Tell all replicas to end; kill them once the grace is over. Does not wait.

        Of a launch that was cut short nothing is left, and it is not done again.
        """
        if self._shared.exists() and self._seal():
            return
        groups = self.groups()
        if self._started():
            statuses = {replica: group.status() for replica, group in groups.items()}
            if outcome(statuses, told=False) is None:
                (self._shared / "stop").touch()
        for group in groups.values():
            group.stop(grace_seconds)

    def fail(self, why: Exceeded) -> None:
        """End all of it at once: it must not go on, whatever it would make of a grace."""
        write_note(self._failed, why.to_json())
        for group in self.groups().values():
            group.kill()

    def why_failed(self) -> Exceeded | None:
        """What `fail` was told, if it was."""
        told = read_note(self._failed)
        return None if told is None else Exceeded.from_json(told)

    def _replicas(self) -> list[Replica]:
        told = read_note(self._shared / "addresses.json")
        return [PRIMARY] if told is None else [Replica.named(name) for name in told]

    def _started(self) -> bool:
        return (self._shared / "started").exists()

    def _seal(self) -> bool:
        """Keep what was not started as a whole from ever being; false if it was, or is being started now."""
        with self._locked(wait=False) as is_ours:
            if not is_ours or self._started():
                return False
            (self._shared / "stop").touch()
            self._abandon()
            return True

    def _is_sealed(self) -> bool:
        # Who stopped it before there was anything of it did not know of replicas.
        return (self._shared / "stop").exists() or (self.directory / "stop").exists()

    def _abandon(self) -> None:
        """Undo a launch that was cut short: what it started ends, and can be started again."""
        for group in self.groups().values():
            group.kill()
            group.forget()

    @contextmanager
    def _locked(self, wait: bool) -> Iterator[bool]:
        lock = os.open(self._shared / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield True
        except BlockingIOError:
            yield False
        finally:
            os.close(lock)


def outcome(statuses: Mapping[Replica, AttemptStatus], told: bool) -> AttemptStatus | None:
    """What an attempt has come to, with its replicas like this; None while it has not.

    It ends with its primary. Another replica that ends by itself is no end if its status is 0, and a failure
    otherwise; one that vanished is a loss, whatever the others did about it.

    Args:
        told: whether the attempt was told to stop before it came to its end.
    """
    primary = statuses[PRIMARY]
    if told:
        return None if primary.phase is AttemptPhase.RUNNING else replace(primary, told_to_stop=True)
    own = {
        replica: status
        for replica, status in statuses.items()
        if status.phase is not AttemptPhase.RUNNING and not status.told_to_stop
    }
    if PRIMARY in own and primary.exit_code == 0:
        return primary
    lost = [replica for replica, status in own.items() if status.exit_code is None]
    if lost:
        return AttemptStatus(AttemptPhase.LOST, lost=lost[0])
    ends = [(replica, status.exit_code) for replica, status in own.items()]
    failed = tuple(ReplicaEnd(replica, exit_code) for replica, exit_code in ends if exit_code)
    return AttemptStatus(AttemptPhase.ENDED, failed[0].exit_code, failed=failed) if failed else None
