"""The listening sockets of a supervisor, as the rule file wants them.

Rules of this file
* A change is made whole or not at all: every new port is bound before an old one is closed (GatewayError otherwise).
* A port that only changes its listener keeps its socket, and with it who waits in its backlog.
* A socket belongs to a generation of workers: older ones do not know its listener.
"""

from __future__ import annotations

import selectors
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.app.kinds import Kind, kind_of
from gateway.config.schema import Listener
from gateway.errors import GatewayError

BACKLOG = 1024


@dataclass(frozen=True, slots=True)
class Port:
    """One open port; `where` as the file says it, port 0 for any."""

    socket: socket.socket
    where: tuple[str, int]
    generation: int  # the first whose workers know its listener
    kind: Kind  # of process that takes its connections


class Ports:
    """Open ports by listener, registered with a selector as ("accept", id)."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._open: dict[str, Port] = {}

    def __getitem__(self, listener: str) -> Port:
        return self._open[listener]

    def numbers(self) -> dict[str, int]:
        """The port number of each listener."""
        return {name: port.socket.getsockname()[1] for name, port in self._open.items()}

    def open(self, listeners: Iterable[Listener], generation: int) -> None:
        """These and no others from now on. Raises GatewayError(cannot-listen), and nothing has changed."""
        on_network = [each for each in listeners if each.port is not None]
        wanted = {each.id: each.port for each in on_network if each.port is not None}
        kinds = {each.id: kind_of(each) for each in on_network}
        kept = {
            name: port
            for name, port in self._open.items()
            if wanted.get(name) == port.where and kinds[name] is port.kind
        }
        spare = {port.where: port.socket for name, port in self._open.items() if name not in kept}
        fresh: dict[str, Port] = {}
        bound: list[socket.socket] = []
        try:
            for name in wanted.keys() - kept.keys():
                where = wanted[name]
                sock = spare.pop(where, None) if where[1] else None
                if sock is None:
                    sock = _bound(name, where)
                    bound.append(sock)
                fresh[name] = Port(sock, where, generation, kinds[name])
        except GatewayError:
            for sock in bound:
                sock.close()
            raise
        for name, port in self._open.items():
            if name not in kept:
                self._selector.unregister(port.socket)
        for sock in {port.socket for name, port in self._open.items() if name not in kept} - {
            port.socket for port in fresh.values()
        }:
            sock.close()
        for name, port in fresh.items():
            self._selector.register(port.socket, selectors.EVENT_READ, ("accept", name))
        self._open = kept | fresh

    def close(self) -> None:
        """All of them; the selector is done with too."""
        for port in self._open.values():
            port.socket.close()


def _bound(name: str, where: tuple[str, int]) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in where[0] else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(where)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise GatewayError("cannot-listen", f"listener {name}: {error.strerror}") from error
    sock.setblocking(False)
    return sock
