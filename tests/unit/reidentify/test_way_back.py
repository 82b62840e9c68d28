"""What de-identification took comes back whole for whom it is encrypted to, and for nobody else (PS3.15 E.1)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from officers import CONTEXT, NAME, OBJECT, Officers, cleaned, elements, sealed, whole

from gateway.errors import GatewayError
from gateway.security.cms.errors import NotOpened
from gateway.security.cms.recipients import Holder
from gateway.security.reidentification import problems, read_recipients, reidentified, seal
from tests.unit.security.pki import DAY, NOW
from transforms.dataset import convert
from transforms.dataset.elements import header_bytes
from transforms.dataset.syntax import EXPLICIT_LE, IMPLICIT_LE
from transforms.deidentify import reidentify
from transforms.egress.check import checked
from transforms.errors import TransformError
from transforms.signatures.writing import element, sequence
from transforms.source import BytesSource

REMOVED = 0x00120062
NO = element(REMOVED, "CS", b"NO")


def back(data: bytes, officer: Holder, uid: str = EXPLICIT_LE) -> dict[int, bytes]:
    found = reidentified(BytesSource(data), uid, officer)
    assert found.guarded
    return elements(found.source, found.syntax)


@pytest.mark.parametrize("uid", [EXPLICIT_LE, IMPLICIT_LE])
def test_each_officer_gets_the_original_back(officers: Officers, uid: str) -> None:
    data = OBJECT if uid == EXPLICIT_LE else whole(convert.to_implicit_le(BytesSource(OBJECT), EXPLICIT_LE))
    made = sealed(officers.first, officers.second, data=data, uid=uid)
    assert NAME not in made
    for holder in (
        Holder(officers.first.key, officers.first.certificate),
        Holder(officers.second.key, officers.second.certificate),
        Holder(officers.second.key),
    ):
        assert back(made, holder, uid) == {**elements(BytesSource(data), uid), REMOVED: NO}


def test_the_same_object_gives_the_same_bytes_and_another_others(officers: Officers) -> None:
    """A destination that is asked twice must not see two versions of one SOP Instance."""
    assert sealed(officers.first, officers.second) == sealed(officers.first, officers.second)
    other = OBJECT.replace(b"private words", b"private world")
    one, two = (elements(BytesSource(sealed(officers.first, data=each)), EXPLICIT_LE) for each in (OBJECT, other))
    a, b = one[reidentify.ENCRYPTED], two[reidentify.ENCRYPTED]
    assert sum(x == y for x, y in zip(a, b, strict=False)) < len(a) // 2


def test_what_leaves_still_passes_the_egress_check(officers: Officers) -> None:
    made = BytesSource(sealed(officers.first, officers.second))
    assert checked(BytesSource(OBJECT), made, EXPLICIT_LE) == ()
    bad = BytesSource(whole(made).replace(b"1.2.840.10008.1.2.1\0", NAME + b"\0\0\0\0"))
    assert checked(BytesSource(OBJECT), bad, EXPLICIT_LE) != ()


def test_a_recipient_with_a_key_identifier_is_not_told_by_name(officers: Officers) -> None:
    issuer = officers.ca.certificate.subject.public_bytes()
    assert issuer not in sealed(officers.first)
    assert issuer in sealed(officers.second)  # it has no identifier


def test_a_stranger_gets_nothing(officers: Officers) -> None:
    made = sealed(officers.first)
    for holder, reason in (
        (Holder(officers.stranger.key, officers.stranger.certificate), "cms-not-for-us"),
        (Holder(officers.stranger.key), "cms-damaged"),
        (Holder(officers.ca.key), "cms-not-for-us"),
    ):
        with pytest.raises(NotOpened) as refused:
            back(made, holder)
        assert refused.value.reason == reason


def test_a_flipped_byte_anywhere_in_it_gives_nothing(officers: Officers) -> None:
    made = sealed(officers.first)
    (item,) = reidentify.items_of(BytesSource(made), EXPLICIT_LE)
    start = made.index(item.content)
    size = len(item.content.rstrip(b"\0"))
    holder = Holder(officers.first.key, officers.first.certificate)
    missed = []
    for at in range(start, start + size):
        changed = made[:at] + bytes((made[at] ^ 0x10,)) + made[at + 1 :]
        try:
            found = reidentified(BytesSource(changed), EXPLICIT_LE, holder)
        except (NotOpened, TransformError):
            continue
        if found.guarded:
            missed.append(at)
    assert missed == []


def test_two_items_are_for_two_readers_and_the_other_stays(officers: Officers) -> None:
    original, output = BytesSource(OBJECT), cleaned().plan
    contents = []
    for officer in (officers.first, officers.second):
        one = seal(original, output, EXPLICIT_LE, (officer.certificate,), CONTEXT)[0]
        contents.append(reidentify.items_of(one, EXPLICIT_LE)[0].content)
    both = whole(reidentify.sealed(output, EXPLICIT_LE, contents))
    found = reidentified(BytesSource(both), EXPLICIT_LE, Holder(officers.second.key, officers.second.certificate))
    (left,) = reidentify.items_of(found.source, found.syntax)
    assert left.content == contents[0]
    assert elements(found.source, found.syntax)[0x00100010] == element(0x00100010, "PN", NAME)


def test_large_attributes_and_pixels_stay_out_and_are_told(officers: Officers) -> None:
    notes = header_bytes(0x00104000, "LT", 10)[:4] + b"UT\0\0" + (2 << 20).to_bytes(4, "little") + b"n" * (2 << 20)
    data = OBJECT.replace(element(0x0020000D, "UI", b"1.2.3.6"), notes + element(0x0020000D, "UI", b"1.2.3.6"))
    output = cleaned(data).plan
    _, told = seal(BytesSource(data), output, EXPLICIT_LE, (officers.first.certificate,), CONTEXT)
    assert told.endswith(":without:1")


def test_objects_without_or_with_strange_attributes_are_told_apart(officers: Officers) -> None:
    holder = Holder(officers.first.key, officers.first.certificate)
    with pytest.raises(TransformError, match="encrypted-attributes-missing"):
        back(OBJECT, holder)
    strange = OBJECT.replace(
        element(0x7FE00010, "OW", bytes(64)), sequence(0x04000500, [element(0x04000510, "UI", b"1.2")])
    )
    with pytest.raises(NotOpened):
        back(strange, holder)
    for plain in (b"", element(0x00100010, "PN", NAME), sequence(reidentify.MODIFIED, [NO, NO])):
        with pytest.raises(TransformError, match="encrypted-attributes-malformed"):
            reidentify.decoded(plain, EXPLICIT_LE)
    with pytest.raises(TransformError, match="encrypted-attributes-malformed"):
        reidentify.decoded(sequence(reidentify.MODIFIED, [NO]), "1.2.840.10008.1.2.4.50")
    assert reidentify.decoded(sequence(reidentify.MODIFIED, [NO]), EXPLICIT_LE) == (NO, False)


@given(st.binary(max_size=200))
def test_any_plaintext_is_decoded_or_refused(data: bytes) -> None:
    try:
        reidentify.decoded(data, EXPLICIT_LE)
    except TransformError as error:
        assert error.reason.startswith("encrypted-attributes-")


@pytest.mark.parametrize(
    ("made", "why"),
    [
        ({"kind": "rsa2048", "eku": ("email",), "begin": -2 * DAY, "end": -timedelta(hours=1)}, "expired"),
        ({"kind": "rsa2048", "eku": ("email",), "usage": ("digital_signature",)}, "keyEncipherment"),
        ({"kind": "rsa2048", "eku": ("server",)}, "emailProtection"),
        ({"kind": "rsa1024", "eku": ("email",)}, "1024"),
        ({"kind": "p256", "eku": ("email",)}, "not RSA"),
    ],
)
def test_who_may_not_receive_is_refused_by_name_of_the_file(
    officers: Officers, made: dict[str, object], why: str
) -> None:
    party = officers.issue("refused", officers.ca, **made)  # type: ignore[arg-type]
    (told,) = problems(party.pair.certificate, NOW)
    assert why in told
    assert "refused.pem" in told
    with pytest.raises(GatewayError, match="recipient-unusable"):
        read_recipients([officers.first.pair.certificate, party.pair.certificate])


def test_files_that_are_no_certificate_are_told(officers: Officers, tmp_path: Path) -> None:
    two = tmp_path / "two.pem"
    two.write_bytes(officers.first.pair.certificate.read_bytes() + officers.second.pair.certificate.read_bytes())
    assert "there are 2 certificates" in problems(two, NOW)[0]
    assert "no such file" in problems(tmp_path / "missing", NOW)[0]
    assert read_recipients([officers.first.pair.certificate]) == (officers.first.certificate,)
