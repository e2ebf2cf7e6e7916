"""A connection between a client and a server of this machine that tests can cut, or hold up."""

import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.kubernetes.cluster import ControlPlane


class UnreliableLine:
    """Listens on `port` of loopback, and hands everything on to another one."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._lock = threading.Lock()
        self._pairs: set[socket.socket] = set()
        self._open = True
        self._flows = threading.Event()
        self._flows.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def kubeconfig(self, control_plane: "ControlPlane") -> Path:
        """A kubeconfig that leads through here."""
        told = control_plane.kubeconfig("admin").read_text()
        file = control_plane.home / f"line-{self.port}.kubeconfig"
        file.write_text(told.replace(f":{control_plane.port}", f":{self.port}"))
        return file

    def cut(self) -> None:
        """End every connection, and let no new one come about."""
        with self._lock:
            self._open = False
            pairs, self._pairs = self._pairs, set()
        for each in pairs:
            _end(each)

    def hold(self) -> None:
        """Hand nothing on any more, and say nothing of it."""
        self._flows.clear()

    def mend(self) -> None:
        with self._lock:
            self._open = True
        self._flows.set()

    def close(self) -> None:
        self._listener.close()
        self.cut()
        self._flows.set()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                near.close()
                continue
            with self._lock:
                if self._open:
                    self._pairs |= {near, far}
                else:
                    _end(near)
                    _end(far)
                    continue
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._hand_on, args=(source, target), daemon=True).start()

    def _hand_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while part := source.recv(2**16):
                self._flows.wait()
                target.sendall(part)
        for each in (source, target):
            _end(each)
            with self._lock:
                self._pairs.discard(each)


def _end(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
