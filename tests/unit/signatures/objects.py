"""Small data sets to sign, and who signs them."""

from __future__ import annotations

from datetime import UTC, datetime

from gateway.security.signatures.judging import Judgement, Trust, judge
from gateway.security.signatures.making import Wish, sign
from gateway.security.signed import Signer
from tests.unit.security.pki import Issued, Pki
from transforms.dataset.syntax import EXPLICIT_LE
from transforms.signatures.writing import element, sequence
from transforms.source import ByteSource, BytesSource, chunks

JPEG = "1.2.840.10008.1.2.4.50"
UIDS = (
    element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.7")
    + element(0x00080018, "UI", b"1.2.3.4")
    + element(0x00080060, "CS", b"OT")
    + element(0x00080070, "LO", b"Maker")
)
STUDY = element(0x0020000D, "UI", b"1.2.3.5") + element(0x0020000E, "UI", b"1.2.3.6")
CODE = element(0x00080100, "SH", b"T-1") + element(0x00080102, "SH", b"99X") + element(0x00080104, "LO", b"Thing")
NESTED = sequence(0x00082218, [CODE + sequence(0x00081140, [element(0x00081150, "UI", b"1.2")])])
PIXELS = (
    element(0x00280010, "US", b"\2\0") + element(0x00280011, "US", b"\2\0") + element(0x7FE00010, "OW", bytes(range(8)))
)
IMAGE = UIDS + NESTED + element(0x00100010, "PN", b"Doe^Jane") + STUDY + PIXELS
REPORT = (
    UIDS
    + STUDY
    + element(0x0040A040, "CS", b"CONTAINER")
    + sequence(0x0040A043, [CODE])
    + element(0x0040A493, "CS", b"VERIFIED")
    + sequence(0x0040A730, [element(0x0040A040, "CS", b"TEXT") + element(0x0040A160, "UT", b"words")])
)
NOW = datetime.now(UTC)


def signs(party: Issued) -> Signer:
    return Signer((party.certificate,), party.key)


def signed(
    data: bytes, party: Issued, profile: str = "base", uid: str = EXPLICIT_LE, *, mac: str = "sha256", purpose: str = ""
) -> bytes:
    """The data set, signed."""
    wish = Wish(profile, mac, purpose, made_here=True)
    made, syntax = sign(BytesSource(data), uid, signs(party), wish, now=NOW, signature_uid="2.25.17")
    assert syntax in (EXPLICIT_LE, uid)
    return whole(made)


def judged(data: bytes, pki: Pki, uid: str = EXPLICIT_LE, now: datetime = NOW) -> Judgement:
    return judge(BytesSource(data), uid, Trust([pki.ca.certificate]), now)


def whole(source: ByteSource) -> bytes:
    return b"".join(chunks(source))
