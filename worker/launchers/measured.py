"""Where what an attempt measures is to be read."""

from collections.abc import Callable
from pathlib import Path

from store.objects.names import Place
from worker.launchers.protocol import MetricPlaces
from worker.metrics.mirrors import Mirrors


def places_of(
    mirrors: Mirrors,
    attempt_dir: Path,
    hypertune_file: Path,
    job_dir: Path | Place | None,
    has_ended: Callable[[], bool],
) -> MetricPlaces:
    """See `Launcher.metric_places`.

    Args:
        has_ended: whether nothing of the attempt writes any more; asked where the job dir is copied.
    """
    if isinstance(job_dir, Place):
        ended, folder = has_ended(), attempt_dir / "mirror"
        found = mirrors.look(job_dir, folder, ended=ended)
        return MetricPlaces((folder / "files",), hypertune_file, found.problems, found.complete or not ended)
    # Without a jobDir a trainer has only its working directory to write to.
    return MetricPlaces((job_dir if job_dir is not None else attempt_dir / "work",), hypertune_file)
