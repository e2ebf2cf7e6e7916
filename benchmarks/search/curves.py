"""Any-time curves as an SVG picture: one panel a task, regret (log) over trials, a line a contestant."""

from collections.abc import Sequence
from html import escape
from math import log10

import numpy as np

from benchmarks.search.running import Run
from benchmarks.search.statistics import FLOOR, Array, best_so_far

_WIDTH, _HEIGHT, _COLUMNS = 260, 170, 3
_LEFT, _TOP, _LEGEND = 40, 30, 40
_COLOURS = (
    "#000000",
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#999999",
    "#7f3c8d",
    "#a5aa99",
    "#80ba5a",
    "#6b4c2a",
    "#11a579",
    "#f2b701",
    "#3969ac",
)


def picture(runs: Sequence[Run], tasks: Sequence[str], batch: int) -> str:
    """The document: medians over seeds, with the quartiles as a band.

    A point is of all runs that went so far; where some end before others, the line may jump.
    """
    runs = [run for run in runs if run.batch == batch and run.task in tasks]
    contestants = list(dict.fromkeys(run.contestant for run in runs))
    colours = {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(contestants)}
    trials = max((len(run.regrets) for run in runs), default=1)
    shown = [task for task in tasks if any(run.task == task for run in runs)]
    rows = -(-len(shown) // _COLUMNS)
    width, height = _COLUMNS * (_WIDTH + _LEFT), _LEGEND + rows * (_HEIGHT + _TOP + 20)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for i, name in enumerate(contestants):
        x = 10 + i * (width - 20) / len(contestants)
        parts.append(f'<text x="{x:.0f}" y="18" fill="{colours[name]}">{escape(name)}</text>')
    for i, task in enumerate(shown):
        x = _LEFT + (i % _COLUMNS) * (_WIDTH + _LEFT)
        y = _LEGEND + _TOP + (i // _COLUMNS) * (_HEIGHT + _TOP + 20)
        parts.append(f'<g transform="translate({x},{y})">{_axes(task, trials)}')
        for name in contestants:
            curves = [best_so_far(r) for r in runs if (r.task, r.contestant) == (task, name)]
            if curves:
                low, middle, high = _quartiles(curves)
                band = _points(low, trials) + " " + " ".join(reversed(_points(high, trials).split()))
                parts.append(f'<polygon points="{band}" fill="{colours[name]}" opacity="0.1"/>')
                parts.append(
                    f'<polyline points="{_points(middle, trials)}" fill="none" stroke="{colours[name]}" '
                    'stroke-width="1.5"/>'
                )
        parts.append("</g>")
    return "\n".join([*parts, "</svg>"]) + "\n"


def _quartiles(curves: Sequence[Array]) -> Array:
    """The three quartiles after each trial of the longest curve."""
    trials = range(max(map(len, curves)))
    return np.transpose(
        [np.quantile([c[i] for c in curves if len(c) > i], [0.25, 0.5, 0.75]) for i in trials]
    )


def _points(regrets: Sequence[float], trials: int) -> str:
    return " ".join(f"{_x(i + 1, trials):.1f},{_y(regret):.1f}" for i, regret in enumerate(regrets))


def _x(trial: int, trials: int) -> float:
    return (_WIDTH - 20) * (trial - 1) / max(trials - 1, 1)


def _y(regret: float) -> float:
    """From 1 at the top down to the floor, a decade each third of the height."""
    return _HEIGHT * min(max(log10(regret) / log10(FLOOR), 0.0), 1.0)


def _axes(task: str, trials: int) -> str:
    parts = [f'<text x="0" y="-8" font-weight="bold">{escape(task)}</text>']
    parts += [
        f'<line x1="0" x2="{_WIDTH - 20}" y1="{_y(regret):.1f}" y2="{_y(regret):.1f}" stroke="#dddddd"/>'
        f'<text x="-4" y="{_y(regret) + 4:.1f}" text-anchor="end">{regret:g}</text>'
        for regret in (1.0, 0.1, 0.01, FLOOR)
    ]
    parts += [
        f'<text x="{_x(trial, trials):.1f}" y="{_HEIGHT + 14}" text-anchor="middle">{trial}</text>'
        for trial in sorted({1, trials // 2, trials} - {0})
    ]
    return "".join(parts)
