"""CMS SignedData: what is signed is verified, and everything else is refused with a reason of its own."""

from __future__ import annotations

import random
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import cms
from cryptography.hazmat.primitives import hashes
from pki import DAY, NOW, Issued, Pki

from gateway.config.schema import KeyPair
from gateway.errors import GatewayError
from gateway.security import der, signers
from gateway.security.signed import NotSigned, Signer, sign, verify

CONTENT = b'{"format":"a manifest"}\n'


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("signed"))


@pytest.fixture(scope="module")
def good(pki: Pki) -> Issued:
    return pki.issue("signer", pki.ca, eku=("email", "documents"), usage=("digital_signature",))


def by(issued: Issued, *chain: Issued) -> Signer:
    return Signer((issued.certificate, *(each.certificate for each in chain)), issued.key)


def refused(data: bytes, pki: Pki, **more) -> str:
    with pytest.raises(NotSigned) as caught:
        verify(data, [pki.ca.certificate], more.pop("now", NOW), **more)
    assert CONTENT.decode().strip() not in str(caught.value)
    return caught.value.reason


@pytest.mark.parametrize(
    ("kind", "name"),
    [("rsa2048", "sha256"), ("rsa3072", "sha256"), ("p256", "sha256"), ("p384", "sha384"), ("p521", "sha512")],
)
@pytest.mark.parametrize("detached", [False, True])
def test_what_was_signed_is_verified(pki: Pki, kind: str, name: str, detached: bool) -> None:
    signer = pki.issue(f"good-{kind}", pki.ca, kind=kind, eku=("email",))
    data = sign(CONTENT, by(signer), NOW, detached=detached)
    assert (CONTENT in data) is not detached
    found = verify(data, [pki.ca.certificate], NOW, content=CONTENT if detached else None)
    assert (found.content, found.at, found.hash) == (CONTENT, NOW, name)
    assert found.certificate == signer.certificate


def test_a_chain_is_followed_and_is_needed(pki: Pki) -> None:
    middle = pki.issue("middle", pki.ca, ca=True, usage=("key_cert_sign",))
    leaf = pki.issue("below", middle, eku=("documents",))
    assert verify(sign(CONTENT, by(leaf, middle), NOW), [pki.ca.certificate], NOW).certificate == leaf.certificate
    assert refused(sign(CONTENT, by(leaf), NOW), pki) == "cms-untrusted"


@pytest.mark.parametrize("eku", [("email",), ("documents",), ("server", "email"), ()])
def test_usages_that_may_sign(pki: Pki, eku: tuple[str, ...]) -> None:
    signer = pki.issue(f"may-{'-'.join(eku)}", pki.ca, eku=eku, usage=("content_commitment",))
    assert verify(sign(CONTENT, by(signer), NOW), [pki.ca.certificate], NOW)


@pytest.mark.parametrize("eku", [("server",), ("client",), ("server", "client"), ("code",), ("stamp",)])
def test_a_certificate_for_something_else_may_not_sign(pki: Pki, eku: tuple[str, ...]) -> None:
    signer = pki.issue(f"may-not-{'-'.join(eku)}", pki.ca, eku=eku)
    assert refused(sign(CONTENT, by(signer), NOW), pki) == "cms-usage"


def test_a_key_that_may_not_sign(pki: Pki) -> None:
    signer = pki.issue("agrees", pki.ca, eku=("email",), usage=("key_agreement",))
    assert refused(sign(CONTENT, by(signer), NOW), pki) == "cms-usage"


def test_signers_nobody_trusts(pki: Pki, good: Issued) -> None:
    assert refused(sign(CONTENT, by(pki.issue("x", pki.other, eku=("email",))), NOW), pki) == "cms-untrusted"
    assert refused(sign(CONTENT, by(pki.issue("self", None, eku=("email",))), NOW), pki) == "cms-untrusted"
    leaf = pki.issue("leaf", pki.ca, eku=("email",))
    below = pki.issue("below-leaf", leaf, eku=("email",))
    assert refused(sign(CONTENT, by(below, leaf), NOW), pki) == "cms-untrusted"
    no_ca = pki.issue("may-not-certify", pki.ca, ca=True, usage=("digital_signature",))
    under = pki.issue("under-it", no_ca, eku=("email",))
    assert refused(sign(CONTENT, by(under, no_ca), NOW), pki) == "cms-untrusted"
    # an authority of the same name, with another key
    twin = Pki(pki.folder / "..")
    assert refused(sign(CONTENT, by(twin.issue("y", twin.ca, eku=("email",))), NOW), pki) == "cms-untrusted"
    assert verify(sign(CONTENT, by(good), NOW), [pki.other.certificate, pki.ca.certificate], NOW)


def test_validity_is_that_of_the_signing_time(pki: Pki, good: Issued) -> None:
    expired = pki.issue("old", pki.ca, eku=("email",), begin=-timedelta(hours=10), end=-timedelta(hours=1))
    assert refused(sign(CONTENT, by(expired), NOW), pki) == "cms-time"
    before = sign(CONTENT, by(expired), NOW - timedelta(hours=2))
    assert verify(before, [pki.ca.certificate], NOW).at == NOW - timedelta(hours=2)
    assert refused(sign(CONTENT, by(good), NOW - 2 * DAY), pki) == "cms-time"  # not yet valid
    assert refused(sign(CONTENT, by(good), NOW + timedelta(hours=1)), pki) == "cms-time"  # in the future
    assert verify(sign(CONTENT, by(good), NOW + timedelta(minutes=4)), [pki.ca.certificate], NOW)


def test_an_authority_that_had_ended_vouches_for_nobody(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    pki.ca = pki.issue("ended", None, ca=True, end=-timedelta(hours=1))
    assert refused(sign(CONTENT, by(pki.issue("s", pki.ca, eku=("email",))), NOW), pki) == "cms-untrusted"


def test_a_certificate_signed_with_sha1_is_no_path(site) -> None:
    later = datetime.now(UTC) + timedelta(minutes=2)  # openssl began it at its own now
    data = sign(CONTENT, by(site.parties["sha1"]), later)
    with pytest.raises(NotSigned) as caught:
        verify(data, [site.ca.certificate], later)
    assert caught.value.reason == "cms-untrusted"


def test_weak_keys(pki: Pki) -> None:
    for kind in ("rsa1024", "p192", "p224"):
        with pytest.raises(NotSigned, match="cms-key"):
            sign(CONTENT, by(pki.issue(f"weak-{kind}", pki.ca, kind=kind, eku=("email",))), NOW)


def openssl(*arguments: object, content: bytes = CONTENT) -> bytes:
    found = subprocess.run(["openssl", "cms", *map(str, arguments)], input=content, capture_output=True, check=True)
    return found.stdout


def signing(issued: Issued, *more: object) -> bytes:
    pair = issued.pair
    how = ("-signer", pair.certificate, "-inkey", pair.key, "-binary", "-outform", "DER", "-nodetach")
    return openssl("-sign", *how, *more)


def test_openssl_messages_of_our_kind_are_taken(pki: Pki, good: Issued) -> None:
    rsa = pki.issue("rsa", pki.ca, kind="rsa2048", eku=("email",))
    later = datetime.now(UTC)
    for signer in (good, rsa):
        for name in ("sha256", "sha384", "sha512"):
            assert verify(signing(signer, "-md", name), [pki.ca.certificate], later).hash == name


def test_openssl_messages_of_another_kind_are_refused(pki: Pki, good: Issued) -> None:
    rsa = pki.issue("rsa-bad", pki.ca, kind="rsa2048", eku=("email",))
    now = datetime.now(UTC)
    assert refused(signing(rsa, "-md", "sha1"), pki, now=now) == "cms-algorithm"
    assert refused(signing(rsa, "-md", "sha224"), pki, now=now) == "cms-algorithm"
    assert refused(signing(rsa, "-keyopt", "rsa_padding_mode:pss"), pki, now=now) == "cms-algorithm"
    assert refused(signing(rsa, "-noattr"), pki, now=now) == "cms-malformed"
    assert refused(signing(rsa, "-nocerts"), pki, now=now) == "cms-signer-missing"
    assert refused(signing(rsa, "-stream"), pki, now=now) == "cms-malformed"  # indefinite lengths
    assert refused(signing(rsa, "-econtent_type", "pkcs7-envelopedData"), pki, now=now) == "cms-malformed"
    two = signing(rsa, "-signer", good.pair.certificate, "-inkey", good.pair.key)
    assert refused(two, pki, now=now) == "cms-malformed"
    assert refused(openssl("-data_create", "-outform", "DER"), pki, now=now) == "cms-malformed"


def test_content_attributes_and_signature_hang_together(pki: Pki, good: Issued) -> None:
    data = sign(CONTENT, by(good), NOW)
    assert refused(data.replace(b"a manifest", b"A manifest"), pki) == "cms-digest"
    detached = sign(CONTENT, by(good), NOW, detached=True)
    assert refused(detached, pki, content=CONTENT + b" ") == "cms-digest"
    assert refused(detached, pki) == "cms-detached"
    assert refused(data, pki, content=CONTENT) == "cms-detached"
    info = cms.ContentInfo.load(data)
    told = info["content"]["signer_infos"][0]
    signature = told["signature"].native
    told["signature"] = signature[:-1] + bytes([signature[-1] ^ 1])
    assert refused(info.dump(force=True), pki) == "cms-signature"
    other = cms.ContentInfo.load(sign(CONTENT, by(good), NOW - timedelta(hours=1)))
    told["signature"] = signature
    told["signed_attrs"] = other["content"]["signer_infos"][0]["signed_attrs"]  # another time, the old signature
    assert refused(info.dump(force=True), pki) == "cms-signature"


def test_another_certificate_of_the_same_key_does_not_speak_for_the_signer(pki: Pki, good: Issued) -> None:
    """The identifier names issuer and number: a certificate put in its place is not the signer's."""
    other = pki.issue("other-signer", pki.ca, eku=("email",))
    info = cms.ContentInfo.load(sign(CONTENT, by(good), NOW))
    mixed = cms.ContentInfo.load(sign(CONTENT, by(other), NOW))
    info["content"]["certificates"] = mixed["content"]["certificates"]
    assert refused(info.dump(force=True), pki) == "cms-signer-missing"


def test_every_mutation_is_refused_or_says_the_same(pki: Pki, good: Issued) -> None:
    """Flipped, cut, doubled and moved bytes: NotSigned and nothing else, or the very same content (unsigned parts)."""
    rng = random.Random(20261124)
    rsa = pki.issue("rsa-fuzz", pki.ca, kind="rsa2048", eku=("email",))
    originals = [sign(CONTENT, by(good), NOW), sign(CONTENT, by(rsa), NOW), sign(CONTENT, by(rsa), NOW, detached=True)]
    survived = 0
    for number in range(3000):
        original = originals[number % 3]
        content = CONTENT if number % 3 == 2 else None
        data = bytearray(original)
        for _ in range(rng.choice((1, 1, 1, 2, 5))):
            at = rng.randrange(len(data))
            match rng.randrange(5):
                case 0:
                    data[at] ^= 1 << rng.randrange(8)
                case 1:
                    data[at] = rng.randrange(256)
                case 2:
                    del data[at : at + rng.randrange(1, 40)]
                case 3:
                    data[at:at] = rng.randbytes(rng.randrange(1, 8))
                case 4:
                    data[at:at] = data[at : at + rng.randrange(1, 200)]
            if not data:
                break
        if bytes(data) == original:
            continue
        try:
            found = verify(bytes(data), [pki.ca.certificate], NOW, content=content)
        except NotSigned:
            continue
        survived += 1
        assert found.content == CONTENT and found.at == NOW
    assert survived < 60, "most of a message is covered by its signature"


def test_der_is_asked_for_and_nesting_ends() -> None:
    assert der.check(b"\x30\x03\x02\x01\x05") == ""
    assert "one DER value" in der.check(b"\x05\x00\x05\x00")
    assert "one DER value" in der.check(b"")
    for bad in (b"\x30\x80\x05\x00\x00\x00", b"\x04\x81\x01a", b"\x04\x82\x00\x01a", b"\x04\x02a", b"\x30\x02\x04\x01"):
        assert "not in DER" in der.check(bad)
    nested = b"\x05\x00"
    for _ in range(60):
        nested = b"\x30" + (bytes([len(nested)]) if len(nested) < 128 else b"\x81" + bytes([len(nested)])) + nested
    assert "deeply" in der.check(nested)


def test_files_of_signers(pki: Pki, good: Issued, tmp_path: Path) -> None:
    assert signers.problems(good.pair) == []
    assert signers.read_signer(good.pair).chain == (good.certificate,)
    assert "Signer" in repr(signers.read_signer(good.pair)) and "Key" not in repr(signers.read_signer(good.pair))
    tls = pki.issue("tls", pki.ca)
    assert "emailProtection nor documentSigning" in signers.problems(tls.pair)[0]
    crossed = KeyPair(certificate=good.pair.certificate, key=tls.pair.key)
    assert "does not match" in signers.problems(crossed)[0]
    expired = pki.issue("expired", pki.ca, eku=("email",), end=-timedelta(hours=1))
    assert "expired" in signers.problems(expired.pair)[0]
    weak = pki.issue("weak", pki.ca, kind="rsa1024", eku=("email",))
    assert "1024" in signers.problems(weak.pair)[0]
    sha512 = pki.issue("sha512", pki.ca, eku=("email",), digest=hashes.SHA512())
    assert signers.problems(sha512.pair) == []
    with pytest.raises(GatewayError, match="signer-unusable"):
        signers.read_signer(KeyPair(certificate=tmp_path / "none.pem", key=tmp_path / "none.key"))
    with pytest.raises(GatewayError, match="trust-unreadable"):
        signers.read_anchors(tmp_path / "none.pem")
    assert signers.read_anchors(pki.ca_file) == [pki.ca.certificate]
