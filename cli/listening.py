"""The HTTP socket, and the server on it."""

import signal
import socket

import uvicorn
from fastapi import FastAPI

from cli.data_folder import CannotServe

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on a loopback address.

    Raises:
        CannotServe: the address is not loopback, or is taken.
    """
    if host not in LOOPBACK_NAMES and not host.startswith("127."):
        raise CannotServe(
            f"--host {host} would let others in, and there is no authentication yet: only loopback "
            "(127.0.0.1, ::1, localhost) can be listened on. To reach it from elsewhere, use an SSH tunnel."
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns off Nagle's algorithm only where the protocol is named; with it, every answer on a
    # connection that is kept would wait 40 ms for an acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # From here on a client waits to be answered, where it would have been refused.
        listener.listen()
    except OSError as error:
        listener.close()
        raise CannotServe(
            f"Port {port} of {host} can't be listened on ({error.strerror}); choose another with --port."
        ) from error
    return listener


def address_of(host: str, listener: socket.socket) -> str:
    """The URL at which it can be reached."""
    port = listener.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve_http(api: FastAPI, listener: socket.socket) -> None:
    """Answer requests until SIGINT or SIGTERM; in the main thread, where signals arrive."""
    config = uvicorn.Config(
        api,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=2,
    )
    # uvicorn raises the signal again once it has stopped; the rest of the service is still to stop then.
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    uvicorn.Server(config).run(sockets=[listener])
