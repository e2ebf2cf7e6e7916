"""A filter means in SQL what it means by its words, on both databases (docs/contract.md 1.3).

Filters are made together with what they mean, as a function of a job in plain Python; the jobs that the
database finds must be those of which the function is true.
"""

import operator
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api_schemas.enums import AcceleratorType, GoalType, ScaleTier
from api_schemas.job_filter import STATES, parse_job_filter
from store.database import Database
from store.jobs import list_jobs
from store.states import State
from tests.stored_rows import add_job

TEXTS = [
    "",
    "a",
    "A",
    "aB",
    "ab",
    "b",
    "Ab%",
    "a_",
    "*",
    "a*b",
    "\\",
    "'",
    '"',
    "é",
    "ä z",
    "ß\n",
    "(x)",
    "ﬀ",
    "𝄞a",
]
IDS = ["a", "A", "ab", "aB", "a_1", "rnn_1", "rnn_2", "RNN", "census", "z"]
KEYS = ["owner", "a-b", "ü_1", "u00fc_1", "null"]
LABEL_VALUES = ["", "ana", "an_a", "änä", "1"]
DURATIONS = ["3600s", "3.5s", "0.000000001s", "7200s"]
EPOCH = 1_583_143_200
TIMES = [EPOCH - 1.5, EPOCH - 0.25, EPOCH, EPOCH + 0.75, EPOCH + 1, EPOCH + 60.5]
ORDERS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq}


@dataclass(frozen=True, slots=True)
class Stored:
    job_id: str
    state: str
    times: dict[str, float | None]
    labels: dict[str, str]
    training_input: dict[str, Any]

    def at(self, path: str) -> Any:
        """What trainingInput has there; None where it has nothing."""
        value: Any = self.training_input
        for name in path.split("."):
            value = value.get(name) if value is not None else None
        return value


def random_job(number: int, chance: random.Random) -> Stored:
    def maybe(**fields: list[Any]) -> dict[str, Any]:
        drawn = {name: chance.choice(values) for name, values in fields.items() if chance.random() < 0.6}
        # On the wire, and so in the store, nothing has its default value.
        return {name: value for name, value in drawn.items() if value not in ("", 0, False, "0")}

    training_input: dict[str, Any] = maybe(
        region=TEXTS,
        jobDir=TEXTS,
        scaleTier=[tier.name for tier in ScaleTier if tier],
        workerCount=["1", "12", "9223372036854775807"],
        enableWebAccess=[True],
        hyperparameters=[
            maybe(
                goal=["MINIMIZE", "MAXIMIZE"],
                maxTrials=[1, 2, 10],
                enableTrialEarlyStopping=[True],
                earlyStopping=[maybe(auditShare=[0.05, 0.5, 1.0])],
            )
        ],
        scheduling=[maybe(maxRunningTime=DURATIONS, priority=[1, 1000])],
        masterConfig=[maybe(imageUri=TEXTS, acceleratorConfig=[maybe(type=["TPU_V2", "TPU_V3_POD"])])],
    )
    times = {name: chance.choice([None, *TIMES]) for name in ("startTime", "endTime")}
    labels = {key: chance.choice(LABEL_VALUES) for key in KEYS if chance.random() < 0.5}
    state = chance.choice(STATES)
    return Stored(
        f"{chance.choice(IDS)}{number}",
        state,
        {"createTime": chance.choice(TIMES), **times},
        labels,
        training_input,
    )


CHANCE = random.Random(0)
JOBS = [random_job(number, CHANCE) for number in range(60)]

Meaning = Callable[[Stored], bool]
Written = tuple[str, Meaning]


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("*", "\\*")
    return f'"{escaped}"' if '"' not in text else "'" + escaped.replace("'", "\\'") + "'"


def written(text: str, draw: Any) -> str:
    """A value, in quotes unless it may go without them."""
    bare = text.isalnum() and text not in ("AND", "OR", "NOT")
    return text if bare and draw(st.booleans()) else quoted(text)


def spelled(path: str, draw: Any) -> str:
    """A field in camelCase or in snake_case."""
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in path)
    return str(draw(st.sampled_from([path, snake])))


def of_text(name: str, value: Callable[[Stored], str | None], draw: Any) -> Written:
    """`value` is None where there is no such field, not even a default."""
    given = draw(st.sampled_from(TEXTS + IDS + LABEL_VALUES))
    symbol = draw(st.sampled_from([*ORDERS, "!=", ":", "*"]))
    if symbol == "*":
        begin = quoted(given or "a")
        begin = f"{begin[:-1]}*{begin[-1]}"
        return f"{name}:{begin}", lambda job: (value(job) or "").startswith(given or "a")
    if symbol == ":":
        given = given or "a"
        return f"{name} : {written(given, draw)}", lambda job: given in (value(job) or "")
    text = f"{name} {symbol}{written(given, draw)}"
    if symbol == "!=":
        return text, lambda job: value(job) != given
    return text, lambda job: (v := value(job)) is not None and bool(ORDERS[symbol](v, given))


def training_text(path: str, draw: Any) -> Written:
    parent = path.rpartition(".")[0]

    def value(job: Stored) -> str | None:
        return None if parent and job.at(parent) is None else (job.at(path) or "")

    return of_text(f"{spelled('trainingInput', draw)}.{spelled(path, draw)}", value, draw)


def training_number(path: str, read: Callable[[str], Any], values: list[str], draw: Any) -> Written:
    parent = path.rpartition(".")[0]
    given, symbol = draw(st.sampled_from(values)), draw(st.sampled_from([*ORDERS, "!=", ":"]))

    def equal_or(job: Stored) -> bool:
        if parent and job.at(parent) is None:
            return False
        actual = job.at(path)
        return bool(
            ORDERS.get(symbol, operator.eq)(read(str(actual)) if actual is not None else 0, read(given))
        )

    name = f"{spelled('trainingInput', draw)}.{spelled(path, draw)}{symbol}{given}"
    return name, (lambda job: not equal_or(job)) if symbol == "!=" else equal_or


def training_enum(path: str, names: list[str], draw: Any) -> Written:
    parent = path.rpartition(".")[0]
    given, symbol = draw(st.sampled_from(names)), draw(st.sampled_from(["=", "!=", ":", "*"]))

    def same(job: Stored) -> bool:
        if parent and job.at(parent) is None:
            return False
        actual = job.at(path) or names[0]
        return actual.startswith(given[:3]) if symbol == "*" else bool(actual == given)

    value = f":{given[:3]}*" if symbol == "*" else f"{symbol}{given.lower()}"
    return f"trainingInput.{path}{value}", (lambda job: not same(job)) if symbol == "!=" else same


def training_boolean(path: str, draw: Any) -> Written:
    parent, given = path.rpartition(".")[0], draw(st.booleans())
    text = f"trainingInput.{path}={str(given).lower()}"
    return text, lambda job: not (parent and job.at(parent) is None) and bool(job.at(path)) == given


def state(draw: Any) -> Written:
    given, symbol = draw(st.sampled_from(STATES)), draw(st.sampled_from(["=", ":", "!=", "*"]))
    if symbol == "*":
        return f"state:{given[0]}*", lambda job: job.state.startswith(given[0])
    return f"state{symbol}{given}", lambda job: (job.state == given) != (symbol == "!=")


def time(draw: Any) -> Written:
    name = draw(st.sampled_from(["createTime", "startTime", "endTime"]))
    symbol = draw(st.sampled_from([*ORDERS, "!=", ":", "*"]))
    if symbol == "*":
        return f"{name}:*", lambda job: job.times[name] is not None
    millis = draw(st.sampled_from([0, 0, 500])) + 1000 * draw(st.integers(EPOCH - 3, EPOCH + 2))
    zone = draw(st.sampled_from([UTC, timezone(timedelta(hours=-5, minutes=-30))]))
    moment = datetime.fromtimestamp(millis / 1000, zone).isoformat(timespec="milliseconds")
    given = Fraction(millis, 1000)

    def equal_or(job: Stored) -> bool:
        # As the job shows its times: in whole seconds.
        shown = job.times[name]
        return shown is not None and bool(ORDERS.get(symbol, operator.eq)(int(shown), given))

    text = f"{spelled(name, draw)}{symbol}{draw(st.sampled_from(['', chr(34)]))}"
    text += moment + ('"' if text.endswith('"') else "")
    return text, (lambda job: not equal_or(job)) if symbol == "!=" else equal_or


def label(draw: Any) -> Written:
    key = draw(st.sampled_from([*KEYS, "nobody"]))
    text, meaning = of_text(
        draw(st.sampled_from([f"labels.{key}", f'labels."{key}"'])), lambda job: job.labels.get(key), draw
    )
    return (f"labels.{key}:*", lambda job: key in job.labels) if draw(st.booleans()) else (text, meaning)


def presence(draw: Any) -> Written:
    path = draw(
        st.sampled_from(
            ["hyperparameters", "scaleTier", "masterConfig.acceleratorConfig", "scheduling.priority"]
        )
    )
    return f"trainingInput.{path}:*", lambda job: job.at(path) is not None


@st.composite
def restrictions(draw: Any) -> Written:
    kinds: list[Callable[[], Written]] = [
        lambda: of_text(spelled("jobId", draw), lambda job: job.job_id, draw),
        lambda: state(draw),
        lambda: time(draw),
        lambda: label(draw),
        lambda: ("labels:*", lambda job: bool(job.labels)),
        lambda: presence(draw),
        lambda: training_text(draw(st.sampled_from(["region", "jobDir", "masterConfig.imageUri"])), draw),
        lambda: training_number("workerCount", int, ["0", "1", "2", "12", "9223372036854775807"], draw),
        lambda: training_number("hyperparameters.maxTrials", int, ["0", "1", "2", "-1", "10"], draw),
        lambda: training_number(
            "scheduling.maxRunningTime", lambda t: float(t.rstrip("s")), [*DURATIONS, "0s"], draw
        ),
        lambda: training_number(
            "hyperparameters.earlyStopping.auditShare", float, ["0", "0.05", "5e-2", "0.4", "1"], draw
        ),
        lambda: training_enum("scaleTier", [tier.name for tier in ScaleTier], draw),
        lambda: training_enum("hyperparameters.goal", [goal.name for goal in GoalType], draw),
        lambda: training_enum(
            "masterConfig.acceleratorConfig.type", [kind.name for kind in AcceleratorType], draw
        ),
        lambda: training_boolean("enableWebAccess", draw),
        lambda: training_boolean("hyperparameters.enableTrialEarlyStopping", draw),
    ]
    return draw(st.sampled_from(kinds))()


def joined(terms: list[Written], word: str) -> Written:
    texts, meanings = [f"({text})" for text, _ in terms], [meaning for _, meaning in terms]
    every = all if word.strip() in ("AND", "") else any
    return word.join(texts), lambda job: every(meaning(job) for meaning in meanings)


def negated(term: Written, word: str) -> Written:
    return f"{word}({term[0]})", lambda job: not term[1](job)


filters = st.recursive(
    restrictions(),
    lambda inner: st.one_of(
        st.builds(
            joined,
            st.lists(inner, min_size=2, max_size=3),
            st.sampled_from([" AND ", " OR ", " ", "\tAND\n"]),
        ),
        st.builds(negated, inner, st.sampled_from(["NOT ", "-"])),
    ),
    max_leaves=5,
)


def store_jobs(database: Database) -> None:
    with database.write() as session:
        for stored in JOBS:
            job = add_job(session, stored.job_id, training_input=stored.training_input, labels=stored.labels)
            job.state = State(stored.state)
            job.create_time = stored.times["createTime"] or 0.0
            job.start_time, job.end_time = stored.times["startTime"], stored.times["endTime"]


@settings(
    max_examples=150,
    # The examples only read what is stored before the first.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(filters)
def check(database: Database, made: Written) -> None:
    text, meaning = made
    with database.read() as session:
        found = list_jobs(session, "p", 1000, filter_=parse_job_filter(text))
        assert {job.job_id for job in found.jobs} == {job.job_id for job in JOBS if meaning(job)}, text


def test_the_database_finds_what_the_filter_says(database: Database) -> None:
    store_jobs(database)
    check(database)
