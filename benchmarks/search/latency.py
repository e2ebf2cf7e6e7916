"""What a suggestion of ours costs as the history grows, in seconds of CPU of all threads."""

from statistics import median

from benchmarks.search.contestants import CONTESTANTS, Process
from benchmarks.search.synthetic import TASKS

FINISHED = (30, 100, 300, 1000)
_REPEATS = 5


def measure(contestant: str, finished: int) -> float:
    """The median cost of suggestions one by one, after so many random trials of a mixed task."""
    task = next(task for task in TASKS if task.name == "learning-rate")
    with Process(CONTESTANTS["random"]) as process:
        process.begin(task.space, 0)
        points, _ = process.ask(finished)
    costs = []
    with Process(CONTESTANTS[contestant]) as process:
        process.begin(task.space, 0)
        process.tell(points, [task.loss(point) for point in points])
        for _ in range(_REPEATS):
            asked, cpu = process.ask(1)
            costs.append(cpu + process.tell(asked, [task.loss(point) for point in asked]))
    return median(costs)
