"""How much memory there is for trials."""

from pathlib import Path

import pytest

from worker.launchers import machine_memory
from worker.launchers.machine_memory import find_memory


def test_the_setting_says_or_the_machine_does(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_memory("ignore") is None
    assert find_memory(1234) == 1234
    whole = find_memory("auto")
    assert whole is not None
    assert whole > 100
    monkeypatch.setattr(machine_memory, "_group_limits", lambda: [77 * 2**20, 99 * 2**20])
    assert find_memory("auto") == 77


@pytest.mark.parametrize(
    ("told", "files", "limits"),
    [
        ("0::/a/b\n", {"memory.max": "max", "a/memory.max": "500", "a/b/memory.max": "900"}, [900, 500]),
        ("0::/../away\n", {"memory.max": "700"}, [700]),
        ("9:memory:/m\n0::/\n", {"memory/m/memory.limit_in_bytes": "300"}, [300]),
        ("0::/\n", {}, []),
        ("0::/\n", {"memory.max": "max"}, []),
    ],
    ids=["of every group around it", "whose place can't be seen", "version 1", "no groups", "no limit"],
)
def test_what_the_control_groups_allow(
    tmp_path: Path, told: str, files: dict[str, str], limits: list[int]
) -> None:
    for name, text in files.items():
        (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / name).write_text(f"{text}\n")
    (tmp_path / "told").write_text(told)
    assert machine_memory._group_limits(tmp_path / "groups", tmp_path / "told") == limits
