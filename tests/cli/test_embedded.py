"""The service in one process comes up and goes away as a whole."""

import asyncio
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection

from cli.embedded import Embedded
from cli.listening import listen
from settings import Settings


def test_a_worker_that_waits_for_messages_is_woken_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drain = Connection.drain_events

    def wait_for_a_message(self: Connection, timeout: float = 0.0, **options: Any) -> Any:
        # Where Celery gives up after two seconds, it would take longer than anybody waits for its end.
        return drain(self, timeout=600.0 if timeout else timeout, **options)

    monkeypatch.setattr(Connection, "drain_events", wait_for_a_message)
    monkeypatch.setattr("cli.parts.STOP_SECONDS", 30.0)
    before = set(threading.enumerate())
    embedded = Embedded(Settings(data_dir=tmp_path, sweep_seconds=600.0), "worker")
    embedded.start()
    embedded.stop()
    assert not [thread for thread in set(threading.enumerate()) - before if thread.name == "celery-worker"]


def test_an_answer_in_two_parts_does_not_wait_for_the_first_to_be_acknowledged() -> None:
    """Nagle's algorithm and a delayed acknowledgement take 40 ms together, of every answer."""

    async def serve_one() -> int:
        accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def meet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connection = writer.get_extra_info("socket")
            accepted.set_result(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        async with await asyncio.start_server(meet, sock=listen("127.0.0.1", 0)) as server:
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            no_delay = await accepted
            writer.close()
            await writer.wait_closed()
        return no_delay

    assert asyncio.run(serve_one())
