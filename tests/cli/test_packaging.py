"""A package folder becomes an archive that the real pip installs."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from cli.errors import UsageError
from cli.package_files import source_files
from cli.packaging import build_package, is_project


def install(archive: Path, into: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    command += ["--disable-pip-version-check", "--target", str(into), str(archive)]
    subprocess.run(command, check=True)


def run_module(module: str, where: Path) -> str:
    command = [sys.executable, "-m", module]
    done = subprocess.run(command, cwd=where, check=True, capture_output=True, text=True)
    return done.stdout


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def output_folder(tmp_path: Path, name: str = "out") -> Path:
    folder = tmp_path / name
    folder.mkdir()
    return folder


def test_pip_installs_a_plain_package_with_its_subpackages_and_data(package: Path, tmp_path: Path) -> None:
    script = package / "run.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)

    wheel = build_package(package, output_folder(tmp_path))
    site = tmp_path / "site"
    install(wheel, site)

    assert run_module("trainer.task", site) == "7\n"
    assert (site / "trainer/vocabulary/words.txt").read_text() == "ein\nzwei\n"
    assert (site / "trainer/run.sh").stat().st_mode & 0o100


def test_pip_takes_the_wheel_off_again_by_its_record(package: Path, tmp_path: Path) -> None:
    wheel = build_package(package, output_folder(tmp_path))
    with zipfile.ZipFile(wheel) as archive:
        (record,) = (name for name in archive.namelist() if name.endswith("/RECORD"))
        recorded = {line.split(",")[0] for line in archive.read(record).decode().splitlines()}
        assert recorded == set(archive.namelist())


def test_a_package_of_any_importable_name_installs(tmp_path: Path) -> None:
    package = tmp_path / "source" / "_Größe"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("print('imported')\n")
    (package / "__main__.py").write_text("")

    site = tmp_path / "site"
    install(build_package(package, output_folder(tmp_path)), site)
    assert run_module("_Größe", site) == "imported\n"


def test_the_same_files_give_the_same_archive(package: Path, tmp_path: Path) -> None:
    first = build_package(package, output_folder(tmp_path, "first"))
    (package / "task.py").touch()
    (package / "__pycache__" / "more.pyc").write_text("other")
    second = build_package(package, output_folder(tmp_path, "second"))
    assert (first.name, first.read_bytes()) == (second.name, second.read_bytes())

    (package / "task.py").write_text("print(8)\n")
    assert build_package(package, output_folder(tmp_path, "third")).name != first.name


def test_caches_version_control_and_virtualenvs_stay_out(package: Path, tmp_path: Path) -> None:
    (package / "venv").mkdir()
    (package / "venv" / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (package / "venv" / "huge.py").write_text("")

    assert [str(path) for path in source_files(package)] == [
        "__init__.py",
        "model/__init__.py",
        "model/size.py",
        "task.py",
        "vocabulary/words.txt",
    ]


SETUP_PY = """
from setuptools import find_packages, setup
setup(name="census", version="1.2", packages=find_packages(), install_requires=["something>=1"])
"""
PYPROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "census"
version = "1.2"
dependencies = ["something>=1"]
[tool.setuptools]
packages = ["trainer", "trainer.model"]
"""


@pytest.mark.parametrize(("file", "text"), [("setup.py", SETUP_PY), ("pyproject.toml", PYPROJECT)])
def test_a_project_is_built_as_its_author_says_and_left_clean(
    package: Path, tmp_path: Path, file: str, text: str
) -> None:
    project = package.parent
    (project / file).write_text(text)
    stale = project / "build" / "lib" / "trainer" / "removed.py"
    stale.parent.mkdir(parents=True)
    stale.write_text("")
    (project / "data").symlink_to(tmp_path)  # a link out of the project, but in no package
    before = contents(project)

    wheel = build_package(package, output_folder(tmp_path))

    assert wheel.name == "census-1.2-py3-none-any.whl"
    assert contents(project) == before
    with zipfile.ZipFile(wheel) as archive:
        assert "trainer/removed.py" not in archive.namelist()
        metadata = archive.read("census-1.2.dist-info/METADATA").decode()
    assert "Requires-Dist: something>=1" in metadata
    site = tmp_path / "site"
    install(wheel, site)
    assert run_module("trainer.task", site) == "7\n"


def test_a_pyproject_for_linters_makes_no_project(package: Path) -> None:
    (package.parent / "pyproject.toml").write_text("[tool.ruff]\nline-length = 110\n")
    assert not is_project(package.parent)


def test_a_build_that_fails_shows_why(package: Path, tmp_path: Path) -> None:
    (package.parent / "setup.py").write_text("raise SystemExit('no compiler here')\n")
    with pytest.raises(UsageError, match="no compiler here"):
        build_package(package, output_folder(tmp_path))


def test_a_project_without_the_package_is_refused(package: Path, tmp_path: Path) -> None:
    (package.parent / "setup.py").write_text("from setuptools import setup\nsetup(name='x', packages=[])\n")
    with pytest.raises(UsageError, match="does not hold the package trainer"):
        build_package(package, output_folder(tmp_path))


def test_folders_that_are_no_package_are_refused(package: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        build_package(tmp_path / "missing", tmp_path)
    with pytest.raises(UsageError, match=r"has no __init__\.py"):
        build_package(package.parent, tmp_path)
    with pytest.raises(UsageError, match="'my-trainer' is no name that Python can import"):
        build_package(package.rename(package.with_name("my-trainer")), tmp_path)


def test_a_link_inside_the_package_is_packed_as_what_it_points_to(package: Path, tmp_path: Path) -> None:
    (package / "alias.py").symlink_to("task.py")
    with zipfile.ZipFile(build_package(package, output_folder(tmp_path))) as archive:
        assert archive.read("trainer/alias.py") == (package / "task.py").read_bytes()


@pytest.mark.parametrize("target", ["../../secret.txt", "model", "missing.py", "../../folder"])
def test_other_links_are_refused(package: Path, tmp_path: Path, target: str) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "folder").mkdir()
    (package / "linked").symlink_to(target)
    with pytest.raises(UsageError, match="linked is a link"):
        build_package(package, output_folder(tmp_path))


def test_a_package_full_of_data_is_refused(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (package / "data.bin").open("wb") as file:
        file.truncate(513 * 2**20)  # a hole, which takes no room
    with pytest.raises(UsageError, match="more than 512 MiB"):
        build_package(package, tmp_path)
