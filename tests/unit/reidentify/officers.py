"""An object with much to protect, de-identified for two officers."""

from __future__ import annotations

from pathlib import Path

from gateway.security.reidentification import seal
from tests.unit.security.pki import Issued, Pki
from transforms.dataset import convert, framing
from transforms.dataset.syntax import EXPLICIT_LE
from transforms.deidentify.context import Context
from transforms.deidentify.engine import Deidentified, deidentify
from transforms.deidentify.profile import compile_profile
from transforms.signatures.writing import element, sequence
from transforms.source import ByteSource, BytesSource, chunks

CONTEXT = Context(b"key of a project, quite long", "trial")
NAME = b"Sensitive^Canary"
OBJECT = (
    element(0x00080005, "CS", b"ISO_IR 192")
    + element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.7")
    + element(0x00080018, "UI", b"1.2.3.4.5")
    + element(0x00080020, "DA", b"20240102")
    + element(0x00080060, "CS", b"OT")
    + element(0x00080090, "PN", b"Doctor^Careful")
    + sequence(0x00081110, [element(0x00081150, "UI", b"1.2.840.1") + element(0x00081155, "UI", b"1.2.3.9")])
    + element(0x00090010, "LO", b"MAKER")
    + element(0x00091001, "LO", b"private words")
    + element(0x00100010, "PN", NAME)
    + element(0x00100020, "LO", b"MRN-4711")
    + element(0x0020000D, "UI", b"1.2.3.6")
    + element(0x0020000E, "UI", b"1.2.3.7")
    + b"".join(
        element(0x00280000 | tag, "US", bytes((number, 0)))
        for tag, number in (
            (0x0002, 1),
            (0x0010, 4),
            (0x0011, 8),
            (0x0100, 16),
            (0x0101, 16),
            (0x0102, 15),
            (0x0103, 0),
        )
    )
    + element(0x7FE00010, "OW", bytes(64))
)


class Officers(Pki):
    """Two who may go back, one who may not, and those who are refused."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        mail, encipher = ("email",), ("key_encipherment",)
        self.first = self.issue("first", self.ca, kind="rsa2048", eku=mail, usage=encipher, key_id=True)
        self.second = self.issue("second", self.ca, kind="rsa3072", eku=mail, usage=encipher)
        self.stranger = self.issue("stranger", self.ca, kind="rsa2048", eku=mail, usage=encipher)


def cleaned(data: bytes = OBJECT, uid: str = EXPLICIT_LE) -> Deidentified:
    return deidentify(BytesSource(data), uid, compile_profile("basic"), CONTEXT)


def sealed(*officers: Issued, data: bytes = OBJECT, uid: str = EXPLICIT_LE) -> bytes:
    """The object de-identified, with its encrypted attributes."""
    to = tuple(each.certificate for each in officers)
    return whole(seal(BytesSource(data), cleaned(data, uid).plan, uid, to, CONTEXT)[0])


def elements(source: ByteSource, uid: str) -> dict[int, bytes]:
    source, uid = convert.explicit(source, uid)
    return {each.tag: source.pread(each.header, each.end - each.header) for each in framing.check(source, uid)}


def whole(source: ByteSource) -> bytes:
    return b"".join(chunks(source))
