"""STOW-RS in, over a real socket: what is stored and told, and what hostile clients get (PS3.18 10.5)."""

from __future__ import annotations

import random
import socket
import threading
import time
from pathlib import Path

import pytest

from tests.wire.web import (
    RELATED,
    Server,
    digest_of,
    file_of,
    multipart,
    read_answer,
    request,
    serving,
    store,
    talk,
    uid_of,
)


@pytest.fixture
def server(tmp_path: Path):
    with serving(tmp_path) as made:
        yield made


def test_what_is_stored_is_byte_for_byte_what_was_sent(server: Server) -> None:
    reply = store(server.port, *(file_of(n) for n in range(5)))
    assert reply.status == 200 and "application/dicom+json" in reply.head
    assert reply.referenced() == {uid_of(n) for n in range(5)}
    assert server.stored() == {uid_of(n): digest_of(n) for n in range(5)}
    assert [each.orderly for each in server.writer.closes] == [True] and len(server.writer.opens) == 1


@pytest.mark.parametrize("step", [1, 7, 100, 4096])
def test_bytes_may_come_in_any_pieces(server: Server, step: int) -> None:
    data = request(multipart(file_of(1), file_of(2, size=9000)))
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(data), step):
            sock.sendall(data[at : at + step])
        read_answer(sock)
    assert server.stored() == {uid_of(1): digest_of(1), uid_of(2): digest_of(2, size=9000)}


def test_a_chunked_body_is_a_body(server: Server) -> None:
    body = multipart(file_of(3))
    chunks = b"".join(
        b"%x\r\n%s\r\n" % (len(body[at : at + 999]), body[at : at + 999]) for at in range(0, len(body), 999)
    )
    head = (
        f"POST /dicom-web/studies HTTP/1.1\r\nHost: g\r\nContent-Type: {RELATED}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    assert talk(server.port, head.encode() + chunks + b"0\r\n\r\n").status == 200
    assert server.stored() == {uid_of(3): digest_of(3)}


def test_one_file_alone_is_a_body_too(server: Server) -> None:
    assert talk(server.port, request(file_of(4), kind="application/dicom")).status == 200
    assert server.stored() == {uid_of(4): digest_of(4)}


def test_a_connection_takes_one_request_after_another(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock:
        for n in range(3):
            sock.sendall(request(multipart(file_of(n))))
            assert b"200 OK" in read_answer(sock)
        sock.sendall(request(multipart(file_of(7))) + request(multipart(file_of(8))))  # pipelined
        both = b""
        while both.count(b"HTTP/1.1 200") < 2:
            both += sock.recv(65536)
    assert len(server.stored()) == 5


def test_the_study_of_the_path_is_checked(server: Server) -> None:
    good = store(server.port, file_of(1, study=3), path="/dicom-web/studies/2.25.1000000000000000003")
    assert good.status == 200
    other = store(server.port, file_of(2, study=4), path="/dicom-web/studies/2.25.1000000000000000003")
    assert (other.status, other.failures()) == (409, [0xA900])
    assert set(server.stored()) == {uid_of(1)}
    assert store(server.port, file_of(2), path="/dicom-web/studies/no-uid").status == 400


def test_some_stored_some_not_is_202_and_each_is_named(server: Server) -> None:
    wrong = file_of(2)[:-10]
    reply = store(server.port, file_of(1), wrong, b"no DICOM at all", file_of(3))
    assert reply.status == 202 and reply.referenced() == {uid_of(1), uid_of(3)}
    assert sorted(reply.failures()) == [0xC000, 0xC000]
    failed = reply.json()["00081198"]["Value"]
    assert [each["00081155"]["Value"] for each in failed] == [[uid_of(2)]], "what was framed wrong is told by name"


def test_a_class_or_a_syntax_that_is_not_taken(server: Server) -> None:
    from transforms.dataset import part10

    meta = part10.meta("1.2.840.10008.1.3.10", "1.2.3", "1.2.840.10008.1.2.1")
    assert store(server.port, meta + b"x" * 100).failures() == [0x0122]
    meta = part10.meta("1.2.840.10008.5.1.4.1.1.2", "1.2.3", "1.2.3.4.5")
    reply = store(server.port, meta + b"x" * 100)
    assert (reply.status, reply.failures()) == (409, [0xC122])
    assert server.files() == []


def test_the_same_again_is_a_success_and_so_is_a_conflict(server: Server) -> None:
    """It is durable either way; the second of two is stored beside the first, in the order of the body."""
    reply = store(server.port, file_of(1), file_of(1), file_of(1, size=4096))
    assert reply.status == 200
    assert [each.stored.sha256 for each in server.writer.instances] == [
        digest_of(1),
        digest_of(1),
        digest_of(1, size=4096),
    ]


def test_full_or_without_a_writer_is_503_with_a_time(server: Server) -> None:
    server.writer.full = True
    reply = store(server.port, file_of(1), file_of(2))
    assert reply.status == 503 and "retry-after:" in reply.head and reply.failures() == [0xA700, 0xA700]
    server.writer.full, server.writer.gone = False, True
    reply = store(server.port, file_of(1))
    assert reply.status == 503 and "retry-after:" in reply.head and reply.body == b"writer-lost\n"
    assert talk(server.port, request(b"", "/ready", method="GET")).status == 503
    assert talk(server.port, request(b"", "/health", method="GET")).status == 200
    server.writer.gone, server.admits = False, False
    assert store(server.port, file_of(1)).status == 503
    assert server.stored() == {}


def test_answers_come_as_they_are_wanted(server: Server) -> None:
    xml = store(server.port, file_of(1), extra=("Accept: application/dicom+xml",))
    assert xml.status == 200 and uid_of(1).encode() in xml.body and b"NativeDicomModel" in xml.body
    assert store(server.port, file_of(2), extra=("Accept: text/html",)).status == 406
    assert store(server.port, file_of(2), extra=("Accept: ,,;;",)).status == 400
    assert set(server.stored()) == {uid_of(1)}


@pytest.mark.parametrize(
    ("kind", "extra", "status"),
    [
        ("application/json", (), 415),
        ("multipart/form-data; boundary=frontier", (), 415),
        ("multipart/related; boundary=frontier", (), 415),
        ('multipart/related; type="image/jpeg"; boundary=frontier', (), 415),
        ("nonsense", (), 415),
        (RELATED, ("Content-Encoding: gzip",), 415),
        ('multipart/related; type="application/dicom"', (), 400),
        (f'multipart/related; type="application/dicom"; boundary={"b" * 201}', (), 400),
        ('multipart/related; type="application/dicom"; boundary="with\\\\backslash"', (), 400),
        ('multipart/related; type="application/dicom"; boundary=other', (), 400),
        (RELATED, (f"X-Long: {'x' * 20000}",), 431),
        (RELATED, (f"X-Long: {'x' * 600000}",), 400),
    ],
)
def test_what_is_no_store_request_is_refused_with_its_status(server: Server, kind, extra, status) -> None:
    reply = talk(server.port, request(multipart(file_of(1)), kind=kind, extra=extra))
    assert reply.status == status
    assert server.files() == []


def test_paths_and_methods_that_are_none(server: Server) -> None:
    for path in (
        "/",
        "/dicom-web/",
        "/dicom-web/studies/1.2/series",
        "/dicom-web/../etc/passwd",
        "/dicom-web/studies/%2e",
    ):
        # 409: dots may be a UID, and that is all they are: something to compare with
        assert talk(server.port, request(multipart(file_of(1)), path=path)).status in (400, 404, 409), path
    assert talk(server.port, request(b"", method="DELETE")).status == 405
    assert talk(server.port, request(b"", method="GET")).status == 405
    reply = talk(server.port, request(b"", method="OPTIONS"))
    assert reply.status == 200 and "allow: post, options" in reply.head
    document = talk(server.port, request(b"", "/dicom-web", method="GET")).json()
    assert document["transactions"]["store"]["method"] == "POST"
    assert server.files() == []


BROKEN = {
    "no end": lambda body: body[: -len(b"--frontier--\r\n") - 2],
    "half a delimiter": lambda body: body[:-6],
    "half a part": lambda body: body[: len(body) // 2],
    "another boundary": lambda body: body.replace(b"frontier", b"somewhere"),
    "a preamble": lambda body: b"words before" + body,
    "nothing": lambda body: b"",
    "only an end": lambda body: b"--frontier--\r\n",
    "bare newlines": lambda body: body.replace(b"\r\n", b"\n"),
    "a header without colon": lambda body: body.replace(b"Content-Type: application/dicom", b"nonsense"),
    "a header twice": lambda body: body.replace(
        b"Content-Type: application/dicom\r\n", b"Content-Type: application/dicom\r\n" * 2
    ),
    "a long header": lambda body: body.replace(b"application/dicom", b"application/dicom" + b"x" * 9000),
    "many headers": lambda body: body.replace(
        b"\r\n\r\n", b"\r\n" + b"A%d: b\r\n" * 0 + b"X: y\r\n" * 100 + b"\r\n", 1
    ),
    "a long epilogue": lambda body: body + b"x" * (1 << 20),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_body_stores_no_half_part(server: Server, how: str) -> None:
    reply = talk(server.port, request(BROKEN[how](multipart(file_of(1, size=40000)))))
    whole = how == "a long epilogue"
    assert reply.status == (202 if whole else 400), reply.raw[:300]
    assert set(server.stored()) == ({uid_of(1)} if whole else set())
    assert len(server.files()) == len(server.stored())
    assert store(server.port, file_of(2)).status == 200, "it goes on"


def test_what_came_whole_before_the_break_is_told(server: Server) -> None:
    body = multipart(file_of(1), file_of(2), file_of(3))
    reply = talk(server.port, request(body[: body.rindex(b"\r\n--frontier--") - 20]))
    assert reply.status == 202 and reply.referenced() == {uid_of(1), uid_of(2)} and reply.failures() == [0xC000]
    assert set(server.stored()) == {uid_of(1), uid_of(2)}


def test_a_body_that_ends_before_its_length(server: Server) -> None:
    """Half a request, then gone: what came whole is kept, of the rest nothing is."""
    body = multipart(file_of(1), file_of(2, size=60000))
    talk(server.port, request(body[:-20000], length=len(body)), half_close=True)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and not server.writer.closes:
        time.sleep(0.02)
    assert set(server.stored()) == {uid_of(1)} and len(server.files()) == 1
    assert [each.orderly for each in server.writer.closes] == [False]


@pytest.mark.parametrize(
    "lines",
    [
        "Content-Length: 10\r\nContent-Length: 20",
        "Content-Length: -1",
        "Content-Length: 1e3",
        "Content-Length: 99999999999999999999999999",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: identity",
        "Bad Header: x",
        " folded: x",
    ],
)
def test_ambiguous_framing_is_refused_and_closes(server: Server, lines: str) -> None:
    head = f"POST /dicom-web/studies HTTP/1.1\r\nHost: g\r\nContent-Type: {RELATED}\r\n{lines}\r\n\r\n"
    reply = talk(server.port, head.encode() + b"0\r\n\r\n" + multipart(file_of(1)), half_close=True)
    assert reply.status in (0, 400, 411, 415, 501) and server.stored() == {}


def test_a_part_that_lies_of_its_length_fails(server: Server) -> None:
    body = multipart(file_of(1), head=b"Content-Type: application/dicom\r\nContent-Length: 17\r\n")
    assert talk(server.port, request(body)).failures() == [0xC000]
    right = b"Content-Type: application/dicom\r\nContent-Length: %d\r\n" % len(file_of(1))
    assert talk(server.port, request(multipart(file_of(1), head=right))).status == 200
    base64 = b"Content-Type: application/dicom\r\nContent-Transfer-Encoding: base64\r\n"
    assert talk(server.port, request(multipart(file_of(2), head=base64))).failures() == [0xC000]
    assert set(server.stored()) == {uid_of(1)}


def test_ten_thousand_parts_and_one_too_many(server: Server) -> None:
    tiny = multipart(*[b"x"] * 10000)
    reply = talk(server.port, request(tiny), seconds=60)
    assert reply.status == 409 and len(reply.failures()) == 10000
    reply = talk(server.port, request(multipart(*[b"x"] * 10001)), seconds=60)
    assert reply.status == 413
    assert server.files() == []


def test_a_boundary_within_the_pixels_is_not_taken_for_one_of_ours(server: Server) -> None:
    """What only resembles a delimiter is data."""
    from tests.system.senders import ct, encoded
    from transforms.dataset import part10

    data = ct(5)
    data.PixelData = (b"\r\n--frontie" + b"\r\n--fron\r\n-" + b"--frontier")[:32] * 16
    raw = part10.meta(data.SOPClassUID, data.SOPInstanceUID, data.file_meta.TransferSyntaxUID) + encoded(data)
    assert store(server.port, raw).status == 200
    assert server.writer.instances[0].stored.size == len(encoded(data))


def test_an_object_beyond_the_limit_is_that_parts_failure(tmp_path: Path) -> None:
    with serving(tmp_path, "limits: {object_size: 4KiB}") as server:
        reply = store(server.port, file_of(1), file_of(2, size=9000), file_of(3))
        assert reply.status == 202 and reply.failures() == [0xA700] and len(server.files()) == 2


def test_dripping_buys_nothing(tmp_path: Path) -> None:
    """Slow heads and slow bodies are cut, while others are served."""
    with serving(tmp_path, "limits: {head_time: 1s, stall: 1s, min_rate: 100KiB}") as server:
        ended: list[float] = []

        def drip(data: bytes, began: float) -> None:
            with socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock:
                try:
                    for byte in data:
                        sock.sendall(bytes([byte]))
                        time.sleep(0.05)
                        sock.settimeout(0.001)
                        try:
                            if sock.recv(1) is not None:
                                break
                        except TimeoutError:
                            sock.settimeout(10)
                except OSError:
                    pass
            ended.append(time.monotonic() - began)

        body = request(multipart(file_of(1, size=100000)))
        cut = body.index(b"\r\n\r\n") + 4
        threads = [threading.Thread(target=drip, args=(data, time.monotonic())) for data in (body, body, b"", b"GET /")]

        def body_drip() -> None:
            began = time.monotonic()
            with socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock:
                sock.sendall(body[:cut])
                try:
                    for byte in body[cut : cut + 400]:
                        sock.sendall(bytes([byte]))
                        time.sleep(0.02)
                except OSError:
                    pass
                ended.append(time.monotonic() - began)

        threads.append(threading.Thread(target=body_drip))
        for thread in threads:
            thread.start()
        assert store(server.port, file_of(9)).status == 200
        for thread in threads:
            thread.join(20)
        assert len(ended) == 5 and max(ended) < 9
        assert any(getattr(each, "reason", "") == "too-slow" for each in server.writer.notes)
        assert set(server.stored()) == {uid_of(9)} and len(server.files()) == 1


def test_silence_before_a_request_ends(tmp_path: Path) -> None:
    with serving(tmp_path, "limits: {head_time: 500ms, idle: 1s}") as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as sock:
            assert sock.recv(1) == b""
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as sock:
            sock.sendall(request(multipart(file_of(1))))
            read_answer(sock)
            assert sock.recv(1) == b"", "an idle connection is closed"


def test_mutated_bodies_never_make_a_5xx_and_never_store_what_was_not_sent(server: Server) -> None:
    chance = random.Random(8)
    body = multipart(file_of(1), file_of(2))
    for _ in range(300):
        raw = bytearray(body)
        for _ in range(chance.randint(1, 8)):
            what = chance.randint(0, 3)
            at = chance.randrange(len(raw) or 1)
            if not raw:
                break
            if what == 0:
                raw[at] = chance.randrange(256)
            elif what == 1:
                del raw[at : at + chance.randint(1, 50)]
            elif what == 2:
                raw[at:at] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 20)))
            else:
                raw = raw[:at] or raw
        reply = talk(server.port, request(bytes(raw)))
        assert reply.status in (200, 202, 400, 409), reply.raw[:200]
    assert not [name for name in server.files() if name.startswith("incoming/")]
