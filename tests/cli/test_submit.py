"""`vernier jobs submit training` as its user sees it."""

from pathlib import Path

import pytest
import yaml

from client.jobs import VernierClient
from tests.cli.conftest import Run
from tests.cli.jobs_for_show import trial, tuning_job
from tests.client.fake_service import FakeService

SUBMIT = ("jobs", "submit", "training", "census_1")
IMAGE = ("--master-image-uri", "example/trainer")


def posted(service: FakeService) -> dict[str, object]:
    (body,) = (body for method, _, _, body in service.requests if method == "POST")
    return dict(body)


def test_the_job_is_posted_and_told_as_gcloud_tells_it(service: FakeService, vernier: Run) -> None:
    result = vernier(*SUBMIT, *IMAGE, "--labels", "owner=ana", "--async")

    assert result.exit_code == 0
    assert posted(service) == {
        "jobId": "census_1",
        "labels": {"owner": "ana"},
        "trainingInput": {"masterConfig": {"imageUri": "example/trainer"}},
    }
    assert yaml.safe_load(result.stdout) == {"jobId": "census_1", "state": "QUEUED"}
    assert result.stderr.startswith("Job [census_1] submitted successfully.\n")
    assert "  $ vernier jobs describe census_1\n" in result.stderr


def test_the_hint_repeats_the_flags_that_were_given(service: FakeService, vernier: Run) -> None:
    result = vernier(*SUBMIT, *IMAGE, "--project", "team", "--api", service.address)

    assert f"$ vernier jobs describe census_1 --project team --api {service.address}\n" in result.stderr
    assert ("team", "census_1") in service.jobs


def test_words_after_the_separator_go_to_the_trainer(service: FakeService, vernier: Run) -> None:
    vernier(*SUBMIT, *IMAGE, "--", "--epochs=3", "--project", "x", "--", "-h")

    assert posted(service)["trainingInput"]["args"] == ["--epochs=3", "--project", "x", "--", "-h"]  # type: ignore[index]


def test_the_file_is_merged_with_the_flags(service: FakeService, vernier: Run, tmp_path: Path) -> None:
    config = tmp_path / "job.yaml"
    config.write_text(
        "trainingInput:\n"
        "  region: us-east1\n"
        "  pythonModule: trainer.task\n"
        "  packageUris: [gs://b/trainer.whl]\n"
        "  hyperparameters: {params: [{parameterName: lr, minValue: 1e-4}]}\n"
    )
    vernier(*SUBMIT, "--config", str(config), "--region", "us-west1")

    assert posted(service)["trainingInput"] == {
        "region": "us-west1",
        "pythonModule": "trainer.task",
        "packageUris": ["gs://b/trainer.whl"],
        "hyperparameters": {"params": [{"parameterName": "lr", "minValue": 0.0001}]},
    }


def test_gclouds_environment_is_heard(
    service: FakeService, vernier: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDSDK_CORE_PROJECT", "team")
    monkeypatch.setenv("CLOUDSDK_COMPUTE_REGION", "us-west1")
    vernier(*SUBMIT, *IMAGE)
    assert service.jobs["team", "census_1"]["trainingInput"]["region"] == "us-west1"

    monkeypatch.setenv("VERNIER_PROJECT", "mine")
    vernier(*SUBMIT, *IMAGE)
    assert ("mine", "census_1") in service.jobs


def test_a_package_folder_is_built_and_staged(
    service: FakeService, vernier: Run, package: Path, tmp_path: Path
) -> None:
    words = (*SUBMIT, "--package-path", str(package), "--module-name", "trainer.task")
    assert vernier(*words).exit_code == 0

    (staged,) = posted(service)["trainingInput"]["packageUris"]  # type: ignore[index]
    folder = Path(staged).parent.parent
    assert folder == tmp_path / "data" / "vernier" / "staging" / "census_1"
    assert Path(staged).name.startswith("trainer-0.0.0+")
    assert Path(staged).stat().st_mode & 0o777 == 0o644


def test_local_packages_are_copied_and_others_left_where_they_are(
    service: FakeService, vernier: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.tar.gz").write_bytes(b"first")
    (tmp_path / "b.whl").write_bytes(b"second")
    monkeypatch.chdir(tmp_path)
    packages = f"a.tar.gz,gs://b/c.whl,{(tmp_path / 'b.whl').as_uri()}"

    vernier(*SUBMIT, "--packages", packages, "--staging-bucket", "staging", "--job-dir", "runs/x")

    training = posted(service)["trainingInput"]
    assert training["jobDir"] == str(tmp_path / "runs" / "x")  # type: ignore[index]
    first, second, third = training["packageUris"]  # type: ignore[index]
    assert second == "gs://b/c.whl"
    (tmp_path / "a.tar.gz").write_bytes(b"changed while the job runs")
    assert Path(first).read_bytes() == b"first"
    assert Path(third).read_bytes() == b"second"
    assert Path(first).is_relative_to(tmp_path / "staging" / "census_1")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((*IMAGE, "--stream-logs", "--watch"), "exclude each other"),
        ((*IMAGE, "--stream-logs", "--async"), "exclude each other"),
        ((*IMAGE, "--watch", "--async"), "exclude each other"),
        ((), "there is nothing to run"),
        (("--packages", "missing.whl"), "missing.whl: No such file"),
        (("--packages", str(Path(__file__).parent)), "is a folder; name an archive, or give --package-path"),
        (("--packages", "file://host/a.whl"), "file:///"),
        (("--packages", "x.whl", "--staging-bucket", "gs://B"), "gs://B must name a bucket with lower-case"),
        (("--packages", "x.whl", "--staging-bucket", "s3://bucket"), "neither gs:// nor a folder"),
        (("--packages", "x.whl", "--job-dir", "gs://UP/run"), "--job-dir: gs://UP/run must name a bucket"),
        (("--packages", "x.whl", "--staging-bucket", "gs://bucket"), "x.whl: No such file"),
        (("--package-path", "missing"), "there is no folder"),
        ((*IMAGE, "--config", "missing.yaml"), "cannot read missing.yaml"),
    ],
)
def test_what_is_refused_here_exits_with_2_and_sends_nothing(
    service: FakeService, vernier: Run, words: tuple[str, ...], says: str
) -> None:
    result = vernier(*SUBMIT, *words)

    assert result.exit_code == 2
    assert result.stderr.startswith("ERROR: (vernier.jobs.submit.training) ")
    assert says in result.stderr
    assert service.requests == []


@pytest.mark.parametrize(
    "words",
    [(*IMAGE, "stray"), ("--no-such-flag",), ("--worker-count", "many"), ("--format", "xml")],
)
def test_a_wrong_command_line_exits_with_2(
    service: FakeService, vernier: Run, words: tuple[str, ...]
) -> None:
    result = vernier(*SUBMIT, *words)

    assert result.exit_code == 2
    assert "Usage: vernier jobs submit training" in result.stderr
    assert service.requests == []


@pytest.mark.parametrize("job_id", ["../up", "a/b", "", "1a", "a b"])
def test_no_folder_is_made_for_what_is_no_job_id(
    service: FakeService, vernier: Run, tmp_path: Path, job_id: str
) -> None:
    archive = tmp_path / "a.whl"
    archive.write_bytes(b"")

    assert vernier("jobs", "submit", "training", job_id, "--packages", str(archive)).exit_code == 2
    assert sorted(tmp_path.iterdir()) == [archive]


def test_a_refusal_of_the_service_is_shown_with_its_fields(vernier: Run) -> None:
    result = vernier(*SUBMIT, *IMAGE, "--region", "mars-1")

    assert result.exit_code == 1
    assert result.stdout == ""
    head, details = result.stderr.split("\n", 1)
    assert head == (
        "ERROR: (vernier.jobs.submit.training) INVALID_ARGUMENT: Field: region Error: "
        "The provided GCE region 'mars-1' is not available."
    )
    assert yaml.safe_load(details)[0]["fieldViolations"][0]["field"] == "region"


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = VernierClient.__init__
    monkeypatch.setattr(
        VernierClient, "__init__", lambda self, *args: plain(self, *args, sleep=lambda seconds: None)
    )


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize(("state", "code"), [("SUCCEEDED", 0), ("FAILED", 1), ("CANCELLED", 1)])
def test_watch_follows_the_job_and_tells_how_it_ended(
    service: FakeService, vernier: Run, state: str, code: int
) -> None:
    end = "2020-03-02T10:09:00Z"
    service.stories["census_1"] = [
        tuning_job(jobId="census_1"),
        tuning_job(trial(1, "SUCCEEDED", 0.9), jobId="census_1"),
        tuning_job(trial(1, "SUCCEEDED", 0.9), jobId="census_1", state=state, endTime=end),
    ]
    result = vernier(*SUBMIT, *IMAGE, "--watch")

    assert result.exit_code == code
    assert yaml.safe_load(result.stdout)["state"] == state
    assert "trial 1 SUCCEEDED  0.9 at step 1000 (best so far)" in result.stderr
    assert f"job census_1 {state} after 9m 00s" in result.stderr
