"""What is to be seen of a job's live trials, on the platform and in their metric files. Changes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from store.models import Trial
from store.states import AttemptState, State
from worker.launchers.protocol import AttemptPhase, AttemptStatus, Launcher, ReplicaEnd
from worker.metrics.watch import Cursor, Reading, read_new
from worker.trial_spec import trial_job_dir
from worker.view import View, current

LAST_LINES_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Sight:
    """One attempt as it was seen."""

    attempt: int
    status: AttemptStatus
    readings: tuple[Reading, ...]
    """What its metric files held that was new, in order; empty for plain training."""
    last_lines: Mapping[ReplicaEnd, str]
    """The end of what each replica printed that failed."""


def observe(launcher: Launcher, view: View) -> dict[int, Sight]:
    """{trial key: what is to be seen of its current attempt}."""
    refs = {trial.id: view.attempt_ref(trial) for trial in view.live}
    statuses = launcher.observe(list(refs.values()))
    sights = {}
    for trial in view.live:
        ref = refs[trial.id]
        status = statuses[ref]
        if status.phase is AttemptPhase.ABSENT and current(trial).state == AttemptState.RUNNING:
            status = AttemptStatus(AttemptPhase.LOST)  # Even its traces are gone.
        lines = {end: launcher.last_lines(ref, LAST_LINES_BYTES, end.replica) for end in status.failures}
        # Looked at first and read after: what was there when the attempt ended is read before it is closed.
        readings, complete = _read(launcher, view, trial, status.phase)
        if not complete and view.job.verdict != State.CANCELLED:
            # Until all is there that it measured, what has ended counts as running.
            status = AttemptStatus(AttemptPhase.RUNNING)
        sights[trial.id] = Sight(ref.attempt, status, readings, lines)
    return sights


def _read(
    launcher: Launcher, view: View, trial: Trial, phase: AttemptPhase
) -> tuple[tuple[Reading, ...], bool]:
    """What is new in its metric files, and whether that is all of a trial that has ended."""
    tag = view.input.metric_tag
    if tag is None or phase is AttemptPhase.ABSENT:
        return (), True
    job_dir = trial_job_dir(view.input.training_input, trial.number, view.input.objects_dir)
    places = launcher.metric_places(view.attempt_ref(trial), job_dir)
    ended = phase in (AttemptPhase.ENDED, AttemptPhase.LOST)
    complete = places.complete or not ended
    final = ended and complete
    cursor = Cursor.from_json(trial.cursor or {})
    readings: list[Reading] = []
    while True:
        reading = read_new(places.roots, places.hypertune_file, tag, cursor, final=final)
        if places.problems and not readings:
            reading = replace(reading, problems=[*places.problems, *reading.problems])
        readings.append(reading)
        cursor = reading.cursor
        # While it runs the rest can wait for the next look; once it has ended there is none.
        if not (final and reading.more):
            return tuple(readings), complete
