"""The service's disk is full: what can't be written is refused or waits, and goes on when there is room."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.durability.the_job import AT_ONCE, ENDED, STEPS, TheJob
from tests.running_service import RunningService, wait_until
from tests.service.door import error_of
from tests.small_disk import NoSmallDisk, SmallDisk
from tests.trainer_packages import write_trainer

MEGABYTES = 24
OBJECT = "x" * 300_000
ROOM_FOR_ROWS = 4 * 2**20
"""What is left where the database is to go on for a while."""


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDisk]:
    disk = SmallDisk(tmp_path_factory.mktemp("data"), MEGABYTES)
    try:
        disk.__enter__()
    except NoSmallDisk as reason:
        pytest.skip(f"{NoSmallDisk.__doc__} {reason}")
    yield disk
    disk.__exit__(None, None, None)


@pytest.fixture(scope="module")
def http(disk: SmallDisk) -> Iterator[httpx.Client]:
    settings = {"slots": 4, "lease_seconds": 3, "trouble_seconds": 0.5, "stop_grace_seconds": 1}
    with (
        RunningService(disk.folder, within=disk.within, seen_as=disk.mounted_at, **settings) as service,
        service.client() as http,
    ):
        yield http
        assert service.stop() == 0


@pytest.fixture(autouse=True)
def room_again(disk: SmallDisk) -> Iterator[None]:
    yield
    disk.make_room()


def test_a_job_waits_for_room_and_goes_on(disk: SmallDisk, http: httpx.Client, tmp_path: Path) -> None:
    job = TheJob(http, tmp_path, "patient")
    job.submit(hold_at=STEPS)
    job.reach_the_middle()
    disk.fill()
    job.go_on()
    # They end, and there is no room to say how.
    wait_until(lambda: sum(note["what"] == "end" for note in job.notes()) == AT_ONCE)
    assert job.get()["state"] == "RUNNING"
    disk.fill()
    disk.make_room()
    job.ends_as_ever()


def test_a_job_whose_packages_find_no_room_waits_for_it(
    disk: SmallDisk, http: httpx.Client, tmp_path: Path
) -> None:
    job = TheJob(http, tmp_path, "unprepared")
    disk.fill(but_for=ROOM_FOR_ROWS)
    job.submit(package_bytes=2 * ROOM_FOR_ROWS)
    wait_until(lambda: "The packages find no room" in (disk.folder / "service.log").read_text())
    assert job.get()["state"] == "PREPARING"
    disk.make_room()
    job.ends_as_ever()


def test_what_there_is_no_room_for_is_refused_whole(
    disk: SmallDisk, http: httpx.Client, tmp_path: Path
) -> None:
    package = write_trainer(tmp_path / "package", "")
    upload = "/upload/storage/v1/b/bucket/o?uploadType=media&name="
    address = str(http.base_url).partition("/v1/")[0]

    def submit(number: int) -> httpx.Response:
        training = {"packageUris": [package], "pythonModule": "trainer.task", "args": ["x" * 100_000]}
        return http.post("/jobs", json={"jobId": f"large_{number}", "trainingInput": training})

    assert http.post(f"{address}{upload}before", content=OBJECT).status_code == 200
    disk.fill()
    # SQLite goes on for as long as it finds room in its own files.
    answers = [submit(0)]
    while answers[-1].status_code == 200:
        answers.append(submit(len(answers)))
    error_of(answers[-1], 503, "UNAVAILABLE")
    for name in ("after", "before"):
        refusal = error_of(http.post(f"{address}{upload}{name}", content=OBJECT + "y"), 503, "UNAVAILABLE")
        assert "full" in refusal["message"]
    disk.make_room()
    last = len(answers) - 1
    assert http.get(f"/jobs/large_{last}").status_code == 404
    assert submit(last).status_code == 200
    assert http.get(f"{address}/storage/v1/b/bucket/o/after").status_code == 404
    assert http.get(f"{address}/storage/v1/b/bucket/o/before?alt=media").text == OBJECT
    assert http.post(f"{address}{upload}after", content=OBJECT).status_code == 200
    for number in range(last + 1):
        wait_until(lambda number=number: http.get(f"/jobs/large_{number}").json()["state"] in ENDED)
