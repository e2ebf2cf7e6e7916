"""What trials take of the machine: no device is given away twice, and what fits on it can be had."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_schemas.jobs import TrainingInput
from worker.cluster import PRIMARY, Replica, Role
from worker.resources import Machine, Need, Share, find_share, free_of, need_of

MASTER, WORKER = PRIMARY.name, Replica(Role.WORKER, 0).name
TWO_GPUS = Machine(8, ("0", "1"))
T4 = {"type": "NVIDIA_TESLA_T4", "count": "1"}
CUSTOM = {"scaleTier": "CUSTOM", "masterType": "n1-standard-4"}


def _need(machine: Machine = TWO_GPUS, labels: dict[str, str] | None = None, **training: Any) -> Need:
    return need_of(TrainingInput.model_validate(training), labels or {}, machine)


class TestNeeds:
    def test_each_replica_takes_its_slots(self) -> None:
        training = {**CUSTOM, "workerType": "n1-standard-4", "workerCount": "2"}
        assert _need(Machine(8), **training) == Need(3)
        assert _need(Machine(8, cpus_per_replica=2), **training) == Need(6)

    def test_who_needs_more_slots_than_there_are_has_them_all(self) -> None:
        assert _need(Machine(2), **CUSTOM, workerType="n1-standard-4", workerCount="9") == Need(2)

    def test_gpus_are_those_of_each_role(self) -> None:
        training = {
            **CUSTOM,
            "masterConfig": {"acceleratorConfig": {**T4, "count": "2"}},
            "workerType": "n1-standard-4",
            "workerCount": "2",
            "workerConfig": {"acceleratorConfig": T4},
            "parameterServerType": "n1-standard-4",
            "parameterServerCount": "1",
        }
        gpus = {MASTER: 2, "worker-replica-0": 1, "worker-replica-1": 1}
        assert _need(**training) == Need(4, gpus)
        assert _need(Machine(8), **training) == Need(4), "where they are not counted, there are none to need"

    @pytest.mark.parametrize(
        "training",
        [
            {},
            {**CUSTOM, "masterConfig": {"acceleratorConfig": {"count": "0"}}},
            {**CUSTOM, "masterConfig": {"acceleratorConfig": {"type": "TPU_V2", "count": "8"}}},
            {"scaleTier": "BASIC_TPU"},
            {**CUSTOM, "workerType": "a", "workerCount": "0", "workerConfig": {"acceleratorConfig": T4}},
        ],
    )
    def test_who_asks_for_none_needs_none(self, training: dict[str, Any]) -> None:
        assert _need(**training) == Need(1)

    def test_the_tier_with_a_gpu_has_one(self) -> None:
        assert _need(scaleTier="BASIC_GPU") == Need(1, {MASTER: 1})

    @pytest.mark.parametrize(("label", "memory"), [("100", 300), ("1", 3), ("much", 0), ("0", 0), ("", 0)])
    def test_a_label_asks_for_memory_of_each_replica(self, label: str, memory: int) -> None:
        training = {**CUSTOM, "workerType": "n1-standard-4", "workerCount": "2"}
        labels = {"vernier-memory-mb": label}
        assert _need(Machine(8, memory=4000), labels, **training) == Need(3, memory=memory)
        assert _need(Machine(8), labels, **training) == Need(3), "where it is not counted"

    @pytest.mark.parametrize(
        ("label", "percent"), [("50", 50), ("100", 100), ("1", 1), ("many", 100), ("0", 100)]
    )
    def test_a_label_makes_shares_of_them(self, label: str, percent: int) -> None:
        labels = {"vernier-gpu-percent": label}
        assert _need(labels=labels, scaleTier="BASIC_GPU") == Need(1, {MASTER: 1}, percent)

    @pytest.mark.parametrize(
        ("need", "said"),
        [
            (Need(1), "1 CPU slot"),
            (Need(3, {MASTER: 1}), "3 CPU slots and 1 GPU"),
            (Need(1, {MASTER: 1, WORKER: 1}, 50), "1 CPU slot and 50 percent of 2 GPUs"),
        ],
    )
    def test_a_need_can_be_said(self, need: Need, said: str) -> None:
        assert str(need) == said


class TestShares:
    def test_two_halves_share_a_device_and_three_never_do(self) -> None:
        half, taken = Need(1, {MASTER: 1}, 50), []
        for _ in range(4):
            share = find_share(TWO_GPUS, taken, half)
            assert share is not None
            taken.append(share)
        assert [share.gpus for share in taken] == [
            {MASTER: ["0"]},
            {MASTER: ["0"]},
            {MASTER: ["1"]},
            {MASTER: ["1"]},
        ], "and a whole device stays free for as long as it can"
        assert find_share(TWO_GPUS, taken, half) is None

    def test_memory_is_never_given_twice(self) -> None:
        machine = Machine(8, memory=1000)
        first = find_share(machine, [], Need(1, memory=600))
        assert first == Share(1, memory=600)
        assert find_share(machine, [first], Need(1, memory=401)) is None
        assert find_share(machine, [first], Need(1, memory=400)) == Share(1, memory=400)
        assert find_share(machine, [first, Share(1, memory=900)], Need(1)) == Share(1), "it asks for none"
        assert find_share(Machine(8), [first], Need(1, memory=401)) is not None, "where it is not counted"

    def test_what_is_free_is_told_of_what_is_needed(self) -> None:
        machine, taken = Machine(4, ("0", "1"), memory=1000), [Share(1, {MASTER: ["0"]}, 50, 300)]
        assert free_of(machine, taken, Need(1)) == "free are 3 of 4 CPU slots"
        need = Need(1, {MASTER: 1}, memory=1)
        assert free_of(machine, taken, need) == (
            "free are 3 of 4 CPU slots, 700 of 1000 MB of memory and 1 of 2 GPUs"
        )
        assert "2 of 2 GPUs" in free_of(machine, taken, Need(1, {MASTER: 1}, 50))

    def test_a_replica_has_different_devices(self) -> None:
        assert find_share(TWO_GPUS, [], Need(1, {MASTER: 2}, 50)) == Share(1, {MASTER: ["0", "1"]}, 50)
        assert find_share(TWO_GPUS, [], Need(1, {MASTER: 3}, 10)) is None

    def test_slots_and_devices_must_both_be_free(self) -> None:
        need = Need(4, {MASTER: 1})
        first = find_share(TWO_GPUS, [], need)
        assert first == Share(4, {MASTER: ["0"]})
        assert find_share(TWO_GPUS, [first, Share(1, {})], need) is None
        assert find_share(TWO_GPUS, [first, Share(4, {})], Need(1)) is None
        assert find_share(TWO_GPUS, [first], Need(1, {MASTER: 2})) is None

    def test_a_device_that_is_gone_does_not_disturb(self) -> None:
        gone = Share(1, {MASTER: ["7"]})
        assert find_share(TWO_GPUS, [gone], Need(1, {MASTER: 2})) == Share(1, {MASTER: ["0", "1"]})

    def test_a_share_is_kept_as_json(self) -> None:
        for share in (Share(2), Share(1, {MASTER: ["0", "1"]}, 50, 7), Share(1, {})):
            assert Share.from_json(share.to_json()) == share
        assert Share.from_json(None) == Share(1), "as earlier releases gave"

    def test_a_replica_sees_its_devices_and_no_others(self) -> None:
        share = Share(2, {MASTER: ["1", "3"]})
        assert share.visible_devices(PRIMARY)["CUDA_VISIBLE_DEVICES"] == "1,3"
        assert share.visible_devices(Replica(Role.PS, 0))["CUDA_VISIBLE_DEVICES"] == ""
        assert Share(2).visible_devices(PRIMARY) == {}, "where they are not counted"

    @given(
        st.lists(
            st.builds(
                Need,
                st.integers(1, 3),
                st.dictionaries(st.sampled_from([MASTER, WORKER]), st.integers(1, 3)),
                st.sampled_from([10, 33, 50, 51, 100]),
            ),
            max_size=20,
        )
    )
    def test_nothing_is_given_twice(self, needs: list[Need]) -> None:
        machine = Machine(8, ("0", "1", "2"))
        taken: list[Share] = []
        for need in needs:
            share = find_share(machine, taken, need)
            if share is None:
                continue
            assert share.gpus is not None
            assert {name: len(set(devices)) for name, devices in share.gpus.items()} == need.gpus
            taken.append(share)
        used = Counter[str]()
        for share in taken:
            for devices in (share.gpus or {}).values():
                for device in devices:
                    used[device] += share.percent
        assert sum(share.cpus for share in taken) <= machine.cpus
        assert all(percent <= 100 for percent in used.values())
