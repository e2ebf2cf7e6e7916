"""Keeps what a job's trials print as entries of its log.

Entries and the cursor behind them are written in one transaction that holds the job's lease: nothing is lost
and nothing doubled, whenever a worker ends. Each transaction has at most one look's worth of one replica.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import update

from store.database import Database
from store.jobs import Lease, hold_lease
from store.log_entries import NewEntry, add_log_entries
from store.models import Attempt, Trial
from worker.cluster import PRIMARY, Replica, replicas_of
from worker.launchers.protocol import AttemptPhase, Launcher, Stream
from worker.logs.following import LogCursor, read_new
from worker.observe import Sight
from worker.view import View, current

ENDED = (AttemptPhase.ENDED, AttemptPhase.LOST)


@dataclass(frozen=True, slots=True)
class Kept:
    """What one look took in."""

    behind: frozenset[int]
    """Keys of trials that have ended and printed more than that: those are not to be closed yet."""
    news: bool
    """Whether anything was new."""


class LogKeeper:
    """Takes in what is new of trials' output."""

    def __init__(self, database: Database, launcher: Launcher, clock: Callable[[], float]) -> None:
        self._database = database
        self._launcher = launcher
        self._clock = clock

    def keep(self, lease: Lease, view: View, sights: Mapping[int, Sight]) -> Kept:
        """Take in a bounded part of what the job's trials have printed.

        Raises:
            LeaseLost: another worker has the job.
        """
        behind, news = set(), False
        replicas = replicas_of(view.input.training_input)
        for trial in view.live:
            phase = sights[trial.id].status.phase
            if phase is AttemptPhase.ABSENT:
                continue
            ended = phase in ENDED
            stored = current(trial).log_cursor or {}
            cursors = cursors_of_replicas(stored)
            looks = [self._keep_replica(lease, view, trial, replica, cursors, ended) for replica in replicas]
            news = news or cursors != cursors_of_replicas(stored)
            if ended and any(looks):
                behind.add(trial.id)
        return Kept(frozenset(behind), news)

    def _keep_replica(
        self,
        lease: Lease,
        view: View,
        trial: Trial,
        replica: Replica,
        cursors: dict[str, dict[str, Any]],
        ended: bool,
    ) -> bool:
        """Take in some of what it has printed, and note in `cursors` how far; true if there is more."""
        before = LogCursor.from_json(cursors.get(replica.name, {}))
        read = partial(self._launcher.read_output, view.attempt_ref(trial), replica=replica)
        output = read_new(read, before, self._clock(), ended=ended)
        if output.cursor == before:
            return output.more
        cursors[replica.name] = output.cursor.to_json()
        number = trial.number if view.spec is not None else None
        entries = [NewEntry(replica.name, number, each.severity, each.message) for each in output.entries]
        # What a loss of power undoes here, it undoes together with the cursor: it is read again.
        with self._database.write(durable=False) as session:
            hold_lease(session, lease)
            add_log_entries(session, view.ref.project, view.job.id, entries, self._clock())
            session.execute(
                update(Attempt).where(Attempt.id == current(trial).id).values(log_cursor=dict(cursors))
            )
        return output.more


def cursors_of_replicas(stored: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """{name of a replica: how far its output has been kept}.

    Of an attempt that an earlier release started, it is the primary's alone that is stored.
    """
    return {PRIMARY.name: dict(stored)} if Stream.OUT in stored else dict(stored)
