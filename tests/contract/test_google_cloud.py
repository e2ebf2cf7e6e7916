"""Google's own libraries for logs and objects, unmodified, beside the one for jobs."""

import google.cloud.logging as cloud_logging
import httpx
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage  # type: ignore[attr-defined]

from tests.contract.conftest import Lab


def test_google_cloud_logging_reads_a_jobs_log_page_by_page(lab: Lab) -> None:
    lab.submit(lab.body("failing", "--fail"))
    lab.ended("failing")
    logs = cloud_logging.Client(  # type: ignore[no-untyped-call]
        project=lab.project,
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        _use_grpc=False,
        client_options={"api_endpoint": lab.service.address},
    )
    entries = logs.list_entries(  # type: ignore[no-untyped-call]
        filter_='resource.labels.job_id="failing"', order_by=cloud_logging.ASCENDING, page_size=2
    )
    told = [
        (entry.severity, entry.resource.labels["task_name"], entry.payload["message"]) for entry in entries
    ]
    logs._connection.http.close()
    assert told.count(("INFO", "master-replica-0", "x is 0.5, ")) == 1
    assert told.index(("INFO", "service", "Job failing is queued.")) < told.index(
        ("INFO", "master-replica-0", "x is 0.5, ")
    )
    (traceback,) = [each for each in told if each[:2] == ("ERROR", "master-replica-0")]
    assert traceback[2].startswith("Traceback (most recent call last):")
    assert traceback[2].endswith("RuntimeError: no convergence")


def test_google_cloud_storage_brings_a_package_and_fetches_what_trials_wrote(lab: Lab) -> None:
    objects = storage.Client(
        project=lab.project,
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        client_options={"api_endpoint": lab.service.address},
    )
    bucket = objects.create_bucket(f"{lab.project}-bucket")
    archive = bucket.blob(f"packages/{lab.package.rpartition('/')[2]}")
    archive.upload_from_filename(lab.package)
    body = lab.tuning("in_the_cloud", "--report=events", "--reports=2", maxTrials=1)
    body["trainingInput"] |= {
        "packageUris": [f"gs://{bucket.name}/{archive.name}"],
        "jobDir": f"gs://{bucket.name}/runs",
    }
    lab.submit(body)
    (trial,) = lab.trials("in_the_cloud")
    assert trial["finalMetric"]["trainingStep"] == "2"
    (events,) = objects.list_blobs(bucket, prefix="runs/1/eval/")
    assert len(events.download_as_bytes()) == events.size > 0
    assert (
        httpx.get(f"{lab.url}/in_the_cloud").json()["trainingInput"]["jobDir"] == f"gs://{bucket.name}/runs"
    )
    objects.close()  # type: ignore[no-untyped-call]
