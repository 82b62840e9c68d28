"""openssl cms opens and verifies what we write, and we read what it writes: each algorithm and kind of recipient.

Each good case has bad twins: a changed byte, another key, another authority.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.security.cms import ber
from gateway.security.cms.algorithms import DIGESTED, SIGNED, Algorithms
from gateway.security.cms.errors import NotOpened
from gateway.security.cms.passwords import Password
from gateway.security.cms.reading import open_envelope
from gateway.security.cms.writing import envelope
from gateway.security.signed import NotSigned
from tests.unit.security.cms.parties import PHRASE, Parties, opens, password, seal, signs, unseal
from tests.unit.security.pki import NOW, Issued

pytestmark = pytest.mark.peers
DATA = b"\x00" * 128 + b"DICM" + bytes(range(256)) * 300


class Openssl:
    """The openssl command over files of one folder."""

    def __init__(self, program: str, folder: Path, parties: Parties) -> None:
        self._program, self._folder, self._parties = program, folder, parties

    def run(self, data: bytes, *arguments: object) -> bytes | None:
        """What it gives for `data`; None where it refuses."""
        (self._folder / "in").write_bytes(data)
        out = self._folder / "out"
        out.unlink(missing_ok=True)
        command = [self._program, "cms", "-binary", "-in", self._folder / "in", "-out", out, *arguments]
        done = subprocess.run([str(each) for each in command], capture_output=True, check=False, timeout=60)
        return out.read_bytes() if done.returncode == 0 else None

    def decrypt(self, sealed: bytes, by: Issued | str) -> bytes | None:
        who = ["-pwri_password", by] if isinstance(by, str) else ["-recip", by.pair.certificate, "-inkey", by.pair.key]
        return self.run(sealed, "-decrypt", "-inform", "DER", *who)

    def verify(self, message: bytes, ca: Issued) -> bytes | None:
        return self.run(message, "-verify", "-inform", "DER", "-CAfile", ca.pair.certificate)

    def digest_verify(self, message: bytes) -> bytes | None:
        return self.run(message, "-digest_verify", "-inform", "DER")

    def encrypt(self, data: bytes, *arguments: object) -> bytes:
        made = self.run(data, "-encrypt", "-outform", "DER", *arguments)
        assert made is not None
        return made

    def sign(self, data: bytes, signer: Issued, *arguments: object) -> bytes:
        who = ["-signer", signer.pair.certificate, "-inkey", signer.pair.key]
        made = self.run(data, "-sign", "-nodetach", "-outform", "DER", *who, *arguments)
        assert made is not None
        return made


@pytest.fixture(scope="module")
def parties(tmp_path_factory: pytest.TempPathFactory) -> Parties:
    return Parties(tmp_path_factory.mktemp("cms"))


@pytest.fixture
def openssl(program: Callable[[str], str], tmp_path: Path, parties: Parties) -> Openssl:
    return Openssl(program("openssl"), tmp_path, parties)


def content_info(inner: bytes, kind: str) -> bytes:
    """What openssl takes on its own: the message of the envelope with the name of its type before it."""
    return (
        inner
        if inner[2:15].find(ber.oid(kind)[:8]) >= 0
        else ber.value(ber.SEQUENCE, ber.oid(kind), ber.value(0xA0, inner))
    )


CONTENTS = ("aes-128-cbc", "aes-192-cbc", "aes-256-cbc", "aes-128-gcm", "aes-192-gcm", "aes-256-gcm")


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
def test_openssl_opens_and_verifies_ours(openssl: Openssl, parties: Parties, content: str, digest: str) -> None:
    algorithms = Algorithms(content, digest)
    inner = openssl.decrypt(seal(DATA, [parties.rsa], signs(parties.signer, parties.ca), algorithms), parties.rsa)
    assert inner is not None
    message = content_info(inner, SIGNED)
    assert openssl.verify(message, parties.ca) == DATA
    assert openssl.verify(message, parties.other) is None
    assert openssl.verify(_changed(message, message.index(b"DICM")), parties.ca) is None
    inner = openssl.decrypt(seal(DATA, [parties.rsa], None, algorithms), parties.rsa)
    assert inner is not None
    message = content_info(inner, DIGESTED)
    assert openssl.digest_verify(message) == DATA
    assert openssl.digest_verify(_changed(message, message.index(b"DICM"))) is None


@pytest.mark.parametrize("oaep", [False, True])
def test_openssl_opens_ours_as_each_recipient(openssl: Openssl, parties: Parties, oaep: bool) -> None:
    everyone: list[Issued | Password] = [parties.rsa, parties.rsa2, *parties.ec.values()]
    if not oaep:
        everyone.append(password())
    sealed = seal(DATA, everyone, signs(parties.signer, parties.ca), Algorithms(oaep=oaep))
    for each in everyone:
        inner = openssl.decrypt(sealed, PHRASE if isinstance(each, Password) else each)
        assert inner is not None
        assert openssl.verify(content_info(inner, SIGNED), parties.ca) == DATA
    assert openssl.decrypt(sealed, parties.signer) is None
    assert not oaep or openssl.decrypt(_changed(sealed, 80), parties.rsa) is None
    inner = openssl.decrypt(seal(DATA, [password()]), "another pass phrase") or b""
    assert DATA not in inner


@pytest.mark.parametrize("signer", ["pss", "p256", "p384", "p521"])
@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
def test_openssl_verifies_our_signers(openssl: Openssl, parties: Parties, signer: str, digest: str) -> None:
    who = parties.signer if signer == "pss" else parties.ec_signer[signer]
    sealed = seal(DATA, [parties.rsa], signs(who, parties.ca), Algorithms(digest=digest, pss=signer == "pss"))
    inner = openssl.decrypt(sealed, parties.rsa)
    assert inner is not None
    message = content_info(inner, SIGNED)
    assert openssl.verify(message, parties.ca) == DATA
    assert openssl.verify(message, parties.other) is None
    assert openssl.verify(_changed(message, len(message) - 5), parties.ca) is None


@pytest.mark.parametrize("stream", [False, True], ids=["der", "ber"])
@pytest.mark.parametrize("cipher", ["-aes-128-cbc", "-aes-192-cbc", "-aes-256-cbc", "-aes-256-gcm", "-des3"])
@pytest.mark.parametrize("md", ["sha256", "sha384", "sha512", "sha1"])
def test_we_read_openssls(openssl: Openssl, parties: Parties, cipher: str, md: str, stream: bool) -> None:
    streamed = ["-stream"] if stream else []
    recipients = [parties.rsa.pair.certificate, parties.rsa2.pair.certificate, parties.ec["p256"].pair.certificate]
    signed = openssl.sign(DATA, parties.signer, "-md", md, *streamed)
    sealed = openssl.encrypt(signed, cipher, *streamed, *recipients)
    if cipher == "-des3":  # openssl wraps for EC recipients by Triple-DES then, which D.1 knows nothing of
        with pytest.raises(NotOpened, match="algorithm"):
            unseal(sealed, opens(parties.ec["p256"]))
    for each in (parties.rsa, parties.rsa2, *((parties.ec["p256"],) if cipher != "-des3" else ())):
        data, opened = unseal(sealed, opens(each), [parties.ca.certificate])
        assert data == DATA
        weak = {"des-ede3-cbc"} if cipher == "-des3" else set()
        weak |= {"sha1"} if md == "sha1" or each is parties.ec["p256"] else set()  # openssl agrees with SHA-1
        assert set(opened.warnings) == weak
    with pytest.raises(NotSigned, match="untrusted"):
        unseal(sealed, opens(parties.rsa), [parties.other.certificate])
    for at in (len(sealed) // 2, len(sealed) - 40):
        with pytest.raises((NotOpened, NotSigned)):
            unseal(_changed(sealed, at), opens(parties.rsa))
    digested = openssl.run(DATA, "-digest_create", "-md", md, "-outform", "DER")
    assert digested is not None
    assert unseal(openssl.encrypt(digested, cipher, *streamed, *recipients), opens(parties.rsa))[0] == DATA


@pytest.mark.parametrize("cipher", ["-aes-128-cbc", "-aes-256-cbc", "-des3"])
def test_we_read_openssls_passwords(openssl: Openssl, parties: Parties, cipher: str) -> None:
    sealed = openssl.encrypt(openssl.sign(DATA, parties.signer), cipher, "-pwri_password", PHRASE)
    assert unseal(sealed, Password(PHRASE))[0] == DATA
    with pytest.raises(NotOpened, match="damaged"):
        unseal(sealed, Password("another pass phrase"))


@pytest.mark.parametrize(
    "options",
    [
        ["-noattr"],
        ["-keyid"],
        ["-keyopt", "rsa_padding_mode:pss"],
        ["-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:20", "-md", "sha384"],
        ["-cades"],
        ["-nocerts"],
    ],
    ids=lambda options: " ".join(options),
)
def test_we_read_openssls_kinds_of_signers(openssl: Openssl, parties: Parties, options: list[str]) -> None:
    signed = openssl.sign(DATA, parties.signer, *options)
    recipient = ["-recip", parties.rsa.pair.certificate]
    by_key_id = ["-keyid"] if "-keyid" in options else []
    sealed = openssl.encrypt(signed, "-aes-256-cbc", *recipient, *by_key_id)
    if options == ["-nocerts"]:
        with pytest.raises(NotSigned, match="signer-missing"):
            unseal(sealed, opens(parties.rsa))
        return
    assert unseal(sealed, opens(parties.rsa), [parties.ca.certificate])[0] == DATA
    bad = openssl.encrypt(_changed(signed, signed.index(b"DICM")), "-aes-256-cbc", *recipient)
    with pytest.raises(NotSigned):
        unseal(bad, opens(parties.rsa))


@pytest.mark.parametrize("md", ["sha1", "sha256", "sha512"])
def test_we_read_openssls_oaep(openssl: Openssl, parties: Parties, md: str) -> None:
    options = ["-keyopt", "rsa_padding_mode:oaep", "-keyopt", f"rsa_oaep_md:{md}"]
    sealed = openssl.encrypt(
        openssl.sign(DATA, parties.signer), "-aes-256-cbc", "-recip", parties.rsa.pair.certificate, *options
    )
    data, opened = unseal(sealed, opens(parties.rsa))
    assert data == DATA
    assert "rsa-oaep" in opened.beyond_d1
    assert opened.warnings == (("sha1",) if md == "sha1" else ())


@pytest.mark.parametrize("kdf", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("wrap", ["-aes128-wrap", "-aes256-wrap"])
@pytest.mark.parametrize("curve", ["p256", "p384", "p521"])
def test_we_read_openssls_agreements(openssl: Openssl, parties: Parties, curve: str, wrap: str, kdf: str) -> None:
    party = parties.ec[curve]
    options = ["-keyopt", f"ecdh_kdf_md:{kdf}"]
    sealed = openssl.encrypt(
        openssl.sign(DATA, parties.signer), "-aes-256-cbc", wrap, "-recip", party.pair.certificate, *options
    )
    data, opened = unseal(sealed, opens(party))
    assert data == DATA
    assert opened.warnings == ()


def test_two_signers_and_one_of_them_wrong(openssl: Openssl, parties: Parties) -> None:
    second = ["-signer", parties.ec_signer["p256"].pair.certificate, "-inkey", parties.ec_signer["p256"].pair.key]
    signed = openssl.sign(DATA, parties.signer, *second)
    recipient = ["-aes-256-cbc", "-recip", parties.rsa.pair.certificate]
    opened = unseal(openssl.encrypt(signed, *recipient), opens(parties.rsa), [parties.ca.certificate])[1]
    assert len(opened.signatures) == 2
    with pytest.raises(NotSigned):
        unseal(openssl.encrypt(_changed(signed, len(signed) - 3), *recipient), opens(parties.rsa))


def test_an_envelope_without_integrity_is_refused(openssl: Openssl, parties: Parties) -> None:
    for cipher in ("-aes-256-cbc", "-aes-256-gcm"):
        sealed = openssl.encrypt(DATA, cipher, "-recip", parties.rsa.pair.certificate)
        with pytest.raises(NotOpened):
            unseal(sealed, opens(parties.rsa))


@pytest.mark.parametrize("content", ["aes-128-cbc", "aes-256-cbc", "aes-256-gcm"])
def test_envelopes_of_attributes_both_ways(openssl: Openssl, parties: Parties, content: str) -> None:
    to = [parties.rsa.certificate, parties.rsa2.certificate]
    made = envelope(DATA, to, Algorithms(content), NOW)
    assert openssl.decrypt(made, parties.rsa) == DATA
    assert openssl.decrypt(made, parties.rsa2) == DATA
    assert openssl.decrypt(made, parties.signer) != DATA
    theirs = openssl.encrypt(DATA, f"-{content}", parties.rsa.pair.certificate, parties.rsa2.pair.certificate)
    for each in (parties.rsa, parties.rsa2):
        for named in (True, False):
            assert open_envelope(theirs, [opens(each, named=named)], lambda data: data == DATA) == DATA
    with pytest.raises(NotOpened):
        open_envelope(theirs, [opens(parties.signer, named=False)], lambda data: data == DATA)


def _changed(data: bytes, at: int) -> bytes:
    return data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]
