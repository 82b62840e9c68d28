"""Finds C-STORE-RSP messages in what a process sent (PS3.8 9.3.5, PS3.7 9.3.1), without the product's own codec.

Rules of this file
* A stream is one of ours as acceptor where its first PDU is an A-ASSOCIATE-AC. Others say nothing here.
* A response has left when the call that carries its last byte is entered: from there on the peer may have it.
* It is plaintext that it reads: the trace of a TLS listener shows nothing, and a run with no response is an error of
  the test, not a proof.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from tests.power.trace import Call

_SENDS = {"sendto", "sendmsg", "write", "writev"}
_ASSOCIATE_AC, _P_DATA = 0x02, 0x04
_COMMAND, _STATUS, _INSTANCE = 0x0100, 0x0900, 0x1000
_STORE_RSP = 0x8001


@dataclass(frozen=True, slots=True)
class Response:
    """One C-STORE-RSP."""

    sop_instance: str
    status: int
    pid: int
    begun: int  # line at which the call that finishes it was entered


def responses(calls: Iterable[Call]) -> list[Response]:
    """Every C-STORE-RSP that left, in order."""
    streams: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        if call.name in _SENDS and call.data and call.path.startswith(("socket:", "TCP")):
            streams[call.path].append(call)  # also what failed or never returned: it may have left
    found = [each for sent in streams.values() if sent[0].data[0] == _ASSOCIATE_AC for each in _of_stream(sent)]
    return sorted(found, key=lambda each: each.begun)


def _of_stream(sent: list[Call]) -> Iterable[Response]:
    data = b"".join(call.data for call in sent)
    ends, at = [], 0
    for call in sent:
        at += len(call.data)
        ends.append(at)
    at = 0
    command = b""
    while at + 6 <= len(data):
        kind, length = data[at], int.from_bytes(data[at + 2 : at + 6], "big")
        body, at = data[at + 6 : at + 6 + length], at + 6 + length
        if kind != _P_DATA or at > len(data):
            continue
        while body:
            size = int.from_bytes(body[:4], "big")
            control, fragment, body = body[5], body[6 : 4 + size], body[4 + size :]
            if not control & 1:
                continue
            command += fragment
            if control & 2:
                elements, command = dict(_elements(command)), b""
                if _number(elements.get(_COMMAND, b"")) == _STORE_RSP:
                    carrier = sent[next(i for i, end in enumerate(ends) if end >= at)]
                    uid = elements.get(_INSTANCE, b"").rstrip(b"\0 ").decode("ascii")
                    yield Response(uid, _number(elements[_STATUS]), carrier.pid, carrier.begun)


def _elements(command: bytes) -> Iterable[tuple[int, bytes]]:
    """Element number and value of a command set: group 0000, Implicit VR little endian (PS3.7 6.3.1)."""
    at = 0
    while at < len(command):
        group, element, length = struct.unpack_from("<HHL", command, at)
        if group != 0:
            raise ValueError("a command set holds group 0000 only")
        yield element, command[at + 8 : at + 8 + length]
        at += 8 + length


def _number(value: bytes) -> int:
    return int.from_bytes(value, "little")
