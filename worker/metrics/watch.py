"""Everything a trial has reported since the last look: `read_new`.

    cursor = Cursor()
    while True:
        reading = read_new([trial_directory], hypertune_file, "accuracy", cursor)
        # in one transaction: store reading.measurements and reading.cursor.to_json()
        cursor = reading.cursor

The cursor holds all that is remembered. Reading again with the returned one gives only what is new; reading
again with the old one gives the same again, so that a crash before the transaction loses nothing.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from worker.metrics.event_files import EventFile, FilePosition, find, follow
from worker.metrics.hypertune import SOURCE, read_hypertune
from worker.metrics.measurement import Measurement
from worker.metrics.scalar_events import ScalarReader
from worker.metrics.tag_names import add_tag

READ_LIMIT: Final = 2**26
FILES_LIMIT: Final = 1000
PROBLEMS_LIMIT: Final = 20


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a trial's files have been read; the default is nothing yet.

    Attributes:
        files: the position in each event file met so far, ordered by path; at most FILES_LIMIT.
        next_source: the source number of the next event file.
        hypertune_source: that of the hypertune file; sources below it are those of earlier attempts.
        hypertune_lines: digests of the newest lines of the hypertune file.
        tags: names of the metrics seen, ordered.
    """

    files: tuple[FilePosition, ...] = ()
    next_source: int = SOURCE + 1
    hypertune_source: int = SOURCE
    hypertune_lines: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    def for_next_attempt(self) -> "Cursor":
        """Where the trial's next attempt is read from, which has a hypertune file of its own."""
        source = self.next_source
        return replace(self, next_source=source + 1, hypertune_source=source, hypertune_lines=())

    def to_json(self) -> dict[str, Any]:
        """Return the cursor as a JSON object that `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Cursor":
        """Read what `to_json` gave; an empty object is the default cursor.

        Raises:
            ValueError: when it is no cursor.
        """
        try:
            return cls(
                files=tuple(FilePosition(**file) for file in data.get("files", ())),
                next_source=int(data.get("next_source", cls().next_source)),
                hypertune_source=int(data.get("hypertune_source", SOURCE)),
                hypertune_lines=tuple(data.get("hypertune_lines", ())),
                tags=tuple(data.get("tags", ())),
            )
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(f"not a cursor: {error}") from error


@dataclass(frozen=True, slots=True)
class Reading:
    """What one look at a trial's files gave.

    Attributes:
        measurements: the new ones; those of one source in the order they were written.
        cursor: where to read on.
        tags: names of the metrics seen so far, the objective or not; at most TAGS_LIMIT.
        problems: sentences for the trial's log; at most PROBLEMS_LIMIT and one that counts the rest.
        more: whether the limit was reached, so that there is more to read now.
    """

    measurements: list[Measurement]
    cursor: Cursor
    tags: frozenset[str] = frozenset()
    problems: list[str] = field(default_factory=list)
    more: bool = False


def read_new(
    roots: Sequence[Path],
    hypertune_file: Path | None,
    tag: str,
    cursor: Cursor,
    final: bool = False,
    *,
    limit: int = READ_LIMIT,
) -> Reading:
    """Read what was reported under `tag` since `cursor`.

    Args:
        roots: directories under which the trial may write event files; they need not exist. Their order is
            part of what the cursor remembers.
        hypertune_file: where cloudml-hypertune writes, if anywhere.
        tag: the metric's name, which must match exactly.
        cursor: where the last look stopped.
        final: the trial has ended. Everything is read, whatever the limit, and ends of files that were waited
            for are reported as problems.
        limit: bytes of event files after which a look stops, at the next end of a chunk of 1 MiB.

    Never raises because of what stands in the files or because they cannot be read; that becomes problems.
    """
    found, problems = find(roots)
    if len(found) > FILES_LIMIT:
        problems.append(f"only the first {FILES_LIMIT} of {len(found)} event files are read")
        del found[FILES_LIMIT:]
    scalars = ScalarReader(tag, cursor.tags)
    positions = {position.path: position for position in cursor.files}
    next_source = cursor.next_source
    measurements: list[Measurement] = []
    read = 0
    more = False
    for file in found:
        before = positions.get(file.path) or FilePosition(file.path, next_source)
        left = None if final else max(0, limit - read)
        look = follow(file, before, scalars, new_source=next_source, limit=left, final=final)
        positions[file.path] = look.position
        next_source = max(next_source, look.position.source + 1)
        measurements += look.measurements
        problems += look.problems
        read += look.read
        more = more or look.more

    seen = cursor.hypertune_lines
    if hypertune_file is not None:
        lines = read_hypertune(hypertune_file, tag, seen, final)
        seen = lines.seen
        measurements += [each._replace(source=cursor.hypertune_source) for each in lines.measurements]
        problems += lines.problems
        for name in sorted(lines.tags):
            add_tag(scalars.tags, name)

    tags = frozenset(scalars.tags)
    after = replace(
        cursor,
        files=_remembered(positions, found),
        next_source=next_source,
        hypertune_lines=seen,
        tags=tuple(sorted(tags)),
    )
    return Reading(measurements, after, tags, _bounded(problems), more)


def _remembered(positions: dict[str, FilePosition], found: list[EventFile]) -> tuple[FilePosition, ...]:
    """Keep the positions of files that are gone, which may come back, for as long as there is room."""
    if len(positions) > FILES_LIMIT:
        present = {file.path for file in found}
        positions = {path: position for path, position in positions.items() if path in present}
    return tuple(positions[path] for path in sorted(positions))


def _bounded(problems: list[str]) -> list[str]:
    """Bring problems to a number and to a form that a log takes, whatever a file's name."""
    if len(problems) > PROBLEMS_LIMIT:
        problems = [*problems[:PROBLEMS_LIMIT], f"and {len(problems) - PROBLEMS_LIMIT} more problems"]
    return [problem.encode(errors="backslashreplace").decode() for problem in problems]
