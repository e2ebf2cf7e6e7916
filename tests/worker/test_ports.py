"""Ports for the replicas of trials."""

import socket
from contextlib import closing

import pytest

from worker.launchers import ports
from worker.launchers.ports import Ports
from worker.launchers.protocol import LaunchFailed


def _port(address: str) -> int:
    host, _, port = address.partition(":")
    assert host == "127.0.0.1"
    return int(port)


def test_addresses_are_free_ones_on_loopback() -> None:
    for address in Ports().addresses(20):
        with closing(socket.create_server(("127.0.0.1", _port(address)))):
            pass


def test_none_is_given_twice_before_anybody_listens() -> None:
    giver = Ports()
    given = [address for _ in range(20) for address in giver.addresses(10)]
    assert len(set(given)) == len(given)


def test_one_that_is_listened_on_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = _port(Ports().addresses(1)[0])
    monkeypatch.setattr(ports, "FIRST", taken)
    monkeypatch.setattr(ports, "LAST", taken + 1)
    assert Ports().addresses(1) == [f"127.0.0.1:{taken}"]
    with (
        closing(socket.create_server(("127.0.0.1", taken))),
        pytest.raises(LaunchFailed, match="no 1 free ports"),
    ):
        Ports().addresses(1)
