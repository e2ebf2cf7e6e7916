"""What of an ended job's folder goes, and that nothing outside it does."""

from pathlib import Path

from worker.launchers.leftovers import discard

WORK = "work"
"""A replica's working directory."""
FILES = (
    "env/bin/python",
    "packages/0/a.whl",
    "install/status",
    "trials/1/1/stdout.log",
    "trials/1/1/stderr.log",
    "trials/1/1/status",
    f"trials/1/1/{WORK}/model",
    "trials/1/1/hypertune/output.metrics",
    "trials/1/1/replicas/worker-replica-0/stdout.log",
    f"trials/1/1/replicas/worker-replica-0/{WORK}/data",
    "trials/2/3/mirror/files/events",
)
KEPT = {
    "install/status",
    "trials/1/1/status",
    f"trials/1/1/{WORK}/model",
    f"trials/1/1/replicas/worker-replica-0/{WORK}/data",
}


def _job(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / "job" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "job" / name).write_text("x")
    return tmp_path / "job"


def _files(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def test_what_can_be_had_again_goes_and_what_a_trainer_wrote_stays(tmp_path: Path) -> None:
    job = _job(tmp_path)
    for _ in range(2):
        discard(job, everything=False)
        assert _files(job) == KEPT


def test_everything_goes_and_again_is_no_error(tmp_path: Path) -> None:
    job = _job(tmp_path)
    for _ in range(2):
        discard(job, everything=True)
        assert not job.exists()


def test_links_lead_nowhere(tmp_path: Path) -> None:
    job, mine = _job(tmp_path), tmp_path / "mine"
    mine.mkdir()
    (mine / "file").write_text("precious")
    discard(job / "env", everything=True)
    (job / "env").symlink_to(mine)
    (job / "trials" / "1" / "1" / "stdout.log").unlink()
    (job / "trials" / "1" / "1" / "stdout.log").symlink_to(mine / "file")
    (job / "trials" / "1" / "1" / WORK / "out").symlink_to(mine)
    discard(job, everything=False)
    assert not (job / "env").exists()
    discard(job, everything=True)
    assert (mine / "file").read_text() == "precious"


def test_a_folder_that_its_trainer_closed_goes_too(tmp_path: Path) -> None:
    job = _job(tmp_path)
    (job / "trials" / "1" / "1" / WORK).chmod(0o500)
    (job / "trials" / "1").chmod(0o000)
    discard(job, everything=True)
    assert not job.exists()
