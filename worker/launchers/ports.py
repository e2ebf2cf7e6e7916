"""Ports on loopback for the replicas of a trial to listen on."""

import random
import socket
from collections import deque
from threading import Lock

from worker.launchers.protocol import LaunchFailed

FIRST, LAST = 20_000, 32_000
"""Below those that Linux gives to outgoing connections, any of which may take one from under a trial."""
REMEMBERED = 4_000
"""Ports not given again soon: a trainer may take minutes until it listens."""
LOOPBACK = "127.0.0.1"


class Ports:
    """Gives free ports, no port twice before it has given many others."""

    def __init__(self, chance: random.Random | None = None) -> None:
        self._chance = chance or random.SystemRandom()
        self._given: deque[int] = deque(maxlen=REMEMBERED)
        self._lock = Lock()

    def addresses(self, count: int) -> list[str]:
        """So many addresses that nobody listens on, nor has been given of late.

        Raises:
            LaunchFailed: there are not so many.
        """
        with self._lock:
            remembered = set(self._given)
            found: list[int] = []
            for port in self._chance.sample(range(FIRST, LAST), LAST - FIRST):
                if len(found) == count:
                    break
                if port not in remembered and _is_free(port):
                    found.append(port)
            if len(found) < count:
                why = f"there are no {count} free ports between {FIRST} and {LAST}"
                raise LaunchFailed(why, for_now=True)
            self._given.extend(found)
        return [f"{LOOPBACK}:{port}" for port in found]


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
