"""Which URIs are local paths."""

from pathlib import Path

import pytest

from api_schemas.locations import local_path


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("/a/b", "/a/b"),
        ("/a b/ü", "/a b/ü"),
        ("/a/b#c?d%20e", "/a/b#c?d%20e"),
        ("/a:b", "/a:b"),
        ("//[", "//["),
        ("/a/../b", "/a/../b"),
        ("file:///a/b", "/a/b"),
        ("file:/a/b", "/a/b"),
        ("FILE:///a", "/a"),
        ("file://localhost/a", "/a"),
        ("file:///a%20b%23", "/a b#"),
    ],
)
def test_absolute_paths_and_file_urls_are_local(uri: str, path: str) -> None:
    assert local_path(uri) == Path(path)


@pytest.mark.parametrize(
    "uri", ["gs://b/o", "s3://b/o", "http://h/p", "https://h/p.whl", "ftp://h", "x://", "gs://["]
)
def test_other_schemes_are_not(uri: str) -> None:
    assert local_path(uri) is None


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("", "is relative"),
        ("a/b", "is relative"),
        ("./a", "is relative"),
        ("~/a", "is relative"),
        ("file:a", "is relative"),
        ("gs:/b/o", "is relative"),
        ("file://host/a", "names the host 'host'"),
        ("file:///a%00b", "NUL"),
        ("file://[", "IPv6"),
    ],
)
def test_what_can_be_neither_says_why(uri: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        local_path(uri)
