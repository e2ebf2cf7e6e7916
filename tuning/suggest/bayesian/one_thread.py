"""Linear algebra on one thread.

The matrices here are small: threads cost more than they bring, ten times more on a busy machine, and how
many there are would change the last digits of an answer.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep the process's BLAS libraries to one thread for as long as this lasts."""
    with _controller().limit(limits=1, user_api="blas"):
        yield


@cache
def _controller() -> ThreadpoolController:
    # Finding the libraries takes milliseconds; SciPy's has been loaded by whoever gets here.
    return ThreadpoolController()
