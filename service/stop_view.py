"""How early stopping looks on the wire: why trials were stopped, and what it did (docs/contract.md 6.3)."""

from collections.abc import Sequence
from typing import Any

from store.decisions import KEEP, STOP, STOP_REPORT
from store.models import Decision


def stop_reasons(stops: Sequence[Decision]) -> dict[int, dict[str, Any]]:
    """By trial, why it was stopped or would have been; of several decisions the last."""
    reasons = {}
    for decision in stops:
        if decision.kind in (STOP, KEEP):
            judged = decision.outcome
            reason: dict[str, Any] = {
                "rule": decision.algorithm.upper(),  # as the job has it
                "trainingStep": str(judged["step"]),
                "value": judged["value"],
                "threshold": judged["threshold"],
                "peerCount": decision.known["peers"],
            }
            if decision.kind == KEEP:
                reason["isTrialKept"] = True
            reasons[int(judged["trial"])] = reason
    return reasons


def stopping_report(stops: Sequence[Decision]) -> dict[str, Any] | None:
    """What early stopping did to a job that has ended; None while it runs, and where nothing was decided."""
    found = next((decision.outcome for decision in stops if decision.kind == STOP_REPORT), None)
    if found is None:
        return None
    told = {
        "stoppedTrialCount": found["stopped"],
        "keptTrialCount": found["kept"],
        "wrongStopCount": found["wrong"],
        "objectiveLost": found["lost"],
        "savedStepShare": round(found["saved_steps"], 4),
        "savedTime": f"{found['saved_seconds']:.3f}".rstrip("0").rstrip(".") + "s",
    }
    return {name: value for name, value in told.items() if value not in (0, "0s")}
