"""Listening sockets follow the rule file, all or nothing, and keep who waits."""

from __future__ import annotations

import selectors
import socket

import pytest

from gateway.app.ports import Ports
from gateway.config.schema import DimseListener, Listener
from gateway.errors import GatewayError
from tests.system.harness import free_port


def listener(name: str, port: int) -> Listener:
    return Listener(id=name, dimse=DimseListener(ae=("GATEWAY",), host="127.0.0.1", port=port), unsafe_plaintext="test")


@pytest.fixture
def ports():
    with selectors.DefaultSelector() as selector:
        made = Ports(selector)
        yield made
        made.close()


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_listener_that_moves_moves(ports) -> None:
    first, second = free_port(), free_port()
    ports.open([listener("a", first)], 1)
    assert ports.numbers() == {"a": first} and ports["a"].generation == 1
    ports.open([listener("a", second)], 2)
    assert ports.numbers() == {"a": second} and ports["a"].generation == 2
    assert listening(second) and not listening(first)


def test_what_does_not_change_keeps_its_socket_and_generation(ports) -> None:
    ports.open([listener("a", 0)], 1)
    kept = ports["a"]
    ports.open([listener("a", 0), listener("b", 0)], 2)
    assert ports["a"] is kept and ports["b"].generation == 2


def test_a_port_under_another_name_keeps_who_waits(ports) -> None:
    port = free_port()
    ports.open([listener("a", port)], 1)
    with socket.create_connection(("127.0.0.1", port)):
        ports.open([listener("renamed", port)], 2)
        sock, _ = ports["renamed"].socket.accept()
        sock.close()
    with pytest.raises(KeyError):
        ports["a"]


def test_a_port_of_somebody_else_changes_nothing(ports) -> None:
    first = free_port()
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        ports.open([listener("a", first)], 1)
        with pytest.raises(GatewayError, match="cannot-listen"):
            ports.open([listener("b", 0), listener("c", taken)], 2)
    assert ports.numbers() == {"a": first} and listening(first)
