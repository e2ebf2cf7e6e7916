"""What a failed attempt's owner is told."""

import subprocess
import sys

import pytest

from worker.cluster import PRIMARY, Replica, Role
from worker.failure_classes import POLICIES, FailureClass
from worker.failures import (
    EVIDENCE_CHARACTERS,
    all_exited,
    exited,
    last_traceback,
    lost,
    not_launched,
    too_much,
)
from worker.launchers.protocol import Exceeded, Limit, MemoryUse, ReplicaEnd


def _printed(source: str) -> str:
    """What Python itself prints of a program that fails."""
    return subprocess.run([sys.executable, "-c", source], capture_output=True, text=True).stderr


def test_a_status_is_told_as_the_service_always_told_it() -> None:
    failure = exited(3, "")
    assert failure.failure_class is FailureClass.USER_ERROR
    assert failure.message == "The replica master 0 exited with a non-zero status of 3."
    assert failure.evidence == {"exit_code": 3, "last_lines": ""}


@pytest.mark.parametrize(
    ("exit_code", "told"), [(-9, "9(SIGKILL)"), (-11, "11(SIGSEGV)"), (-63, "63(unknown signal)")]
)
def test_a_signal_is_told_by_number_and_name(exit_code: int, told: str) -> None:
    assert exited(exit_code, "").message == f"The replica master 0 exited with a non-zero status of {told}."


def test_the_cause_is_the_traceback_without_what_was_printed_before() -> None:
    failure = exited(1, "epoch 1\nepoch 2\n" + _printed("raise ValueError('no such file: data.csv')"))
    assert "Termination reason: Error.\nTraceback (most recent call last):" in failure.message
    assert failure.message.endswith("ValueError: no such file: data.csv")
    assert "epoch" not in failure.message
    assert failure.evidence["last_lines"] in failure.message


def test_without_a_traceback_the_last_lines_are_the_cause() -> None:
    assert exited(2, "usage: task.py\n--lr is required\n").message.endswith(
        "Termination reason: Error.\nusage: task.py\n--lr is required"
    )


def test_only_the_last_of_several_tracebacks_is_the_cause() -> None:
    text = _printed("raise KeyError('handled')") + "going on\n\n" + _printed("raise TypeError('fatal')")
    traceback = last_traceback(text)
    assert traceback is not None
    assert "fatal" in traceback
    assert "handled" not in traceback


@pytest.mark.parametrize(
    "source",
    [
        "try:\n {}['first']\nexcept KeyError:\n 1 / 0",
        "try:\n {}['first']\nexcept KeyError as error:\n raise ZeroDivisionError from error",
        "try:\n try:\n  {}['first']\n except KeyError:\n  int('x')\nexcept ValueError:\n 1 / 0",
    ],
    ids=["during handling", "direct cause", "three in a chain"],
)
def test_chained_tracebacks_are_kept_together(source: str) -> None:
    printed = _printed(source)
    assert last_traceback("epoch 1\n\n" + printed) == printed.strip()


def test_a_chain_whose_start_was_cut_off_is_kept_from_its_first_whole_traceback() -> None:
    printed = _printed("try:\n {}['first']\nexcept KeyError:\n 1 / 0")
    cut = printed[10:]
    traceback = last_traceback(cut)
    assert traceback is not None
    assert traceback.startswith("Traceback (most recent call last):")
    assert traceback.endswith("ZeroDivisionError: division by zero")


def test_a_message_of_several_lines_is_kept_whole() -> None:
    traceback = last_traceback(_printed("raise RuntimeError('one\\n\\ntwo')"))
    assert traceback is not None
    assert traceback.endswith("RuntimeError: one\n\ntwo")


def test_text_without_a_traceback_has_none() -> None:
    assert last_traceback("all is well\n") is None


@pytest.mark.parametrize("flood", ["line\n" * 20_000, "Traceback (most recent call last):\n" + "x" * 100_000])
def test_evidence_is_bounded(flood: str) -> None:
    failure = exited(1, flood + "the end")
    assert len(failure.evidence["last_lines"]) == EVIDENCE_CHARACTERS
    assert failure.message.endswith("the end")


def test_a_lost_attempt_says_what_may_have_happened() -> None:
    failure = lost()
    assert failure.failure_class is FailureClass.LOST
    assert "vanished without an exit status: the machine restarted" in failure.message


@pytest.mark.parametrize(
    ("limit", "failure_class"), [("OUTPUT", "OUTPUT"), ("DISK", "DISK"), ("MEMORY", "OOM_HOST")]
)
def test_who_goes_beyond_a_limit_is_told_which(limit: str, failure_class: str) -> None:
    failure = too_much(Exceeded(Limit(limit), "It was too much."))
    assert (failure.failure_class, failure.message) == (failure_class, "It was too much.")


def test_a_refused_launch_gives_the_platforms_reason() -> None:
    failure = not_launched("Permission denied: /root/out", for_now=False)
    assert failure.failure_class is FailureClass.CONFIG
    assert failure.message.endswith("could not be started: Permission denied: /root/out")


def test_a_replica_is_named_by_role_and_index() -> None:
    assert exited(1, "", Replica(Role.WORKER, 2)).message.startswith("The replica worker 2 exited with")
    assert lost(Replica(Role.PS, 0)).message.startswith("The replica ps 0 vanished")


def test_replicas_that_fail_together_are_told_together() -> None:
    first, second = ReplicaEnd(PRIMARY, 1), ReplicaEnd(Replica(Role.WORKER, 2), -9)
    failure = all_exited({first: "no worker\n", second: ""})
    assert failure.message == (
        "The replica master 0 exited with a non-zero status of 1. Termination reason: Error.\nno worker\n"
        "The replica worker 2 exited with a non-zero status of 9(SIGKILL)."
    )
    assert failure.evidence["exit_code"] == 1
    assert failure.evidence["replicas"]["worker-replica-2"] == {"exit_code": -9, "last_lines": ""}


def test_of_many_that_fail_together_a_few_are_told() -> None:
    ends = [ReplicaEnd(Replica(Role.WORKER, index), 1) for index in range(30)]
    message = all_exited(dict.fromkeys(ends, "x" * EVIDENCE_CHARACTERS)).message
    assert message.endswith("So did 26 other replicas.")
    assert len(message) < 5 * EVIDENCE_CHARACTERS


def test_every_class_has_its_row() -> None:
    assert set(POLICIES) == set(FailureClass)
    retried = {name for name, policy in POLICIES.items() if policy.retried}
    assert retried == {"LOST", "LAUNCH", "HW_FAULT", "PREEMPTED", "EVICTED", "NODE_LOST"}
    assert not any(policy.counts and policy.retried for policy in POLICIES.values())


def test_what_the_platform_lacks_for_now_is_no_fault_of_what_was_asked() -> None:
    assert not_launched("No process left", for_now=True).failure_class is FailureClass.LAUNCH


class TestMemory:
    ALL = 64 * 2**30

    def test_a_kill_while_the_kernel_killed_for_want_of_memory_is_one_of_those(self) -> None:
        failure = exited(-9, "", memory=MemoryUse(3 * 2**30, 1, self.ALL))
        assert failure.failure_class is FailureClass.OOM_HOST
        assert failure.message == (
            "The replica master 0 exited with a non-zero status of 9(SIGKILL). It ran out of the machine's "
            "memory: a smaller batch, or fewer trials side by side, need less. At most 3.0 GiB were seen to "
            "be taken, of 64.0 GiB that all trials share."
        )

    def test_a_kill_with_nearly_all_memory_taken_is_one_of_those(self) -> None:
        assert exited(-9, "", memory=MemoryUse(60 * 2**30, 0, self.ALL)).failure_class == "OOM_HOST"

    @pytest.mark.parametrize("exit_code", [-9, -15, 1])
    def test_without_such_evidence_a_signal_is_but_a_signal(self, exit_code: int) -> None:
        kills = 0 if exit_code == -9 else 1
        failure = exited(exit_code, "", memory=MemoryUse(3 * 2**30, kills, self.ALL))
        assert failure.failure_class is FailureClass.USER_ERROR

    def test_a_process_within_that_was_killed_counts_as_the_program(self) -> None:
        printed = _printed("raise RuntimeError('DataLoader worker (pid 7) is killed by signal: Killed.')")
        assert exited(1, printed, memory=MemoryUse(None, 1)).failure_class is FailureClass.OOM_HOST
        assert exited(1, printed, memory=MemoryUse(None, 0)).failure_class is FailureClass.USER_ERROR

    def test_a_replica_that_says_more_than_that_it_failed_tells_the_class(self) -> None:
        worker = ReplicaEnd(Replica(Role.WORKER, 0), 1)
        said = {ReplicaEnd(PRIMARY, 1): "connection reset by peer", worker: "CUDA out of memory"}
        failure = all_exited(said)
        assert failure.failure_class is FailureClass.OOM_GPU
        assert failure.message.startswith("The replica master 0 exited with a non-zero status of 1.")
