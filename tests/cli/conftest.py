from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.client.fake_service import FakeService

Run = Callable[..., Result]


@pytest.fixture
def service() -> Iterator[FakeService]:
    fake = FakeService()
    yield fake
    fake.close()


@pytest.fixture
def vernier(service: FakeService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs the command with its stdout on no terminal, against the fake service."""
    for name in ("VERNIER_PROJECT", "CLOUDSDK_CORE_PROJECT", "CLOUDSDK_COMPUTE_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VERNIER_API", service.address)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("TZ", "UTC")

    def run(*words: str) -> Result:
        result = CliRunner().invoke(app, list(words), prog_name="vernier")
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A trainer package with a module, a subpackage, data and things that do not belong into a package."""
    root = tmp_path / "source" / "trainer"
    for name, text in {
        "__init__.py": "",
        "task.py": "from trainer.model import size\nprint(size.SIZE)\n",
        "model/__init__.py": "",
        "model/size.py": "SIZE = 7\n",
        "vocabulary/words.txt": "ein\nzwei\n",
        "__pycache__/task.cpython-311.pyc": "old",
        ".git/HEAD": "ref: refs/heads/main\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root
