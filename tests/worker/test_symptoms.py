"""What last words say of why a program failed, and what they don't."""

import subprocess
import sys

import pytest

from worker.symptoms import symptom_in, tells_of_a_kill

SAID = {
    "OOM_GPU": [
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total of 8 GiB",
        "RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory while trying to allocate",
        "ResourceExhaustedError: OOM when allocating tensor on /job:a/device:GPU:0 by allocator GPU_0_bfc",
        "cudaErrorMemoryAllocation: out of memory",
    ],
    "OOM_HOST": [
        "MemoryError",
        "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 7.28 TiB for an array",
        "terminate called after throwing an instance of 'std::bad_alloc'",
        "OSError: [Errno 12] Cannot allocate memory",
        "RuntimeError: [enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes.",
        "ResourceExhaustedError: OOM when allocating tensor on /job:localhost/device:CPU:0 by allocator cpu",
    ],
    "HW_FAULT": [
        "RuntimeError: CUDA error: uncorrectable ECC error encountered",
        "CUDA_ERROR_ECC_UNCORRECTABLE",
        "NVRM: Xid (PCI:0000:3b:00): 79, GPU has fallen off the bus.",
    ],
}
NONE = [
    "ValueError: no such file",
    "KeyError: 'MemoryError'",
    "google.api_core.exceptions.ResourceExhausted: 429 RESOURCE_EXHAUSTED: quota for requests",
    "",
]


@pytest.mark.parametrize(("found", "said"), [(name, said) for name in SAID for said in SAID[name]])
def test_known_words_are_understood(found: str, said: str) -> None:
    assert symptom_in(said) == found
    assert (
        symptom_in(f"Traceback (most recent call last):\n  File 'a', line 1\n    step()\n{said}\n") == found
    )


@pytest.mark.parametrize("said", NONE)
def test_others_are_left_alone(said: str) -> None:
    assert symptom_in(said) is None


def test_source_lines_that_a_traceback_quotes_say_nothing() -> None:
    source = "raise ValueError('x') if True else MemoryError()  # CUDA out of memory\n"
    printed = subprocess.run(
        [sys.executable, "-c", f"exec({source!r})"], capture_output=True, text=True
    ).stderr
    assert symptom_in(printed) is None
    quoted = 'Traceback (most recent call last):\n  File "a"\n    except CUDA out of memory\nValueError: x'
    assert symptom_in(quoted) is None


def test_what_was_said_long_before_the_end_has_been_survived() -> None:
    assert symptom_in("CUDA out of memory, smaller batch\n" + "epoch\n" * 100) is None


@pytest.mark.parametrize(
    "said", ["RuntimeError: DataLoader worker (pid 7) is killed by signal: Killed.", "Epoch 1\nKilled"]
)
def test_a_kill_within_the_program_is_told(said: str) -> None:
    assert tells_of_a_kill(said)
    assert not tells_of_a_kill("it killed my motivation")
