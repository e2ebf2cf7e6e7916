"""The benchmark runs to its end, small, and its figures are what their names say."""

import json

import pytest

from benchmarks.kubernetes import main


@pytest.mark.timeout(280)
def test_it_measures_launches_idle_trials_and_ends(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)  # It sets it, and this puts it back.
    monkeypatch.setattr("benchmarks.kubernetes.SETTLE_SECONDS", 1.0)
    assert (
        main(["--trials", "6", "--bare", "4", "--seconds", "2", "--ends", "3", "--every", "0.1", "--json"])
        == 0
    )
    told = json.loads(capsys.readouterr().out)
    launched, ends = told["launched"], told["ends"]
    assert launched["trials"] == 6
    assert launched["rate"] == pytest.approx(6 / launched["seconds"])
    assert launched["requests"] >= 1
    assert told["idle"]["looks"] > 0
    assert ends["count"] == 3
    assert 0 <= ends["p50"] <= ends["p95"] <= ends["longest"]
    # One for the warm-up, whose Job is the loop's model.
    assert told["requests"]["create jobs"] == 6 + 1
