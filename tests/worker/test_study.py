"""What the search is told of a job's trials, and that it depends on nothing but their rows."""

from collections.abc import Sequence
from typing import Any, ClassVar

import pytest
from sqlalchemy.orm import Session

from api_schemas.hyperparameters import HyperparameterSpec
from store.database import Database
from store.decisions import decisions_of
from store.measurements import add_measurements
from store.models import Job, Trial
from store.states import State
from store.trials import add_trial, finished_since
from tests.stored_rows import NOW, add_ended_trial, add_job
from tuning.search import Search
from tuning.space import Categorical, Discrete, Double, Integer, Scale, Space
from tuning.stopping import FinishedCurves, Guards, StopDecision, Stopper, make_stopper
from tuning.trials import FinishedTrial, Goal, Outcome, PendingTrial, Point
from worker import study as study_module
from worker.metrics.measurement import Measurement
from worker.stopping import stopper_of
from worker.study import STUDIES_KEPT, Studies, Study, Suggested, space_of
from worker.suggesting import Answer, NoAnswer, Question
from worker.view import look

PARAMS = [
    {"parameterName": "x", "type": "DOUBLE", "minValue": 0.0, "maxValue": 1.0},
    {"parameterName": "n", "type": "INTEGER", "minValue": 1, "maxValue": 8},
]
WIRE: dict[str, Any] = {"goal": "MAXIMIZE", "params": PARAMS, "maxTrials": 50}


def _study(seed: int = 7, **changes: Any) -> Study:
    return Study(HyperparameterSpec.model_validate({**WIRE, **changes}), seed)


def _values(number: int) -> dict[str, Any]:
    return {"x": number / 10, "n": number}


def _add_curve(session: Session, trial: Trial, *values: float) -> None:
    points = [Measurement(step, value, NOW + step, 0) for step, value in enumerate(values, start=1)]
    add_measurements(session, trial.id, points)


class Recorder:
    """A suggester that keeps what it was asked."""

    algorithm, version = "RECORDER", "1"

    def __init__(self) -> None:
        self.history: list[FinishedTrial] = []
        self.pending: list[PendingTrial] = []

    def suggest(
        self, history: Sequence[FinishedTrial], pending: Sequence[PendingTrial], count: int
    ) -> list[dict[str, Any]]:
        self.history, self.pending = list(history), list(pending)
        return [_values(1)] * count


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr(Search, "make", lambda _: recorder)
    return recorder


class TestHistory:
    def test_trials_are_told_in_the_order_of_their_ends(self, database: Database, recorder: Recorder) -> None:
        study = _study()
        with database.write() as session:
            job = add_job(session)
            for number in (2, 3, 1):
                add_ended_trial(session, job, number, _values(number), objective=number / 2)
            study.catch_up(session, job)
        study.suggest([], 1)
        assert [(trial.number, trial.objective) for trial in recorder.history] == [
            (2, 1.0),
            (3, 1.5),
            (1, 0.5),
        ]
        assert recorder.history[0].values == {"x": 0.2, "n": 2}

    def test_each_is_told_once_however_often_it_catches_up(
        self, database: Database, recorder: Recorder
    ) -> None:
        study = _study()
        with database.write() as session:
            job = add_job(session)
            for number in (1, 2, 3):
                add_ended_trial(session, job, number, _values(number))
                study.catch_up(session, job)
                study.catch_up(session, job)
        study.suggest([], 1)
        assert [trial.number for trial in recorder.history] == [1, 2, 3]

    def test_how_each_ended_is_told(self, database: Database, recorder: Recorder) -> None:
        study = _study()
        with database.write() as session:
            job = add_job(session)
            add_ended_trial(session, job, 1, _values(1), objective=0.5)
            add_ended_trial(session, job, 2, _values(2), State.FAILED)
            add_ended_trial(session, job, 3, _values(3), objective=0.1).stopped_early = True
            session.flush()
            study.catch_up(session, job)
        study.suggest([], 1)
        assert [(trial.outcome, trial.objective) for trial in recorder.history] == [
            (Outcome.COMPLETED, 0.5),
            (Outcome.FAILED, None),
            (Outcome.STOPPED_EARLY, 0.1),
        ]

    def test_cancelled_trials_say_nothing(self, database: Database, recorder: Recorder) -> None:
        study = _study()
        with database.write() as session:
            job = add_job(session)
            add_ended_trial(session, job, 1, _values(1), State.CANCELLED, objective=0.9)
            add_ended_trial(session, job, 2, _values(2), objective=0.5)
            study.catch_up(session, job)
        study.suggest([], 1)
        assert [trial.number for trial in recorder.history] == [2]

    def test_running_trials_are_told_as_pending(self, database: Database, recorder: Recorder) -> None:
        study = _study()
        with database.write() as session:
            job = add_job(session)
            add_ended_trial(session, job, 1, _values(1))
            running = add_trial(session, job, 2, _values(2), NOW)
            study.catch_up(session, job)
        suggested = study.suggest([running], 3)
        assert [(trial.number, trial.values) for trial in recorder.pending] == [(2, _values(2))]
        assert (suggested.known_finished, suggested.known_pending) == (1, [2])
        assert len(suggested.values) == 3


class TestListsThatEnd:
    """A grid or a list has no stand-in: what is not in it is not tried."""

    GRID: ClassVar[dict[str, Any]] = {
        "params": [{"parameterName": "n", "type": "INTEGER", "minValue": 1, "maxValue": 3}],
        "algorithm": "GRID_SEARCH",
    }
    LIST: ClassVar[dict[str, Any]] = {
        "searchAlgorithm": {"name": "BATCH"},
        "initialTrials": [{"hyperparameters": _values(number)} for number in (3, 1, 2)],
    }

    @pytest.mark.parametrize(("search", "listed"), [(GRID, [1, 2, 3]), (LIST, [3, 1, 2])])
    def test_nothing_else_is_tried_when_no_process_answers(
        self, database: Database, search: dict[str, Any], listed: list[int]
    ) -> None:
        def never(_: Question) -> Answer:
            raise NoAnswer("no process can be started")

        study = Study(HyperparameterSpec.model_validate({**WIRE, **search}), 7, never)
        tried: list[int] = []
        with database.write() as session:
            job = add_job(session)
            while len(tried) < 6 and (values := study.suggest([], 2).values):
                for each in values:
                    tried.append(each["n"])
                    add_ended_trial(session, job, len(tried), each)
                study.catch_up(session, job)
        assert tried == listed


class TestContinuing:
    @staticmethod
    def _chain(session: Session) -> list[Job]:
        """Three jobs that each continue the one before, with two trials each, one of them cancelled."""
        jobs: list[Job] = []
        for name in ("first", "second", "third"):
            job = add_job(session, name, previous_id=jobs[-1].id if jobs else None)
            place = len(jobs)
            add_ended_trial(session, job, 2, {"x": place / 10, "n": 2}, objective=float(place))
            state = State.CANCELLED if name == "second" else State.SUCCEEDED
            add_ended_trial(session, job, 1, {"x": place / 10, "n": 1}, state, objective=float(place))
            jobs.append(job)
        return jobs

    def test_the_oldest_predecessors_trials_come_first(self, database: Database, recorder: Recorder) -> None:
        study = _study()
        with database.write() as session:
            study.catch_up(session, self._chain(session)[-1])
        study.suggest([], 1)
        told = [(trial.objective, trial.values["n"]) for trial in recorder.history]
        assert told == [(0.0, 2), (0.0, 1), (1.0, 2), (2.0, 2), (2.0, 1)]

    def test_predecessors_are_told_once(self, database: Database, recorder: Recorder) -> None:
        study = _study()
        with database.write() as session:
            job = self._chain(session)[-1]
            for _ in range(3):
                study.catch_up(session, job)
        study.suggest([], 1)
        assert len(recorder.history) == 5

    def test_what_failed_halfway_is_begun_anew(
        self, database: Database, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        study = _study()
        with database.write() as session:
            _, second, third = self._chain(session)

            def fail_at_the_second(session: Session, job_pk: int, order: int) -> Sequence[Trial]:
                if job_pk == second.id:
                    raise ConnectionError("database away")
                return finished_since(session, job_pk, order)

            with monkeypatch.context() as patched:
                patched.setattr(study_module, "finished_since", fail_at_the_second)
                with pytest.raises(ConnectionError):
                    study.catch_up(session, third)
            study.catch_up(session, third)
        study.suggest([], 1)
        assert [trial.objective for trial in recorder.history] == [0.0, 0.0, 1.0, 2.0, 2.0]

    def test_every_trial_has_a_number_of_its_own(self, database: Database, recorder: Recorder) -> None:
        study = _study()
        with database.write() as session:
            job = self._chain(session)[-1]
            running = add_trial(session, job, 3, _values(3), NOW)
            study.catch_up(session, job)
        suggested = study.suggest([running], 1)
        numbers = [trial.number for trial in recorder.history] + [trial.number for trial in recorder.pending]
        assert numbers == [2, 1, 4, 6, 5, 7]
        assert suggested.known_pending == [3], "the ledger names trials as their job does"

    def test_a_predecessor_does_not_know_its_successors(self, database: Database, recorder: Recorder) -> None:
        study = _study()
        with database.write() as session:
            study.catch_up(session, self._chain(session)[0])
        study.suggest([], 1)
        assert [trial.objective for trial in recorder.history] == [0.0, 0.0]


@pytest.mark.parametrize("algorithm", ["ALGORITHM_UNSPECIFIED", "RANDOM_SEARCH"])
class TestReplay:
    """A study that is built again from the rows answers as the one that was there all the time (G8)."""

    def test_the_same_rows_give_the_same_suggestions(self, database: Database, algorithm: str) -> None:
        kept = _study(algorithm=algorithm)
        with database.write() as session:
            job = add_job(session)
            for number in range(1, 16):
                kept.catch_up(session, job)
                (values,) = kept.suggest([], 1).values
                state = State.FAILED if number % 5 == 0 else State.SUCCEEDED
                add_ended_trial(session, job, number, values, state, objective=1.0 / number)
            running = [add_trial(session, job, 16, _values(3), NOW)]
            kept.catch_up(session, job)
            session.flush()
            session.expire_all()
            rebuilt = _study(algorithm=algorithm)
            rebuilt.catch_up(session, job)
            running = [session.get_one(Trial, running[0].id)]
            assert rebuilt.suggest(running, 3).values == kept.suggest(running, 3).values

    def test_another_seed_gives_others(self, database: Database, algorithm: str) -> None:
        first, second = (_study(seed, algorithm=algorithm).suggest([], 3).values for seed in (1, 2))
        assert first != second


class TestStoppingEarly:
    @staticmethod
    def _caught_up(session: Session, study: Study) -> None:
        """After five good trials, a bad one that failed, and in a predecessor none at all."""
        job = add_job(session)
        for number in range(1, 6):
            _add_curve(session, add_ended_trial(session, job, number, _values(number)), 0.5, 0.6, 0.7)
        for number in range(6, 16):
            failed = add_ended_trial(session, job, number, _values(1), State.FAILED)
            _add_curve(session, failed, 0.0, 0.0, 0.0)
        study.catch_up(session, job)

    def test_a_hopeless_trial_is_given_up_and_a_good_one_is_not(self, database: Database) -> None:
        study = _study(enableTrialEarlyStopping=True)
        assert study.stops_early
        with database.write() as session:
            self._caught_up(session, study)
        stop = study.should_stop([(1, 0.1), (2, 0.1), (3, 0.1)])
        assert stop is not None
        assert stop.peers == 5, "what failed sets no standard"
        assert study.should_stop([(1, 0.8), (2, 0.8), (3, 0.8)]) is None

    def test_nothing_is_stopped_unless_asked(self, database: Database) -> None:
        study = _study()
        assert not study.stops_early
        with database.write() as session:
            self._caught_up(session, study)
        assert study.should_stop([(1, 0.1), (2, 0.1), (3, 0.1)]) is None


def test_decisions_are_written_down(database: Database) -> None:
    study = _study(seed=11)
    with database.write() as session:
        job = add_job(session)
        trial = add_trial(session, job, 1, {}, NOW)
        session.flush()
        session.add(
            study.record_suggestion(job, Suggested(Answer([{}, {}], "TPE", "1"), 4, [2], 0.25), [1], NOW)
        )
        session.flush()
        session.add(study.record_stop(job, trial, StopDecision("median", 3, 0.1, 0.6, 5), NOW))
    with database.read() as session:
        decided, stopped = decisions_of(session, job.id)
    assert (decided.kind, decided.seed, decided.seconds) == ("SUGGEST", 11, 0.25)
    assert decided.known == {"finished": 4, "pending": [2]}
    assert decided.outcome == {"trials": [1], "asked": 2}
    assert (decided.algorithm, decided.version) == ("TPE", "1")
    assert (stopped.kind, stopped.algorithm) == ("STOP", "median")
    assert stopped.outcome == {"trial": 1, "step": 3, "value": 0.1, "threshold": 0.6}


class TestKeeping:
    @staticmethod
    def _add(database: Database, job_id: str, hyperparameters: dict[str, Any] | None = WIRE) -> int:
        with database.write() as session:
            return add_job(session, job_id, hyperparameters=hyperparameters).id

    def test_a_jobs_study_is_kept_until_it_ends(self, database: Database) -> None:
        studies = Studies()
        key = self._add(database, "job")
        study = studies.of(look(database, key))
        assert study is not None
        assert studies.of(look(database, key)) is study
        studies.drop(key)
        assert studies.of(look(database, key)) is not study
        studies.drop(99)

    def test_plain_training_has_none(self, database: Database) -> None:
        assert Studies().of(look(database, self._add(database, "job", None))) is None

    def test_only_so_many_are_kept(self, database: Database) -> None:
        studies = Studies()
        keys = [self._add(database, f"job_{number}") for number in range(STUDIES_KEPT + 1)]
        first = studies.of(look(database, keys[0]))
        last = [studies.of(look(database, key)) for key in keys[1:]][-1]
        assert studies.of(look(database, keys[-1])) is last
        assert studies.of(look(database, keys[0])) is not first


def test_a_request_describes_a_space() -> None:
    spec = HyperparameterSpec.model_validate(
        {
            "params": [
                {
                    "parameterName": "lr",
                    "type": "DOUBLE",
                    "minValue": 0.001,
                    "maxValue": 1,
                    "scaleType": "UNIT_LOG_SCALE",
                },
                {"parameterName": "layers", "type": "INTEGER", "minValue": "1", "maxValue": "8"},
                {"parameterName": "batch", "type": "DISCRETE", "discreteValues": [32, 64.0]},
                {"parameterName": "shape", "type": "CATEGORICAL", "categoricalValues": ["64 32", ""]},
            ]
        }
    )
    assert space_of(spec) == Space(
        (
            Double("lr", 0.001, 1.0, Scale.UNIT_LOG_SCALE),
            Integer("layers", 1, 8, Scale.NONE),
            Discrete("batch", (32.0, 64.0)),
            Categorical("shape", ("64 32", "")),
        )
    )


class TestChoosingARule:
    @staticmethod
    def _stopper(**early: Any) -> Stopper:
        wire = {**WIRE, "enableTrialEarlyStopping": True, "earlyStopping": early}
        found = stopper_of(HyperparameterSpec.model_validate(wire))
        assert found is not None
        return found

    def test_the_switch_alone_means_the_default_rule(self) -> None:
        wire = {**WIRE, "enableTrialEarlyStopping": True}
        assert stopper_of(HyperparameterSpec.model_validate(wire)) == make_stopper("DEFAULT", Goal.MAXIMIZE)
        assert self._stopper() == make_stopper("DEFAULT", Goal.MAXIMIZE)

    def test_a_rule_gets_its_arguments_and_what_is_absent_or_zero_its_defaults(self) -> None:
        asked = self._stopper(rule="ASHA", firstRung="10", reductionFactor=0)
        assert asked == make_stopper("ASHA", Goal.MAXIMIZE, first_rung=10)
        asked = self._stopper(rule="CURVEFITTING", threshold=0.9, epochNum="50", gap=2, startStep=4)
        arguments = {"threshold": 0.9, "epoch_num": 50, "gap": 2, "start_step": 4}
        assert asked == make_stopper("CURVEFITTING", Goal.MAXIMIZE, **arguments)

    def test_guards_are_the_jobs(self) -> None:
        asked = self._stopper(minFinishedTrials=3, graceSteps="7", gracePeriod="90.5s")
        assert asked == make_stopper("DEFAULT", Goal.MAXIMIZE, Guards(3, 7, 90.5))
        assert not asked.guards.allow(
            [Point(6, 0.0), Point(7, 0.0)], FinishedCurves([[Point(9, 1.0)]] * 3), 90.0
        )
