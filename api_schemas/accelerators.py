"""The GPUs that a job asks for (docs/contract.md 2.3)."""

from collections.abc import Collection, Mapping

from api_schemas.enums import AcceleratorType, ScaleTier
from api_schemas.jobs import TrainingInput

PERCENT_LABEL = "vernier-gpu-percent"
"""Label of a job: how much of each GPU a trial takes. v1 had whole ones only."""
WHOLE = 100
ROLES = ("master", "worker", "parameter_server", "evaluator")
GPU = "NVIDIA"
"""How the names of the types of GPUs begin; the others are TPUs."""
ANY = "*"
"""In a cluster's table of types, stands for every type of GPU that is not named."""


def gpus_by_role(given: TrainingInput) -> dict[str, int]:
    """How many GPUs each replica of a role asks for; roles that ask for none are left out. TPUs are none."""
    asked = {}
    for role in ROLES:
        config = getattr(given, f"{role}_config")
        accelerator = config.accelerator_config if config is not None else None
        if accelerator is not None and (accelerator.type or AcceleratorType(0)).name.startswith(GPU):
            asked[role] = accelerator.count or 0
    if given.scale_tier == ScaleTier.BASIC_GPU:
        asked.setdefault("master", 1)
    return {role: count for role, count in asked.items() if count > 0}


def row_of(name: str, rows: Collection[str]) -> str | None:
    """Which row of a cluster's table says what a type is there; None: it has none. No name is any GPU's."""
    if name in rows:
        return name
    return ANY if ANY in rows and (not name or name.startswith(GPU)) else None


def gpu_percent(labels: Mapping[str, str]) -> int:
    """How much of each of its GPUs a trial takes, from 1 to 100.

    Raises:
        ValueError: the label says something else.
    """
    text = labels.get(PERCENT_LABEL, str(WHOLE))
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= WHOLE):
        raise ValueError(f"The label {PERCENT_LABEL} must be a whole number from 1 to 100.")
    return int(text)
