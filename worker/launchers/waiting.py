"""Tells at once when a process ends, whether this service started it or an earlier one did.

A pidfd becomes readable when its process ends (Linux 5.3 and newer). Where there are none the reconciler's
polling finds out instead, later by a poll.
"""

import os
import select
import threading
from collections.abc import Callable
from contextlib import suppress

import structlog

log = structlog.get_logger(__name__)


class EndOfProcess:
    """Calls back, from a thread of its own, once for each watched process that ends; reaps our children."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: dict[int, tuple[int, Callable[[], None]]] = {}
        self._pids: set[int] = set()
        self._thread: threading.Thread | None = None
        self._epoll = select.epoll() if hasattr(os, "pidfd_open") else None
        self._wake_read, self._wake_write = os.pipe()
        self._closed = False
        if self._epoll is not None:
            self._epoll.register(self._wake_read, select.EPOLLIN)

    def watch(self, pid: int, ended: Callable[[], None]) -> None:
        """Call `ended` when the process ends. Watching twice is watching once.

        Of a process that is gone already nothing is told: a caller that looks again whenever it is told would
        never rest.
        """
        if self._epoll is None:
            return
        with self._lock:
            if pid in self._pids or self._closed:
                return
            try:
                descriptor = os.pidfd_open(pid)
            except OSError:
                return
            self._pids.add(pid)
            self._watched[descriptor] = (pid, ended)
            self._epoll.register(descriptor, select.EPOLLIN)
            self._start()

    def close(self) -> None:
        """Stop watching; the processes go on."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        os.write(self._wake_write, b"x")
        if self._thread is not None:
            self._thread.join()
        if self._epoll is not None:
            self._epoll.close()
        for descriptor in (*self._watched, self._wake_read, self._wake_write):
            os.close(descriptor)

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="end-of-process", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        assert self._epoll is not None
        while not self._closed:
            for descriptor, _ in self._epoll.poll():
                if descriptor == self._wake_read:
                    continue
                with self._lock:
                    pid, ended = self._watched.pop(descriptor)
                    self._pids.discard(pid)
                    self._epoll.unregister(descriptor)
                os.close(descriptor)
                with suppress(ChildProcessError):  # An earlier service's child; init reaps it.
                    os.waitpid(pid, os.WNOHANG)
                try:
                    ended()
                except Exception:
                    # One listener's trouble must not leave the other processes unwatched.
                    log.exception("the end of a process could not be told", pid=pid)
