"""TLS contexts by profile name (PS3.15 B.12, B.13) and what is known of a finished handshake.

Rules of this file
* A context is made whole or not at all: every problem of profile, certificate, key, anchors and revocation list is
  told at once (ConfigRefused). Nothing falls back to a weaker setting or to the system's anchors.
* TLS 1.2 and 1.3 only, 1.3 preferred; no compression, no renegotiation, no ALPN. No tickets: a resumed session would
  skip the look at the peer's certificate. TLS 1.2 session ids cannot be switched off in the ssl module; such a
  session lives in one worker's context only and `stale` judges it again.
* Handshakes are the caller's: receive/admission.py does them without blocking, dimse/client.py under a deadline.
"""

from __future__ import annotations

import logging
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from gateway.config.schema import KeyPair, Tls
from gateway.errors import ConfigRefused
from gateway.security.credentials import crl_problems, open_to_others, pair_problems, trust_problems
from gateway.security.identity import fingerprint_of, subject_of
from profiles.tls import TlsProfile, Version, load

log = logging.getLogger("tls")


class TlsFacts(NamedTuple):
    """A finished handshake, as the audit trail and the log tell it."""

    version: str  # "TLSv1.3"
    cipher: str  # OpenSSL's name of the suite
    subject: str  # RFC 4514 of the peer's certificate; "" where it showed none
    fingerprint: str  # SHA-256 of the peer's certificate, 64 hex digits; "" where it showed none


def server_context(tls: Tls, identity: KeyPair | None) -> ssl.SSLContext:
    """The context of a listener. Raises ConfigRefused with every problem."""
    _refuse(problems(tls, identity, server=True))
    assert identity is not None
    context = _context(load(tls.profile), identity, server=True)
    if tls.trust is None:
        context.verify_mode = ssl.CERT_NONE
    else:
        context.verify_mode = ssl.CERT_REQUIRED if tls.client_cert == "required" else ssl.CERT_OPTIONAL
        _trust(context, tls.trust, tls.crl)
    return context


def client_context(tls: Tls, identity: KeyPair | None, *, anonymous: bool = False) -> ssl.SSLContext:
    """The context of a destination: shows our certificate, verifies the peer's. Raises ConfigRefused.

    `anonymous`: a service that knows us by a token is shown no certificate.
    """
    _refuse(problems(tls, identity, server=False, anonymous=anonymous))
    assert tls.trust is not None
    context = _context(load(tls.profile), identity, server=False)
    context.check_hostname = tls.check_host
    context.verify_mode = ssl.CERT_REQUIRED
    _trust(context, tls.trust, tls.crl)
    return context


def client_context_from(
    cert: Path, key: Path, ca: Path, check_host: bool = True, *, profile: str = "bcp195-rfc9325"
) -> ssl.SSLContext:
    """`client_context` by plain arguments, for `send` and `echo`. Raises ConfigRefused."""
    block = Tls.model_validate({"profile": profile, "trust": ca, "check_host": check_host})
    return client_context(block, KeyPair(certificate=cert, key=key))


def problems(tls: Tls, identity: KeyPair | None, *, server: bool, anonymous: bool = False) -> list[str]:
    """Everything that stops this block from working, for `check`; empty where a context can be made."""
    profile = load(tls.profile)
    found = profile_problems(tls.profile)
    if identity is None and anonymous:
        pass
    elif identity is None:
        found.append("no certificate and key: give `identity` at the top or in this tls block")
    else:
        found += pair_problems(identity, profile, server=server)
    if tls.trust is not None:
        found += trust_problems(tls.trust, profile)
    elif not server:
        found.append("`trust` is needed: the destination's certificate must be verified")
    elif tls.client_cert == "required":
        found.append("`trust` is needed: client certificates are required and must be verified")
    if tls.crl is not None:
        found += crl_problems(tls.crl) if tls.trust is not None else ["`crl` without `trust` has nothing to revoke"]
    return found


def profile_problems(name: str) -> list[str]:
    """Why this platform cannot keep the profile, one sentence a suite or version; found by asking OpenSSL."""
    profile = load(name)
    found = []
    able = {Version.TLS1_2: ssl.HAS_TLSv1_2, Version.TLS1_3: ssl.HAS_TLSv1_3}
    found += [
        f"{name}: {version} is missing in {ssl.OPENSSL_VERSION}" for version in profile.versions if not able[version]
    ]
    offered = {suite["name"] for suite in _bare(profile, server=True).get_ciphers()}
    missing = [suite for suite in profile.required if suite.openssl not in offered]
    if missing:
        listed = ", ".join(suite.iana for suite in missing)
        found.append(
            f"{name}: PS3.15 {profile.section} requires every listed suite, and Python's ssl with "
            f"{ssl.OPENSSL_VERSION} cannot offer {listed}; use bcp195-rfc9325"
        )
    extra = offered - {suite.openssl for suite in profile.suites}
    if extra:
        found.append(f"{name}: {ssl.OPENSSL_VERSION} would also offer {', '.join(sorted(extra))}")
    return found


def describe(sock: ssl.SSLSocket) -> TlsFacts:
    """The facts of a finished handshake. Never raises for what the peer's certificate holds."""
    der = sock.getpeercert(binary_form=True)
    cipher = sock.cipher()
    return TlsFacts(
        version=sock.version() or "",
        cipher=cipher[0] if cipher else "",
        subject=subject_of(der) if der else "",
        fingerprint=fingerprint_of(der) if der else "",
    )


def stale(sock: ssl.SSLSocket) -> bool:
    """Whether the handshake resumed a session whose certificate has expired since (TLS 1.2, up to two hours later).

    Anchors and revocation lists need no second look: they belong to the context, and the session to it alone.
    """
    if not sock.session_reused:
        return False
    after = sock.getpeercert() or {}
    text = after.get("notAfter")
    return isinstance(text, str) and ssl.cert_time_to_seconds(text) < datetime.now(UTC).timestamp()


def _bare(profile: TlsProfile, *, server: bool) -> ssl.SSLContext:
    """A context with the profile's versions and suites and nothing else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996
    context.maximum_version = ssl.TLSVersion.TLSv1_3
    # SECLEVEL 2: OpenSSL itself then refuses peers' keys below 112 bits and SHA-1 signatures (RFC 9325 4.5).
    twelve = [suite.openssl for suite in profile.suites if suite.version is Version.TLS1_2]
    context.set_ciphers(":".join([*twelve, "@SECLEVEL=2"]))
    choose = getattr(context, "set_ciphersuites", None)  # Python 3.15; before, OpenSSL's own three are offered
    if choose is not None:
        choose(":".join(suite.openssl for suite in profile.suites if suite.version is Version.TLS1_3))
    return context


def _context(profile: TlsProfile, identity: KeyPair | None, *, server: bool) -> ssl.SSLContext:
    context = _bare(profile, server=server)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    if server:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_SINGLE_ECDH_USE
        context.num_tickets = 0
    context.hostname_checks_common_name = False  # RFC 9525: only subject alternative names name a host
    if identity is None:
        return context
    if fault := open_to_others(identity.key):
        _refuse([fault])
    try:
        context.load_cert_chain(identity.certificate, identity.key, password=_no_password)
    except (ssl.SSLError, OSError) as error:
        _refuse([f"{identity.certificate}: OpenSSL refuses certificate or key ({_why(error)})"])
    return context


def _trust(context: ssl.SSLContext, anchors: Path, crl: Path | None) -> None:
    try:
        context.load_verify_locations(cafile=anchors)
        if crl is not None:
            context.load_verify_locations(cafile=crl)
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    except (ssl.SSLError, OSError) as error:
        _refuse([f"{anchors}: OpenSSL refuses the anchors or the revocation list ({_why(error)})"])


def _no_password() -> str:
    """OpenSSL would ask the terminal."""
    raise OSError("encrypted key")


def _why(error: Exception) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None)
    return str(reason or type(error).__name__)


def _refuse(found: list[str]) -> None:
    if found:
        raise ConfigRefused(tuple(found))
