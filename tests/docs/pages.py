"""The project's pages as the tests read them: their links, headings, tables and blocks of code."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATHS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])

_FENCE = re.compile(r"^(?P<fence>```+)(?P<language>\w*)\n(?P<text>.*?)^(?P=fence)$", re.M | re.S)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_SHELLS = frozenset({"sh", "bash", "console"})
_PUNCTUATION = ";|&()<>"


@dataclass(frozen=True, slots=True)
class Page:
    path: Path
    text: str

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def prose(self) -> str:
        """The page without its blocks of code."""
        return _FENCE.sub("", self.text)

    @property
    def links(self) -> list[str]:
        return _LINK.findall(self.prose)

    @property
    def anchors(self) -> set[str]:
        """What `#…` may name, as GitHub derives it from headings."""
        return {_slug(line) for line in re.findall(r"^#+ +(.*)$", self.prose, re.M)}

    @property
    def command_lines(self) -> list[list[str]]:
        """The words of every command in a block of shell, cut at pipes and redirections."""
        blocks = [match["text"] for match in _FENCE.finditer(self.text) if match["language"] in _SHELLS]
        return [words for block in blocks for words in _commands(block)]

    def rows(self) -> Iterator[list[str]]:
        """The cells of every row of every table."""
        for line in self.prose.splitlines():
            if line.startswith("|"):
                yield [cell.strip() for cell in line.strip().strip("|").split("|")]


def read(path: Path) -> Page:
    return Page(path, path.read_text(encoding="utf-8"))


def page(name: str) -> Page:
    """The page of this path below the project's root."""
    return read(ROOT / name)


PAGES = [read(path) for path in PATHS]


def _slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _commands(block: str) -> Iterator[list[str]]:
    # A lexer of the whole block, so that a quoted body may span lines.
    one_a_line = block.replace("\\\n", " ").replace("\n", " ;\n")
    lexer = shlex.shlex(one_a_line, posix=True, punctuation_chars=_PUNCTUATION)
    lexer.whitespace_split = True
    words: list[str] = []
    for word in lexer:
        if set(word) <= set(_PUNCTUATION):
            if words:
                yield words
            words = []
        else:
            words.append(word)
    if words:
        yield words
