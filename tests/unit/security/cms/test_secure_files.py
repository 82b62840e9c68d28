"""Secure files: what is written is read; a changed byte, a missing one, a wrong reader are found."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st
from parties import PHRASE, Parties, opens, password, seal, signs, unseal

from gateway.errors import GatewayError
from gateway.security.cms import ber, files, signing
from gateway.security.cms.algorithms import CONTENT, DIGESTS, Algorithms, mgf1_parameters
from gateway.security.cms.errors import NotOpened, NotWritten
from gateway.security.cms.passwords import Password
from gateway.security.cms.recipients import Holder
from gateway.security.signed import NotSigned, Signer
from transforms.source import BytesSource

DATA = bytes(range(256)) * 5 + b"end"
WRITTEN = sorted(set(CONTENT) - {"des-ede3-cbc"})


@pytest.mark.parametrize("content", WRITTEN)
@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
def test_every_algorithm_comes_back(parties: Parties, content: str, digest: str) -> None:
    algorithms = Algorithms(content, digest)
    for signer in (None, signs(parties.signer, parties.ca)):
        data, opened = unseal(
            seal(DATA, [parties.rsa], signer, algorithms), opens(parties.rsa), [parties.ca.certificate]
        )
        assert data == DATA
        assert (opened.content, opened.digests, opened.size) == (content, (digest,), len(DATA))
        assert [each.trusted for each in opened.signatures] == ([True] if signer else [])
        assert opened.beyond_d1 == ((content,) if "gcm" in content else ())


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 127, 128, 255, 256, 65535, 65536, (1 << 18) - 1, 1 << 18, 300_001])
def test_every_size_comes_back(parties: Parties, size: int) -> None:
    data = (hashlib.sha256(b"content").digest() * (size // 32 + 1))[:size]
    for algorithms in (Algorithms(), Algorithms("aes-256-gcm")):
        assert unseal(seal(data, [parties.rsa], signs(parties.signer), algorithms), opens(parties.rsa))[0] == data
        assert unseal(seal(data, [parties.rsa], None, algorithms), opens(parties.rsa))[0] == data


def test_every_recipient_opens_the_same_file(parties: Parties) -> None:
    everyone = [parties.rsa, parties.rsa2, *parties.ec.values(), password()]
    sealed = seal(DATA, everyone, signs(parties.signer))
    for each in everyone:
        if isinstance(each, Password):
            assert unseal(sealed, Password(PHRASE))[0] == DATA
            continue
        assert unseal(sealed, opens(each))[0] == DATA
        assert unseal(sealed, opens(each, named=False))[0] == DATA  # without its certificate: all are tried


@pytest.mark.parametrize(
    ("signer", "algorithms", "beyond"),
    [
        ("signer", Algorithms(pss=True), "rsa-pss"),
        ("signer", Algorithms(oaep=True), "rsa-oaep"),
        ("p256", Algorithms(), "ecdsa"),
        ("p384", Algorithms(digest="sha384"), "ecdsa"),
        ("p521", Algorithms(digest="sha512"), "ecdsa"),
    ],
)
def test_what_is_beyond_d1_is_told(parties: Parties, signer: str, algorithms: Algorithms, beyond: str) -> None:
    who = parties.signer if signer == "signer" else parties.ec_signer[signer]
    data, opened = unseal(seal(DATA, [parties.rsa], signs(who), algorithms), opens(parties.rsa))
    assert data == DATA
    assert opened.beyond_d1 == (beyond,)
    assert [each.trusted for each in opened.signatures] == [False]  # nobody said whom to trust


@pytest.mark.parametrize(
    "make",
    [
        lambda p: (seal(b"d" * 70, [p.rsa], signs(p.signer, p.ca)), opens(p.rsa)),
        lambda p: (seal(b"d" * 70, [p.rsa]), opens(p.rsa)),
        lambda p: (
            seal(b"d" * 70, [p.rsa], signs(p.signer), Algorithms("aes-128-gcm", "sha384", True, True)),
            opens(p.rsa),
        ),
        lambda p: (seal(b"d" * 70, [p.ec["p256"]], signs(p.ec_signer["p256"])), opens(p.ec["p256"])),
        lambda p: (seal(b"d" * 70, [password()], signs(p.signer)), Password(PHRASE)),
    ],
    ids=["signed", "digested", "gcm-oaep-pss", "ec", "password"],
)
def test_a_flipped_byte_anywhere_is_found(
    parties: Parties, make: Callable[[Parties], tuple[bytes, Holder | Password]]
) -> None:
    sealed, by = make(parties)
    assert unseal(sealed, by)[0] == b"d" * 70
    missed = []
    for at in range(len(sealed)):
        changed = bytearray(sealed)
        changed[at] ^= 0x80 if at % 2 else 0x01
        try:
            unseal(bytes(changed), by)
        except (NotOpened, NotSigned):
            continue
        missed.append(at)
    assert missed == []


def test_with_two_recipients_each_gets_the_content_or_nothing_and_one_of_them_finds_it(parties: Parties) -> None:
    """A byte of another's wrapped key is no byte of mine: I cannot see it, and it cannot change what I get."""
    sealed = seal(b"d" * 40, [parties.rsa, parties.ec["p256"]], signs(parties.signer))
    for at in range(len(sealed)):
        changed = bytearray(sealed)
        changed[at] ^= 0x40
        got = []
        for by in (opens(parties.rsa), opens(parties.ec["p256"])):
            try:
                got.append(unseal(bytes(changed), by)[0])
            except (NotOpened, NotSigned):
                got.append(b"")
        assert set(got) <= {b"d" * 40, b""}
        assert b"" in got


def test_every_truncation_and_every_addition_is_found(parties: Parties) -> None:
    sealed = seal(b"d" * 70, [parties.rsa], signs(parties.signer))
    for length in range(len(sealed)):
        with pytest.raises(NotOpened) as refused:
            unseal(sealed[:length], opens(parties.rsa))
        assert refused.value.reason in ("cms-truncated", "cms-malformed")
    for more in (b"\0", b"\0\0", sealed):
        with pytest.raises(NotOpened):
            unseal(sealed + more, opens(parties.rsa))


def test_a_wrong_reader_is_told_apart_from_a_damaged_file(parties: Parties) -> None:
    sealed = seal(DATA, [parties.rsa, password()])
    assert _refusal(sealed, opens(parties.rsa2)) == "cms-not-for-us"
    assert _refusal(sealed, opens(parties.rsa2, named=False)) == "cms-damaged"  # it had to be tried
    assert _refusal(sealed, opens(parties.ec["p256"])) == "cms-not-for-us"
    assert _refusal(sealed, Holder(parties.rsa2.key, parties.rsa.certificate)) == "cms-damaged"
    assert _refusal(sealed, Password("correct horse battery stable")) == "cms-damaged"
    assert _refusal(seal(DATA, [parties.rsa]), Password(PHRASE)) == "cms-not-for-us"


def test_who_is_trusted_is_asked_of_the_anchors(parties: Parties) -> None:
    sealed = seal(DATA, [parties.rsa], signs(parties.stranger))
    assert unseal(sealed, opens(parties.rsa))[1].signatures[0].trusted is False
    assert unseal(sealed, opens(parties.rsa), [parties.other.certificate])[1].signatures[0].trusted is True
    assert _refusal(sealed, opens(parties.rsa), trust=[parties.ca.certificate]) == "cms-untrusted"


@pytest.mark.parametrize(
    "why",
    ["expired", "not valid before", "keyEncipherment", "keyAgreement", "emailProtection", "1024", "p224", "authority"],
)
def test_a_certificate_that_may_not_receive_is_refused(parties: Parties, why: str) -> None:
    with pytest.raises(NotWritten) as refused:
        seal(DATA, [parties.rsa, parties.refused[why]])
    assert refused.value.reason == "cms-recipient"
    assert why in refused.value.detail
    assert "certificate 2" in refused.value.detail


@pytest.mark.parametrize(
    ("signer", "reason"),
    [("expired", "cms-usage"), ("emailProtection", "cms-usage"), ("p192", "cms-key")],
)
def test_a_certificate_that_may_not_sign_is_refused(parties: Parties, signer: str, reason: str) -> None:
    with pytest.raises(NotWritten) as refused:
        seal(DATA, [parties.rsa], signs(parties.refused[signer]))
    assert refused.value.reason == reason


def test_nobody_and_weak_passwords_are_no_recipients() -> None:
    with pytest.raises(NotWritten, match="nobody could open it"):
        seal(DATA, [])
    with pytest.raises(NotWritten, match="at least 12"):
        seal(DATA, [Password("short")])
    for text in ("ünïcödé and long enough", "", "tab\tin it, and long enough", "¥en and long enough"):
        with pytest.raises(NotWritten, match="US-ASCII"):
            Password(text)


@pytest.mark.parametrize("name", ["des-ede3-cbc", "aes-256-ecb", "rc2"])
def test_what_is_only_read_is_not_written(name: str) -> None:
    with pytest.raises(NotWritten, match=name):
        Algorithms(content=name)
    with pytest.raises(NotWritten):
        Algorithms(digest="sha1")


def test_no_byte_has_a_name_before_all_is_proven(parties: Parties, tmp_path: Path) -> None:
    sealed = tmp_path / "sealed"
    files.seal(BytesSource(DATA), sealed, [parties.rsa.certificate], signer=signs(parties.signer))
    files.unseal(sealed, tmp_path / "clear", [opens(parties.rsa)])
    assert (tmp_path / "clear").read_bytes() == DATA
    assert (tmp_path / "clear").stat().st_mode & 0o777 == 0o600
    changed = bytearray(sealed.read_bytes())
    changed[-1] ^= 1  # the last byte of all: everything before it was right
    bad = tmp_path / "bad"
    bad.write_bytes(changed)
    with pytest.raises(NotOpened):
        files.unseal(bad, tmp_path / "never", [opens(parties.rsa)])
    with pytest.raises(FileExistsError):
        files.unseal(sealed, tmp_path / "clear", [opens(parties.rsa)])
    with pytest.raises(NotOpened, match="cms-unreadable"):
        files.unseal(tmp_path / "missing", tmp_path / "never", [opens(parties.rsa)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad", "clear", "sealed"]


def test_a_file_that_cannot_be_sealed_leaves_nothing(parties: Parties, tmp_path: Path) -> None:
    class Shrinking(BytesSource):
        def pread(self, offset: int, length: int) -> bytes:
            return super().pread(offset, length)[:-1]

    with pytest.raises(OSError, match="shorter"):
        files.seal(Shrinking(DATA), tmp_path / "sealed", [parties.rsa.certificate])
    assert list(tmp_path.iterdir()) == []


def test_a_content_that_changes_between_two_readings_is_found(parties: Parties) -> None:
    class Changing(BytesSource):
        reads = 0

        def pread(self, offset: int, length: int) -> bytes:
            self.reads += 1
            return bytes((self.reads,)) * len(super().pread(offset, length))

    with pytest.raises(NotWritten, match="changed"):
        _write(Changing(DATA), parties, signs(parties.ec_signer["p256"]))


@given(data=st.binary(max_size=400))
def test_any_bytes_are_refused_with_a_reason(parties: Parties, data: bytes) -> None:
    with pytest.raises((NotOpened, NotSigned)) as refused:
        unseal(data, opens(parties.rsa))
    assert refused.value.reason.startswith("cms-")


@given(st.data())
def test_mutated_messages_give_the_content_or_a_reason(parties: Parties, data: st.DataObject) -> None:
    sealed = bytearray(_sealed(parties))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(sealed) - 1))
        sealed[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    try:
        assert unseal(bytes(sealed), opens(parties.rsa))[0] == DATA
    except (NotOpened, NotSigned) as error:
        assert error.reason.startswith("cms-")


_CACHE: dict[int, bytes] = {}


def _sealed(parties: Parties) -> bytes:
    if id(parties) not in _CACHE:
        _CACHE[id(parties)] = seal(DATA, [parties.rsa], signs(parties.signer))
    return _CACHE[id(parties)]


def _write(source: BytesSource, parties: Parties, signer: Signer) -> None:
    import io

    from gateway.security.cms.writing import write

    write(source, io.BytesIO(), [parties.rsa.certificate], signer=signer)


def _refusal(sealed: bytes, by: Holder | Password, **more: object) -> str:
    with pytest.raises(GatewayError) as refused:
        unseal(sealed, by, **more)  # type: ignore[arg-type]
    return refused.value.reason


@pytest.mark.parametrize(
    "raw",
    [
        ber.value(0x18, b"00010101000000+1400"),  # before the first moment that a date has
        ber.value(0x18, b"99991231235959-1400"),
        b"\x07\x01a",  # kinds that asn1crypto knows by name only
        b"\x08\x01a",
        b"\x09\x01a",
        b"\x03\x00",
        b"",
    ],
)
def test_a_signing_time_is_one_or_is_malformed(raw: bytes) -> None:
    with pytest.raises(NotSigned, match="cms-malformed"):
        signing._time(raw)


def test_a_salt_that_no_key_is_long_enough_for_is_refused() -> None:
    digest = DIGESTS["sha256"]
    for salt, right in ((32, True), (1 << 31, False), (1 << 70, False)):
        parameters = mgf1_parameters(digest, ber.value(0xA2, ber.integer(salt)))
        if right:
            assert signing._salt(parameters, digest) == salt
        else:
            with pytest.raises(NotSigned, match="cms-algorithm"):
                signing._salt(parameters, digest)


def test_a_signer_whose_name_cannot_be_read_is_not_there(parties: Parties) -> None:
    whole = parties.signer.certificate.public_bytes(serialization.Encoding.DER)
    at = whole.rindex(b"\x06\x03\x55\x04\x03") + 5  # the common name: no kind of string any more
    nobody = x509.load_der_x509_certificate(whole[:at] + b"\x02" + whole[at + 1 :])
    with pytest.raises(ValueError, match=r"asn1|ASN\.1"):
        nobody.subject.rfc4514_string()
    sealed = seal(DATA, [parties.rsa], Signer((nobody,), parties.signer.key))
    with pytest.raises(NotSigned, match="signer"):
        unseal(sealed, opens(parties.rsa))
