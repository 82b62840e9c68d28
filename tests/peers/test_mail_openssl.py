"""openssl opens and verifies our e-mails, without a line of ours; each good case has bad twins."""

from __future__ import annotations

import io
import subprocess
import zipfile
from datetime import datetime, timedelta
from email import message_from_bytes
from pathlib import Path

import pytest

from gateway.mail.message import Letter, room, write
from gateway.security.cms.errors import NotWritten
from gateway.security.cms.writing import Recipient
from gateway.security.signed import Signer
from tests.unit.security.pki import NOW, Issued, Pki

pytestmark = pytest.mark.peers


class Desk:
    """Who writes, who reads, and openssl."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pki = Pki(folder)
        mail, cipher = ("email",), ("key_encipherment",)
        self.first = self.pki.issue("first", self.pki.ca, kind="rsa2048", eku=mail, usage=cipher)
        self.second = self.pki.issue("second", self.pki.ca, kind="rsa3072", eku=mail, usage=cipher)
        self.stranger = self.pki.issue("stranger", self.pki.ca, kind="rsa2048", eku=mail, usage=cipher)
        self.signer = self.pki.issue("signer", self.pki.ca, kind="rsa2048", eku=mail, usage=("digital_signature",))

    def write(self, archive: bytes, at: datetime = NOW) -> bytes:
        (self.folder / "in.zip").write_bytes(archive)
        letter = Letter("gateway@hospital.example", ("first@cro.example",), 2, 3, "0123456789abcdef", at)
        out = io.BytesIO()
        to: list[Recipient] = [self.first.certificate, self.second.certificate]
        write(self.folder / "in.zip", out, letter, to, Signer((self.signer.certificate,), self.signer.key))
        return out.getvalue()

    def run(self, data: bytes, *arguments: object, program: str = "cms") -> bytes | None:
        """What `openssl cms` gives for a MIME message; None where it refuses."""
        (self.folder / "in.eml").write_bytes(data)
        out = self.folder / "out"
        out.unlink(missing_ok=True)
        command = ["openssl", program, "-in", self.folder / "in.eml", "-out", out, *arguments]
        done = subprocess.run([str(each) for each in command], capture_output=True, check=False, timeout=60)
        return out.read_bytes() if done.returncode == 0 else None

    def decrypt(self, message: bytes, by: Issued, program: str = "cms") -> bytes | None:
        pair = by.pair
        return self.run(message, "-decrypt", "-recip", pair.certificate, "-inkey", pair.key, program=program)

    def verify(self, inner: bytes, ca: Issued, program: str = "cms") -> bytes | None:
        return self.run(inner, "-verify", "-CAfile", ca.pair.certificate, program=program)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("mail"))


def packed(size: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("DICOMDIR", bytes(range(256)) * (size // 256))
    return out.getvalue()


def changed(message: bytes, at: int) -> bytes:
    """One letter of its base64 is another one."""
    other = b"A" if message[at : at + 1] != b"A" else b"B"
    return message[:at] + other + message[at + 1 :]


@pytest.mark.parametrize("program", ["cms", "smime"])
@pytest.mark.parametrize("size", [256, 57 << 12, 3_000_000])
def test_each_recipient_opens_it_and_finds_the_archive_signed(desk: Desk, program: str, size: int) -> None:
    archive = packed(size)
    message = desk.write(archive)
    for reader in (desk.first, desk.second):
        inner = desk.decrypt(message, reader, program)
        assert inner is not None
        content = desk.verify(inner, desk.pki.ca, program)
        assert content is not None
        found = message_from_bytes(content)
        text, attached = found.get_payload()
        assert isinstance(attached.get_payload(decode=True), bytes) and attached.get_payload(decode=True) == archive
        assert attached.get_content_type() == "application/zip" and attached.get_filename() == "DICOM.ZIP"
        assert attached.get_param("name") == attached.get_param("id") == "DICOM.ZIP"
        assert "message 2 of 3" in text.get_payload()


def test_nobody_else_opens_it_and_no_other_authority_vouches_for_it(desk: Desk) -> None:
    message = desk.write(packed(10_000))
    assert b"DICOM" not in (desk.decrypt(message, desk.stranger) or b"")
    inner = desk.decrypt(message, desk.first)
    assert inner is not None and desk.verify(inner, desk.pki.other) is None


def test_a_changed_letter_anywhere_is_found(desk: Desk) -> None:
    message = desk.write(packed(10_000))
    body = message.index(b"\r\n\r\n") + 4
    places = [body + (len(message) - body) * part // 10 for part in range(3, 10)]
    for at in places:
        if message[at : at + 1] in b"\r\n":
            at += 2
        inner = desk.decrypt(changed(message, at), desk.first)
        assert inner is None or desk.verify(inner, desk.pki.ca) is None, at
    inner = desk.decrypt(message, desk.first)
    assert inner is not None
    at = inner.index(b"application/zip") + 400
    assert desk.verify(inner, desk.pki.ca) is not None
    assert desk.verify(changed(inner, at if inner[at : at + 1] not in b"\r\n" else at + 2), desk.pki.ca) is None


@pytest.mark.parametrize("size", [1 << 20, 4 << 20, 20 << 20])
def test_an_archive_that_was_given_room_fits(desk: Desk, size: int) -> None:
    archive = bytes(room(size))
    assert size * 0.9 < len(desk.write(archive)) <= size


def test_a_signer_whose_time_is_over_signs_nothing(desk: Desk) -> None:
    with pytest.raises(NotWritten, match="not valid now"):
        desk.write(packed(1000), NOW + timedelta(days=400))
