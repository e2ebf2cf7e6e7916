"""The pages tell the truth as far as a machine can check it: links, commands, settings, states, tests."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

from cli.main import app
from settings import Settings
from store.states import JOB_TRANSITIONS, TRIAL_TRANSITIONS, State
from tests.docs.pages import PAGES, ROOT, Page, page, read

PACKAGES = ("api_schemas", "cli", "client", "service", "settings", "store", "tests", "tuning", "worker")
COMMAND: Any = typer.main.get_command(app)
EACH_PAGE = pytest.mark.parametrize("each", PAGES, ids=lambda each: each.name)


@EACH_PAGE
def test_every_link_leads_somewhere(each: Page) -> None:
    for link in each.links:
        if "://" in link:
            continue
        target, _, anchor = link.partition("#")
        path = (each.path.parent / target).resolve() if target else each.path
        assert path.exists(), f"{each.name} links to {link}"
        if anchor:
            assert anchor in read(path).anchors, f"{each.name} links to {link}"


def test_every_page_can_be_reached_from_the_index() -> None:
    reached = {(ROOT / "docs" / link.partition("#")[0]).resolve() for link in page("docs/index.md").links}
    docs = {path for path in (each.path for each in PAGES) if path.is_relative_to(ROOT / "docs")}
    assert docs - reached == {ROOT / "docs" / "index.md"}


@EACH_PAGE
def test_every_vernier_command_is_one(each: Page) -> None:
    for words in vernier_commands(each):
        parse(words)


@pytest.mark.parametrize(
    "line", ["jobs describe a --summary", "job list", "jobs cancel", "jobs list --limit x", "serve here"]
)
def test_a_command_that_is_none_is_noticed(line: str) -> None:
    with pytest.raises(Exception, match=r"No such|Missing|valid integer|unexpected"):
        parse(line.split())


def test_the_pages_show_every_command() -> None:
    shown = [words for each in PAGES for words in vernier_commands(each)]
    for path in command_paths():
        assert any(words[: len(path)] == path for words in shown), f"no page shows vernier {' '.join(path)}"


def test_every_flag_of_the_command_has_its_place_and_no_other_has() -> None:
    real = {name for option in options() for name in (*option.opts, *option.secondary_opts)}
    real = {name for name in real if name.startswith("--")} | {"--help"}
    told = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", page("docs/reference/cli.md").text))
    assert told - {"--train-files"} == real  # the exception is an argument of the trainer in the example


@EACH_PAGE
def test_every_make_target_is_one(each: Page) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    named = {words[1] for words in each.command_lines if words[0] == "make"}
    named |= set(re.findall(r"`make ([a-z]+)`", each.prose))
    assert named <= targets


def test_every_setting_has_its_row_with_its_default() -> None:
    rows = {cells[0].strip("`"): cells for cells in page("docs/reference/settings.md").rows()}
    told = {name: cells[2] for name, cells in rows.items() if name.startswith("VERNIER_")}
    assert told.keys() == {variable_of(name) for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        # The others depend on the machine, or are unset, and are described in words.
        if isinstance(field.default, str | int | float):
            assert told[variable_of(name)] == f"`{field.default}`"


@EACH_PAGE
def test_no_page_names_a_variable_that_is_not_read(each: Page) -> None:
    read_by_the_service = {variable_of(name) for name in Settings.model_fields}
    read_by_the_command = {variable for option in options() for variable in variables(option)}
    named = set(re.findall(r"VERNIER_[A-Z_]*[A-Z]", each.text))
    assert named <= read_by_the_service | read_by_the_command


@pytest.mark.parametrize(("heading", "table"), [("Jobs", JOB_TRANSITIONS), ("Trials", TRIAL_TRANSITIONS)])
def test_the_states_page_has_the_transitions_of_the_code(
    heading: str, table: dict[State, frozenset[State]]
) -> None:
    states = page("docs/reference/states.md")
    section = states.text.split(f"## {heading}\n")[1].split("\n## ")[0]
    told = {cells[0]: cells[2] for cells in Page(states.path, section).rows() if cells[0] in set(State)}
    assert told.keys() == set(table)
    for state, followers in table.items():
        assert set(told[state].split(", ")) - {"–"} == followers


def test_every_section_that_the_code_refers_to_is_there() -> None:
    headings = re.findall(r"^##+ (\d+(?:\.\d+)?)", page("docs/contract.md").text, re.M)
    number = r"\d+(?:\.\d+)?"
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for lists in re.findall(rf"contract(?:\.md)? ((?:{number}(?:, | to )?)+)", path.read_text(), re.I):
            for section in re.findall(number, lists):
                assert section in headings, f"{path.relative_to(ROOT)} refers to section {section}"


@EACH_PAGE
def test_every_test_that_a_page_names_is_there(each: Page) -> None:
    files = re.findall(r"`(tests/[\w/.]+)`", each.text)
    for name in files:
        assert (ROOT / name).exists(), f"{each.name} names {name}"
    written = "".join((ROOT / name).read_text() for name in files if name.endswith(".py"))
    for test in re.findall(r"`(test_\w+)`", each.text):
        assert f"def {test}(" in written, f"{each.name} names {test}"


@EACH_PAGE
def test_every_source_file_that_a_page_names_is_there(each: Page) -> None:
    for name in re.findall(rf"`((?:{'|'.join(PACKAGES)}|examples|docs)/[\w/.]+)`", each.text):
        assert (ROOT / name).exists(), f"{each.name} names {name}"


def vernier_commands(each: Page) -> list[list[str]]:
    """The words after `vernier` of every such command on a page."""
    return [words[1:] for words in each.command_lines if Path(words[0]).name == "vernier"]


def command_paths() -> list[list[str]]:
    """Every command of the tree that does something, by its names."""
    found = []
    pending = [([name], command) for name, command in COMMAND.commands.items()]
    while pending:
        path, command = pending.pop()
        below = getattr(command, "commands", None)
        if below is None:
            found.append(path)
        else:
            pending += [([*path, name], each) for name, each in below.items()]
    return found


def options() -> list[Any]:
    """The options of the command itself and of all those commands."""
    found = list(COMMAND.params)
    for path in command_paths():
        command = COMMAND
        for name in path:
            command = command.commands[name]
        found += command.params
    return found


def variables(option: Any) -> list[str]:
    """The environment variables that an option is read from."""
    named = option.envvar or []
    return [named] if isinstance(named, str) else list(named)


def variable_of(setting: str) -> str:
    return f"VERNIER_{setting.upper()}"


def parse(words: list[str]) -> None:
    """Read a command line as the command does, without running it; raises what the user would be told."""
    command, context, rest = COMMAND, COMMAND.make_context("vernier", list(words)), list(words)
    while hasattr(command, "resolve_command"):
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, list(rest), parent=context)
