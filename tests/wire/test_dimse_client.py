"""Dialogues with the SCU: the peer is played, every wrong answer is told as DestinationDown."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.dimse import messages, pdu
from gateway.dimse.client import Association, ProposedContext, contexts_for
from gateway.dimse.items import ContextAnswer, UserInformation
from gateway.dimse.messages import Command
from gateway.dimse.negotiation import AcceptancePolicy
from gateway.dimse.pdu import COMMAND, LAST, AssociateAccept, AssociateReader, PduType
from gateway.dimse.service import StoreResponse
from gateway.dimse.uids import APPLICATION_CONTEXT, DEFLATED, EXPLICIT_LE, IMPLICIT_LE, VERIFICATION
from gateway.errors import DestinationDown, HoldObject
from tests.unit.dimse.doubles import QUICK, MemoryService, listening
from tests.unit.dimse.samples import CT, INSTANCE, JPEG_LOSSY, SR, p_data
from tests.wire.playbook import CLOSED, Peer
from transforms.source import BytesSource

DATA = bytes(range(256)) * 40
CONTEXTS = [ProposedContext(VERIFICATION, (IMPLICIT_LE,)), ProposedContext(CT, (EXPLICIT_LE,))]
Script = Callable[[Peer], None]


def acceptance(*answers: ContextAnswer, max_pdu: int = 16384) -> bytes:
    answers = answers or (ContextAnswer(1, 0, IMPLICIT_LE), ContextAnswer(3, 0, EXPLICIT_LE))
    return pdu.encode_associate_ac(AssociateAccept(answers, UserInformation(max_pdu, "1.2"), APPLICATION_CONTEXT))


@contextmanager
def played(script: Script, before: Script | None = None) -> Iterator[tuple[str, int]]:
    """A server that plays `script` on its one connection after having accepted, or `before` instead of accepting."""
    server = socket.create_server(("127.0.0.1", 0))
    failed: list[BaseException] = []

    def run() -> None:
        try:
            sock, _ = server.accept()
            with sock:
                peer = Peer(sock)
                if before is not None:
                    before(peer)
                    return
                assert peer.hears()[0] == PduType.ASSOCIATE_RQ
                peer.says(acceptance())
                script(peer)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield server.getsockname()
    finally:
        thread.join(8)
        server.close()
    assert not thread.is_alive()
    if failed:
        raise failed[0]


def opened(address: tuple[str, int], **limits: float) -> Association:
    return Association.open(
        address,
        calling_ae="GATEWAY",
        called_ae="ARCHIVE",
        contexts=CONTEXTS,
        limits=replace(QUICK, **limits),  # type: ignore[arg-type]
    )


def hears_store(peer: Peer, longest: int = 16384) -> tuple[Command, bytes]:
    """A whole C-STORE-RQ."""
    command = peer.hears_answer_or_request()
    data = b""
    while True:
        kind, body = peer.hears()
        assert (kind, len(body) <= longest) == (PduType.P_DATA_TF, True)
        (value,) = pdu.pdvs(memoryview(body))  # type: ignore[arg-type]
        assert value.context == 3
        assert not value.control & COMMAND
        assert len(value.fragment) % 2 == 0 or value.control & LAST
        data += value.fragment
        if value.control & LAST:
            return command, data


def answers(peer: Peer, command: Command, status: int = 0, comment: str = "", context: int = 3) -> None:
    peer.says(messages.command_pdus(context, messages.response(command, status, comment), 16384))


def hears_release(peer: Peer) -> None:
    assert peer.hears()[0] == PduType.RELEASE_RQ
    peer.says(pdu.RELEASE_RP)
    assert peer.hears() == CLOSED


def test_open_echo_store_release() -> None:
    stored: list[bytes] = []

    def script(peer: Peer) -> None:
        answers(peer, peer.hears_answer_or_request(), context=1)
        for status in (0, 0xB000):
            command, data = hears_store(peer)
            stored.append(data)
            answers(peer, command, status, "coerced" if status else "")
        hears_release(peer)

    with played(script) as address:
        association = opened(address)
        assert association.accepted == {(VERIFICATION, IMPLICIT_LE): 1, (CT, EXPLICIT_LE): 3}
        assert association.echo() == 0
        assert association.store(CT, INSTANCE, 3, BytesSource(DATA * 9)) == StoreResponse(0)
        assert association.store(CT, INSTANCE, 3, BytesSource(b"")) == StoreResponse(0xB000, "coerced")
        association.release()
        assert not association.alive
    assert stored == [DATA * 9, b""]


@pytest.mark.parametrize("max_pdu", [8, 9, 16, 100, 4096, 16384])
def test_fragments_keep_to_what_the_peer_takes(max_pdu: int) -> None:
    size = 50 if max_pdu < 4096 else 50000

    def script(peer: Peer) -> None:
        assert peer.hears()[0] == PduType.ASSOCIATE_RQ
        peer.says(acceptance(max_pdu=max_pdu))
        assembly, command = messages.CommandAssembly(4096), None
        while command is None:
            _, body = peer.hears()
            assert len(body) <= max_pdu
            (value,) = pdu.pdvs(memoryview(body))  # type: ignore[arg-type]
            command = assembly.feed(3, value.fragment, bool(value.control & LAST))
        got, last = b"", False
        while not last:
            _, body = peer.hears()
            assert len(body) <= max_pdu
            (value,) = pdu.pdvs(memoryview(body))  # type: ignore[arg-type]
            got += value.fragment
            last = bool(value.control & LAST)
        assert got == DATA[:10] * (size // 10)
        answers(peer, command)
        hears_release(peer)

    with played(script, before=script) as address, opened(address) as association:
        assert association.store(CT, INSTANCE, 3, BytesSource(DATA[:10] * (size // 10))).status == 0


def test_no_peer_gets_more_than_we_mean_to_send() -> None:
    def script(peer: Peer) -> None:
        command, data = hears_store(peer, longest=4096)
        assert data == DATA
        answers(peer, command)
        hears_release(peer)

    with played(script) as address, opened(address, send_pdu=4096) as association:
        assert association.store(CT, INSTANCE, 3, BytesSource(DATA)).status == 0


@pytest.mark.parametrize(
    ("said", "reason", "detail"),
    [
        (pdu.associate_rj(1, 1, 7), "rejected-permanent", "called AE title not recognized"),
        (pdu.associate_rj(2, 3, 1), "rejected-transient", "temporary congestion"),
        (pdu.associate_rj(9, 9, 9), "rejected", "source 9, reason 9"),
        (pdu.abort(2, 1), "aborted-by-peer", "A-ABORT from service-provider: unrecognized-pdu"),
        (pdu.RELEASE_RP, "pdu-unexpected", ""),
        (b"\x15\x03\x01\x00\x02\x02\x46", "peer-speaks-tls", "this port wants TLS"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "pdu-unrecognized", ""),
        (b"", "connection-lost", ""),
        (acceptance()[:40], "connection-lost", ""),
        (pdu.HEADER.pack(2, 1 << 20), "pdu-too-long", ""),
        (acceptance(ContextAnswer(1, 0, EXPLICIT_LE)), "pdu-malformed", "not proposed"),
        (acceptance(ContextAnswer(5, 0, IMPLICIT_LE)), "pdu-malformed", "not proposed"),
        (acceptance(max_pdu=7), "pdu-malformed", "maximum length"),
    ],
)
def test_a_request_that_is_not_accepted(said: bytes, reason: str, detail: str) -> None:
    def script(peer: Peer) -> None:
        peer.hears()
        peer.says(said)

    with played(script, before=script) as address, pytest.raises(DestinationDown) as error:
        opened(address)
    assert error.value.reason == reason
    assert detail in error.value.detail


def test_contexts_may_be_refused_one_by_one() -> None:
    def script(peer: Peer) -> None:
        peer.hears()
        peer.says(acceptance(ContextAnswer(1, 3, ""), ContextAnswer(3, 0, EXPLICIT_LE)))
        hears_release(peer)

    with played(script, before=script) as address, opened(address) as association:
        assert association.accepted == {(CT, EXPLICIT_LE): 3}
        with pytest.raises(ValueError, match="Verification"):
            association.echo()
        with pytest.raises(ValueError, match="not accepted"):
            association.store(SR, INSTANCE, 3, BytesSource(DATA))


def respond(**changes: object) -> Script:
    """Takes a C-STORE and answers it with something else."""

    def script(peer: Peer) -> None:
        command, _ = hears_store(peer)
        values: dict[int, int | str] = {2: CT, 0x100: 0x8001, 0x120: command.message_id or 0, 0x800: 0x101, 0x900: 0}
        values |= {int(name[1:], 16): value for name, value in changes.items() if name[0] == "x"}  # type: ignore[misc]
        body = messages._encode([(element, value) for element, value in sorted(values.items()) if value is not None])
        peer.says(p_data((int(str(changes.get("context", 3))), 3, body)))
        heard = peer.hears()
        assert heard[0] == PduType.ABORT, heard

    return script


def after_store(*said: bytes) -> Script:
    def script(peer: Peer) -> None:
        hears_store(peer)
        peer.says(*said)
        while peer.hears() != CLOSED:
            pass

    return script


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        pytest.param(respond(x120=99), "answer-unexpected", id="another message id"),
        pytest.param(respond(x100=0x8030), "answer-unexpected", id="echo response"),
        pytest.param(respond(x100=0x0001, x110=1), "answer-unexpected", id="a request"),
        pytest.param(respond(x800=0), "answer-unexpected", id="with a data set"),
        pytest.param(respond(context=1), "answer-unexpected", id="another context"),
        pytest.param(respond(x900=None), "command-malformed", id="no status"),
        pytest.param(after_store(), "answer-timeout", id="silence"),
        pytest.param(after_store(pdu.abort(0, 0)), "aborted-by-peer", id="abort"),
        pytest.param(after_store(pdu.RELEASE_RQ), "pdu-unexpected", id="release request"),
        pytest.param(after_store(pdu.RELEASE_RP), "pdu-unexpected", id="release answer"),
        pytest.param(after_store(acceptance()), "pdu-unexpected", id="acceptance"),
        pytest.param(after_store(p_data((3, 2, b"x"))), "data-set-unexpected", id="data"),
        pytest.param(after_store(p_data((3, 3, b"garbage"))), "command-malformed", id="garbage"),
        pytest.param(after_store(b"\x04\0\0\0"), "pdu-timeout", id="half a header"),
        pytest.param(after_store(pdu.HEADER.pack(4, 1 << 30)), "pdu-too-long", id="length lie"),
    ],
)
def test_a_wrong_answer_is_the_end_of_the_association(script: Script, reason: str) -> None:
    with played(script) as address:
        association = opened(address, answer=0.5, pdu_time=0.5)
        with pytest.raises(DestinationDown) as error:
            association.store(CT, INSTANCE, 3, BytesSource(DATA))
        assert error.value.reason == reason
        assert not association.alive
        with pytest.raises(DestinationDown, match="connection-lost"):
            association.echo()
        association.release()  # a word too much does no harm
        association.abort()


def test_an_answer_within_the_time_may_be_slow_but_not_drip() -> None:
    def script(peer: Peer) -> None:
        command, _ = hears_store(peer)
        for byte in messages.command_pdus(3, messages.response(command, 0), 16384):
            try:
                peer.says(bytes([byte]))
            except OSError:
                return
            time.sleep(0.05)

    with played(script) as address:
        association = opened(address, answer=0.5, pdu_time=0.5)
        begun = time.monotonic()
        with pytest.raises(DestinationDown, match="pdu-timeout"):
            association.store(CT, INSTANCE, 3, BytesSource(DATA))
        assert time.monotonic() - begun < 3


def test_a_peer_lost_within_an_object() -> None:
    def script(peer: Peer) -> None:
        peer.hears()
        peer.sock.close()

    with played(script) as address:
        association = opened(address)
        with pytest.raises(DestinationDown, match="connection-lost"):
            association.store(CT, INSTANCE, 3, BytesSource(DATA * 2000))


def test_a_peer_that_stops_reading_is_given_up() -> None:
    def script(peer: Peer) -> None:
        time.sleep(1.5)

    with played(script) as address:
        association = opened(address, pdu_time=0.3)
        with pytest.raises(DestinationDown, match="send-timeout"):
            association.store(CT, INSTANCE, 3, BytesSource(bytes(64 << 20)))


class Shrinking:
    """A source that lies about its size."""

    size = 100000

    def pread(self, offset: int, length: int) -> bytes:
        return bytes(min(length, max(0, 50000 - offset)))


def test_half_an_object_is_never_ended_as_if_it_were_whole() -> None:
    def script(peer: Peer) -> None:
        last = None
        while (heard := peer.hears())[0] == PduType.P_DATA_TF:
            last = heard
        assert last is not None
        assert not next(pdu.pdvs(memoryview(last[1]))).control & LAST  # type: ignore[arg-type]
        assert heard[0] == PduType.ABORT

    with played(script) as address:
        association = opened(address)
        with pytest.raises(OSError, match="shorter"):
            association.store(CT, INSTANCE, 3, Shrinking())
        assert not association.alive


def test_an_odd_object_is_held_and_a_deflated_one_is_padded() -> None:
    """PS3.8 E.1 wants even fragments, PS3.5 A.5 says how a deflated stream gets them."""
    with (
        listening() as scp,
        Association.open(
            ("127.0.0.1", scp.port),
            calling_ae="A",
            called_ae="B",
            contexts=[ProposedContext(CT, (EXPLICIT_LE,)), ProposedContext(CT, (DEFLATED,))],
        ) as association,
    ):
        with pytest.raises(HoldObject, match="odd-length"):
            association.store(CT, "1.2.1", association.accepted[CT, EXPLICIT_LE], BytesSource(b"abc"))
        assert association.alive
        for size in (131065, 131066, 131067, 3):
            source = BytesSource(DATA * 20)
            source.size = size
            assert association.store(CT, "1.2.2", association.accepted[CT, DEFLATED], source).status == 0
    assert [len(data) for _, data in scp.service.stored] == [131066, 131066, 131068, 4]
    assert scp.service.stored[-1][1] == DATA[:3] + b"\0"


def test_a_release_collision() -> None:
    """PS3.8 7.2.2: we are the requestor, so we answer first (AR-8, AR-9) and then await the answer (AR-3)."""

    def script(peer: Peer) -> None:
        assert peer.hears()[0] == PduType.RELEASE_RQ
        peer.says(pdu.RELEASE_RQ)
        assert peer.hears()[0] == PduType.RELEASE_RP
        peer.says(pdu.RELEASE_RP)
        assert peer.hears() == CLOSED

    with played(script) as address:
        opened(address).release()


@pytest.mark.parametrize("said", [pdu.abort(2, 0), b"", pdu.RELEASE_RQ + pdu.RELEASE_RQ, b"\x99\0\0\0\0\0"])
def test_a_release_that_goes_wrong_is_still_an_end(said: bytes) -> None:
    def script(peer: Peer) -> None:
        assert peer.hears()[0] == PduType.RELEASE_RQ
        peer.says(said)

    with played(script) as address:
        association = opened(address)
        association.release()
        assert not association.alive


def test_an_error_within_a_block_aborts() -> None:
    def script(peer: Peer) -> None:
        assert peer.hears_abort() == (0, 0)

    with played(script) as address, pytest.raises(RuntimeError), opened(address):
        raise RuntimeError


def test_what_cannot_be_proposed() -> None:
    for contexts in ([], [ProposedContext(CT, (EXPLICIT_LE,))] * 129):
        with pytest.raises(ValueError):
            Association.open(("127.0.0.1", 1), calling_ae="A", called_ae="B", contexts=contexts)


def test_a_port_where_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(DestinationDown, match="connect-failed"):
        opened(("127.0.0.1", port))


def test_a_silent_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        begun = time.monotonic()
        with pytest.raises(DestinationDown, match="answer-timeout"):
            opened(server.getsockname(), artim=0.4)
        context = ssl.create_default_context()
        with pytest.raises(DestinationDown, match="tls-timeout"):
            Association.open(
                server.getsockname(),
                context,
                calling_ae="A",
                called_ae="B",
                contexts=CONTEXTS,
                limits=replace(QUICK, artim=0.4),
            )
        assert time.monotonic() - begun < 3


def test_a_plaintext_peer_where_tls_was_meant() -> None:
    with listening() as scp, pytest.raises(DestinationDown) as error:
        Association.open(
            ("127.0.0.1", scp.port), ssl.create_default_context(), calling_ae="A", called_ae="B", contexts=CONTEXTS
        )
    assert error.value.reason in ("peer-speaks-plaintext", "tls-handshake-cut")
    assert "TLS" in error.value.detail


def test_our_client_and_our_acceptor_carry_every_context() -> None:
    objects = [(CT, uid) for uid in (EXPLICIT_LE, IMPLICIT_LE, JPEG_LOSSY)] + [(SR, EXPLICIT_LE)]
    with listening(policy=AcceptancePolicy()) as scp:
        with Association.open(
            ("127.0.0.1", scp.port), calling_ae="A", called_ae="B", contexts=contexts_for(objects)
        ) as association:
            for i, (sop_class, syntax) in enumerate(objects):
                number = association.accepted[sop_class, syntax]
                source = BytesSource(DATA[: 100 * i])
                assert association.store(sop_class, f"1.2.{i}", number, source, ("MOVER", i)).status == 0
        stored = scp.service.stored
    assert [(s.sop_class, s.transfer_syntax, s.move_originator_id) for s, _ in stored] == [
        (*each, i) for i, each in enumerate(objects)
    ]
    assert [data for _, data in stored] == [DATA[: 100 * i] for i in range(4)]


def test_message_ids_wrap_within_16_bits() -> None:
    with (
        listening(MemoryService()) as scp,
        Association.open(("127.0.0.1", scp.port), calling_ae="A", called_ae="B", contexts=CONTEXTS) as association,
    ):
        association._message_id = 65533
        assert [association.echo() for _ in range(5)] == [0] * 5
        assert association._message_id == 3


def test_the_reader_and_our_request_agree(tmp_path: Path) -> None:
    items = [ProposedContext(f"1.2.{i}", (IMPLICIT_LE, EXPLICIT_LE, JPEG_LOSSY)) for i in range(128)]
    server = socket.create_server(("127.0.0.1", 0))

    def dial() -> None:
        with pytest.raises(DestinationDown):
            Association.open(server.getsockname(), calling_ae="A", called_ae="B", contexts=items, limits=QUICK)

    thread = threading.Thread(target=dial, daemon=True)
    thread.start()
    sock, _ = server.accept()
    reader, found = AssociateReader(), None
    while found is None:
        found = reader.feed(sock.recv(reader.wanted))
    assert len(pdu.decode_associate_rq(found[6:]).contexts) == 128
    sock.close()
    server.close()
    thread.join(5)
