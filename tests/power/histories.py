"""Small traces, written by hand in strace's words: one honest history of one object, and a way to spoil it."""

from __future__ import annotations

import struct

STATE = "/s"
NAME = "0123456789abcdef0123456789abcdef"
UID = "1.2.3.4"
INCOMING, OBJECTS, LOG = f"{STATE}/spool/incoming", f"{STATE}/spool/objects", f"{STATE}/ledger.sqlite-wal"


def quoted(data: bytes) -> str:
    """As strace writes it: octal, as short as what follows allows."""
    out = []
    for at, octet in enumerate(data):
        following = data[at + 1 : at + 2]
        if octet in b'"\\':
            out.append("\\" + chr(octet))
        elif 32 <= octet < 127:
            out.append(chr(octet))
        else:
            out.append(f"\\{octet:03o}" if following.isdigit() else f"\\{octet:o}")
    return '"' + "".join(out) + '"'


def meta(uid: str = UID) -> bytes:
    """The start of a Part 10 file, as far as the oracle looks."""
    value = uid.encode() + b"\0" * (len(uid) % 2)
    return bytes(128) + b"DICM" + b"\x02\x00\x03\x00UI" + struct.pack("<H", len(value)) + value


def response(status: int, uid: str = UID, field: int = 0x8001) -> bytes:
    """A P-DATA-TF with one C-STORE-RSP."""

    def element(number: int, value: bytes) -> bytes:
        return struct.pack("<HHL", 0, number, len(value)) + value

    command = element(0x0100, struct.pack("<H", field)) + element(0x0120, b"\x01\x00")
    command += element(0x0800, b"\x01\x01") + element(0x0900, struct.pack("<H", status))
    command += element(0x1000, uid.encode() + b"\0" * (len(uid) % 2))
    pdv = struct.pack(">LBB", len(command) + 2, 1, 3) + command
    return b"\x04\x00" + struct.pack(">L", len(pdv)) + pdv


def send(pid: int, data: bytes, socket: int = 77) -> str:
    return f"{pid} sendto(9<socket:[{socket}]>, {quoted(data)}, {len(data)}, 0, NULL, 0) = {len(data)}"


def log(data: bytes, offset: int, pid: int = 20) -> str:
    return f"{pid} pwrite64(6<{LOG}>, {quoted(data)}, {len(data)}, {offset}) = {len(data)}"


ACCEPTED = b"\x02\x00" + struct.pack(">L", 4) + bytes(4)
COMMIT = struct.pack(">LL", 9, 12) + bytes(16)  # a frame header that ends a transaction
INNER = struct.pack(">LL", 8, 0) + bytes(16)
PAGE = b"\r" + bytes(40) + NAME.encode() + bytes(23)

HONEST: dict[str, str] = {
    "accept": send(10, ACCEPTED),
    "create": f'10 openat(3<{INCOMING}>, "{NAME}", O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC, 0600) = 5<{INCOMING}/{NAME}>',
    "write": f"10 write(5<{INCOMING}/{NAME}>, {quoted(meta() + b'data')}, {len(meta()) + 4}) = {len(meta()) + 4}",
    "file": f"10 fdatasync(5<{INCOMING}/{NAME}>) = 0",
    "place": f'10 renameat(3<{INCOMING}>, "{NAME}", 4<{OBJECTS}>, "{NAME}") = 0',
    "directory": f"20 fsync(4<{OBJECTS}>) = 0",
    "inner header": log(INNER, 32),
    "row": log(PAGE, 56),
    "commit header": log(COMMIT, 152),
    "commit page": log(b"\r" + bytes(95), 176),
    "commit": f"20 fdatasync(6<{LOG}>) = 0",
    "answer": send(10, response(0)),
}


def spoiled(
    *, without: str = "", late: str = "", last: str = "answer", instead: dict[str, list[str]] | None = None
) -> list[str]:
    """The honest history `without` a step, or with a step `late` (right behind `last`), or with others `instead`."""
    lines: list[str] = []
    for step, line in HONEST.items():
        if step not in (without, late):
            lines.extend((instead or {}).get(step, [line]))
        if step == last and late:
            lines.append(HONEST[late])
    return lines
