"""Sign a data set by a profile of PS3.15 Annex C: Base, Creator, Authorization, Structured Report RSA.

Rules of this file
* RSA with PKCS #1 v1.5 over SHA-256, SHA-384 or SHA-512: what the profiles name, without what has become weak.
* A profile's attributes are signed where they are present; one that may not be signed (UN) stops it. The base profile
  names none: there everything that may be signed is.
* Creator RSA is for who creates an instance (C.2): the caller says that the gateway made it.
* A data set that is not in Explicit VR little endian becomes so (PS3.15 A.3); compressed pixels are signed as they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from gateway.errors import GatewayError
from gateway.security.credentials import validity_faults
from gateway.security.signed import HASHES, Signer, key_fault, usage_fault
from profiles import signatures as profiles
from transforms.dataset import convert, framing
from transforms.dataset import syntax as syntaxes
from transforms.errors import TransformError
from transforms.signatures import mac, writing
from transforms.source import ByteSource, BytesSource

MAC_NAMES: Final = {"sha256": "SHA256", "sha384": "SHA384", "sha512": "SHA512"}
_VERIFICATION_FLAG: Final = 0x0040A493
_VALUE_TYPE: Final = 0x0040A040
_SOP_INSTANCE: Final = 0x00080018


@dataclass(frozen=True, slots=True)
class Wish:
    """How to sign."""

    profile: str  # base, creator, authorization, sr
    hash: str = "sha256"
    purpose: str = ""  # code value of CID 7007; "" where none is wanted, or sr's own default
    made_here: bool = False  # the gateway created this instance
    item: str = ""  # where in the object: "" the top, or an item such as (0040,A730)[1]


def sign(
    source: ByteSource,
    uid: str,
    by: Signer,
    wish: Wish,
    *,
    now: datetime,
    signature_uid: str,
    stamp: Callable[[bytes], bytes] | None = None,
) -> tuple[ByteSource, str]:
    """(the signed data set, its transfer syntax). `stamp` gives a time stamp token for a signature's value.

    Raises GatewayError (signer-unusable, signature-not-creator, what `stamp` raises), TransformError (signature-*,
    cannot-convert), BadFraming.
    """
    leaf = by.chain[0]
    key = by.key
    public = key.public_key()
    faults = [*validity_faults(leaf, now), key_fault(public), usage_fault(leaf)]
    if not isinstance(public, rsa.RSAPublicKey):
        faults.append("the key is not RSA, which every signature profile of PS3.15 Annex C asks for")
    if why := "; ".join(fault for fault in faults if fault):
        raise GatewayError("signer-unusable", why)
    if wish.profile == "creator" and not wish.made_here:
        raise GatewayError(
            "signature-not-creator",
            "Creator RSA is for who created the instance (PS3.15 C.2); use base or authorization",
        )
    source, uid = convert.explicit(source, uid)
    index = framing.check(source, uid)
    levels = mac.Levels(source, syntaxes.lookup(uid))
    entries, depth = writing.level_of(levels, index.entries, wish.item)
    profile, purpose = _resolved(wish, source, levels, entries)
    chosen = _chosen(profile, levels, entries)
    mac_id = writing.free_mac_id(levels, entries, depth)
    parameters = writing.Parameters(mac_id, uid, MAC_NAMES[wish.hash], tuple(chosen))
    at = now.astimezone(UTC).strftime("%Y%m%d%H%M%S.%f+0000")
    statement = writing.Statement(mac_id, signature_uid, at, purpose)
    digest = hashlib.new(wish.hash)
    mac.feed(digest, source, mac.of_level(levels, entries, chosen, depth))
    _feed_item(digest, statement.item())
    signature = key.sign(digest.digest(), padding.PKCS1v15(), Prehashed(HASHES[wish.hash]))
    token = stamp(signature) if stamp is not None else b""
    item = statement.item(leaf.public_bytes(serialization.Encoding.DER), signature, token)
    return writing.signed(levels, index.entries, wish.item, parameters.item(), item), uid


def _resolved(
    wish: Wish, source: ByteSource, levels: mac.Levels, entries: mac.Entries
) -> tuple[str, tuple[str, str, str] | None]:
    """The profile, and the purpose code as it will stand there."""
    name, purpose = wish.profile, wish.purpose
    if name not in profiles.PROFILES:
        raise GatewayError("signature-profile", f"{name}: choose of base, creator, authorization, sr")
    if name == "sr":
        if _VALUE_TYPE not in entries:
            raise TransformError("signature-not-sr", "it is neither a structured report nor a key object selection")
        flag = entries.get(_VERIFICATION_FLAG)
        if flag is not None and source.pread(flag[2], flag[3]).strip() == b"VERIFIED" and purpose in ("", "5"):
            name, purpose = "sr-verification", "5"
        purpose = purpose or "1"
    if not purpose:
        return name, None
    if purpose not in profiles.PURPOSES:
        raise GatewayError("signature-purpose", f"{purpose}: CID 7007 has 1 to {len(profiles.PURPOSES)}")
    return name, (purpose, profiles.SCHEME, profiles.PURPOSES[purpose])


def _chosen(profile: str, levels: mac.Levels, entries: mac.Entries) -> list[int]:
    able = mac.signable(levels, entries)
    if profile == "base":
        chosen = able
    else:
        if not set(profiles.PROFILES[profile].needs) <= set(entries):
            raise TransformError("signature-incomplete", "a UID is missing that the profile signs")
        chosen = [tag for tag in entries if profiles.signs(profile, tag)]
        if lost := set(chosen) - set(able):
            raise TransformError("signature-unsignable", f"{len(lost)} attributes of the profile have no known VR (UN)")
    if not chosen:
        raise TransformError("signature-empty", "it has no attribute that the profile signs")
    return chosen


def _feed_item(digest: mac.Running, item: bytes) -> None:
    """The signature's own item, framed by itself: it stands in no data set yet."""
    source = BytesSource(item)
    known = syntaxes.lookup(syntaxes.EXPLICIT_LE)
    levels = mac.Levels(source, known)
    mac.feed(digest, source, mac.of_item(levels, levels.at(0, len(item), 0, False)[0]))
