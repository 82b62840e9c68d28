"""Metadata with bulk data, over a real socket: an own data set, byte for byte; nothing is ever decoded or fetched."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.system.senders import ct, encoded
from tests.wire.web import Reply, Server, request, serving, talk, uid_of
from transforms.dataset import framing
from transforms.source import BytesSource

JSON = 'multipart/related; type="application/dicom+json"; boundary=frontier'
XML = 'multipart/related; type="application/dicom+xml"; boundary=frontier'
JPEG = "1.2.840.10008.1.2.4.70"


@pytest.fixture
def server(tmp_path: Path):
    with serving(tmp_path) as made:
        yield made


def said(number: int, location: str = "bulk/1", **more: Any) -> tuple[dict[str, Any], bytes, bytes]:
    """Metadata of an object, its bulk data, and the bytes of the data set it stands for."""
    data = ct(number)
    data["PixelData"].VR = "OW"
    told = data.to_json_dict()
    told["7FE00010"] = {"vr": "OW", "BulkDataURI": location}
    return told | more, data.PixelData, encoded(data)


def part(head: str, data: bytes) -> bytes:
    return f"--frontier\r\n{head}\r\n\r\n".encode() + data + b"\r\n"


def metadata(*told: dict[str, Any]) -> bytes:
    return part("Content-Type: application/dicom+json", json.dumps(list(told)).encode())


def bulk(location: str, data: bytes, kind: str = "application/octet-stream") -> bytes:
    return part(f"Content-Type: {kind}\r\nContent-Location: {location}", data)


def send(server: Server, *parts: bytes, kind: str = JSON) -> Reply:
    return talk(server.port, request(b"".join(parts) + b"--frontier--\r\n", kind=kind))


def test_each_instance_is_made_and_stored(server: Server) -> None:
    one, two = said(1, "bulk/1"), said(2, "http://example.org/bulk/2")
    reply = send(server, metadata(one[0], two[0]), bulk("bulk/1", one[1]), bulk("http://example.org/bulk/2", two[1]))
    assert reply.status == 200 and reply.referenced() == {uid_of(1), uid_of(2)}
    assert server.stored() == {uid_of(n): hashlib.sha256(each[2]).hexdigest() for n, each in ((1, one), (2, two))}
    assert len(server.files()) == 2, "nothing of the scratch file stays"


def test_xml_is_one_part_an_instance(server: Server) -> None:
    from transforms.models.native import NAMESPACE

    def document(number: int) -> bytes:
        data = ct(number)
        rows = "".join(
            f'<DicomAttribute tag="{e.tag:08X}" vr="{e.VR}"><Value number="1">{e.value}</Value></DicomAttribute>'
            for e in data
            if e.tag not in (0x7FE00010, 0x00100010)
        )
        pixels = f'<DicomAttribute tag="7FE00010" vr="OW"><BulkData uri="b{number}"/></DicomAttribute>'
        return f'<NativeDicomModel xmlns="{NAMESPACE}">{rows}{pixels}</NativeDicomModel>'.encode()

    parts = [part("Content-Type: application/dicom+xml", document(n)) for n in (1, 2)]
    reply = send(server, *parts, bulk("b1", ct(1).PixelData), bulk("b2", ct(2).PixelData), kind=XML)
    assert reply.status == 200
    for n in (1, 2):
        data = ct(n)
        del data.PatientName
        assert server.stored()[uid_of(n)] == hashlib.sha256(encoded(data)).hexdigest()


def test_compressed_pixels_are_one_fragment_in_their_own_syntax(server: Server) -> None:
    told, _, _ = said(1)
    jpeg = b"\xff\xd8\xff\xd9odd"
    kind = f'image/jpeg; transfer-syntax="{JPEG}"'
    assert send(server, metadata(told), bulk("bulk/1", jpeg, kind)).status == 200
    (instance,) = server.writer.instances
    assert instance.syntax == JPEG
    with server.spool.open(instance.stored) as source:
        raw = source.pread(0, source.size)
        framing.check(BytesSource(raw), JPEG)
    assert raw.endswith(b"\xfe\xff\x00\xe0\x08\x00\x00\x00" + jpeg + b"\0" + b"\xfe\xff\xdd\xe0\0\0\0\0")


@pytest.mark.parametrize(
    ("kind", "more", "failure"),
    [
        ("image/png", {}, 0xC122),
        ("image/gif", {}, 0xC122),
        ("image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.90", {}, 0xC122),
        ("application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.70", {}, 0xC122),
        ("image/jpeg", {"00280008": {"vr": "IS", "Value": ["2"]}}, 0xC000),
        ("application/octet-stream", {"00100010": {"vr": "PN", "Value": ["no object"]}}, None),
        ("application/octet-stream", {"00100020": {"vr": "LO", "Value": ["a\\b"]}}, 0xC000),
        ("application/octet-stream", {"00080016": {"vr": "UI", "Value": ["1.2.840.10008.1.3.10"]}}, 0x0122),
        ("application/octet-stream", {"00080018": {"vr": "UI"}}, 0xC000),
    ],
)
def test_what_cannot_be_made_is_that_instances_failure(
    server: Server, kind: str, more: dict, failure: int | None
) -> None:
    good, pixels, _ = said(2, "bulk/2")
    bad, _, _ = said(1, **more)
    reply = send(server, metadata(bad, good), bulk("bulk/1", pixels, kind), bulk("bulk/2", pixels))
    if failure is None:
        assert reply.status == 400 and server.stored() == {}
        return
    assert reply.status == 202 and reply.failures() == [failure] and set(server.stored()) == {uid_of(2)}


def test_nothing_is_ever_fetched(server: Server) -> None:
    """A BulkDataURI that is no part of the request is a failure, and nobody is connected to."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(0.5)
    caught: list[object] = []
    thread = threading.Thread(target=lambda: caught.append(_accepted(listening)))
    thread.start()
    port = listening.getsockname()[1]
    for uri in (
        f"http://127.0.0.1:{port}/x",
        f"https://localhost:{port}/x",
        "file:///etc/hostname",
        "../../etc/passwd",
    ):
        reply = send(server, metadata(said(1, uri)[0]), bulk("bulk/1", b"1234"))
        assert reply.status == 409 and reply.failures() == [0xC000]
    thread.join()
    listening.close()
    assert caught == [None] and server.files() == []


def _accepted(listening: socket.socket) -> object:
    try:
        return listening.accept()
    except TimeoutError:
        return None


@pytest.mark.parametrize(
    "parts",
    [
        lambda told, pixels: [bulk("bulk/1", pixels), metadata(told)],
        lambda told, pixels: [metadata(told), metadata(told), bulk("bulk/1", pixels)],
        lambda told, pixels: [metadata(told), bulk("bulk/1", pixels), bulk("bulk/1", pixels)],
        lambda told, pixels: [metadata(told), bulk("", pixels)],
        lambda told, pixels: [metadata()],
        lambda told, pixels: [part("Content-Type: application/dicom+json", b"{")],
        lambda told, pixels: [
            part("Content-Type: application/dicom+json\r\nContent-Length: 3", json.dumps(told).encode())
        ],
        lambda told, pixels: [part("Content-Type: application/dicom+json", b'[{"x": 1}]'), bulk("bulk/1", pixels)],
        lambda told, pixels: [bulk("bulk/1", pixels)],
    ],
)
def test_requests_that_are_none(server: Server, parts) -> None:
    told, pixels, _ = said(1)
    assert send(server, *parts(told, pixels)).status == 400
    assert server.files() == []


def test_metadata_is_held_only_up_to_its_limit(tmp_path: Path) -> None:
    with serving(tmp_path, "limits: {metadata: 64KiB}") as server:
        told, pixels, _ = said(1, **{"00104000": {"vr": "LT", "Value": ["x" * 100000]}})
        assert send(server, metadata(told), bulk("bulk/1", pixels)).status == 400
        assert server.files() == []


def test_half_a_request_stores_nothing(server: Server) -> None:
    told, pixels, _ = said(1)
    body = metadata(told) + bulk("bulk/1", pixels)
    assert talk(server.port, request(body, kind=JSON)).status == 400
    assert server.stored() == {} and server.files() == []
