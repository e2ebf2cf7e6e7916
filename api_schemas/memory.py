"""The memory that a job asks for (docs/contract.md 2.3)."""

from collections.abc import Mapping

MEMORY_LABEL = "vernier-memory-mb"
"""Label of a job: megabytes of memory, of 2^20 bytes, that each replica of a trial takes. v1 had machines."""
DIGITS = 9


def memory_mb(labels: Mapping[str, str]) -> int:
    """How many megabytes each replica of a trial takes; 0 if the job does not say.

    Raises:
        ValueError: the label says something else.
    """
    text = labels.get(MEMORY_LABEL)
    if text is None:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= DIGITS and int(text) >= 1):
        raise ValueError(f"The label {MEMORY_LABEL} must be a whole number of megabytes, from 1 on.")
    return int(text)
