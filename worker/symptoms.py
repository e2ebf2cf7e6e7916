"""What a failed program's last words say of why it failed.

Only errors are read, not the source lines that a traceback quotes: code that handles a lack of memory is no
lack of memory.
"""

import re

from worker.failure_classes import FailureClass

LINES = 50
"""Of what was printed last, without a traceback; what was said earlier has been survived."""

SYMPTOMS = (
    (
        FailureClass.HW_FAULT,
        r"NVRM: Xid|uncorrectable (NVLink|ECC)|ECC_?UNCORRECTABLE|fallen off the bus|GPU is lost",
    ),
    # Before the GPU's: TensorFlow says `OOM when allocating` of both, and names the device.
    (
        FailureClass.OOM_HOST,
        r"^([\w.]+\.)?(_Array)?MemoryError\b"
        r"|std::bad_alloc"
        r"|\[Errno 12\]|Cannot allocate memory"
        r"|not enough memory: you tried to allocate"
        r"|OOM when allocating.*(device:CPU|allocator cpu)",
    ),
    (
        FailureClass.OOM_GPU,
        r"(CUDA|HIP|MPS backend|XPU) out of memory"
        r"|CUDA_ERROR_OUT_OF_MEMORY|cudaErrorMemoryAllocation"
        r"|(CUBLAS|CUDNN)_STATUS_ALLOC_FAILED"
        r"|RESOURCE_EXHAUSTED: .*(memory|allocat)"
        r"|OOM when allocating",
    ),
)
KILLED_WITHIN = r"killed by signal: Killed|SIGKILL|terminated abruptly|^Killed$"
"""A program's own word that one of its processes was killed."""

_SYMPTOMS = [(name, re.compile(pattern, re.MULTILINE | re.IGNORECASE)) for name, pattern in SYMPTOMS]
_KILLED_WITHIN = re.compile(KILLED_WITHIN, re.MULTILINE)
_QUOTED = re.compile(r"^(  File .*|    .*)$", re.MULTILINE)


def symptom_in(cause: str) -> FailureClass | None:
    """The class of failure that the last words speak of; None where they speak of none."""
    said = _said(cause)
    return next((name for name, pattern in _SYMPTOMS if pattern.search(said)), None)


def tells_of_a_kill(cause: str) -> bool:
    """Whether the last words say that a process of the program was killed."""
    return _KILLED_WITHIN.search(_said(cause)) is not None


def _said(cause: str) -> str:
    if cause.startswith("Traceback"):
        return _QUOTED.sub("", cause)
    return "\n".join(cause.splitlines()[-LINES:])
