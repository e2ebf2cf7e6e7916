"""Jobs whose packages and job dirs are objects of the service's own store: no cloud, no local path."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.jobs.conftest import Jobs
from tests.running_service import RunningService

TRAINER = """
import pathlib
folder = pathlib.Path(sys.argv[sys.argv.index("--job-dir") + 1])
from tensorboard.summary import Writer
writer = Writer(str(folder / "eval"))
writer.add_scalar("score", float(flags.get("x", 0)), 7)
writer.flush()
writer.close()
(folder / "seen.json").write_text(json.dumps({
    "argv": sys.argv[1:],
    "tf": json.loads(os.environ["TF_CONFIG"])["job"]["job_dir"],
    "job": json.loads(os.environ["CLOUD_ML_JOB"])["job_dir"],
}))
"""


@pytest.fixture
def storage(service: RunningService) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.address, timeout=30, trust_env=False) as client:
        yield client


def staged(storage: httpx.Client, package: str, bucket: str, folder: str = "packages") -> str:
    name = f"{folder}/{Path(package).name}"
    answer = storage.post(
        f"/upload/storage/v1/b/{bucket}/o",
        params={"uploadType": "media", "name": name},
        content=Path(package).read_bytes(),
    )
    assert answer.status_code == 200, answer.text
    assert int(answer.json()["size"]) == Path(package).stat().st_size
    return f"gs://{bucket}/{name}"


def test_a_tuning_job_lives_in_the_object_store_alone(
    jobs: Jobs, service: RunningService, storage: httpx.Client
) -> None:
    package = jobs.package(TRAINER)
    uri = staged(storage, package, "census-jobs")
    shutil.rmtree(Path(package).parent)

    job_id = jobs.submit(
        "",
        {"maxTrials": 2, "maxParallelTrials": 2},
        packageUris=[uri],
        jobDir="gs://census-jobs/runs/first/",
    )
    trials = jobs.trials(job_id)

    assert [trial["state"] for trial in trials] == ["SUCCEEDED", "SUCCEEDED"]
    for trial in trials:
        assert trial["finalMetric"]["trainingStep"] == "7"
    job = jobs.get(job_id)
    assert job["trainingInput"]["jobDir"] == "gs://census-jobs/runs/first/"
    assert job["trainingInput"]["packageUris"] == [uri]
    # The trainer got the directory behind it, in all three places the same; a client gets objects.
    behind = service.data_dir / "objects" / "census-jobs" / "runs" / "first" / "2"
    seen = storage.get(
        "/storage/v1/b/census-jobs/o/runs%2Ffirst%2F2%2Fseen.json", params={"alt": "media"}
    ).json()
    assert seen["argv"][-2:] == ["--job-dir", str(behind)]
    assert seen["tf"] == seen["job"] == str(behind)
    listed = storage.get("/storage/v1/b/census-jobs/o", params={"prefix": "runs/first/1/eval/"}).json()
    assert "tfevents" in listed["items"][0]["name"]


def test_the_bucket_of_a_job_dir_belongs_to_the_jobs_project(jobs: Jobs, storage: httpx.Client) -> None:
    uri = staged(storage, jobs.package("pass"), "packages-only")
    job_id = jobs.submit("", packageUris=[uri], jobDir="gs://made-by-a-job")
    project = str(jobs.client.base_url).rstrip("/").rsplit("/", 1)[-1]

    def names(of: str) -> list[str]:
        return [each["name"] for each in storage.get("/b", params={"project": of}).json()["items"]]

    assert "made-by-a-job" in names(project)
    assert "made-by-a-job" not in names("somebody-else")
    assert jobs.ended(job_id)["state"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("gs://refused/no-such.whl", "'gs://refused/no-such.whl' does not exist."),
        ("gs://no-such-bucket/a.whl", "does not exist."),
        ("gs://refused", "names a bucket, not an object in it."),
        ("gs://refused/", "names a bucket, not an object in it."),
        ("gs://refused/../refused/a.whl", "must not have empty segments, '.' or '..'"),
        ("gs://refused//a.whl", "must not have empty segments"),
        ("gs://UPPER/a.whl", "must name a bucket"),
        ("gs://", "must name a bucket"),
        ("gs:///etc/passwd", "must name a bucket"),
        (f"gs://refused/{'a' * 300}.whl", "255 bytes"),
        ("GS://refused/no-such.whl", "does not exist."),
    ],
)
def test_a_package_that_is_no_object_is_refused_by_its_place_in_the_list(
    jobs: Jobs, storage: httpx.Client, uri: str, said: str
) -> None:
    storage.post("/b", params={"project": "p"}, json={"name": "refused"})
    (violation,) = refusal(jobs, packageUris=[uri])
    assert violation["field"] == "package_uris[0]"
    assert said in violation["description"]
    assert violation["description"].endswith(".")


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("gs://job-dirs/../x", "must not have empty segments, '.' or '..'"),
        ("gs://job-dirs/an-object", "is an object, or below one"),
        ("gs://job-dirs/an-object/deep/er", "is an object, or below one"),
        ("gs://job-dirs/linked/out", "has a symbolic link on its way"),
        ("gs://.", "must name a bucket"),
    ],
)
def test_a_job_dir_where_no_trial_could_write_is_refused(
    jobs: Jobs, service: RunningService, storage: httpx.Client, uri: str, said: str
) -> None:
    package = staged(storage, jobs.package("pass"), "job-dirs")
    storage.post("/upload/storage/v1/b/job-dirs/o", params={"name": "an-object"}, content=b"x")
    link = service.data_dir / "objects" / "job-dirs" / "linked"
    if not link.is_symlink():
        link.symlink_to("/tmp")
    (violation,) = refusal(jobs, packageUris=[package], jobDir=uri)
    assert violation["field"] == "job_dir"
    assert said in violation["description"]


def refusal(jobs: Jobs, **training: object) -> list[dict[str, str]]:
    body = {"jobId": "refused", "trainingInput": {"pythonModule": "trainer.task", **training}}
    answer = jobs.client.post("/jobs", content=json.dumps(body), headers={"content-type": "application/json"})
    assert answer.status_code == 400, answer.text
    violations: list[dict[str, str]] = answer.json()["error"]["details"][0]["fieldViolations"]
    return violations


def test_a_link_is_no_package_wherever_it_leads(
    jobs: Jobs, storage: httpx.Client, service: RunningService
) -> None:
    uri = staged(storage, jobs.package("pass"), "short-lived")
    path = service.data_dir / "objects" / "short-lived" / uri.removeprefix("gs://short-lived/")
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))
    (violation,) = refusal(jobs, packageUris=[uri])
    assert violation["description"] == f"'{uri}' does not exist."


UPLOADING = """
import glob, pathlib, tempfile
from google.cloud import storage
from tensorboard.summary import Writer

target = sys.argv[sys.argv.index("--job-dir") + 1]
assert target.startswith("gs://"), target
bucket, _, prefix = target[5:].partition("/")
store = storage.Client().bucket(bucket)
folder = tempfile.mkdtemp()
writer = Writer(folder)

def upload(step):
    writer.add_scalar("score", trial + step / 10, step)
    writer.flush()
    (path,) = glob.glob(folder + "/*")
    store.blob(f"{prefix}/eval/{os.path.basename(path)}").upload_from_filename(path)

upload(1)
upload(2)
"""


def test_with_google_the_uri_goes_to_the_trainer_and_its_events_come_back(
    service: RunningService, storage: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Another service plays Google: the library is told where that is by a variable of its own.
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", service.address)
    with (
        RunningService(tmp_path / "data", object_store="google", slots=4) as elsewhere,
        elsewhere.client() as client,
    ):
        jobs = Jobs(client, tmp_path)
        package = jobs.package(UPLOADING)
        uri = staged(storage, package, "the-cloud")
        refused = httpx.get(f"{elsewhere.address}/storage/v1/b/the-cloud", trust_env=False)
        assert refused.status_code == 501
        assert "Google Cloud Storage" in refused.json()["error"]["message"]

        job_id = jobs.submit(
            "", {"maxTrials": 2, "maxParallelTrials": 2}, packageUris=[uri], jobDir="gs://the-cloud/runs"
        )
        missing = jobs.submit("", packageUris=["gs://the-cloud/no-such.whl"], jobDir="gs://the-cloud/runs")
        trials = jobs.trials(job_id)
        assert [trial["state"] for trial in trials] == ["SUCCEEDED", "SUCCEEDED"], trials
        assert {trial["trialId"]: len(trial["allMetrics"]) for trial in trials} == {"1": 2, "2": 2}
        assert trials[0]["finalMetric"] == {"trainingStep": "2", "objectiveValue": pytest.approx(2.2)}

        failed = jobs.ended(missing)
        assert failed["state"] == "FAILED"
        assert "gs://the-cloud/no-such.whl can't be read" in failed["errorMessage"]


@pytest.mark.parametrize(
    ("flags", "staged_in"),
    [
        (["--staging-bucket", "gs://staged-here/"], "gs://staged-here/{job}/"),
        (["--job-dir", "gs://by-job-dir/runs/{job}"], "gs://by-job-dir/runs/{job}/packages/"),
    ],
)
def test_the_command_stages_packages_in_the_object_store(
    jobs: Jobs, service: RunningService, tmp_path: Path, flags: list[str], staged_in: str
) -> None:
    (tmp_path / "trainer").mkdir()
    (tmp_path / "trainer" / "__init__.py").touch()
    (tmp_path / "trainer" / "task.py").write_text("print('hello')")
    job_id = f"cli_{abs(hash(staged_in)) % 10**9}"
    project = str(jobs.client.base_url).rstrip("/").rsplit("/", 1)[-1]
    command = [sys.executable, "-m", "cli.main", "jobs", "submit", "training", job_id]
    command += ["--package-path", str(tmp_path / "trainer"), "--module-name", "trainer.task"]
    command += ["--api", service.address, "--project", project, *(flag.format(job=job_id) for flag in flags)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    job = jobs.ended(job_id)
    assert job["state"] == "SUCCEEDED", job
    (uri,) = job["trainingInput"]["packageUris"]
    assert uri.startswith(staged_in.format(job=job_id))


def test_the_command_tells_what_the_object_store_refuses(service: RunningService, tmp_path: Path) -> None:
    archive = tmp_path / ("a" * 240 + ".tar.gz")
    archive.write_bytes(b"x")
    long = "x" * 300
    command = [sys.executable, "-m", "cli.main", "jobs", "submit", "training", "refused", "--api"]
    command += [service.address, "--packages", str(archive), "--module-name", "m"]
    ran = subprocess.run(
        [*command, "--staging-bucket", f"gs://staged-here/{long}"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 1
    assert "INVALID_ARGUMENT: An object's name must not have more than 255 bytes" in ran.stderr
