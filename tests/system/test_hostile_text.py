"""5,000 hostile strings through every field that a peer chooses: none becomes a path, none reaches a terminal raw."""

from __future__ import annotations

import random
import re
import socket
import ssl
import struct
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from gateway.dimse import messages, pdu
from gateway.dimse.pdu import COMMAND, LAST, PduType
from tests.system.harness import Gateway, Site, wait_for
from tests.unit.dimse.samples import CT, associate_rq, p_data
from transforms.dataset import part10

TOKEN = "zq9"  # in every string, so that a file made by one is found
RULES = """\
version: 1
state: {dir: ./state}
identity: {certificate: file:certs/gateway.pem, key: file:certs/gateway.key}
listeners:
  - {id: hospital, dimse: {ae: [GATEWAY, HOLDER, TRIAL], host: 127.0.0.1, port: 0}, tls: {trust: file:certs/ca.pem}}
destinations:
  landing: {folder: {dir: ./landing}}
deidentify:
  trial: {profile: basic, key: file:trial.key}
routes:
  - {id: odd, match: {called_ae: HOLDER}, hold: odd}
  - {id: trial, match: {called_ae: TRIAL}, steps: [{deidentify: trial}], deliver: [landing]}
  - {id: all, match: {called_ae: GATEWAY}, deliver: [landing]}
  - {id: rest, otherwise: hold, reason: no-route}
"""
PLAIN = [
    *(
        "../",
        "../../../../",
        "/",
        "/tmp/",
        "/etc/cron.d/",
        "..\\",
        "%2e%2e%2f",
        "%2e%2e/",
        "..%00/",
        "C:\\",
        "\\\\host\\",
    ),
    *(
        "file:///",
        "~/",
        "./.",
        "$(touch ",
        "`touch ",
        "; touch ",
        "| tee ",
        "{0}",
        "%s%n",
        "CON",
        "-rf ",
        "*",
        "\0",
        "\0/",
    ),
    *("\r\n", "\n2026-11-24T00:00:00.000Z error writer ", "\x1b[2J\x1b]0;", "\x1b]8;;file:///\x07", "\x9b31m"),
    *(
        "\u202e",
        "\u2066",
        "\u200b",
        "\u2028",
        "\x7f",
        "\x08\x08",
        "\x85",
        "=a b=",
        '" reason="',
        "[red]",
        "<script>",
        "&x;",
    ),
]
# (group, element), VR: everything that names, groups or shows an object; all are hostile at once
FIELDS = (
    *(
        (0x0008, e, vr)
        for e, vr in ((0x50, "SH"), (0x60, "CS"), (0x70, "LO"), (0x80, "LO"), (0x90, "PN"), (0x1010, "SH"))
    ),
    *((0x0008, e, vr) for e, vr in ((0x1030, "LO"), (0x103E, "LO"), (0x1040, "LO"), (0x1050, "PN"), (0x1070, "PN"))),
    *((0x0010, e, vr) for e, vr in ((0x10, "PN"), (0x20, "LO"), (0x21, "LO"), (0x1000, "LO"), (0x2160, "SH"))),
    *((0x0018, e, vr) for e, vr in ((0x15, "CS"), (0x1000, "LO"), (0x1030, "LO"))),
    *((0x0020, e, vr) for e, vr in ((0x0D, "UI"), (0x0E, "UI"), (0x10, "SH"), (0x52, "UI"), (0x4000, "LT"))),
    *((0x0032, e, vr) for e, vr in ((0x1032, "PN"), (0x1060, "LO"))),
    *((0x0040, e, vr) for e, vr in ((0x253, "SH"), (0x254, "LO"))),
)
OBJECTS = 180
STAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3} (info|warning|error) [a-z-]+ ")


def strings() -> Iterator[str]:
    """Without end, the same at each run; each of them has something of PLAIN in it."""
    rng = random.Random(2026)
    number = 0
    while True:
        parts = rng.choices(PLAIN, k=rng.randint(1, 4))
        number += 1
        yield "".join(parts) + f"{TOKEN}{number}" + (rng.choice(PLAIN) if rng.random() < 0.3 else "")


def element(group: int, number: int, vr: str, value: bytes) -> bytes:
    """Explicit VR little endian, short form."""
    value += b"\0" * (len(value) & 1)
    return struct.pack("<HH2sH", group, number, vr.encode(), len(value)) + value


def hostile_object(number: int, source: Iterator[str]) -> tuple[str, bytes]:
    """SOP Instance UID and data set; all but the UIDs that the command names is hostile."""
    uid = f"2.25.{7 * 10**20 + number}"
    made = [(0x0008, 0x05, "CS", b"ISO_IR 192"), (0x0008, 0x16, "UI", CT.encode()), (0x0008, 0x18, "UI", uid.encode())]
    made += [(group, e, vr, next(source).encode()) for group, e, vr in FIELDS]
    return uid, b"".join(element(*each) for each in sorted(made))


class Peer:
    """One association of raw bytes over mutual TLS."""

    def __init__(self, site: Site, gateway: Gateway, called: str = "GATEWAY", calling: bytes = b"CT1") -> None:
        plain = socket.create_connection(("127.0.0.1", gateway.port), 20)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock: ssl.SSLSocket = site.context().wrap_socket(plain, server_hostname="localhost")
        request = bytearray(associate_rq(called_ae=called))
        request[26:42] = calling[:16].ljust(16)
        self.sock.sendall(request)
        self.answer = self._pdu()

    def store(self, uid: str, data: bytes) -> int:
        """The status of one C-STORE."""
        command = messages.c_store_rq(1, CT, "1.2")
        command = with_instance(command, uid.encode())
        self.sock.sendall(p_data((3, COMMAND | LAST, command)) + p_data((3, LAST, data)))
        kind, body = self._pdu()
        assert kind == PduType.P_DATA_TF, kind
        (value,) = pdu.pdvs(memoryview(body))
        return messages.decode_command(bytes(value.fragment)).status or 0

    def close(self) -> None:
        self.sock.close()

    def _pdu(self) -> tuple[int, bytes]:
        head = self._exactly(6)
        kind, length = pdu.HEADER.unpack(head)
        return kind, self._exactly(length)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.sock.recv(size - len(data))
            if not more:
                raise ConnectionError("closed")
            data += more
        return data


def with_instance(command: bytes, value: bytes) -> bytes:
    """A C-STORE-RQ with another Affected SOP Instance UID, whatever it is."""
    value += b"\0" * (len(value) & 1)
    at, out = 12, b""
    while at < len(command):
        group, number, length = struct.unpack_from("<HHL", command, at)
        body = value if number == 0x1000 else command[at + 8 : at + 8 + length]
        out += struct.pack("<HHL", group, number, len(body)) + body
        at += 8 + length
    return struct.pack("<HHLL", 0, 0, 4, len(out)) + out


def outside(site: Site) -> set[Path]:
    """Every path around the site, but for what is beneath its state directory."""
    state = site.folder / "state"
    return {path for path in site.folder.parent.rglob("*") if state != path and state not in path.parents}


def harmful(text: str) -> set[str]:
    """Characters that a terminal obeys or that turn text round."""
    return {c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}


def test_no_path_no_log_line_and_no_terminal_is_a_peers_to_choose(site: Site, gateways) -> None:
    site.write(RULES)
    before = outside(site)
    gateway: Gateway = gateways(site).start()
    source = strings()

    titles = [next(source).encode()[-16:] for _ in range(60)]
    refused = 0
    for title in titles:
        peer = Peer(site, gateway, calling=title)
        refused += peer.answer[0] == PduType.ASSOCIATE_RJ
        peer.close()
    assert refused > 30, "AE titles that PS3.5 does not know are let in"

    kept: list[Path] = []
    for called in ("GATEWAY", "HOLDER", "TRIAL"):
        peer = Peer(site, gateway, called)
        for _ in range(OBJECTS // 3):
            uid, data = hostile_object(len(kept), source)
            assert peer.store(uid, data) == 0
            kept.append(site.folder / f"object{len(kept)}.dcm")
            kept[-1].write_bytes(part10.meta(CT, uid, "1.2.840.10008.1.2.1") + data)
        statuses = {peer.store(next(source).replace(".", "/")[:64], data) for _ in range(40)}
        assert statuses == {0x0117}, "a SOP Instance UID that is none"
        peer.close()
    assert len(kept) * len(FIELDS) + len(titles) + 120 >= 5000
    rows = gateway.settled()
    assert len(rows) == OBJECTS and {row["state"] for row in rows} <= {"delivered", "held"}
    held = [str(row["instance"]) for row in rows if row["state"] == "held"]
    assert len(held) >= OBJECTS // 3 and len(rows) - len(held) >= OBJECTS // 3
    assert not {row["reason"] for row in rows} & {"crashed-while-processing", "internal-error"}

    config = ("--config", "gateway.yaml")
    outputs = [
        gateway.command(*command)
        for command in (
            *(("status", "--all", *config), ("status", "--json", "--all", *config), ("held", "list", *config)),
            ("held", "show", held[0], *config),
            ("audit", "show", "-n", "100000", "--identities", *config),
            *(("explain", "gateway.yaml", str(kept[n])) for n in (0, 100)),
        )
    ]
    wait_for(lambda: gateway.stop() == 0)
    for done in outputs:
        assert done.returncode in (0, 1), done
        shown = done.stdout.decode() + done.stderr.decode()
        assert len(shown) > 10 and harmful(shown) == set(), done.args
    assert TOKEN in outputs[3].stdout.decode() and TOKEN in outputs[4].stdout.decode(), "nothing hostile was shown"

    log = gateway.log.read_bytes()
    assert set(log) <= {0x0A, *range(0x20, 0x7F)}
    assert all(STAMP.match(line) for line in log.splitlines())
    ours = {site.folder / "landing", gateway.log, *kept}
    assert [p for p in outside(site) - before if not {p, p.parent, p.parent.parent} & ours] == []
    places = [site.folder.parent.rglob("*"), *(Path(p).glob("*") for p in ("/", "/tmp", "/etc", "/etc/cron.d", "."))]
    assert [path for place in places for path in place if TOKEN in path.name] == []
