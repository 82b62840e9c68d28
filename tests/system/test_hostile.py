"""Hostile and broken peers against a whole gateway: silent, dripping, lying; an honest one is served all the while."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time

import pytest

from tests.system.harness import RULES, Gateway, Sink, Site
from tests.system.senders import Sender, ct


@pytest.fixture
def guarded(site: Site, sinks, gateways) -> tuple[Site, Gateway, Sink]:
    sink: Sink = sinks(site)
    text = RULES.format(port=sink.port, sink_security="tls: {trust: file:certs/ca.pem}", steps="")
    site.write(text.replace("port: 0}", "port: 0, limits: {artim: 3s, pdu_time: 3s, idle: 20s}}"))
    return site, gateways(site).start(), sink


def raw(gateway: Gateway) -> socket.socket:
    return socket.create_connection(("127.0.0.1", gateway.port), 10)


def tls(site: Site, gateway: Gateway) -> ssl.SSLSocket:
    return site.context().wrap_socket(raw(gateway), server_hostname="localhost")


def closed_within(sock: socket.socket, seconds: float) -> bool:
    """The other side closes (or resets) within the time."""
    sock.settimeout(seconds)
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        try:
            while sock.recv(4096):
                pass
        except TimeoutError:
            return False
    return True


def test_silent_and_dripping_sockets_are_shut_and_an_honest_peer_is_served(guarded) -> None:
    site, gateway, _sink = guarded
    silent = [raw(gateway) for _ in range(30)]
    dripping = [tls(site, gateway) for _ in range(20)]
    started = time.monotonic()
    stop = threading.Event()

    def drip() -> None:
        number = 0
        pdu = struct.pack(">BBL", 1, 0, 2000) + bytes(2000)
        while not stop.is_set() and number < len(pdu):
            for sock in dripping:
                with contextlib.suppress(OSError):
                    sock.send(pdu[number : number + 1])
            number += 1
            time.sleep(0.1)

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    assert Sender(site, gateway).send([ct(1)]) == []
    assert time.monotonic() - started < 3, "the honest peer had to wait"
    for sock in silent:
        assert closed_within(sock, max(0.1, 5 - (time.monotonic() - started)))
    stop.set()
    thread.join()
    for sock in dripping:
        assert closed_within(sock, 1)
    assert time.monotonic() - started < 8
    assert Sender(site, gateway).send([ct(2)]) == []


@pytest.mark.parametrize(
    "bytes_",
    [
        struct.pack(">BBL", 1, 0, 0xFFFFFFFF),
        struct.pack(">BBL", 4, 0, 0x7FFFFFFF),
        struct.pack(">BBL", 1, 0, 65 << 10) + b"x" * 100,
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        bytes(64),
    ],
)
def test_lies_before_the_association_end_it_at_once(guarded, bytes_: bytes) -> None:
    site, gateway, _ = guarded
    sock = tls(site, gateway)
    sock.sendall(bytes_)
    assert closed_within(sock, 2)
    assert Sender(site, gateway).send([ct(3)]) == []


def test_who_speaks_and_resets_before_tls_begins_ends_no_worker(guarded) -> None:
    """Ten dead workers in a minute stop the gateway; one reset each was all it took."""
    site, gateway, _ = guarded
    linger = struct.pack("ii", 1, 0)
    for number in range(60):
        sock = raw(gateway)
        sock.sendall(b"\x16\x03\x01" if number % 2 else b"x")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        sock.close()
    assert Sender(site, gateway).send([ct(6)]) == []
    assert b"worker-died" not in gateway.log.read_bytes()


def test_plaintext_and_strangers_are_refused_and_audited(guarded) -> None:
    site, gateway, _ = guarded
    plain = raw(gateway)
    plain.sendall(struct.pack(">BBL", 1, 0, 200) + bytes(200))
    assert closed_within(plain, 5)
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    nobody.load_verify_locations(site.folder / "certs/ca.pem")
    with contextlib.suppress(OSError):
        stranger = nobody.wrap_socket(raw(gateway), server_hostname="localhost")
        assert closed_within(stranger, 5)
    time.sleep(0.5)
    shown = gateway.command("audit", "show", "--config", "gateway.yaml").stdout
    assert b"client-certificate-missing" in shown
    assert b"not-tls" in shown


def test_a_wrong_called_ae_is_rejected_and_audited(guarded) -> None:
    from pynetdicom import AE

    site, gateway, _ = guarded
    ae = AE("CT1")
    ae.add_requested_context("1.2.840.10008.1.1")
    association = ae.associate("127.0.0.1", gateway.port, ae_title="NOBODY", tls_args=(site.context(), "localhost"))
    assert association.is_rejected
    assert association.acceptor.primitive.result == 1 and association.acceptor.primitive.diagnostic == 7
    time.sleep(0.5)
    assert b"called-ae-unknown" in gateway.command("audit", "show", "--config", "gateway.yaml").stdout


def test_a_data_set_that_does_not_frame_is_refused_and_nothing_is_stored(guarded) -> None:
    site, gateway, _ = guarded
    sender = Sender(site, gateway)
    bad = ct(4)
    from pydicom.dataelem import RawDataElement  # noqa: F401 - documents where truncation would be silent

    from tests.system import senders

    original = senders.encoded(bad)
    from pynetdicom import AE, build_context
    from pynetdicom.dimse_primitives import C_STORE

    ae = AE("CT1")
    ae.requested_contexts = [build_context(senders.CT, "1.2.840.10008.1.2.1")]
    association = ae.associate("127.0.0.1", gateway.port, ae_title="GATEWAY", tls_args=(site.context(), "localhost"))
    assert association.is_established
    import io

    request = C_STORE()
    request.MessageID = 1
    request.AffectedSOPClassUID = senders.CT
    request.AffectedSOPInstanceUID = str(bad.SOPInstanceUID)
    request.Priority = 2
    request.DataSet = io.BytesIO(original[:-3])
    association._reactor_checkpoint.clear()
    association.dimse.send_msg(request, association.accepted_contexts[0].context_id)
    _, response = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    association.release()
    assert 0xC000 <= response.Status <= 0xCFFF
    assert gateway.status()["rows"] == []
    assert list((site.folder / "state/spool").rglob("*.*")) == []
    assert sender.send([ct(5)]) == []
