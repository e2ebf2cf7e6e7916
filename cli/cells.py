"""Single values as they stand in tables and in the live display."""

import math
from collections.abc import Sequence
from itertools import pairwise

MAX_VALUE = 24  # characters of a hyperparameter's value
_BLOCKS = "▁▂▃▄▅▆▇█"


def objective(value: float | None) -> str:
    """The value to six significant digits; "–" for None."""
    return "–" if value is None else f"{value:.6g}"


def hyperparameter(value: str) -> str:
    """The value short enough for a column: long numbers rounded to six digits, other long values cut.

    Characters that could steer the terminal are replaced.
    """
    try:
        if len(value) > 8:
            return f"{float(value):.6g}"
    except ValueError:
        pass
    safe = harmless(value)
    return safe if len(safe) <= MAX_VALUE else safe[: MAX_VALUE - 1] + "…"


def harmless(text: str, keeping: str = "") -> str:
    """The text without what could steer the terminal; `keeping` are characters that may stay all the same."""
    return "".join(each if each.isprintable() or each in keeping else "�" for each in text)


def duration(length: float) -> str:
    """The seconds in their two largest units: "42s", "3m 05s", "1h 04m", "2d 03h"."""
    whole = int(length)
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if not minutes:
        return f"{whole}s"
    if not hours:
        return f"{minutes}m {whole % 60:02}s"
    if not days:
        return f"{hours}h {minutes % 60:02}m"
    return f"{days}d {hours % 24:02}h"


def sparkline(values: Sequence[float], width: int = 16) -> str:
    """The values as at most `width` blocks, scaled from the lowest to the highest; "·" for a non-finite one.

    More values than `width` are merged by their means, over runs as even as can be.
    """
    count = min(len(values), width)
    edges = [len(values) * index // count for index in range(count + 1)] if count else [0]
    means = [sum(values[begin:end]) / (end - begin) for begin, end in pairwise(edges)]
    finite = [mean for mean in means if math.isfinite(mean)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)

    def block(mean: float) -> str:
        if not math.isfinite(mean):
            return "·"
        # A flat curve is drawn in the middle. Halved first, as the range of two floats can overflow.
        share = (mean / 2 - low / 2) / (high / 2 - low / 2) if high > low else 0.5
        return _BLOCKS[round(share * (len(_BLOCKS) - 1))]

    return "".join(block(mean) for mean in means)
