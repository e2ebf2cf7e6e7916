"""Packages installed on this machine."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.worker.local_platform import LocalPlatform, local_platform
from tests.worker.preparation_contract import PreparationContract
from tests.worker.trainer_archives import source_archive, source_tree
from worker.launchers.environment import InstallFailed, install
from worker.launchers.install import fetch

LIMIT = 10**6


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[LocalPlatform]:
    with local_platform(tmp_path) as platform:
        yield platform


class TestContract(PreparationContract):
    """See there."""


class TestFetching:
    def test_a_path_may_be_written_in_three_ways(self, tmp_path: Path) -> None:
        package = tmp_path / "with space-1.0.tar.gz"
        package.write_bytes(b"content")
        quoted = str(package).replace(" ", "%20")
        for uri in (str(package), f"file://{quoted}", f"file:{quoted}"):
            assert fetch(uri, tmp_path / "into", LIMIT).read_bytes() == b"content"

    def test_fetching_again_leaves_nothing_of_the_first_time(self, tmp_path: Path) -> None:
        for name in ("old-1.0.tar.gz", "new-1.0.tar.gz"):
            (tmp_path / name).touch()
            fetch(str(tmp_path / name), tmp_path / "into", LIMIT)
        assert [file.name for file in (tmp_path / "into").iterdir()] == ["new-1.0.tar.gz"]

    def test_a_folders_links_are_not_followed(self, tmp_path: Path) -> None:
        tree = source_tree(tmp_path, "linked", "")
        (tree / "passwords").symlink_to("/etc/passwd")
        assert (fetch(str(tree), tmp_path / "into", LIMIT) / "passwords").is_symlink()

    @pytest.mark.parametrize(
        ("uri", "reason"),
        [
            (
                "hdfs://host/trainer-1.0.tar.gz",
                "only local paths, file://, gs://, s3://, http:// and https://",
            ),
            ("/no/such/trainer-1.0.tar.gz", "/no/such/trainer-1.0.tar.gz can't be read: No such file"),
            ("/etc/hostname", "must be a Python package: one of .tar.gz, .tgz, .zip, .whl, or a directory"),
            ("http://127.0.0.1:1/", "must be a Python package"),
            ("/etc", "is a directory without setup.py or pyproject.toml"),
        ],
    )
    def test_what_is_no_package_is_refused_with_its_name(self, tmp_path: Path, uri: str, reason: str) -> None:
        with pytest.raises(InstallFailed) as refused:
            fetch(uri, tmp_path / "into", LIMIT)
        assert uri in str(refused.value)
        assert reason in str(refused.value)


class TestDamage:
    """An upload that was cut short, a disk that forgot: told as such, not as a traceback of ours."""

    def _assert_refused(self, package: Path) -> None:
        with pytest.raises(InstallFailed, match=f"{package.name} is no archive, or is damaged or cut short"):
            install(package, package.parent / "no environment is reached")

    @pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.9])
    def test_an_archive_that_was_cut_short_is_refused(self, tmp_path: Path, kept: float) -> None:
        package = source_archive(tmp_path, "cut", "".join(map(str, range(20_000))))
        data = package.read_bytes()
        package.write_bytes(data[: int(len(data) * kept)])
        self._assert_refused(package)

    def test_an_archive_with_a_wrong_byte_is_refused(self, tmp_path: Path) -> None:
        package = source_archive(tmp_path, "flipped", "x" * 200_000)
        stored = bytearray(gzip.compress(gzip.decompress(package.read_bytes()), compresslevel=0))
        # Not compressed, the data are blocks that begin with one byte, their length and its complement.
        second_block = 10 + 5 + int.from_bytes(stored[11:13], "little")
        stored[second_block + 1] ^= 0xFF
        package.write_bytes(bytes(stored))
        self._assert_refused(package)

    @pytest.mark.parametrize("name", ["text-1.0.tar.gz", "text-1.0.tgz", "text-1.0.zip"])
    def test_what_only_has_an_archives_name_is_refused(self, tmp_path: Path, name: str) -> None:
        package = tmp_path / name
        package.write_text("<html>Please log in</html>")
        self._assert_refused(package)
