"""projects.jobs.patch (docs/contract.md 1.4)."""

import base64
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from store.jobs import lock_job, set_state
from store.states import State
from tests.service.door import Project, answer_of, error_of, violations
from tests.stored_rows import PATHS


def patch(project: Project, body: Any, mask: str | None = "labels", job_id: str = "a") -> httpx.Response:
    params = {} if mask is None else {"updateMask": mask}
    return project.http.patch(f"/jobs/{job_id}", json=body, params=params)


def with_labels(project: Project, **labels: str) -> dict[str, Any]:
    """A job `a` that has these labels."""
    return answer_of(project.http.post("/jobs", json={**project.body("a"), "labels": labels}))


def test_labels_are_replaced_as_a_whole(project: Project) -> None:
    before = with_labels(project, owner="ana", team="vision")
    after = answer_of(patch(project, {"labels": {"owner": "bo", "spot": ""}}))
    assert after["labels"] == {"owner": "bo", "spot": ""}
    assert {**after, "labels": before["labels"], "etag": before["etag"]} == before
    assert project.get("a") == after


@pytest.mark.parametrize("body", [{}, {"labels": {}}, {"labels": None}])
def test_labels_that_the_body_leaves_out_are_cleared(project: Project, body: dict[str, Any]) -> None:
    with_labels(project, owner="ana")
    assert "labels" not in answer_of(patch(project, body))


def test_one_label_is_set_or_removed_by_its_own_path(project: Project) -> None:
    with_labels(project, owner="ana", team="vision")
    body = {"labels": {"owner": "bo", "ignored": "x"}}
    assert answer_of(patch(project, body, "labels.owner,labels.team"))["labels"] == {"owner": "bo"}


@pytest.mark.parametrize("alphabet", [base64.standard_b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("padding", ["=", ""])
def test_the_etag_is_compared_as_bytes(project: Project, alphabet: Any, padding: str) -> None:
    # Until one has a character in which the alphabets differ.
    job = with_labels(project)
    while not set("+/") & set(job["etag"]):
        job = answer_of(patch(project, {}))
    etag = alphabet(base64.b64decode(job["etag"])).decode().rstrip("=") + padding
    assert answer_of(patch(project, {"labels": {"b": "c"}, "etag": etag}, "labels,etag"))["labels"]


def test_a_patch_changes_the_etag_so_the_old_one_is_refused(project: Project) -> None:
    old = with_labels(project)["etag"]
    new = answer_of(patch(project, {"labels": {"a": "1"}, "etag": old}, "labels,etag"))
    assert new["etag"] != old
    refused = patch(project, {"labels": {"a": "2"}, "etag": old}, "labels,etag")
    assert f"projects/{project.name}/jobs/a" in error_of(refused, 409, "ABORTED")["message"]
    assert project.get("a") == new


def test_an_etag_that_the_mask_does_not_name_is_not_compared(project: Project) -> None:
    with_labels(project)
    assert answer_of(patch(project, {"labels": {"a": "1"}, "etag": "AAAA"}))["labels"] == {"a": "1"}


@pytest.mark.parametrize("etag", [{}, {"etag": None}, {"etag": ""}])
def test_an_etag_that_the_body_leaves_out_is_not_compared(project: Project, etag: dict[str, Any]) -> None:
    with_labels(project)
    assert answer_of(patch(project, {"labels": {"a": "1"}, **etag}, "labels,etag"))["labels"] == {"a": "1"}


def test_a_mask_of_the_etag_alone_checks_it_and_changes_nothing(project: Project) -> None:
    job = with_labels(project, owner="ana")
    assert answer_of(patch(project, {"labels": {}, "etag": job["etag"]}, "etag")) == job
    error_of(patch(project, {"etag": "AAAA"}, "etag"), 409, "ABORTED")


@pytest.mark.parametrize("state", State)
def test_labels_can_be_changed_in_every_state(project: Project, state: State) -> None:
    with_labels(project)
    with project.door.database.write() as session:
        job = lock_job(session, project.name, "a")
        assert job is not None
        for step in PATHS[state]:
            set_state(job, step, "Why." if step == State.FAILED else None)
    patched = answer_of(patch(project, {"labels": {"a": "1"}}))
    assert (patched["state"], patched["labels"]) == (state, {"a": "1"})


def test_a_whole_job_may_be_sent_back(project: Project) -> None:
    job = with_labels(project)
    whole = {**job, "labels": {"a": "1"}, "jobId": "other", "state": "SUCCEEDED", "trainingOutput": {"x": 1}}
    assert answer_of(patch(project, whole, "labels,etag"))["labels"] == {"a": "1"}
    assert project.get("a")["state"] == "QUEUED"
    error_of(project.http.get("/jobs/other"), 404, "NOT_FOUND")


@pytest.mark.parametrize(
    "mask", [None, "", " ", ",", "labels,", "state", "labels,job_id", "Labels", "*", "labels."]
)
@pytest.mark.parametrize("job_id", ["a", "unknown"])
def test_a_mask_that_is_none_is_refused(project: Project, mask: str | None, job_id: str) -> None:
    job = with_labels(project)
    (violation,) = violations(patch(project, {"labels": {"a": "1"}}, mask, job_id))
    assert violation["field"] == "update_mask"
    assert project.get("a") == job


@pytest.mark.parametrize(
    "mask", ["labels.Owner", "labels.a b", "labels.9", "labels.a.b", "labels." + "a" * 64]
)
def test_a_path_of_a_label_that_can_not_be_is_refused(project: Project, mask: str) -> None:
    with_labels(project)
    (violation,) = violations(patch(project, {}, mask))
    assert violation["field"] == "update_mask"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"labels": {"Owner": "ana"}}, "labels"),
        ({"labels": {"owner": "a b"}}, "labels"),
        ({"labels": {f"k{n}": "" for n in range(65)}}, "labels"),
        ({"labels": []}, "job.labels"),
        ({"labels": {"owner": 3}}, "job.labels.owner"),
        ({"etag": "?"}, "job.etag"),
        ({"etag": "abcde"}, "job.etag"),
        ({"etag": 7}, "job.etag"),
        ({"lables": {}}, "job"),
        ({"trainingInput": {"gpus": 1}}, "job.training_input"),
        ([], "job"),
    ],
)
def test_a_body_that_is_wrong_is_refused_and_changes_nothing(project: Project, body: Any, field: str) -> None:
    job = with_labels(project, owner="ana")
    assert [each["field"] for each in violations(patch(project, body))] == [field]
    assert project.get("a") == job


def test_a_patch_needs_a_body(project: Project) -> None:
    job = with_labels(project, owner="ana")
    assert violations(project.http.patch("/jobs/a?updateMask=labels"))[0]["field"] == "job"
    assert project.get("a") == job


def test_the_limit_of_labels_holds_for_what_comes_of_single_ones(project: Project) -> None:
    with_labels(project, **{f"k{n}": "" for n in range(64)})
    assert violations(patch(project, {"labels": {"one": ""}}, "labels.one"))[0]["field"] == "labels"
    answer_of(patch(project, {"labels": {"one": ""}}, "labels.one,labels.k0"))


@pytest.mark.parametrize("job_id", ["unknown", "a-b", "%00"])
def test_a_patch_of_what_is_no_job_is_not_found(project: Project, job_id: str) -> None:
    error_of(patch(project, {}, job_id=job_id), 404, "NOT_FOUND")


def test_a_job_of_another_project_can_not_be_patched(project: Project) -> None:
    job = with_labels(project, owner="ana")
    other = project.http.base_url.copy_with(path=f"/v1/projects/{project.name}-b/jobs/a")
    error_of(project.http.patch(other, json={}, params={"updateMask": "labels"}), 404, "NOT_FOUND")
    assert project.get("a") == job


def test_of_patches_at_once_with_one_etag_one_is_applied(project: Project) -> None:
    etag = with_labels(project)["etag"]

    def send(number: int) -> int:
        body = {"labels": {"n": str(number)}, "etag": etag}
        return patch(project, body, "labels,etag").status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(send, range(8))) == [200] + [409] * 7


def test_patches_at_once_of_different_labels_are_all_kept(project: Project) -> None:
    with_labels(project)
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda n: patch(project, {"labels": {f"k{n}": "x"}}, f"labels.k{n}"), range(8))
        assert all(answer.status_code == 200 for answer in answers)
    assert project.get("a")["labels"] == {f"k{n}": "x" for n in range(8)}


def test_the_worker_need_not_look_at_a_patched_job(project: Project) -> None:
    with_labels(project)
    before = len(project.door.notified)
    answer_of(patch(project, {"labels": {"a": "1"}}))
    assert len(project.door.notified) == before
