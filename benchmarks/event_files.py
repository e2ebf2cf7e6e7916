"""How fast event files are read beside TensorBoard's own two readers, and what following a growing one costs.

    python -m benchmarks.event_files [--json]

The three readers read the same files in turns, all of them checking checksums, and the best round of each
counts. Ours keeps the points of one tag, which is what a tuning job needs; the others load every tag. The
data server is a compiled program; its time runs from its start until it has served the points of that tag.
"""

import argparse
import json
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import grpc  # type: ignore[import-untyped]
import tensorboard_data_server  # type: ignore[import-untyped]
from rich.console import Console
from rich.table import Table
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.context import RequestContext
from tensorboard.data import grpc_provider
from tensorboard.data.provider import RunTagFilter

from worker.metrics.tfrecord import masked_crc
from worker.metrics.watch import Cursor, read_new

ROUNDS = 5
TAG = "tag7"
NAME = "events.out.tfevents.1"


@dataclass(frozen=True)
class Race:
    """One file and the seconds that each reader took for it; `points` counts all tags."""

    file: str
    size: int
    events: int
    points: int
    ours: float
    accumulator: float
    data_server: float


@dataclass(frozen=True)
class Following:
    """The cost of 500 looks at a file of `size` bytes, each after ten new events, and of looks at no news."""

    size: int
    seconds_per_event: float
    seconds_per_idle_look: float


def framed(step: int, tags: Iterable[str]) -> bytes:
    """Make the record of one event that holds a scalar for each tag."""
    values = [summary_pb2.Summary.Value(tag=tag, simple_value=1 / (step + 1)) for tag in tags]
    data: bytes = event_pb2.Event(
        wall_time=1.7e9 + step, step=step, summary=summary_pb2.Summary(value=values)
    ).SerializeToString()
    length = struct.pack("<Q", len(data))
    return b"".join(
        (length, struct.pack("<I", masked_crc(length)), data, struct.pack("<I", masked_crc(data)))
    )


def ours(directory: Path) -> int:
    return len(read_new([directory], None, TAG, Cursor()).measurements)


def accumulator(directory: Path) -> int:
    events = EventAccumulator(str(directory), size_guidance={"scalars": 0})
    events.Reload()
    return len(events.Scalars(TAG))


def data_server(directory: Path) -> int:
    """Start TensorBoard's Rust data server on a directory, and wait until it has served every point."""
    expected = POINTS_PER_TAG[directory.name]
    with tempfile.TemporaryDirectory() as scratch:
        port_file = Path(scratch) / "port"
        command = [tensorboard_data_server.server_binary(), f"--logdir={directory}", "--port=0", "--checksum"]
        command += [f"--port-file={port_file}", "--reload=once", "--samples-per-plugin=scalars=all"]
        with subprocess.Popen(command) as server:
            try:
                while not (port_file.exists() and port_file.read_text().endswith("\n")):
                    time.sleep(0.001)
                address = f"localhost:{port_file.read_text().strip()}"
                with grpc.insecure_channel(address) as channel:
                    provider = grpc_provider.GrpcDataProvider(address, grpc_provider.make_stub(channel))
                    while (count := _served(provider, expected)) < expected:
                        time.sleep(0.001)
                    return count
            finally:
                server.kill()


def _served(provider: grpc_provider.GrpcDataProvider, expected: int) -> int:
    """Ask for all points of the tag, and count them."""
    runs = provider.read_scalars(
        RequestContext(),
        experiment_id="",
        plugin_name="scalars",
        downsample=expected + 1,
        run_tag_filter=RunTagFilter(tags=[TAG]),
    )
    return sum(len(points) for tags in runs.values() for points in tags.values())


# The files of the race, by the tags of a step, and the points each holds of one tag.
POINTS_PER_TAG = {"1": 20_000, "20 together": 5_000, "20 apart": 5_000}
READERS: dict[str, Callable[[Path], int]] = {
    "ours": ours,
    "accumulator": accumulator,
    "data_server": data_server,
}


def write_files(root: Path) -> None:
    """Write the files of the race."""
    tags = [f"tag{number}" for number in range(20)]
    contents = {
        "1": (framed(step, [TAG]) for step in range(20_000)),
        "20 together": (framed(step, tags) for step in range(5_000)),
        "20 apart": (framed(step, [tag]) for step in range(5_000) for tag in tags),
    }
    for name, records in contents.items():
        (root / name).mkdir()
        (root / name / NAME).write_bytes(b"".join(records))


def race(directory: Path) -> Race:
    """Let the readers read one file in turns."""
    best = dict.fromkeys(READERS, float("inf"))
    for _ in range(ROUNDS):
        for name, reader in READERS.items():
            start = time.perf_counter()
            count = reader(directory)
            best[name] = min(best[name], time.perf_counter() - start)
            if count != POINTS_PER_TAG[directory.name]:
                raise RuntimeError(f"{name} read {count} points of {directory.name}")
    per_tag = POINTS_PER_TAG[directory.name]
    points = per_tag * (1 if directory.name == "1" else 20)
    events = per_tag if directory.name == "20 together" else points
    return Race(directory.name, (directory / NAME).stat().st_size, events, points, **best)


def follow(directory: Path, events: int) -> Following:
    """Follow a file that already holds `events` events while ten more are added before each look."""
    directory.mkdir()
    path = directory / NAME
    path.write_bytes(b"".join(framed(step, [TAG]) for step in range(events)))
    cursor = read_new([directory], None, TAG, Cursor()).cursor
    size = path.stat().st_size
    looks, new = 500, 10
    reading_time = 0.0
    with path.open("ab", buffering=0) as file:
        for look in range(looks):
            first = events + look * new
            file.write(b"".join(framed(step, [TAG]) for step in range(first, first + new)))
            start = time.perf_counter()
            reading = read_new([directory], None, TAG, cursor)
            reading_time += time.perf_counter() - start
            cursor = reading.cursor
            if len(reading.measurements) != new:
                raise RuntimeError(f"{len(reading.measurements)} of {new} new events were read")
    start = time.perf_counter()
    for _ in range(looks):
        read_new([directory], None, TAG, cursor)
    return Following(size, reading_time / (looks * new), (time.perf_counter() - start) / looks)


def show(races: list[Race], followings: list[Following]) -> None:
    table = Table(title=f"Reading a file anew, best of {ROUNDS}")
    table.add_column("tags")
    for heading in ("ours", "MB/s", "points/s", "accumulator", "x", "data server", "x"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in races:
        table.add_row(
            one.file,
            f"{one.ours * 1e3:.0f} ms",
            f"{one.size / one.ours / 1e6:.1f}",
            f"{one.points / one.ours / 1e3:.0f} k",
            f"{one.accumulator * 1e3:.0f} ms",
            f"{one.accumulator / one.ours:.1f}",
            f"{one.data_server * 1e3:.0f} ms",
            f"{one.data_server / one.ours:.1f}",
        )
    console = Console()
    console.print(table)
    table = Table(title="Following a growing file")
    for heading in ("file so far, MB", "per new event", "per look without news"):
        table.add_column(heading, justify="right")
    for each in followings:
        table.add_row(
            f"{each.size / 1e6:.2f}",
            f"{each.seconds_per_event * 1e6:.1f} us",
            f"{each.seconds_per_idle_look * 1e6:.0f} us",
        )
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how fast event files are read.")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    as_json = parser.parse_args().json
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        write_files(root)
        races = [race(root / name) for name in POINTS_PER_TAG]
        followings = [follow(root / f"following {events}", events) for events in (1_000, 20_000, 400_000)]
    if as_json:
        print(json.dumps({"races": list(map(asdict, races)), "following": list(map(asdict, followings))}))
    else:
        show(races, followings)


if __name__ == "__main__":
    main()
