"""Signing and judging: each profile, each change that must be found, and who is believed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from objects import CODE, IMAGE, JPEG, NOW, REPORT, STUDY, UIDS, judged, signed, signs

from gateway.errors import GatewayError
from gateway.security.signatures.judging import State, Trust, broken, judge
from gateway.security.signatures.making import Wish, sign
from tests.unit.security.pki import DAY, Issued, Pki
from transforms.dataset import convert
from transforms.dataset.elements import header_bytes
from transforms.dataset.syntax import EXPLICIT_LE, IMPLICIT_LE
from transforms.errors import TransformError
from transforms.signatures.reading import signatures
from transforms.signatures.writing import element, sequence, unsigned
from transforms.source import ByteSource, BytesSource, chunks


@pytest.mark.parametrize("mac", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("profile", ["base", "creator", "authorization"])
def test_what_is_signed_is_valid_and_trusted(pki: Pki, signer: Issued, profile: str, mac: str) -> None:
    judgement = judged(signed(IMAGE, signer, profile, mac=mac), pki)
    (verdict,) = judgement.verdicts
    assert judgement.state is State.VALID
    assert profile in verdict.profiles
    assert verdict.certificate == signer.certificate
    assert verdict.at == NOW.replace(microsecond=0)
    assert verdict.unsigned == (0 if profile == "base" else 2)  # Modality and Patient's Name


def test_reports_are_signed_with_a_purpose(pki: Pki, signer: Issued) -> None:
    (verdict,) = judged(signed(REPORT, signer, "sr"), pki).verdicts
    assert (verdict.purpose, verdict.profiles) == ("5", ("base", "creator", "authorization", "sr", "sr-verification"))
    (verdict,) = judged(signed(REPORT, signer, "sr", purpose="1"), pki).verdicts
    assert (verdict.purpose, "sr-verification" in verdict.profiles) == ("1", False)
    unverified = REPORT.replace(b"VERIFIED", b"UNVERIFI")
    (verdict,) = judged(signed(unverified, signer, "sr"), pki).verdicts
    assert (verdict.purpose, verdict.profiles) == ("1", ("base", "sr"))
    with pytest.raises(TransformError, match="signature-not-sr"):
        signed(IMAGE, signer, "sr")
    with pytest.raises(GatewayError, match="signature-purpose"):
        signed(REPORT, signer, "sr", purpose="99")


@pytest.mark.parametrize("profile", ["base", "creator", "authorization"])
def test_each_changed_byte_of_what_is_signed_is_found(pki: Pki, signer: Issued, profile: str) -> None:
    data = signed(IMAGE, signer, profile)
    maker = data.index(b"Maker")
    name = data.index(b"Doe^Jane")
    pixel = data.index(bytes(range(8)))
    nested = data.index(b"Thing")
    for at in (pixel, pixel + 7, nested, maker):
        assert judged(changed(data, at), pki).state is State.TAMPERED
    assert judged(changed(data, name), pki).state is (State.TAMPERED if profile == "base" else State.VALID)


def test_a_removed_an_added_and_a_moved_attribute(pki: Pki, signer: Issued) -> None:
    data = signed(IMAGE, signer)
    gone = data.replace(element(0x00080060, "CS", b"OT"), b"")
    assert judged(gone, pki).state is State.TAMPERED
    more = data.replace(STUDY, element(0x00100020, "LO", b"X1") + STUDY)
    (verdict,) = judged(more, pki).verdicts
    assert (verdict.state, verdict.unsigned) == (State.VALID, 1)  # what was added is told as not signed


def test_the_parts_of_a_signature_itself_are_guarded(pki: Pki, signer: Issued) -> None:
    data = signed(REPORT, signer, "sr")
    for text in (b"2.25.17", b"SHA256", b"+0000", b"Verification Signature", b"ASTM-sigpurpose"):
        assert judged(changed(data, data.index(text)), pki).state is State.TAMPERED
    signature = data.rindex(header_bytes(0x04000120, "OB", 256))
    for at in (12, 100, 267):
        assert judged(changed(data, signature + at), pki).state is State.TAMPERED


def test_several_signatures_stand_together(pki: Pki, signer: Issued) -> None:
    data = IMAGE
    for profile in ("creator", "authorization", "base"):
        data = signed(data, signer, profile)
    judgement = judged(data, pki)
    assert [each.state for each in judgement.verdicts] == [State.VALID] * 3
    judgement = judged(changed(data, data.index(b"Doe^Jane")), pki)
    assert [each.state for each in judgement.verdicts] == [State.VALID, State.VALID, State.TAMPERED]
    assert judgement.state is State.TAMPERED


def test_signatures_in_items_are_found_and_judged(pki: Pki, signer: Issued) -> None:
    inside = signed(UIDS + STUDY, signer)
    for data in (
        UIDS + sequence(0x00081140, [CODE, inside]),
        UIDS + header_bytes(0x00081140, "SQ", -1) + header_bytes(0xFFFEE000, "", -1) + inside
        + header_bytes(0xFFFEE00D, "", 0) + header_bytes(0xFFFEE0DD, "", 0),
    ):  # fmt: skip
        (verdict,) = judged(data, pki).verdicts
        assert verdict.state is State.VALID
        assert verdict.path.startswith("(0008,1140)[")
        assert judged(changed(data, data.rindex(b"Maker")), pki).state is State.TAMPERED
        both = signed(data, signer)
        assert [each.state for each in judged(both, pki).verdicts] == [State.VALID, State.VALID]
    old = UIDS + sequence(0x04000561, [inside])
    assert judged(old, pki).state is State.UNSIGNED  # it was of the object before it was corrected


@pytest.mark.parametrize("kind", ["defined", "undefined"])
def test_an_item_is_signed_where_it_is(pki: Pki, signer: Issued, kind: str) -> None:
    inner = sequence(0x00081140, [UIDS])
    if kind == "defined":
        data = UIDS + sequence(0x00081115, [CODE, CODE + inner]) + STUDY
    else:
        items = b"".join(
            header_bytes(0xFFFEE000, "", -1) + each + header_bytes(0xFFFEE00D, "", 0) for each in (CODE, CODE + inner)
        )
        data = UIDS + header_bytes(0x00081115, "SQ", -1) + items + header_bytes(0xFFFEE0DD, "", 0) + STUDY
    for path in ("(0008,1115)[1]", "(0008,1115)[2]", "(0008,1115)[2]/(0008,1140)[1]"):
        made = b"".join(chunks(_at(data, signer, path)))
        (verdict,) = judged(made, pki).verdicts
        assert (verdict.state, verdict.path) == (State.VALID, path)
        assert whole_without(made, {(path, 1)}) == data
        twice = b"".join(chunks(_at(made, signer, path)))
        assert [each.state for each in judged(twice, pki).verdicts] == [State.VALID, State.VALID]
    for path in ("(0008,1115)[3]", "(0008,9999)[1]", "(0008,0016)[1]", "0008,1115", "(0008,1115)[0]"):
        with pytest.raises(TransformError, match="signature-path"):
            _at(data, signer, path)


def _at(data: bytes, signer: Issued, path: str) -> ByteSource:
    wish = Wish("base", item=path)
    return sign(BytesSource(data), EXPLICIT_LE, signs(signer), wish, now=NOW, signature_uid="2.25.3")[0]


def test_unsigned_tampered_untrusted_are_told_apart(pki: Pki, signer: Issued) -> None:
    assert judged(IMAGE, pki).state is State.UNSIGNED
    stranger = pki.issue("stranger", pki.other, kind="rsa2048", eku=("email",))
    wrong = judged(signed(IMAGE, stranger), pki)
    assert (wrong.state, wrong.verdicts[0].reason) == (State.UNTRUSTED, "cms-untrusted")
    data = signed(signed(IMAGE, signer), stranger)
    assert judged(data, pki).state is State.UNTRUSTED
    assert judged(changed(data, data.index(b"Maker")), pki).state is State.TAMPERED


def test_when_it_was_signed_counts(pki: Pki, signer: Issued) -> None:
    data = signed(IMAGE, signer)
    assert judged(data, pki, now=NOW + 30 * DAY).state is State.VALID  # the certificate has ended since
    early = judged(data, pki, now=NOW - timedelta(hours=1))
    assert (early.state, early.verdicts[0].reason) == (State.UNTRUSTED, "cms-time")


def test_revocation_lists_are_asked(pki: Pki, signer: Issued) -> None:
    from gateway.security.revocation import read_crls

    data = signed(IMAGE, signer)
    good, bad, other = pki.crl("good"), pki.crl("bad", signer), pki.crl("other", issuer=pki.other)
    for crl, state, reason in (
        (good, State.VALID, ""),
        (bad, State.UNTRUSTED, "cms-revoked"),
        (other, State.UNTRUSTED, "cms-revocation-unknown"),
    ):
        trust = Trust([pki.ca.certificate], crls=read_crls(crl))
        judgement = judge(BytesSource(data), EXPLICIT_LE, trust, NOW)
        assert (judgement.state, judgement.verdicts[0].reason) == (state, reason)
    with pytest.raises(GatewayError, match="crl-unreadable"):
        read_crls(pki.ca_file)


def test_an_authority_between_must_be_given(pki: Pki) -> None:
    middle = pki.issue("middle", pki.ca, ca=True)
    low = pki.issue("low", middle, kind="rsa2048", eku=("email",))
    data = BytesSource(signed(IMAGE, low))
    assert judge(data, EXPLICIT_LE, Trust([pki.ca.certificate]), NOW).state is State.UNTRUSTED
    assert judge(data, EXPLICIT_LE, Trust([pki.ca.certificate], [middle.certificate]), NOW).state is State.VALID


@pytest.mark.parametrize(
    ("made", "why"),
    [
        ({"kind": "p256", "eku": ("email",)}, "not RSA"),
        ({"kind": "rsa1024", "eku": ("email",)}, "1024"),
        ({"kind": "rsa2048", "eku": ("server",)}, "extended key usage"),
        ({"kind": "rsa2048", "eku": ("email",), "usage": ("key_encipherment",)}, "key usage"),
        ({"kind": "rsa2048", "eku": ("email",), "begin": -2 * DAY, "end": -DAY}, "expired"),
    ],
)
def test_who_may_not_sign_does_not(pki: Pki, made: dict[str, object], why: str) -> None:
    who = pki.issue("refused", pki.ca, **made)  # type: ignore[arg-type]
    with pytest.raises(GatewayError, match=why):
        signed(IMAGE, who)


def test_only_who_creates_an_instance_signs_as_its_creator(signer: Issued) -> None:
    with pytest.raises(GatewayError, match="signature-not-creator"):
        sign(BytesSource(IMAGE), EXPLICIT_LE, signs(signer), Wish("creator"), now=NOW, signature_uid="2.25.1")
    with pytest.raises(TransformError, match="signature-incomplete"):
        signed(UIDS, signer, "creator")
    with pytest.raises(GatewayError, match="signature-profile"):
        signed(UIDS, signer, "other")


def test_implicit_vr_becomes_explicit_and_compressed_stays(pki: Pki, signer: Issued) -> None:
    implicit = b"".join(chunks(convert.to_implicit_le(BytesSource(IMAGE), EXPLICIT_LE)))
    data = signed(implicit, signer, uid=IMPLICIT_LE)
    assert judged(data, pki).state is State.VALID
    again = b"".join(chunks(convert.to_implicit_le(BytesSource(data), EXPLICIT_LE)))
    assert judged(again, pki, IMPLICIT_LE).state is State.VALID  # how it is encoded is not what is signed
    pixels = header_bytes(0x7FE00010, "OB", -1) + header_bytes(0xFFFEE000, "", 0) + header_bytes(0xFFFEE000, "", 4)
    data = signed(UIDS + STUDY + pixels + b"\xff\xd8\xff\xd9" + header_bytes(0xFFFEE0DD, "", 0), signer, uid=JPEG)
    assert judged(data, pki, JPEG).state is State.VALID
    assert judged(changed(data, data.index(b"\xff\xd8\xff") + 1), pki, JPEG).state is State.TAMPERED
    assert judged(data, pki, "1.2.840.10008.1.2.4.70").verdicts[0].reason == "signature-syntax"


def test_signatures_are_taken_out_and_the_rest_is_as_it_was(pki: Pki, signer: Issued) -> None:
    assert whole_without(signed(IMAGE, signer), {("", 1)}) == IMAGE
    once = signed(IMAGE, signer, "creator")
    twice = signed(once, signer)
    assert whole_without(twice, {("", 2)}) == once
    assert judged(whole_without(twice, {("", 1)}), pki).state is State.VALID
    nested = UIDS + sequence(0x00081140, [CODE, signed(CODE, signer)])
    assert whole_without(nested, {("(0008,1140)[2]", 1)}) == UIDS + sequence(0x00081140, [CODE, CODE])


def test_what_a_change_invalidates_is_named(signer: Issued) -> None:
    data = signed(signed(IMAGE, signer, "creator"), signer)
    other = changed(data, data.index(b"Doe^Jane"))
    assert [(each.path, each.number) for each in broken(BytesSource(other), EXPLICIT_LE)] == [("", 2)]
    assert broken(BytesSource(data), EXPLICIT_LE) == []


def test_what_cannot_be_read_is_a_signature_that_is_not_right(pki: Pki, signer: Issued) -> None:
    data = signed(IMAGE, signer)
    start = data.index(header_bytes(0xFFFAFFFA, "SQ", 0)[:6])
    lonely = data[: data.index(b"\xfe\x4f\x01\x00SQ")] + data[data.index(b"\xe0\x7f\x10\x00OW") :]
    assert judged(lonely, pki).verdicts[0].reason == "signature-malformed"  # no MAC parameters
    odd = data[:start] + sequence(0xFFFAFFFA, [b""])
    assert judged(odd, pki).state is State.TAMPERED
    assert judged(data.replace(b"X509_1993_SIG", b"X509_1994_SIG"), pki).state is State.TAMPERED
    assert judged(data.replace(b"SHA256", b"SHA999"), pki).verdicts[0].reason == "signature-algorithm"


@given(st.data())
def test_mutated_signatures_never_pass_and_never_raise_otherwise(pki: Pki, signer: Issued, data: st.DataObject) -> None:
    good = _signed_image(signer)
    start = good.index(b"\xfe\x4f\x01\x00SQ")
    at = data.draw(st.integers(start, len(good) - 1))
    bad = good[:at] + data.draw(st.binary(max_size=6)) + good[at + data.draw(st.integers(0, 6)) :]
    try:
        judgement = judged(bad, pki)
    except TransformError:
        return
    if judgement.state is State.VALID:
        found = signatures(BytesSource(bad), EXPLICIT_LE)[0]
        assert found.signature[:256] == signatures(BytesSource(good), EXPLICIT_LE)[0].signature[:256]


_CACHE: list[bytes] = []


def _signed_image(signer: Issued) -> bytes:
    if not _CACHE:
        _CACHE.append(signed(IMAGE, signer))
    return _CACHE[0]


def changed(data: bytes, at: int) -> bytes:
    return data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]


def whole_without(data: bytes, gone: set[tuple[str, int]]) -> bytes:
    return b"".join(chunks(unsigned(BytesSource(data), EXPLICIT_LE, gone)))


def test_signatures_over_the_same_pixels_again_and_again_are_too_many(
    pki: Pki, signer: Issued, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = IMAGE
    for _ in range(4):
        data = signed(data, signer)
    assert judged(data, pki).state is State.VALID
    monkeypatch.setattr("transforms.signatures.reading._FREE", 0)
    assert judged(data, pki).state is State.VALID
    monkeypatch.setattr("transforms.signatures.reading._MOST_TIMES", 0.1)
    with pytest.raises(TransformError, match="signature-too-many"):
        judged(data, pki)
