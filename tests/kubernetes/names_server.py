"""What CoreDNS does for a cluster, as far as trials need it: the pods behind headless Services by name."""

import socket
import struct
import threading
from collections.abc import Callable

A, AAAA = 1, 28
ANSWER, NO_SUCH_NAME = 0x8580, 0x8583
"""Flags: an answer of who is in charge of the name, without and with an error."""


class NamesServer:
    """Answers DNS questions in a thread.

    Args:
        address: where, on port 53.
        find: gives the address of a host of this name, if there is one.
    """

    def __init__(self, address: str, find: Callable[[str], str | None]) -> None:
        self._find = find
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 53))
        self._socket.settimeout(0.1)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="names", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                question, who = self._socket.recvfrom(512)
            except TimeoutError:
                continue
            self._socket.sendto(reply(question, self._find), who)


def reply(question: bytes, find: Callable[[str], str | None]) -> bytes:
    """The answer to the first question in a message (RFC 1035, 4.1)."""
    end, labels = 12, []
    while (length := question[end]) != 0:
        labels.append(question[end + 1 : end + 1 + length].decode())
        end += 1 + length
    kind = struct.unpack_from("!H", question, end + 1)[0]
    address = find(".".join(labels).lower())
    asked = question[12 : end + 5]
    found = address if kind == A else None
    flags = NO_SUCH_NAME if address is None else ANSWER
    head = question[:2] + struct.pack("!5H", flags, 1, int(found is not None), 0, 0)
    if found is None:
        return head + asked
    # Of the name that stands at byte 12; good for no time at all.
    return head + asked + struct.pack("!3HIH", 0xC00C, A, 1, 0, 4) + socket.inet_aton(found)
