"""The benchmark of many jobs at once runs to its end, in small; what it says is for a machine at rest."""

import json
import sys

import pytest

from benchmarks import durable

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def test_it_tells_what_jobs_cost_and_what_running_trials_do(capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--jobs", "3", "--trials", "2", "--rounds", "1", "--running", "4", "--seconds", "1", "--json"]
    assert durable.main(small) == 0
    told = json.loads(capsys.readouterr().out)
    assert {jobs: of_size["rounds"][0]["trials"] for jobs, of_size in told["jobs"].items()} == {
        "1": 2,
        "3": 6,
    }
    for of_size in told["jobs"].values():
        of_round = of_size["rounds"][0]
        # A trial takes one look at least to be started and seen to end, though several may share one.
        assert of_round["looks"] > 0
        assert of_round["transactions"] > 1
        assert of_round["workers_ms"] > 0
        assert of_round["added_ms"] == of_round["wall_ms"] - of_round["bare_ms"]
    assert told["running"]["trials"] == 4
    assert len(told["running"]["memory_mb"]) == 2
    assert all(1 < mb < 1000 for mb in told["running"]["memory_mb"])
