"""Names that clients choose (docs/contract.md 1.4, 1.9)."""

import pytest

from api_schemas.errors import InvalidArgument
from api_schemas.names import check_project_id, job_id_problem, label_problem, shortened


@pytest.mark.parametrize("job_id", ["a", "Z", "census_hp_1", "A_", "a" * 128])
def test_names_of_jobs(job_id: str) -> None:
    assert job_id_problem(job_id) is None


@pytest.mark.parametrize(
    "job_id", ["", "1a", "_a", "a-b", "a.b", "a b", "a/b", "..", "a:cancel", "é", "a٣", "a\n", "a" * 129]
)
def test_what_is_no_name_of_a_job(job_id: str) -> None:
    problem = job_id_problem(job_id)
    assert problem is not None
    assert "starts with a letter" in problem


@pytest.mark.parametrize(
    "project", ["p", "my-project-1", "example.com:my-project", "123456", "a_b", "p" * 100]
)
def test_names_of_projects(project: str) -> None:
    check_project_id(project)


@pytest.mark.parametrize(
    "project", ["", ".", "..", "a..b", "-a", "a-", "a/b", "A", "a b", "a\n", "ä", "a\0", "~", "p" * 101]
)
def test_what_is_no_name_of_a_project_and_could_be_no_folder(project: str) -> None:
    with pytest.raises(InvalidArgument, match="A project id has") as caught:
        check_project_id(project)
    assert [violation.field for violation in caught.value.violations] == ["parent"]


@pytest.mark.parametrize(
    ("key", "value"),
    [("a", ""), ("a-b_1", "0"), ("ä", "-"), ("名前", "値"), ("a" * 63, "a" * 63), ("a", "٣")],
)
def test_labels(key: str, value: str) -> None:
    assert label_problem(key, value) is None


@pytest.mark.parametrize(
    ("key", "value", "at_fault"),
    [
        ("", "", "key"),
        ("1a", "", "key"),
        ("_a", "", "key"),
        ("aB", "", "key"),
        ("a.b", "", "key"),
        ("a" * 64, "", "key"),
        ("a\0", "", "key"),
        ("a", "A", "value"),
        ("a", "1.0", "value"),
        ("a", "a b", "value"),
        ("a", "a" * 64, "value"),
    ],
)
def test_what_is_no_label(key: str, value: str, at_fault: str) -> None:
    problem = label_problem(key, value)
    assert problem is not None
    assert problem.startswith(f"The {at_fault} ")


def test_long_texts_are_cut_and_marked() -> None:
    assert shortened("a" * 80) == "a" * 80
    assert shortened("a" * 81) == "a" * 80 + "…"
    assert shortened("abc", 2) == "ab…"
