"""Who waits for a message of the broker inside the process is woken by it."""

import threading
from contextlib import closing, suppress
from typing import Any

import pytest
from kombu import Consumer

from tests.running_service import wait_until
from worker import inner_broker
from worker.tasks import SWEEP, make_app


def test_who_waits_is_woken_by_a_message_and_by_room_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inner_broker, "WAIT_SECONDS", 60.0)
    app = make_app("memory://localhost", sweep_seconds=1.0)
    taken: list[Any] = []
    with closing(app.connection_for_read()) as connection, closing(connection.channel()) as channel:
        assert isinstance(connection.transport, inner_broker.Transport)
        channel.basic_qos(0, 1, False)
        consumer = Consumer(channel, [app.amqp.queues["celery"]], on_message=taken.append)
        consumer.consume()

        def take(count: int) -> None:
            while len(taken) < count:
                with suppress(TimeoutError):
                    connection.drain_events(timeout=1.0)

        thread = threading.Thread(target=take, args=(2,), daemon=True)
        thread.start()
        app.send_task(SWEEP)
        wait_until(lambda: len(taken) == 1, 10)
        app.send_task(SWEEP)  # There is no room for it before the first is done with.
        taken[0].ack()
        thread.join(10)
        assert not thread.is_alive()
        taken[1].ack()
        consumer.cancel()
