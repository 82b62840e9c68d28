"""Who gets through and who does not: version x suite x certificate, we as server and we as client, over loopback.

The other side is a bare ssl context that refuses nothing (no security level, no verification), so that every refusal
in the table is ours. A case is `ok` only where bytes went both ways: under TLS 1.3 a client believes that it is
connected before the server has looked at its certificate.
"""

from __future__ import annotations

import socket
import ssl
import threading
import warnings
from datetime import timedelta
from typing import NamedTuple

import pytest

from gateway.config.schema import Tls
from gateway.security import tls
from gateway.security.tls import client_context, describe, server_context

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
VERIFY = "CERTIFICATE_VERIFY_FAILED"
NONE = "PEER_DID_NOT_RETURN_A_CERTIFICATE"
NO_SUITE = "NO_SHARED_CIPHER"
VERSION = "UNSUPPORTED_PROTOCOL"


class Case(NamedTuple):
    """What the other side does, and what we say to it: `ok` or OpenSSL's reasons, any of which will do."""

    id: str
    version: ssl.TLSVersion
    party: str | None
    want: str | tuple[str, ...]
    suites: str = "ALL:@SECLEVEL=0"
    ours: str = "good"
    crl: bool = False


def both(id: str, party: str | None, want: str | tuple[str, ...], **more: object) -> list[Case]:
    """A case under TLS 1.2 and under TLS 1.3."""
    return [Case(f"{id}-1.2", V12, party, want, **more), Case(f"{id}-1.3", V13, party, want, **more)]  # type: ignore[arg-type]


def suite(name: str, want: str, ours: str = "good") -> Case:
    return Case(f"suite-{name}", V12, "good", want, f"{name}:@SECLEVEL=0", ours)


SUITES = [
    suite("ECDHE-ECDSA-AES256-GCM-SHA384", "ok"),
    suite("ECDHE-ECDSA-AES128-GCM-SHA256", "ok"),
    suite("ECDHE-RSA-AES256-GCM-SHA384", "ok", "good-rsa"),
    suite("ECDHE-RSA-AES128-GCM-SHA256", "ok", "good-rsa"),
    suite("ECDHE-ECDSA-CHACHA20-POLY1305", NO_SUITE),
    suite("ECDHE-ECDSA-AES128-CCM8", NO_SUITE),
    suite("ECDHE-ECDSA-AES128-SHA256", NO_SUITE),
    suite("ECDHE-RSA-AES256-SHA", NO_SUITE, "good-rsa"),
    suite("DHE-RSA-AES128-GCM-SHA256", NO_SUITE, "good-rsa"),
    suite("AES128-GCM-SHA256", NO_SUITE, "good-rsa"),
    suite("ECDHE-ECDSA-NULL-SHA", NO_SUITE),
]
VERSIONS = [
    Case("tls-1.0", ssl.TLSVersion.TLSv1, "good", VERSION),
    Case("tls-1.1", ssl.TLSVersion.TLSv1_1, "good", VERSION),
]
CERTIFICATES = [
    *both("good", "good", "ok"),
    *both("rsa", "good-rsa", "ok"),
    *both("p384", "good-p384", "ok"),
    *both("chain", "chain", "ok"),
    *both("chain-missing", "chain-missing", VERIFY),
    *both("expired", "expired", VERIFY),
    *both("not-yet", "not-yet", VERIFY),
    *both("wrong-ca", "wrong-ca", VERIFY),
    *both("self-signed", "self-signed", VERIFY),
    *both("revoked", "revoked", VERIFY, crl=True),
    *both("not-revoked", "good", "ok", crl=True),
    *both("rsa-1024", "rsa1024", (VERIFY, "EE_KEY_TOO_SMALL")),
    *both("sha-1", "sha1", (VERIFY, "CA_MD_TOO_WEAK")),
    *both("issuer-not-a-ca", "not-a-ca", VERIFY),
]
AS_SERVER = [
    *SUITES,
    *VERSIONS,
    *CERTIFICATES,
    *both("none", None, NONE),
    *both("wrong-eku", "server-only", VERIFY),
    *both("client-eku", "client-only", "ok"),
]
AS_CLIENT = [
    *(case for case in SUITES if case.ours == "good" and case.want == "ok"),
    Case("suite-cbc", V12, "good", "ALERT", "ECDHE-ECDSA-AES128-SHA256:@SECLEVEL=0"),
    *(case._replace(want=(VERSION, "ALERT")) for case in VERSIONS),
    *CERTIFICATES,
    *both("wrong-eku", "client-only", VERIFY),
    *both("server-eku", "server-only", "ok"),
    *both("wrong-host", "other-host", VERIFY),
]


def test_the_matrix_has_forty_cases_each_named_once() -> None:
    for table in (AS_SERVER, AS_CLIENT):
        names = [case.id for case in table]
        assert len(names) == len(set(names))
    assert len(AS_SERVER) + len(AS_CLIENT) >= 40


@pytest.mark.parametrize("case", AS_SERVER, ids=lambda case: case.id)
def test_as_server(site, case: Case) -> None:
    ours = server_context(tls_block(site, case), site.parties[case.ours].pair)
    theirs = lax(site, case, ssl.PROTOCOL_TLS_CLIENT)
    server, _client = meet(ours, theirs)
    judge(server, case)
    if case.want == "ok":
        assert server.facts.version == case.version.name.replace("_", ".")
        assert case.party is not None and server.facts.subject == f"CN={case.party}"


@pytest.mark.parametrize("case", AS_CLIENT, ids=lambda case: case.id)
def test_as_client(site, case: Case) -> None:
    ours = client_context(tls_block(site, case), site.parties["good"].pair)
    theirs = lax(site, case, ssl.PROTOCOL_TLS_SERVER)
    _server, client = meet(theirs, ours)
    judge(client, case)


@pytest.mark.parametrize("list_", ["outdated", "of-another-authority"])
@pytest.mark.parametrize("version", [V12, V13], ids=["1.2", "1.3"])
def test_without_a_revocation_list_that_holds_nobody_gets_through(
    site, monkeypatch: pytest.MonkeyPatch, version: ssl.TLSVersion, list_: str
) -> None:
    """A list that was good when the gateway started runs out while it serves; or says nothing of who calls."""
    crl = (
        site.crl("outdated", until=-timedelta(hours=1))
        if list_ == "outdated"
        else site.crl("elsewhere", issuer=site.other)
    )
    monkeypatch.setattr(tls, "crl_problems", lambda _: [])
    block = Tls(trust=site.ca_file, crl=crl)
    case = Case("", version, "good", VERIFY)
    server, _ = meet(server_context(block, site.parties["good"].pair), lax(site, case, ssl.PROTOCOL_TLS_CLIENT))
    _, client = meet(lax(site, case, ssl.PROTOCOL_TLS_SERVER), client_context(block, site.parties["good"].pair))
    judge(server, case)
    judge(client, case)


def test_an_ec_key_below_the_profile_cannot_even_speak_tls_1_3(site) -> None:
    case = Case("p192", V13, "p192", "")
    server, client = meet(
        server_context(tls_block(site, case), site.parties["good"].pair), lax(site, case, ssl.PROTOCOL_TLS_CLIENT)
    )
    assert server.end != "ok" or client.end != "ok"
    assert server.facts is None or server.facts.subject == ""


@pytest.mark.parametrize(
    "words", [b"\x01\x00\x00\x00\x00\xcd\x00\x01\x00\x00" + b"GATEWAY         ", b"GET / HTTP/1.1\r\n\r\n"]
)
def test_plaintext_to_the_tls_port_is_refused(site, words: bytes) -> None:
    near, far = socket.socketpair()
    far.sendall(words)
    context = server_context(Tls(trust=site.ca_file), site.parties["good"].pair)
    with near, far, pytest.raises(ssl.SSLError) as refused:
        context.wrap_socket(near, server_side=True)
    assert refused.value.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")


def test_a_plaintext_server_is_refused(site) -> None:
    near, far = socket.socketpair()
    far.sendall(b"\x02\x00\x00\x00\x00\xb8\x00\x01\x00\x00")
    context = client_context(Tls(trust=site.ca_file), site.parties["good"].pair)
    with near, far, pytest.raises(ssl.SSLError):
        context.wrap_socket(near, server_hostname="localhost")


def test_without_check_host_the_name_is_free_but_the_anchor_is_not(site) -> None:
    ours = client_context(Tls(trust=site.ca_file, check_host=False), site.parties["good"].pair)
    for party, want in (("other-host", "ok"), ("wrong-ca", VERIFY)):
        _server, client = meet(lax(site, Case("", V13, party, want), ssl.PROTOCOL_TLS_SERVER), ours)
        assert client.end == want


def test_an_optional_certificate_may_be_missing_but_never_wrong(site) -> None:
    ours = server_context(Tls(trust=site.ca_file, client_cert="optional"), site.parties["good"].pair)
    for party, want in ((None, "ok"), ("good", "ok"), ("wrong-ca", VERIFY), ("expired", VERIFY)):
        server, _client = meet(ours, lax(site, Case("", V13, party, want), ssl.PROTOCOL_TLS_CLIENT))
        assert server.end == want
        if want == "ok":
            assert server.facts.subject == (f"CN={party}" if party else "")


def test_1_3_is_preferred_where_both_can(site) -> None:
    block = Tls(trust=site.ca_file)
    pair = site.parties["good"].pair
    server, client = meet(server_context(block, pair), client_context(block, pair))
    assert server.end == client.end == "ok"
    assert server.facts.version == client.facts.version == "TLSv1.3"


class End(NamedTuple):
    """How one side fared: `ok` or OpenSSL's reason; what it saw of the other."""

    end: str
    facts: object


def judge(end: End, case: Case) -> None:
    wanted = (case.want,) if isinstance(case.want, str) else case.want
    assert any(word in end.end for word in wanted), end.end
    if case.want != "ok":
        assert end.end != "ok"


def tls_block(site, case: Case) -> Tls:
    return Tls(trust=site.ca_file, crl=site.crl_file if case.crl else None)


def lax(site, case: Case, protocol: int) -> ssl.SSLContext:
    """A context that refuses nothing by itself."""
    context = ssl.SSLContext(protocol)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers(case.suites)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # TLS 1.0 and 1.1 are what we want to be refused
        context.minimum_version = case.version
        context.maximum_version = case.version
    if case.party is not None:
        pair = site.parties[case.party].pair
        context.load_cert_chain(pair.certificate, pair.key)
    return context


def meet(server: ssl.SSLContext, client: ssl.SSLContext) -> tuple[End, End]:
    """One handshake and one byte each way."""
    near, far = socket.socketpair()
    near.settimeout(10)
    far.settimeout(10)
    ends: dict[bool, End] = {}

    def side(sock: socket.socket, context: ssl.SSLContext, is_server: bool) -> None:
        facts = None
        try:
            name = None if is_server else "localhost"
            with context.wrap_socket(sock, server_side=is_server, server_hostname=name) as tls:
                tls.sendall(b"x")
                if tls.recv(1) != b"x":
                    raise ssl.SSLError(1, "closed")
                facts = describe(tls)
            ends[is_server] = End("ok", facts)
        except ssl.SSLError as error:
            ends[is_server] = End(error.reason or str(error), facts)
        except OSError as error:
            ends[is_server] = End(type(error).__name__, facts)
        finally:
            sock.close()

    other = threading.Thread(target=side, args=(far, client, False))
    other.start()
    side(near, server, True)
    other.join()
    return ends[True], ends[False]
