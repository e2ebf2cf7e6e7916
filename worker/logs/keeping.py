"""Keeps what a job's trials print as entries of its log.

Entries and the cursor behind them are written in one transaction that holds the job's lease: nothing is lost
and nothing doubled, whenever a worker ends. Each transaction has at most one look's worth of one replica.
"""

from collections.abc import Callable, Mapping
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


class LogKeeper:
    """Takes in what is new of trials' output."""

    def __init__(self, database: Database, launcher: Launcher, clock: Callable[[], float]) -> None:
        self._database = database
        self._launcher = launcher
        self._clock = clock

    def keep(self, lease: Lease, view: View, sights: Mapping[int, Sight]) -> set[int]:
        """Take in a bounded part of what the job's trials have printed.

        Gives the keys of trials that have ended and printed more than that: those are not to be closed yet.

        Raises:
            LeaseLost: another worker has the job.
        """
        behind = set()
        for trial in view.live:
            phase = sights[trial.id].status.phase
            if phase is AttemptPhase.ABSENT:
                continue
            ended = phase in ENDED
            if self._keep(lease, view, trial, ended) and ended:
                behind.add(trial.id)
        return behind

    def _keep(self, lease: Lease, view: View, trial: Trial, ended: bool) -> bool:
        """Take in some of what each replica of a trial has printed; true if there is more of any."""
        cursors = cursors_of_replicas(current(trial).log_cursor or {})
        more = False
        for replica in replicas_of(view.input.training_input):
            more = self._keep_replica(lease, view, trial, replica, cursors, ended) or more
        return more

    def _keep_replica(
        self,
        lease: Lease,
        view: View,
        trial: Trial,
        replica: Replica,
        cursors: dict[str, dict[str, Any]],
        ended: bool,
    ) -> bool:
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
