"""The package of docs/how-to/plug-in-an-algorithm.md, made from the page and installed."""

import re
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import ROOT

PAGE = ROOT / "docs/how-to/plug-in-an-algorithm.md"


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of code in that language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.M | re.S)


def install(folder: Path) -> tuple[Path, Path]:
    """Write the page's files, build the package, install it; gives its source and where it is installed."""
    source, target = folder / "source", folder / "installed"
    source.mkdir()
    for block in [*blocks(PAGE, "python"), *blocks(PAGE, "toml")]:
        name = re.match(r"# (\S+)\n", block)
        assert name is not None
        (source / name[1]).write_text(block)
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-index",
        "--no-build-isolation",
        "--no-deps",
    ]
    subprocess.run([*pip, "--target", str(target), str(source)], check=True, capture_output=True)
    return source, target
