"""One e-mail with a DICOM File-set: PS3.15 B.8, PS3.11 Annex L, PS3.12 Annex W; S/MIME as RFC 8551 has it.

    From, To, Date, Message-ID, Subject        told to everybody on the way: nothing of a patient
    application/pkcs7-mime (enveloped-data)     AES-256-CBC, for the recipients' RSA keys
        multipart/signed                        SHA-256, RSA: who sends is authorized to
            multipart/mixed
                text/plain                      what it is
                application/zip DICOM.ZIP       the File-set, DICOMDIR at its root
            application/pkcs7-signature

Rules of this file
* Constant memory: the archive is read twice, first for its digest, then to be encrypted. Where it is not the same both
  times it raises, and what was written is worth nothing.
* Lines are base64 or headers of ours: none begins with a dot, none is longer than SMTP allows, all end in CRLF.
* Names, subject and text of a message are the standard's, and a number. Nothing here knows an object.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import BinaryIO, Final

from gateway.security.cms.writing import Recipient, detached, enveloped
from gateway.security.signed import Signer

NAME: Final = "DICOM.ZIP"  # PS3.11 L.3.2
PHRASE: Final = "DICOM-ZIP"  # PS3.11 L.3.2: the subject line shall contain it
_LINE: Final = 57  # bytes of a line in base64
_PIECE: Final = _LINE << 12
_GROWS: Final = 78 / 57  # base64 with its line ends
_AROUND: Final = 32 << 10  # bytes of everything that is no archive, of each layer, reckoned high


@dataclass(frozen=True, slots=True)
class Letter:
    """What stands outside of a message."""

    sender: str
    to: tuple[str, ...]
    number: int  # of `of` messages, each complete by itself
    of: int
    id: str  # unique, and the same where the same message is sent again
    at: datetime

    @property
    def message_id(self) -> str:
        """RFC 5322 3.6.4."""
        return f"<{self.id}@{self.sender.rpartition('@')[2]}>"


def room(size: int, keys: int = 0) -> int:
    """Bytes of the longest archive that fits into a message of `size`; `keys`: of recipients and certificates."""
    around = _AROUND + keys
    return max(0, int(((size - around) / _GROWS - around) / _GROWS))


def write(archive: Path, out: BinaryIO, letter: Letter, to: Sequence[Recipient], signer: Signer) -> None:
    """The message, ready for SMTP. Raises NotWritten, OSError."""
    inner, outer = f"i{letter.id}", f"o{letter.id}"  # none can stand in base64 lines: "--" is no base64
    hashed, size = hashlib.sha256(), 0
    for part in _content(archive, letter, inner):
        hashed.update(part)
        size += len(part)
    opening = _head(
        ("Content-Type", f'multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256; boundary={outer}')
    )
    opening += f"--{outer}\r\n".encode()
    named = _attachment("application/pkcs7-signature", "smime.p7s")
    closing = f"\r\n--{outer}\r\n".encode() + _head(*named)
    closing += _lines(detached(hashed.digest(), signer, now=letter.at)) + f"\r\n--{outer}--\r\n".encode()

    def signed() -> Iterator[bytes]:
        yield opening
        again = hashlib.sha256()
        for part in _content(archive, letter, inner):
            again.update(part)
            yield part
        if again.digest() != hashed.digest():
            raise OSError("the archive changed while it was read")
        yield closing

    numbers = f" {letter.number}/{letter.of}" if letter.of > 1 else ""
    out.write(
        _head(
            ("From", letter.sender),
            ("To", ", ".join(letter.to)),
            ("Subject", PHRASE + numbers),
            ("Date", format_datetime(letter.at)),
            ("Message-ID", letter.message_id),
            ("MIME-Version", "1.0"),
            *_attachment("application/pkcs7-mime; smime-type=enveloped-data", "smime.p7m"),
        )
    )
    lines = _Lines(out)
    enveloped(signed(), len(opening) + size + len(closing), lines, to, now=letter.at)  # type: ignore[arg-type]
    lines.end()


def _content(archive: Path, letter: Letter, boundary: str) -> Iterator[bytes]:
    """What is signed: text and archive."""
    text = f"A DICOM File-set is attached as {NAME}: a ZIP archive with a DICOMDIR at its root (PS3.11 Annex L).\r\n"
    if letter.of > 1:
        text += f"This is message {letter.number} of {letter.of}. Each of them is complete by itself.\r\n"
    yield _head(("Content-Type", f"multipart/mixed; boundary={boundary}"))
    yield f"--{boundary}\r\n".encode()
    yield _head(("Content-Type", "text/plain; charset=us-ascii"), ("Content-Transfer-Encoding", "7bit"))
    yield f"{text}\r\n--{boundary}\r\n".encode()
    yield _head(*_attachment(f'application/zip; id="{NAME}"', NAME))
    with archive.open("rb") as file:
        while piece := file.read(_PIECE):
            yield _lines(piece)
    yield f"\r\n--{boundary}--\r\n".encode()


def _attachment(kind: str, name: str) -> tuple[tuple[str, str], ...]:
    return (
        ("Content-Type", f'{kind}; name="{name}"'),
        ("Content-Transfer-Encoding", "base64"),
        ("Content-Disposition", f'attachment; filename="{name}"'),
    )


def _head(*fields: tuple[str, str]) -> bytes:
    """Header fields and the empty line after them."""
    message = EmailMessage(SMTP)
    for name, value in fields:
        message[name] = value
    return b"".join(SMTP.fold_binary(name, value) for name, value in message.items()) + b"\r\n"


def _lines(data: bytes) -> bytes:
    return base64.encodebytes(data).replace(b"\n", b"\r\n")


class _Lines:
    """Writes what it is given as base64."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._held = bytearray()

    def write(self, data: bytes) -> int:
        self._held += data
        whole = len(self._held) // _LINE * _LINE
        if whole >= _PIECE:
            self._out.write(_lines(bytes(self._held[:whole])))
            del self._held[:whole]
        return len(data)

    def end(self) -> None:
        """What is left."""
        self._out.write(_lines(bytes(self._held)))
        self._held.clear()
