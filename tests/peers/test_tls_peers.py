"""dcmtk's and OpenSSL's own programs as the other side of our TLS, each with a twin that must be refused.

dcmtk 3.6.7 knows the profiles before RFC 9325, whose suites overlap with ours; TLS 1.3 is judged with openssl.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest

from certs.dev import make
from gateway.config.schema import KeyPair, Tls
from gateway.security.tls import client_context, describe, server_context

pytestmark = pytest.mark.peers

# A-ASSOCIATE-RJ: permanent, service user, called AE title not recognized (PS3.8 Table 9-21).
REJECT = bytes([3, 0, 0, 0, 0, 4, 0, 1, 1, 7])


@pytest.fixture(scope="module")
def pki(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tls-peers") / "certs"
    make(folder)
    return folder


def pair(pki: Path, name: str) -> KeyPair:
    return KeyPair(certificate=pki / f"{name}.pem", key=pki / f"{name}.key")


class Listening:
    """Our server context on a loopback port for one connection: reads a request, answers `REJECT`."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(10)
        self.port = self._socket.getsockname()[1]
        self.facts = None
        self.error = ""
        self.request = b""
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Listening:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        try:
            plain, _ = self._socket.accept()
            plain.settimeout(10)
            with self._context.wrap_socket(plain, server_side=True) as tls:
                self.request = tls.recv(4096)
                self.facts = describe(tls)
                tls.sendall(REJECT)
        except ssl.SSLError as error:
            self.error = error.reason or str(error)
        except OSError as error:
            self.error = type(error).__name__


def run(*command: object, send: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([str(each) for each in command], capture_output=True, timeout=20, check=False, input=send)


# Party, option of the profile, whether it gets through: +py non-downgrading, +px downgrading, +pz extended, +pa AES
DCMTK_CLIENTS = [
    ("modality", "+py", True),
    ("modality", "+px", True),
    ("modality", "+pz", True),
    ("modality", "+pa", False),
    ("expired", "+py", False),
    ("untrusted", "+py", False),
]


@pytest.mark.parametrize(("party", "profile", "passes"), DCMTK_CLIENTS)
def test_echoscu_calls_us(pki, program, party: str, profile: str, passes: bool) -> None:
    context = server_context(Tls(trust=pki / "ca.pem"), pair(pki, "gateway"))
    with Listening(context) as ours:
        who = (pki / f"{party}.key", pki / f"{party}.pem")
        done = run(program("echoscu"), "+tls", *who, "+cf", pki / "ca.pem", profile, "127.0.0.1", ours.port)
    assert done.returncode != 0  # we reject the association, or the handshake before it
    if passes:
        assert ours.request[:1] == b"\x01" and b"Called AE Title Not Recognized" in done.stderr
        assert ours.facts.subject == f"CN={party},O=dicom-gateway development"
        assert ours.facts.version in ("TLSv1.2", "TLSv1.3")
    else:
        assert ours.error and not ours.request


def test_echoscu_without_certificate_or_without_tls_is_refused(pki, program) -> None:
    context = server_context(Tls(trust=pki / "ca.pem"), pair(pki, "gateway"))
    with Listening(context) as ours:
        run(program("echoscu"), "+tla", "+cf", pki / "ca.pem", "127.0.0.1", ours.port)
    assert ours.error == "PEER_DID_NOT_RETURN_A_CERTIFICATE"
    with Listening(context) as ours:
        run(program("echoscu"), "127.0.0.1", ours.port)
    assert ours.error and not ours.request


@pytest.mark.parametrize(("party", "passes"), [("archive", True), ("expired", False), ("untrusted", False)])
def test_we_call_storescp(pki, program, tmp_path, party: str, passes: bool) -> None:
    port = free_port()
    command = [program("storescp"), "+tls", pki / f"{party}.key", pki / f"{party}.pem", "+cf", pki / "ca.pem"]
    with running(*command, "+py", "-od", tmp_path, port, port=port):
        assert called(client_context(Tls(trust=pki / "ca.pem"), pair(pki, "gateway")), port) is passes


@pytest.mark.parametrize(("profile", "passes"), [("+px", True), ("+pz", True), ("+pn", False)])
def test_we_call_storescp_of_each_profile(pki, program, tmp_path, profile: str, passes: bool) -> None:
    port = free_port()
    command = [program("storescp"), "+tls", pki / "archive.key", pki / "archive.pem", "+cf", pki / "ca.pem"]
    with running(*command, profile, "-od", tmp_path, port, port=port):
        assert called(client_context(Tls(trust=pki / "ca.pem"), pair(pki, "gateway")), port) is passes


def test_storescp_refuses_a_stranger_of_ours(pki, program, tmp_path) -> None:
    """The judge's twin: a certificate that storescp has no anchor for."""
    port = free_port()
    command = [program("storescp"), "+tls", pki / "archive.key", pki / "archive.pem", "+cf", pki / "ca.pem"]
    with running(*command, "-od", tmp_path, port, port=port):
        assert called(client_context(Tls(trust=pki / "ca.pem"), pair(pki, "untrusted")), port) is False


S_CLIENT = [
    ((), True, "TLSv1.3"),
    (("-tls1_2",), True, "TLSv1.2"),
    (("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), False, ""),
    (("-tls1", "-cipher", "ALL:@SECLEVEL=0"), False, ""),
    (("-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"), True, "TLSv1.2"),
    (("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"), False, ""),
    (("-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-CCM8:@SECLEVEL=0"), False, ""),
    (("-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_8_SHA256", "-cipher", "ALL:@SECLEVEL=0"), False, ""),
    (("-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"), True, "TLSv1.3"),
]


@pytest.mark.parametrize(
    ("options", "passes", "version"),
    S_CLIENT,
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_s_client_calls_us(pki, program, options: tuple[str, ...], passes: bool, version: str) -> None:
    context = server_context(Tls(trust=pki / "ca.pem"), pair(pki, "gateway"))
    with Listening(context) as ours:
        who = ("-cert", pki / "modality.pem", "-key", pki / "modality.key", "-CAfile", pki / "ca.pem")
        command = (program("openssl"), "s_client", "-connect", f"127.0.0.1:{ours.port}", *who, *options)
        done = run(*command, "-verify_return_error", "-quiet", "-no_ign_eof", send=b"hello")
    if passes:
        assert ours.request == b"hello" and ours.facts.version == version
        assert REJECT in done.stdout or done.returncode == 0
    else:
        assert ours.error and not ours.request


def test_s_client_sees_no_compression_no_renegotiation_no_ticket(pki, program) -> None:
    context = server_context(Tls(trust=pki / "ca.pem"), pair(pki, "gateway"))
    for version in ("-tls1_2", "-tls1_3"):
        with Listening(context) as ours:
            who = ("-cert", pki / "modality.pem", "-key", pki / "modality.key", "-CAfile", pki / "ca.pem")
            address = f"127.0.0.1:{ours.port}"
            command = (program("openssl"), "s_client", "-connect", address, *who, version, "-alpn", "dicom")
            told = run(*command, "-ign_eof", send=b"hello").stdout
        assert ours.facts is not None
        assert b"Compression: NONE" in told and b"No ALPN negotiated" in told
        assert b"TLS session ticket:" not in told and b"New Session Ticket" not in told


def test_s_client_cannot_renegotiate(pki, program) -> None:
    context = server_context(Tls(trust=pki / "ca.pem"), pair(pki, "gateway"))
    with Listening(context) as ours:
        who = ("-cert", pki / "modality.pem", "-key", pki / "modality.key", "-CAfile", pki / "ca.pem")
        command = (program("openssl"), "s_client", "-connect", f"127.0.0.1:{ours.port}", *who, "-tls1_2")
        told = run(*command, send=b"R\nhello\n")
    assert ours.request == b"" and b"no renegotiation" in told.stderr


def test_s_client_does_see_a_ticket_where_there_is_one(pki, program) -> None:
    """The judge's twin: the same context with tickets left on."""
    context = server_context(Tls(trust=pki / "ca.pem"), pair(pki, "gateway"))
    context.options &= ~ssl.OP_NO_TICKET
    with Listening(context) as ours:
        who = ("-cert", pki / "modality.pem", "-key", pki / "modality.key", "-CAfile", pki / "ca.pem")
        address = f"127.0.0.1:{ours.port}"
        command = (program("openssl"), "s_client", "-connect", address, *who, "-tls1_2", "-ign_eof")
        assert b"TLS session ticket:" in run(*command, send=b"hello").stdout


@pytest.mark.parametrize(
    ("options", "passes"),
    [
        ((), True),
        (("-tls1_2",), True),
        (("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), False),
        (("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"), False),
        (("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"), True),
    ],
)
def test_we_call_s_server(pki, program, options: tuple[str, ...], passes: bool) -> None:
    port = free_port()
    who = ("-cert", pki / "archive.pem", "-key", pki / "archive.key", "-CAfile", pki / "ca.pem", "-Verify", "1")
    command = (program("openssl"), "s_server", "-accept", f"127.0.0.1:{port}", "-verify_return_error", *who)
    with running(*command, "-rev", *options, port=port):
        assert (
            called(client_context(Tls(trust=pki / "ca.pem"), pair(pki, "gateway")), port, b"abc\n", b"cba\n") is passes
        )


# An A-ASSOCIATE-RQ with one presentation context: Verification, Implicit VR Little Endian.
def request() -> bytes:
    def item(kind: int, body: bytes) -> bytes:
        return bytes([kind, 0]) + len(body).to_bytes(2, "big") + body

    context = item(0x20, b"\x01\0\0\0" + item(0x30, b"1.2.840.10008.1.1") + item(0x40, b"1.2.840.10008.1.2"))
    user = item(0x50, item(0x51, (16384).to_bytes(4, "big")) + item(0x52, b"2.25.1"))
    body = b"\0\1\0\0" + b"STORESCP".ljust(16) + b"GATEWAY".ljust(16) + bytes(32)
    body += item(0x10, b"1.2.840.10008.3.1.1.1") + context + user
    return b"\x01\x00" + len(body).to_bytes(4, "big") + body


def called(context: ssl.SSLContext, port: int, words: bytes | None = None, want: bytes = b"\x02") -> bool:
    """Whether the server at `port` and we understand each other: it answers `words` (or an association) as wanted."""
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as tls,
        ):
            tls.sendall(request() if words is None else words)
            return tls.recv(4096).startswith(want)
    except OSError:  # ssl.SSLError is one
        return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


class running:
    """A server process, ended with the block; entered once its port answers."""

    def __init__(self, *command: object, port: int) -> None:
        self._command = [str(each) for each in command]
        self._port = port

    def __enter__(self) -> None:
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            assert self._process.poll() is None, "the server ended by itself"
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("the server does not listen")

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
