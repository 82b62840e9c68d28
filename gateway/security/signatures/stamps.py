"""Certified time stamps of signatures (RFC 3161): asked for, and verified.

Rules of this file
* A token is a SignedData over a TSTInfo whose imprint is the digest of the signature's value (PS3.15 C.1, CMS_TSP).
* It counts only where its imprint is that of this signature and a path leads from the authority, whose certificate is
  for time stamping and nothing else, to an anchor.
* The network is asked only where a person or a rule file names the authority, once, under a deadline and a size.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from asn1crypto import algos, tsp  # type: ignore[import-untyped]
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway.errors import GatewayError
from gateway.security.cms import ber
from gateway.security.cms.algorithms import DIGESTS, SIGNED
from gateway.security.cms.errors import NotOpened
from gateway.security.cms.signing import judge
from gateway.security.der import check as check_der
from gateway.security.signed import NotSigned, verify_path

TST_INFO: Final = "1.2.840.113549.1.9.16.1.4"
_STAMPING: Final = frozenset({ExtendedKeyUsageOID.TIME_STAMPING})
_MOST: Final = 1 << 20  # bytes of an answer
_GRANTED: Final = ("granted", "granted_with_mods")


def authority(url: str, *, timeout: float = 20.0) -> Callable[[bytes], bytes]:
    """A function that has a signature's value stamped by the authority at `url`.

    It raises GatewayError: timestamp-unavailable, timestamp-refused.
    """

    def stamp(value: bytes) -> bytes:
        nonce = int.from_bytes(os.urandom(8), "big")
        return token_of(_asked(url, request(value, nonce), timeout), value, nonce)

    return stamp


def request(value: bytes, nonce: int) -> bytes:
    """A TimeStampReq for a signature's value, in DER (RFC 3161 section 2.4.1)."""
    imprint = tsp.MessageImprint(
        {
            "hash_algorithm": algos.DigestAlgorithm({"algorithm": "sha256"}),
            "hashed_message": hashlib.sha256(value).digest(),
        }
    )
    made: bytes = tsp.TimeStampReq(
        {"version": "v1", "message_imprint": imprint, "nonce": nonce, "cert_req": True}
    ).dump()
    return made


def token_of(response: bytes, value: bytes, nonce: int) -> bytes:
    """The token of a TimeStampResp, which is for this value and this question. Raises GatewayError."""
    try:
        if check_der(response):
            raise ValueError
        found = tsp.TimeStampResp.load(response, strict=True)
        status = found["status"]["status"].native
        if status not in _GRANTED:
            raise GatewayError("timestamp-refused", f"the authority answered {status}")
        token: bytes = found["time_stamp_token"].dump()
        info = _info(token)
        answered = tsp.TSTInfo.load(info, strict=True)["nonce"].native
    except (ValueError, TypeError, KeyError, NotOpened, NotSigned):
        raise GatewayError("timestamp-refused", "the authority's answer cannot be read") from None
    if answered != nonce or not _is_of(info, value):
        raise GatewayError("timestamp-refused", "the authority stamped something else")
    return token


def verify(
    token: bytes,
    value: bytes,
    trust: Sequence[x509.Certificate],
    others: Sequence[x509.Certificate],
    now: datetime,
) -> datetime:
    """When this signature's value was there, as an authority that is trusted says. Raises NotSigned (cms-timestamp)."""
    try:
        token = _unpadded(token)
        info = _info(token)
        if not _is_of(info, value):
            raise NotSigned("cms-timestamp", "the time stamp is of another signature")
        at = tsp.TSTInfo.load(info, strict=True)["gen_time"].native
        if not isinstance(at, datetime):
            raise NotSigned("cms-timestamp", "the time stamp says no time")
        leaf, inside = _signer(token, info)
        verify_path(leaf, [*inside, *others], trust, at, now)
        _only_stamps(leaf)
    except NotSigned as error:
        raise NotSigned("cms-timestamp", error.detail) from None
    except Exception:  # the parsers' classes for what they do not know are many
        raise NotSigned("cms-timestamp", "the time stamp cannot be read") from None
    return at.astimezone(UTC)


def _unpadded(token: bytes) -> bytes:
    """Without the byte that made its length even."""
    return token[:-1] if token.endswith(b"\0") and check_der(token) else token


def _body(token: bytes) -> list[ber.Part]:
    """The parts of the SignedData."""
    outer = ber.inside(token)
    if len(outer) != 2 or outer[0].raw != ber.oid(SIGNED):
        raise NotOpened("cms-malformed", "the time stamp is no SignedData")
    return ber.inside(ber.inside(outer[1].raw, 0xA0)[0].raw)


def _info(token: bytes) -> bytes:
    """The TSTInfo in DER."""
    named, content = ber.inside(_body(token)[2].raw)
    if named.raw != ber.oid(TST_INFO):
        raise NotOpened("cms-malformed", "what was signed is no TSTInfo")
    return ber.inside(content.raw, 0xA0)[0].body


def _signer(token: bytes, info: bytes) -> tuple[x509.Certificate, list[x509.Certificate]]:
    body = _body(token)
    certificates = [
        x509.load_der_x509_certificate(each.raw)
        for part in body
        if part.tag == 0xA0
        for each in ber.parts(part.body)
        if each.tag == ber.SEQUENCE
    ]
    infos = ber.parts(body[-1].body)
    if len(infos) != 1:
        raise NotSigned("cms-timestamp", "the time stamp has not one signer")
    digests = {name: hashlib.new(name, info).digest() for name in DIGESTS}
    return judge(infos[0], certificates, digests, TST_INFO).certificate, certificates


def _is_of(info: bytes, value: bytes) -> bool:
    imprint = tsp.TSTInfo.load(info, strict=True)["message_imprint"]
    name = imprint["hash_algorithm"]["algorithm"].native
    return name in DIGESTS and hashlib.new(name, value).digest() == imprint["hashed_message"].native


def _only_stamps(leaf: x509.Certificate) -> None:
    """RFC 3161 section 2.3: extended key usage timeStamping, alone and critical."""
    try:
        extension = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        extension = None
    if extension is None or not extension.critical or set(extension.value) != _STAMPING:
        raise NotSigned("cms-timestamp", "the certificate of the time stamp is not for time stamping")


def _asked(url: str, body: bytes, timeout: float) -> bytes:
    import httpx2 as httpx

    headers = {"Content-Type": "application/timestamp-query"}
    try:
        with httpx.stream("POST", url, content=body, headers=headers, timeout=timeout) as answer:
            if answer.status_code != 200:
                raise GatewayError("timestamp-refused", f"the authority answered {answer.status_code}")
            data = b""
            for chunk in answer.iter_bytes():
                data += chunk
                if len(data) > _MOST:
                    raise GatewayError("timestamp-refused", "the authority's answer is too long")
    except httpx.HTTPError as error:
        raise GatewayError("timestamp-unavailable", type(error).__name__) from None
    return data
