"""`vernier jobs describe`, `list`, `cancel` and `update` as their user sees them."""

import io
import json

import pytest
import yaml
from rich.console import Console

from cli.job_view import JobView
from cli.tables import TrialsTable, job_summary
from tests.cli.conftest import Run
from tests.cli.jobs_for_show import curve, trial, tuning_job
from tests.client.fake_service import FakeService

JOB = tuning_job(
    trial(3, "SUCCEEDED", 0.9731),
    trial(1, "SUCCEEDED", 0.91),
    trial(2, "SUCCEEDED", 0.2, isTrialStoppedEarly=True),
    trial(4, "FAILED"),
    trial(5, "RUNNING", allMetrics=curve(0.1, 0.375)),
)


@pytest.fixture
def described(service: FakeService) -> FakeService:
    service.add(**JOB)
    return service


@pytest.mark.usefixtures("described")
def test_describe_prints_the_whole_job_as_sorted_yaml(vernier: Run) -> None:
    result = vernier("jobs", "describe", "census_hp_1")

    assert result.exit_code == 0
    shown = yaml.safe_load(result.stdout)
    assert shown == JOB
    assert list(shown) == sorted(shown)


@pytest.mark.usefixtures("described")
def test_describe_prints_json(vernier: Run) -> None:
    assert json.loads(vernier("jobs", "describe", "census_hp_1", "--format", "json").stdout) == JOB


@pytest.mark.usefixtures("described")
@pytest.mark.parametrize("words", [("--summarize",), ("--format", "human")])
def test_a_summary_shows_the_trials_best_first(vernier: Run, words: tuple[str, ...]) -> None:
    lines = vernier("jobs", "describe", "census_hp_1", *words).stdout.splitlines()

    assert "best      0.9731 accuracy at step 1000, trial 3   lr=0.0316228  opt=adam" in [
        line.rstrip() for line in lines
    ]
    header = next(index for index, line in enumerate(lines) if "TRIAL" in line)
    assert lines[header].split() == ["TRIAL", "STATE", "OBJECTIVE", "STEP", "lr", "opt"]
    assert [line.split() for line in lines[header + 2 : header + 7]] == [
        ["3", "SUCCEEDED", "0.9731", "1000", "0.0316228", "adam"],
        ["1", "SUCCEEDED", "0.91", "1000", "0.0116228", "adam"],
        ["2", "STOPPED", "EARLY", "0.2", "1000", "0.0216228", "adam"],
        ["4", "FAILED", "–", "–", "0.0416228", "adam"],
        ["5", "RUNNING", "0.375", "–", "0.0516228", "adam"],
    ]


def test_a_summary_in_a_pipe_has_no_padding(service: FakeService, vernier: Run) -> None:
    service.add(**tuning_job(trial(1, "SUCCEEDED", 0.9), trial(2, "FAILED", errorMessage="why")))
    lines = vernier("jobs", "describe", "census_hp_1", "--summarize").stdout.splitlines()

    assert [line for line in lines if line != line.rstrip()] == []
    blank = [index for index, line in enumerate(lines) if not line]
    assert [lines[index + 1].split()[0] for index in blank] == ["TRIAL", "trial"]
    assert lines[blank[0] + 1].startswith("TRIAL")


@pytest.mark.parametrize(
    ("width", "names", "row"),
    [
        (72, ["hidden-units", "learning-rate", "activation"], ["104", "0.0124862", "tanh"]),
        (71, ["units", "rate", "activation"], ["104", "0.0124862", "tanh"]),
        (50, ["HYPERPARAMETERS"], ["hidden-units=104"]),
    ],
)
def test_a_narrow_terminal_splits_no_value(width: int, names: list[str], row: list[str]) -> None:
    values = {"hidden-units": "104", "learning-rate": "0.0124862", "activation": "tanh"}
    job = tuning_job(*(trial(number, "RUNNING", hyperparameters=values) for number in (1, 2)))
    job["trainingInput"]["hyperparameters"]["params"] = []  # type: ignore[index]
    console = Console(file=io.StringIO(), width=width)
    console.print(TrialsTable(JobView.of(job)))  # type: ignore[arg-type]
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]

    assert max(map(len, lines)) <= width
    header = next(line for line in lines if line.startswith("TRIAL"))
    assert header.split()[4:] == names
    assert next(line for line in lines if line.startswith("    1")).split()[4:] == row


def test_a_summary_shows_why_a_job_failed_and_how_long_it_took(service: FakeService, vernier: Run) -> None:
    service.add("j", state="FAILED", errorMessage="The [red] replica died.", endTime="2020-03-02T11:02:00Z")
    shown = vernier("jobs", "describe", "j", "--summarize").stdout

    assert "The [red] replica died." in shown
    assert "1h 02m" in shown


def test_many_hyperparameters_share_a_column(service: FakeService, vernier: Run) -> None:
    names = [f"parameter_{number}" for number in range(9)]
    job = tuning_job(trial(1, "RUNNING", hyperparameters=dict.fromkeys(names, "7")))
    service.add(**{**job, "jobId": "j", "trainingInput": {"hyperparameters": {}}})

    shown = vernier("jobs", "describe", "j", "--format", "table").stdout
    assert "HYPERPARAMETERS" in shown
    assert "parameter_0=7  parameter_1=7" in shown


def test_describe_of_an_unknown_job_exits_with_1(vernier: Run) -> None:
    result = vernier("jobs", "describe", "missing")

    assert result.exit_code == 1
    assert result.stderr.startswith("ERROR: (vernier.jobs.describe) NOT_FOUND: ")


def test_list_prints_a_table_of_all_pages(service: FakeService, vernier: Run) -> None:
    for number in range(150):
        service.add(f"job_{number}", state="SUCCEEDED")
    lines = vernier("jobs", "list").stdout.splitlines()

    assert lines[0].split() == ["JOB_ID", "STATUS", "CREATED"]
    assert len(lines) == 151
    assert lines[150].split()[:2] == ["job_149", "SUCCEEDED"]
    assert lines[150].split()[2].startswith("2020-03-0")


def test_an_empty_list_says_so_on_stderr(vernier: Run) -> None:
    result = vernier("jobs", "list")

    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "Listed 0 items.\n")


def test_an_empty_list_as_json_is_json(vernier: Run) -> None:
    assert vernier("jobs", "list", "--format", "json").stdout == "[]\n"


def ids(vernier: Run, *words: str) -> list[str]:
    result = vernier("jobs", "list", "--format", "yaml", *words)
    return [job["jobId"] for job in yaml.safe_load(result.stdout)]


@pytest.fixture
def three(service: FakeService) -> FakeService:
    service.add("rnn_2", state="FAILED", createTime="2020-03-03T10:00:00Z", labels={"owner": "ana"})
    service.add("census_1", state="RUNNING", createTime="2020-03-02T10:00:00Z")
    service.add("rnn_1", state="SUCCEEDED", createTime="2020-03-01T10:00:00Z", labels={"owner": "bo b"})
    return service


def test_a_filter_is_for_the_service_to_apply_on_every_page(service: FakeService, vernier: Run) -> None:
    for number in range(150):
        service.add(f"rnn_{number}")
    expression = "jobId:rnn* AND NOT (state = FAILED OR labels.owner:*)"

    assert len(ids(vernier, "--filter", expression)) == 150
    assert [query.get("filter") for _, _, query, _ in service.requests] == [expression] * 2


def test_a_list_without_a_filter_asks_for_none(service: FakeService, vernier: Run) -> None:
    vernier("jobs", "list", "--filter", "")
    vernier("jobs", "list")

    assert ["filter" in query for _, _, query, _ in service.requests] == [False, False]


@pytest.mark.usefixtures("three")
def test_a_list_is_sorted_before_it_is_cut(vernier: Run) -> None:
    assert ids(vernier, "--limit", "2") == ["rnn_2", "census_1"]
    assert ids(vernier, "--sort-by", "jobId", "--limit", "2") == ["census_1", "rnn_1"]
    assert ids(vernier, "--sort-by", "~jobId", "--limit", "2") == ["rnn_2", "rnn_1"]


@pytest.mark.usefixtures("three")
def test_a_list_is_sorted_by_several_fields(vernier: Run, service: FakeService) -> None:
    service.add("lstm_1", state="FAILED", labels={"owner": "ana"})
    assert ids(vernier, "--sort-by", "state,~jobId") == ["rnn_2", "lstm_1", "census_1", "rnn_1"]


def test_numbers_are_sorted_as_numbers_and_what_is_absent_comes_first(
    service: FakeService, vernier: Run
) -> None:
    for name, output in {"nine": {"completedTrialCount": "9"}, "ten": {"completedTrialCount": "10"}}.items():
        service.add(name, trainingOutput=output)
    service.add("none")
    by = "trainingOutput.completedTrialCount"
    assert ids(vernier, "--sort-by", by) == ["none", "nine", "ten"]
    assert ids(vernier, "--sort-by", f"~{by}") == ["ten", "nine", "none"]


@pytest.mark.usefixtures("three")
def test_sorting_by_what_no_job_has_is_told(vernier: Run) -> None:
    result = vernier("jobs", "list", "--sort-by", "labels.owner,nosuch,~state.x")

    assert result.exit_code == 0
    assert result.stdout.splitlines()[1].split()[0] == "census_1"
    assert result.stderr == (
        "WARNING: The following sort keys were not present in any resource : nosuch, state.x\n"
    )


def test_a_limit_is_all_that_is_asked_for_of_an_unsorted_list(service: FakeService, vernier: Run) -> None:
    vernier("jobs", "list", "--limit", "3")
    assert service.requests[0][2]["pageSize"] == "3"


def test_a_limit_asks_for_no_more_pages_than_it_needs(service: FakeService, vernier: Run) -> None:
    for number in range(150):
        service.add(f"job_{number}")

    assert len(ids(vernier, "--limit", "5")) == 5
    assert len(service.requests) == 1


def test_cancel_prints_nothing(service: FakeService, vernier: Run) -> None:
    service.add("j", state="RUNNING")
    result = vernier("jobs", "cancel", "j")

    assert (result.exit_code, result.output) == (0, "")
    assert service.jobs["local", "j"]["state"] == "CANCELLING"


def test_cancel_of_an_unknown_job_exits_with_1(vernier: Run) -> None:
    result = vernier("jobs", "cancel", "j")

    assert result.exit_code == 1
    assert "(vernier.jobs.cancel) NOT_FOUND" in result.stderr


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (["--update-labels", "team=x,spot="], {"owner": "ana", "team": "x", "spot": ""}),
        (["--remove-labels", "owner, nobody"], {}),
        (["--update-labels", "team=x", "--remove-labels", "owner"], {"team": "x"}),
        (["--clear-labels"], {}),
        (["--clear-labels", "--update-labels", "team=x"], {"team": "x"}),
    ],
)
def test_update_changes_labels(
    service: FakeService, vernier: Run, words: list[str], left: dict[str, str]
) -> None:
    service.add("j", labels={"owner": "ana"})
    result = vernier("jobs", "update", "j", *words)

    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "Updated job [j].\n")
    assert service.jobs["local", "j"]["labels"] == left


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give one of --update-labels"),
        (["--clear-labels", "--remove-labels", "a"], "leave --remove-labels out"),
        (["--update-labels", "owner"], "--update-labels: 'owner' is no KEY=VALUE"),
        (["--update-labels", "a=1,a=2"], "--update-labels: 'a' is there twice"),
    ],
)
def test_an_update_that_says_nothing_sensible_is_not_sent(
    service: FakeService, vernier: Run, words: list[str], said: str
) -> None:
    result = vernier("jobs", "update", "j", *words)

    assert result.exit_code == 2
    assert said in result.stderr
    assert service.requests == []


def test_update_of_an_unknown_job_exits_with_1(vernier: Run) -> None:
    result = vernier("jobs", "update", "j", "--clear-labels")

    assert result.exit_code == 1
    assert "(vernier.jobs.update) NOT_FOUND" in result.stderr


def test_what_early_stopping_did_is_told_once_the_job_has_ended() -> None:
    job = tuning_job(trial(1, "SUCCEEDED", 0.9), state="SUCCEEDED")
    assert JobView.of(job).stopping == ""  # type: ignore[arg-type]
    report = {"stoppedTrialCount": 4, "savedStepShare": 0.3333}
    job["trainingOutput"]["earlyStopping"] = report
    assert JobView.of(job).stopping == "4 stopped, 33% of the steps saved"  # type: ignore[arg-type]
    report |= {"keptTrialCount": 2, "wrongStopCount": 1}
    console = Console(file=io.StringIO(), width=120)
    console.print(job_summary(JobView.of(job), now=0.0))  # type: ignore[arg-type]
    assert "saved; 1 of 2 that were kept running became the best" in console.file.getvalue()  # type: ignore[attr-defined]
