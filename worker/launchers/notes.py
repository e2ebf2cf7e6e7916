"""Small JSON files that launchers keep beside what they launch, to be read again after a crash."""

import json
from pathlib import Path
from typing import Any


def write_note(file: Path, what: Any) -> None:
    """Write all of it, or nothing, in place of what was there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(json.dumps(what))
    part.replace(file)


def read_note(file: Path) -> Any:
    """What the file says; None if there is none."""
    try:
        return json.loads(file.read_text())
    except FileNotFoundError:
        return None
