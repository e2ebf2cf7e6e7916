"""How early stopping looks on the wire."""

from typing import Any

from service.stop_view import stop_reasons, stopping_report
from store.models import Decision

JUDGED = {"step": 4, "value": 0.1, "threshold": 0.6}
CAME_OF_IT = {
    "stopped": 4, "kept": 2, "wrong": 1, "lost": 0.25, "saved_steps": 0.333333, "saved_seconds": 12.5,
}  # fmt: skip


def decided(kind: str, outcome: dict[str, Any]) -> Decision:
    return Decision(kind=kind, algorithm="median", known={"peers": 5}, outcome=outcome)


def test_a_stop_tells_its_rule_and_what_it_went_by() -> None:
    reasons = stop_reasons([decided("STOP", {"trial": 7, **JUDGED}), decided("KEEP", {"trial": 8, **JUDGED})])
    why = {"rule": "MEDIAN", "trainingStep": "4", "value": 0.1, "threshold": 0.6, "peerCount": 5}
    assert reasons == {7: why, 8: {**why, "isTrialKept": True}}


def test_what_came_of_it_is_told_once_the_job_has_ended_and_zeros_are_left_out() -> None:
    assert stopping_report([decided("STOP", {"trial": 7, **JUDGED})]) is None
    assert stopping_report([decided("STOP_REPORT", CAME_OF_IT)]) == {
        "stoppedTrialCount": 4,
        "keptTrialCount": 2,
        "wrongStopCount": 1,
        "objectiveLost": 0.25,
        "savedStepShare": 0.3333,
        "savedTime": "12.5s",
    }
    nothing = dict.fromkeys(CAME_OF_IT, 0)
    assert stopping_report([decided("STOP_REPORT", nothing)]) == {}
