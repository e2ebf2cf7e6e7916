"""Which GPUs this machine has."""

import shutil
import subprocess

import structlog

log = structlog.get_logger(__name__)

AUTO, IGNORE, NONE = "auto", "ignore", "none"
SECONDS = 20.0


def find_gpus(setting: str) -> tuple[str, ...] | None:
    """The devices that trials may be given, as CUDA_VISIBLE_DEVICES names them; None: they are not counted.

    Args:
        setting: `auto` asks nvidia-smi, and counts none where it finds none; `ignore` counts none; `none`
            says that there are none; anything else names them, with commas between.
    """
    match setting.strip():
        case "auto":
            return _ask() or None
        case "ignore":
            return None
        case "none":
            return ()
        case names:
            return tuple(dict.fromkeys(part.strip() for part in names.split(",") if part.strip()))


def _ask() -> tuple[str, ...]:
    command = shutil.which("nvidia-smi")
    if command is None:
        return ()
    try:
        asked = subprocess.run(
            [command, "--query-gpu=index", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("nvidia-smi does not tell of GPUs; they are not counted", reason=str(error))
        return ()
    return tuple(line.strip() for line in asked.stdout.splitlines() if line.strip().isdigit())
