"""Tiny trainers for tests, as packages that a job can name."""

from pathlib import Path

from cli.packaging import build_package


def write_trainer(folder: Path, source: str, name: str = "trainer") -> str:
    """Build a package with the one module `<name>.task`; gives the path of its wheel, for packageUris."""
    package = folder / name
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "task.py").write_text(source)
    return str(build_package(package, folder))
