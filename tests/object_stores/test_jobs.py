"""Whole jobs whose packages and job dirs are in a store elsewhere, with a real server behind it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.jobs.conftest import Jobs
from tests.object_stores.conftest import Put
from tests.object_stores.servers import FakeGcs, Minio
from tests.running_service import RunningService, wait_until

TRAINER = """
import glob, pathlib, tempfile, time
from tensorboard.summary import Writer

target = sys.argv[sys.argv.index("--job-dir") + 1]
scheme, _, rest = target.partition("://")
bucket, _, prefix = rest.partition("/")

def put(name, content):
    if scheme == "s3":
        from botocore.session import Session
        Session().create_client("s3").put_object(Bucket=bucket, Key=name, Body=content)
    else:
        from google.cloud import storage
        storage.Client().bucket(bucket).blob(name).upload_from_string(content)

folder = tempfile.mkdtemp()
writer = Writer(folder)

def report_events(step):
    writer.add_scalar("score", trial + step / 10, step)
    writer.flush()
    (path,) = glob.glob(folder + "/*")
    put(f"{prefix}/eval/{os.path.basename(path)}", pathlib.Path(path).read_bytes())

report_events(1)
"""
WAITING = """
here = pathlib.Path({folder!r})
while not (here / "goes-on").exists():
    time.sleep(0.02)
report_events(2)
report(3, 0.5, tag="another")
(here / "uploaded").touch()
while not (here / "may-end").exists():
    time.sleep(0.02)
"""


@pytest.fixture
def on_s3(
    minio: Minio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[RunningService, Jobs]]:
    for name, value in minio.environment.items():
        monkeypatch.setenv(name, value)
    with RunningService(tmp_path / "data", slots=4) as service, service.client() as client:
        yield service, Jobs(client, tmp_path)
        assert minio.password not in (service.data_dir / "service.log").read_text()


def staged(jobs: Jobs, put: Put, scheme: str, bucket: str, source: str) -> str:
    package = Path(jobs.package(source))
    put(bucket, f"packages/{package.name}", package.read_bytes())
    package.unlink()
    return f"{scheme}://{bucket}/packages/{package.name}"


def test_a_tuning_job_lives_in_s3_alone(on_s3: tuple[RunningService, Jobs], put_s3: Put) -> None:
    _, jobs = on_s3
    uri = staged(jobs, put_s3, "s3", "alone", TRAINER + "report_events(2)")
    trials = jobs.trials(
        jobs.submit(
            "", {"maxTrials": 2, "maxParallelTrials": 2}, packageUris=[uri], jobDir="s3://alone/runs/"
        )
    )
    assert [trial["state"] for trial in trials] == ["SUCCEEDED", "SUCCEEDED"], trials
    assert {trial["trialId"]: len(trial["allMetrics"]) for trial in trials} == {"1": 2, "2": 2}
    assert trials[0]["finalMetric"] == {"trainingStep": "2", "objectiveValue": pytest.approx(2.2)}


def test_a_package_that_is_not_there_fails_the_job_with_the_stores_reason(
    on_s3: tuple[RunningService, Jobs], put_s3: Put
) -> None:
    _, jobs = on_s3
    put_s3("missing", "something", b"")
    failed = jobs.ended(jobs.submit("", packageUris=["s3://missing/no-such.whl"], jobDir="s3://missing/runs"))
    assert failed["state"] == "FAILED"
    assert "s3://missing/no-such.whl can't be fetched" in failed["errorMessage"]


def test_a_store_that_goes_away_delays_the_end_of_a_trial_and_loses_nothing(
    on_s3: tuple[RunningService, Jobs], minio: Minio, put_s3: Put, tmp_path: Path
) -> None:
    service, jobs = on_s3
    uri = staged(jobs, put_s3, "s3", "fickle", TRAINER + WAITING.format(folder=str(tmp_path)))
    job_id = jobs.submit("", {"maxTrials": 1}, packageUris=[uri], jobDir="s3://fickle/runs")
    # It is seen while it runs.
    jobs.wait(job_id, lambda job: metrics(job) == 1)
    (tmp_path / "goes-on").touch()
    wait_until((tmp_path / "uploaded").exists)
    minio.stop()
    try:
        (tmp_path / "may-end").touch()
        wait_until(lambda: "an object store is away" in (service.data_dir / "service.log").read_text())
        assert jobs.get(job_id)["state"] == "RUNNING"
    finally:
        minio.start()
    (trial,) = jobs.trials(job_id)
    assert trial["state"] == "SUCCEEDED"
    assert [each["trainingStep"] for each in trial["allMetrics"]] == ["1", "2"]
    log = (service.data_dir / "service.log").read_text()
    assert log.count("an object store is away") == 1
    assert "Traceback" not in log


def test_a_job_is_cancelled_while_the_store_is_away(
    on_s3: tuple[RunningService, Jobs], minio: Minio, put_s3: Put, tmp_path: Path
) -> None:
    _, jobs = on_s3
    uri = staged(jobs, put_s3, "s3", "cancelled", TRAINER + WAITING.format(folder=str(tmp_path)))
    job_id = jobs.submit("", {"maxTrials": 1}, packageUris=[uri], jobDir="s3://cancelled/runs")
    (tmp_path / "goes-on").touch()
    wait_until((tmp_path / "uploaded").exists)
    minio.stop()
    try:
        (tmp_path / "may-end").touch()
        jobs.cancel(job_id)
        assert jobs.ended(job_id)["state"] == "CANCELLED"
    finally:
        minio.start()


def metrics(job: dict[str, object]) -> int:
    output = job.get("trainingOutput")
    assert isinstance(output, dict)
    trials = output.get("trials", [])
    return len(trials[0].get("allMetrics", ())) if trials else 0


def test_a_tuning_job_lives_in_google_cloud_storage_alone(
    fake_gcs: FakeGcs, put_gs: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", fake_gcs.address)
    with (
        RunningService(tmp_path / "data", object_store="google", slots=4) as service,
        service.client() as client,
    ):
        jobs = Jobs(client, tmp_path)
        uri = staged(jobs, put_gs, "gs", "alone", TRAINER + "report_events(2)")
        (trial,) = jobs.trials(jobs.submit("", {"maxTrials": 1}, packageUris=[uri], jobDir="gs://alone/runs"))
        assert trial["finalMetric"] == {"trainingStep": "2", "objectiveValue": pytest.approx(1.2)}
