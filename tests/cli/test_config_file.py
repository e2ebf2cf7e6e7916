"""The config file is read by the rules of YAML 1.2, as gcloud reads it."""

from pathlib import Path
from typing import Any

import pytest

from cli.config_file import read_config
from cli.errors import UsageError


def read(tmp_path: Path, text: str, name: str = "job.yaml") -> dict[str, Any]:
    file = tmp_path / name
    file.write_text(text)
    return read_config(file)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("-1.5E+3", -1500.0),
        (".5", 0.5),
        ("12", 12),
        ("-0", 0),
        ("0x1F", 31),
        ("0o17", 15),
        ("017", 17),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("2020-01-01", "2020-01-01"),
        ("on", "on"),
        ("No", "No"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("'1'", "1"),
        ("=", "="),
        ("7200s", "7200s"),
        ("[adam, sgd]", ["adam", "sgd"]),
    ],
)
def test_scalars_are_of_the_type_that_yaml_1_2_gives_them(tmp_path: Path, text: str, value: object) -> None:
    read_value = read(tmp_path, f"key: {text}\n")["key"]

    assert read_value == value
    assert type(read_value) is type(value)


def test_json_is_read(tmp_path: Path) -> None:
    text = '{"trainingInput": {"args": ["--a", "1"],%s"jobDir": null}}'
    job = {"trainingInput": {"args": ["--a", "1"], "jobDir": None}}
    assert read(tmp_path, text % " ", "job.yaml") == job
    assert read(tmp_path, text % "\n\t", "job.json") == job


def test_merge_keys_are_followed(tmp_path: Path) -> None:
    text = "a: &a {type: DOUBLE, minValue: 1}\nb: {<<: *a, minValue: 2}\n"
    assert read(tmp_path, text)["b"] == {"type": "DOUBLE", "minValue": 2}


def test_an_empty_file_is_an_empty_job(tmp_path: Path) -> None:
    assert read(tmp_path, "# nothing yet\n") == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\nb: 2\na: 3\n", "'a' is there twice in the mapping that begins in line 1"),
        ("a: [1\n", "no job in YAML or JSON"),
        ("- a\n", "it holds a list"),
        ("trainingInput\n", "it holds 'trainingInput'"),
        ("a: .nan\n", "no job in YAML or JSON"),
        ("a: &a [*a]\n", "no job in YAML or JSON"),
        ("a: !!python/object/apply:os.getcwd []\n", "no job in YAML or JSON"),
        ("a: 1\n---\nb: 2\n", "no job in YAML or JSON"),
        ("[" * 5000, "no job in YAML or JSON"),
    ],
)
def test_what_is_no_job_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read(tmp_path, text)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="no job in YAML or JSON"):
        read_config(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*/job\.yaml: No such file"):
        read_config(tmp_path / "job.yaml")
