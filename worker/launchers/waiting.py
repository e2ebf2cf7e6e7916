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

SETTLE_MILLISECONDS = 100
KILOBYTE = 1024
"""The kernel's unit of ru_maxrss."""


class EndOfProcess:
    """Calls back, from a thread of its own, once for each watched process that ends; reaps our children.

    What a child used is told as soon as it is reaped, before its end is.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: dict[int, tuple[int, Callable[[], None]]] = {}
        self._pids: dict[int, tuple[int, Callable[[int], None]]] = {}
        self._thread: threading.Thread | None = None
        self._epoll = select.epoll() if hasattr(os, "pidfd_open") else None
        self._wake_read, self._wake_write = os.pipe()
        self._closed = False
        if self._epoll is not None:
            self._epoll.register(self._wake_read, select.EPOLLIN)

    def watch(
        self, pid: int, ended: Callable[[], None], used: Callable[[int], None] = lambda peak: None
    ) -> None:
        """Call `ended` when the process ends. Watching twice is watching once.

        Of a process that is gone already nothing is told: a caller that looks again whenever it is told would
        never rest.

        Args:
            used: of our own child, called with the bytes that the largest process took of it and of those
                that it waited for.
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
            self._pids[pid] = (descriptor, used)
            self._watched[descriptor] = (pid, ended)
            self._epoll.register(descriptor, select.EPOLLIN)
            self._start()

    def settle(self, pid: int) -> None:
        """Of a watched process that is about to end, if it has not: see that what it used has been told."""
        with self._lock:
            if self._closed or pid not in self._pids:
                return
            about_to_end = select.poll()
            about_to_end.register(self._pids[pid][0], select.POLLIN)
            if about_to_end.poll(SETTLE_MILLISECONDS):
                self._reap(pid)

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
                    self._reap(pid)
                    del self._pids[pid]
                    self._epoll.unregister(descriptor)
                os.close(descriptor)
                try:
                    ended()
                except Exception:
                    # One listener's trouble must not leave the other processes unwatched.
                    log.exception("the end of a process could not be told", pid=pid)

    def _reap(self, pid: int) -> None:
        _, used = self._pids[pid]
        with suppress(ChildProcessError):  # An earlier service's child, which init reaps; or reaped before.
            reaped, _, usage = os.wait4(pid, os.WNOHANG)
            if reaped:
                try:
                    used(usage.ru_maxrss * KILOBYTE)
                except Exception:
                    log.exception("what a process used could not be kept", pid=pid)
