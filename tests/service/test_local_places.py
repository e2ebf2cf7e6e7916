"""What packageUris and jobDir may name."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from store.database import Database
from tests.service.door import ANYTHING_GOES, Project, open_door, restricted


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    (tmp_path / "inside" / "deep").mkdir(parents=True)
    (tmp_path / "inside" / "trainer.tar.gz").write_bytes(b"")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "trainer.tar.gz").write_bytes(b"")
    return tmp_path / "inside"


@pytest.fixture
def confined(database: Database, inside: Path) -> Iterator[Project]:
    """A project of a service that lets jobs name one directory only."""
    with restricted(database, inside) as door:
        made = Project(
            door,
            f"confined-{inside.parent.name}".lower().replace("_", "-")[:60].rstrip("-"),
            inside / "trainer.tar.gz",
        )
        with made.http:
            yield made


@pytest.fixture
def with_s3(database: Database, inside: Path) -> Iterator[Project]:
    """A project of a service that has the library for s3://."""
    with open_door(database, replace(ANYTHING_GOES, reads_s3=True)) as door:
        name = f"with-s3-{inside.parent.name}".lower().replace("_", "-")[:60].rstrip("-")
        made = Project(door, name, inside / "trainer.tar.gz")
        with made.http:
            yield made


def test_a_package_that_is_not_there_is_told_by_its_place_in_the_list(project: Project) -> None:
    (violation,) = project.refusal(packageUris=[str(project.package), "/no/such/trainer.tar.gz"])
    assert violation == {
        "field": "package_uris[1]",
        "description": "'/no/such/trainer.tar.gz' does not exist.",
    }


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        (
            "hdfs://host/trainer.tar.gz",
            "is of a kind that is not served; local paths, file://, gs://, s3://, http:// and",
        ),
        ("s3://bucket/trainer.tar.gz", "can't be had: the service lacks the package botocore"),
        ("trainer.tar.gz", "give an absolute path"),
        ("file://host/trainer.tar.gz", "names the host 'host'"),
        ("file:///a%00b", "NUL"),
        ("//[", "does not exist"),
        ("s3://[", "must name a bucket"),
        ("hdfs://[", "is of a kind that is not served"),
        ("gs://[", "must name a bucket"),
        ("file://\u2100/a", "NFKC"),
        ("/" + "a" * 300, "does not exist"),
        ("/a" * 3000, "does not exist"),
    ],
)
def test_a_package_that_can_not_be_fetched_is_refused_with_a_sentence(
    project: Project, uri: str, said: str
) -> None:
    (violation,) = project.refusal(packageUris=[uri])
    assert violation["field"] == "package_uris[0]"
    assert said in violation["description"]
    assert violation["description"].endswith(".")
    assert len(violation["description"]) < 300


def test_a_job_dir_elsewhere_is_refused_with_a_sentence(project: Project) -> None:
    (violation,) = project.refusal(jobDir="hdfs://host/census")
    assert violation["field"] == "job_dir"
    assert violation["description"].endswith("not served; local paths, file://, gs:// and s3:// are.")


def test_what_is_in_s3_is_refused_where_its_library_is_missing(project: Project) -> None:
    (violation,) = project.refusal(jobDir="s3://bucket/census")
    assert violation == {
        "field": "job_dir",
        "description": "'s3://bucket/census' can't be had: the service lacks the package botocore for s3://.",
    }


def test_what_is_in_s3_is_taken_unseen_where_it_can_be_had(with_s3: Project) -> None:
    job = with_s3.create(packageUris=["s3://bucket/trainer.tar.gz"], jobDir="S3://bucket/census/")
    assert job["trainingInput"]["jobDir"] == "S3://bucket/census/"


@pytest.mark.parametrize("uri", ["s3://bucket", "s3://bucket/"])
def test_a_bucket_is_no_package_in_s3_either(with_s3: Project, uri: str) -> None:
    (violation,) = with_s3.refusal(packageUris=[uri])
    assert violation["description"] == f"'{uri}' names a bucket, not an object in it."


def test_a_job_dir_in_s3_must_name_a_bucket(with_s3: Project) -> None:
    (violation,) = with_s3.refusal(jobDir="s3:///census")
    assert "must name a bucket" in violation["description"]


@pytest.mark.parametrize("uri", ["http://host/trainer.tar.gz", "HTTPS://host/trainer.whl"])
def test_packages_of_the_web_are_left_to_the_fetcher(project: Project, uri: str) -> None:
    assert project.create(packageUris=[uri])["trainingInput"]["packageUris"] == [uri]


def test_packages_may_be_paths_or_file_urls(project: Project) -> None:
    project.create(packageUris=[str(project.package), project.package.as_uri(), str(project.package.parent)])


def test_an_empty_job_dir_is_none(project: Project) -> None:
    assert "jobDir" not in project.create(jobDir="")["trainingInput"]


def test_a_job_dir_need_not_exist_yet(project: Project, tmp_path: Path) -> None:
    project.create(jobDir=str(tmp_path / "new" / "deep"))


def test_links_that_go_in_a_circle_lead_nowhere(confined: Project, inside: Path) -> None:
    (inside / "a").symlink_to(inside / "b")
    (inside / "b").symlink_to(inside / "a")
    (violation,) = confined.refusal(packageUris=[str(inside / "a" / "trainer.tar.gz")])
    assert "does not exist" in violation["description"]


def test_what_is_inside_is_let_through(confined: Project, inside: Path) -> None:
    confined.create(packageUris=[str(inside / "deep" / ".." / "trainer.tar.gz")], jobDir=str(inside / "jobs"))
    confined.create(packageUris=["http://host/trainer.tar.gz"], jobDir=str(inside))


def test_what_is_outside_is_refused_with_the_setting_that_says_so(confined: Project, inside: Path) -> None:
    outside = inside.parent / "outside"
    refused = confined.refusal(packageUris=[str(outside / "trainer.tar.gz")], jobDir=str(outside))
    assert [violation["field"] for violation in refused] == ["package_uris[0]", "job_dir"]
    assert all(f"VERNIER_LOCAL_PATHS allows: {inside}" in violation["description"] for violation in refused)


def test_no_way_round_leads_outside(confined: Project, inside: Path) -> None:
    outside = inside.parent / "outside"
    (inside / "link").symlink_to(outside)
    (inside / "file").symlink_to(outside / "trainer.tar.gz")
    for escape in (
        f"{inside}/../outside/trainer.tar.gz",
        f"{inside}/deep/../../outside/trainer.tar.gz",
        f"file://{inside}/%2e%2e/outside/trainer.tar.gz",
        f"{inside}/link/trainer.tar.gz",
        f"{inside}/link/../outside/trainer.tar.gz",
        f"{inside}/file",
        f"{inside}-not/trainer.tar.gz",
        "/",
    ):
        (violation,) = confined.refusal(packageUris=[escape])
        assert "outside the directories" in violation["description"], escape
        (violation,) = confined.refusal(jobDir=escape)
        assert "outside the directories" in violation["description"], escape


def test_whether_a_file_outside_exists_is_not_told(confined: Project, inside: Path) -> None:
    there = confined.refusal(packageUris=[str(inside.parent / "outside" / "trainer.tar.gz")])
    absent = confined.refusal(packageUris=[str(inside.parent / "outside" / "trainer.tar.xz")])
    assert there[0]["description"].replace(".gz", ".xz") == absent[0]["description"]
