"""What a context is set to, and every problem of profile, certificate, key, anchors and revocation list in words."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from pki import DAY
from test_tls_matrix import V12, V13, Case, lax

from gateway.config.schema import KeyPair, Tls
from gateway.errors import ConfigRefused
from gateway.security import tls
from gateway.security.tls import (
    client_context,
    client_context_from,
    problems,
    profile_problems,
    server_context,
)
from profiles.tls import load, names


def test_settings_of_both_contexts(site) -> None:
    pair = site.parties["good"].pair
    for context in (server_context(Tls(trust=site.ca_file), pair), client_context(Tls(trust=site.ca_file), pair)):
        assert context.minimum_version == V12 and context.maximum_version == V13
        assert context.verify_mode == ssl.CERT_REQUIRED
        for option in (ssl.OP_NO_COMPRESSION, ssl.OP_NO_RENEGOTIATION, ssl.OP_NO_TICKET):
            assert context.options & option
        assert context.security_level == 2
        assert {suite["name"] for suite in context.get_ciphers()} == {
            suite.openssl for suite in load("bcp195-rfc9325").suites
        }
    assert client_context(Tls(trust=site.ca_file), pair).check_hostname
    assert server_context(Tls(trust=site.ca_file), pair).num_tickets == 0


def test_only_the_given_anchors_are_trusted(site) -> None:
    context = server_context(Tls(trust=site.ca_file), site.parties["good"].pair)
    assert context.cert_store_stats()["x509"] == 1


def test_a_revocation_list_adds_no_anchor_and_covers_the_chain(site) -> None:
    context = server_context(Tls(trust=site.ca_file, crl=site.crl_file), site.parties["good"].pair)
    assert context.cert_store_stats()["x509_ca"] == 1 and context.cert_store_stats()["crl"] == 1
    assert context.verify_flags & ssl.VERIFY_CRL_CHECK_CHAIN == ssl.VERIFY_CRL_CHECK_CHAIN


def test_b12_can_be_kept_here_and_says_nothing() -> None:
    assert profile_problems("bcp195-rfc9325") == []


def test_b13_is_judged_by_what_openssl_offers(monkeypatch) -> None:
    offered = {suite["name"] for suite in tls._bare(load("bcp195-rfc9325-modified"), server=True).get_ciphers()}
    missing = [suite.iana for suite in load("bcp195-rfc9325-modified").required if suite.openssl not in offered]
    found = profile_problems("bcp195-rfc9325-modified")
    assert bool(found) == bool(missing)
    assert all(name in found[0] for name in missing)
    assert not missing or ("B.13" in found[0] and "bcp195-rfc9325" in found[0])


def test_a_profile_that_openssl_would_widen_is_refused(monkeypatch) -> None:
    narrow = load("bcp195-rfc9325")
    monkeypatch.setattr(tls, "load", lambda name: narrow._replace(suites=narrow.suites[1:], required=()))
    assert any("would also offer TLS_AES_256_GCM_SHA384" in text for text in profile_problems("bcp195-rfc9325"))


def test_the_refused_profile_makes_no_context(site) -> None:
    if not profile_problems("bcp195-rfc9325-modified"):
        pytest.skip("this OpenSSL can keep B.13")
    block = Tls(profile="bcp195-rfc9325-modified", trust=site.ca_file)
    for make in (server_context, client_context):
        with pytest.raises(ConfigRefused, match="requires every listed suite"):
            make(block, site.parties["good"].pair)


OWN = {
    "expired": "expired on",
    "not-yet": "not valid before",
    "rsa1024": "RSA key of 1024 bits; at least 2048",
    "p192": "EC key of 192 bits; at least 256",
    "sha1": "signed with sha1; SHA-256 or better",
}


@pytest.mark.parametrize("party", OWN)
def test_our_own_certificate_is_judged_too(site, party: str) -> None:
    pair = site.parties[party].pair
    for server in (True, False):
        (found,) = problems(Tls(trust=site.ca_file), pair, server=server)
        assert OWN[party] in found and str(pair.certificate) in found
    with pytest.raises(ConfigRefused):
        server_context(Tls(trust=site.ca_file), pair)


@pytest.mark.parametrize(
    ("party", "server", "usage"), [("client-only", True, "serverAuth"), ("server-only", False, "clientAuth")]
)
def test_extended_key_usage_must_allow_the_role(site, party: str, server: bool, usage: str) -> None:
    pair = site.parties[party].pair
    assert problems(Tls(trust=site.ca_file), pair, server=server) == [
        f"{pair.certificate}: its extended key usage does not allow {usage}"
    ]
    assert problems(Tls(trust=site.ca_file), pair, server=not server) == []


def test_every_problem_is_told_at_once_and_names_its_file(site, tmp_path) -> None:
    weak = site.parties["rsa1024"].pair
    pair = KeyPair(certificate=weak.certificate, key=site.parties["good"].pair.key)
    missing = tmp_path / "none.pem"
    found = problems(Tls(trust=missing, crl=tmp_path / "none.crl"), pair, server=True)
    assert [text.partition(": ")[2] for text in found] == [
        f"key does not match certificate {pair.certificate}",
        "RSA key of 1024 bits; at least 2048 are needed",
        "no such file or directory",
        "no such file or directory",
    ]


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_a_password(site) -> None:
    locked = site.issue("locked", site.ca, password=b"swordfish")
    (found,) = problems(Tls(trust=site.ca_file), locked.pair, server=True)
    assert "the key is encrypted" in found and "swordfish" not in found


@pytest.mark.parametrize("text", ["", "hello", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_files_that_hold_something_else(site, tmp_path, text: str) -> None:
    file = tmp_path / "x.pem"
    file.write_text(text)
    good = site.parties["good"].pair
    assert "no certificate (PEM)" in problems(Tls(trust=file), good, server=True)[0]
    assert (
        "no certificate (PEM)"
        in problems(Tls(trust=site.ca_file), KeyPair(certificate=file, key=good.key), server=True)[0]
    )
    assert (
        "no private key (PEM)"
        in problems(Tls(trust=site.ca_file), KeyPair(certificate=good.certificate, key=file), server=True)[0]
    )


def test_trust_is_never_silently_empty(site) -> None:
    pair = site.parties["good"].pair
    assert "`trust` is needed" in problems(Tls(), pair, server=True)[0]
    assert "`trust` is needed" in problems(Tls(client_cert="optional"), pair, server=False)[0]
    assert problems(Tls(client_cert="optional"), pair, server=True) == []
    assert "`crl` without `trust`" in problems(Tls(client_cert="optional", crl=site.crl_file), pair, server=True)[0]
    assert "no certificate and key" in problems(Tls(trust=site.ca_file), None, server=True)[0]


def test_an_ended_anchor_is_a_problem_only_where_none_is_left(site, tmp_path) -> None:
    old = site.issue("old-ca", None, ca=True, begin=-3 * DAY, end=-DAY)
    pair = site.parties["good"].pair
    assert "no certificate in it is valid now" in problems(Tls(trust=old.pair.certificate), pair, server=True)[0]
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(old.pair.certificate.read_bytes() + site.ca_file.read_bytes())
    assert problems(Tls(trust=bundle), pair, server=True) == []


def test_a_revocation_list_is_outdated_or_is_none(site, tmp_path) -> None:
    pair = site.parties["good"].pair
    stale = site.crl("stale", until=-timedelta(hours=1))
    assert "outdated since" in problems(Tls(trust=site.ca_file, crl=stale), pair, server=True)[0]
    sly = tmp_path / "sly.crl"  # OpenSSL would take the certificate in it for an anchor
    sly.write_bytes(site.crl_file.read_bytes() + site.other.pair.certificate.read_bytes())
    (found,) = problems(Tls(trust=site.ca_file, crl=sly), pair, server=True)
    assert "expected only X509 CRL blocks (PEM), found CERTIFICATE" in found


@pytest.mark.parametrize(
    ("mode", "root", "refused"),
    [
        (0o600, False, False), (0o400, False, False), (0o400, True, False),
        (0o640, True, False), (0o440, True, False),  # Debian's ssl-cert, Kubernetes' fsGroup
        (0o640, False, True), (0o440, False, True), (0o644, True, True), (0o644, False, True),
        (0o604, True, True), (0o660, True, True), (0o620, True, True), (0o650, True, True), (0o601, False, True),
    ],
)  # fmt: skip
def test_a_key_that_others_may_read_is_refused(
    site, monkeypatch: pytest.MonkeyPatch, mode: int, root: bool, refused: bool
) -> None:
    loose = site.issue(f"loose-{mode:o}-{root}", site.ca).pair
    loose.key.chmod(mode)
    real = Path.stat

    def stat(self: Path, **how: bool) -> os.stat_result:
        found = real(self, **how)
        if self != loose.key:
            return found
        return os.stat_result((*found[:4], 0 if root else 1000, *found[5:]))

    monkeypatch.setattr(Path, "stat", stat)
    tls = Tls(trust=site.ca_file)
    found = problems(tls, loose, server=True)
    assert [f"mode {mode:04o} lets others read the key: chmod 600 it" in each for each in found] == [True] * refused
    if refused:
        with pytest.raises(ConfigRefused, match="chmod 600"):
            server_context(tls, loose)
    else:
        server_context(tls, loose)


def test_plain_arguments_make_the_same_client(site) -> None:
    pair = site.parties["good"].pair
    context = client_context_from(pair.certificate, pair.key, site.ca_file, check_host=False)
    assert context.verify_mode == ssl.CERT_REQUIRED and not context.check_hostname
    with pytest.raises(ConfigRefused):
        client_context_from(pair.certificate, pair.key, pair.key)


def test_no_session_of_tls_1_3_can_be_resumed_and_one_of_1_2_not_past_its_certificate(site, monkeypatch) -> None:
    context = server_context(Tls(trust=site.ca_file), site.parties["good"].pair)
    assert resumed(context, lax(site, Case("", V13, "good", ""), ssl.PROTOCOL_TLS_CLIENT)) == (False, False)
    reused, stale = resumed(context, lax(site, Case("", V12, "good", ""), ssl.PROTOCOL_TLS_CLIENT))
    assert not stale
    if reused:  # the ssl module cannot switch session ids off

        class Later(tls.datetime):
            @classmethod
            def now(cls, tz=None):
                return super().now(tz) + 2 * DAY

        monkeypatch.setattr(tls, "datetime", Later)
        client = lax(site, Case("", V12, "good", ""), ssl.PROTOCOL_TLS_CLIENT)
        assert resumed(context, client) == (True, True)


def resumed(server: ssl.SSLContext, client: ssl.SSLContext) -> tuple[bool, bool]:
    """Connect twice, the second time with the first's session: was it resumed, and does `stale` refuse it?"""
    session, seen = None, (False, False)
    for _ in range(2):
        near, far = socket.socketpair()

        def serve(near: socket.socket = near) -> None:
            nonlocal seen
            sock = server.wrap_socket(near, server_side=True)
            seen = (bool(sock.session_reused), tls.stale(sock))
            sock.sendall(b"x")
            sock.recv(1)
            sock.unwrap().close()

        thread = threading.Thread(target=serve)
        thread.start()
        sock = client.wrap_socket(far, server_hostname="localhost", session=session)
        sock.recv(1)
        session = sock.session
        sock.sendall(b"x")
        sock.unwrap().close()
        thread.join()
    return seen


def test_profile_names() -> None:
    assert names() == ("bcp195-rfc9325", "bcp195-rfc9325-modified")
    for name in names():
        profile = load(name)
        assert set(profile.required) <= set(profile.suites)
        assert len({suite.code for suite in profile.suites}) == len(profile.suites)
