"""Signatures in routes: required, made, dropped where a change has invalidated them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from msgspec.structs import replace as changed

from gateway.config.schema import Destination, Step
from gateway.config.signatures import Signing, Verification
from gateway.egress import Egress
from gateway.errors import HoldObject
from gateway.model import Decision, Identity, Instance, Origin, Stored, Verdict
from gateway.security.signatures.judging import State
from gateway.steps.contract import Around, Checked, Passing
from gateway.steps.table import fitted, run, told
from tests.system.senders import ct, encoded
from tests.unit.pixels.building import anatomy, data_set
from tests.unit.security.pki import Issued, Pki
from tests.unit.signatures.objects import IMAGE, NOW, judged, signed, whole
from transforms.dataset import convert
from transforms.dataset.syntax import EXPLICIT_LE, IMPLICIT_LE
from transforms.deidentify.engine import Context, deidentify
from transforms.deidentify.profile import compile_profile
from transforms.egress.classes import Kept
from transforms.pixels.forms import RLE
from transforms.signatures.writing import element
from transforms.source import BytesSource

RECEIVED = Instance(
    Identity("1.2.840.10008.5.1.4.1.1.7", "1.2.3.4"),
    Origin("hospital", "", "", "", ""),
    Stored("name", 0, 10, "ab" * 32),
    EXPLICIT_LE,
    NOW.timestamp(),
    Decision(Verdict.DELIVER, "route", ""),
)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("steps"))


@pytest.fixture(scope="module")
def signer(pki: Pki) -> Issued:
    return pki.issue("signer", pki.ca, kind="rsa2048", eku=("email",))


def around(*, trace: bool = False) -> Around:
    lent = Around(None, Egress(), lambda data: BytesSource(b"".join(data)), instance=RECEIVED)  # type: ignore[arg-type]
    return replace(lent, trace=trace)


def passing(data: bytes, uid: str = EXPLICIT_LE, instance: str = "1.2.3.4") -> Passing:
    return Passing(BytesSource(data), uid, Identity("1.2.840.10008.5.1.4.1.1.7", instance))


def signing(party: Issued, profile: str = "base") -> Step:
    pair = party.pair
    return Step(sign=Signing(certificate=pair.certificate, key=pair.key, profile=profile))  # type: ignore[arg-type]


def verifying(ca: Path, **more: object) -> Step:
    return Step(verify=Verification(trust=ca, **more))  # type: ignore[arg-type]


def test_what_is_signed_by_a_route_is_valid_and_the_same_each_time(pki: Pki, signer: Issued) -> None:
    one = run(passing(IMAGE), signing(signer), around())
    again = run(passing(IMAGE), signing(signer), around())
    assert judged(whole(one.source), pki).state is State.VALID
    assert whole(one.source) == whole(again.source)
    assert one.done == ("signed:base",)
    lent = replace(around(), instance=changed(RECEIVED, stored=Stored("name", 0, 10, "cd" * 32)))
    assert whole(run(passing(IMAGE), signing(signer), lent).source) != whole(one.source)  # what came in was another


def test_creator_only_where_a_step_has_made_a_new_instance(signer: Issued) -> None:
    with pytest.raises(HoldObject, match="signature-not-creator"):
        run(passing(IMAGE), signing(signer, "creator"), around())
    assert run(passing(IMAGE, instance="2.25.17"), signing(signer, "creator"), around()).done == ("signed:creator",)
    with pytest.raises(HoldObject, match="signature-not-sr"):
        run(passing(IMAGE), signing(signer, "sr"), around())


def test_a_signer_that_cannot_sign_holds(pki: Pki) -> None:
    ec = pki.issue("ec", pki.ca, eku=("email",))
    with pytest.raises(HoldObject, match="signer-unusable"):
        run(passing(IMAGE), signing(ec), around())


def test_only_what_is_rightly_signed_goes_on(pki: Pki, signer: Issued) -> None:
    ca = pki.ca.pair.certificate
    data = signed(IMAGE, signer)
    passed = run(passing(data), verifying(ca), around(trace=True))
    assert (whole(passed.source), passed.done) == (data, ("signatures-valid:1",))
    assert passed.told == "1 signatures, all right and trusted"
    assert run(passing(data), verifying(ca, require="base"), around()).done
    for object_, step, reason in (
        (IMAGE, verifying(ca), "signature-missing"),
        (data, verifying(ca, require="sr"), "signature-missing"),
        (data.replace(b"Doe^Jane", b"Doe^John"), verifying(ca), "signature-tampered"),
        (data, verifying(pki.other.pair.certificate), "signature-untrusted"),
        (data, verifying(ca, crl=pki.crl("revoked", signer)), "signature-untrusted"),
    ):
        with pytest.raises(HoldObject, match=reason) as held:
            run(passing(object_), step, around())
        assert "Doe" not in str(held.value)


def test_what_a_change_has_invalidated_goes_and_the_rest_stays(pki: Pki, signer: Issued) -> None:
    creator = signed(IMAGE, signer, "creator")
    data = signed(creator, signer).replace(b"Doe^Jane", b"Doe^John")
    step = Step(drop_signatures="invalid")
    passed = run(passing(data), step, around())
    assert whole(passed.source) == creator.replace(b"Doe^Jane", b"Doe^John")
    assert judged(whole(passed.source), pki).state is State.VALID
    assert passed.done == ("signatures-dropped:1",)
    untouched = run(passing(creator), step, around())
    assert (untouched.source.pread(0, 1 << 20), untouched.done) == (creator, ())
    implicit = whole(convert.to_implicit_le(BytesSource(creator), EXPLICIT_LE))
    assert run(passing(implicit, IMPLICIT_LE), step, around()).syntax == IMPLICIT_LE


def test_a_signature_after_a_de_identification_is_checked_as_it_leaves(pki: Pki) -> None:
    named = pki.issue("Sensitive^Canary", pki.ca, kind="rsa2048", eku=("email",))
    clean = IMAGE.replace(b"Doe^Jane", b"ABCDEFGH")
    known = IMAGE.replace(element(0x00100010, "PN", b"Doe^Jane"), element(0x00100010, "PN", b"Sensitive^Canary"))
    seen = Checked("1.2.3.5", BytesSource(known), EXPLICIT_LE, Kept(frozenset({"uid"})), "ABCDEFGH")
    with pytest.raises(HoldObject, match="egress-hit"):
        run(replace(passing(clean), egress=seen), signing(named), around())


def test_steps_are_told_in_words(pki: Pki, signer: Issued) -> None:
    assert told(signing(signer)) == "signed (base) by signer.pem"
    assert told(verifying(pki.ca.pair.certificate)) == "signed and valid by ca.pem"
    assert told(Step(drop_signatures="invalid")) == "without signatures that are no longer right"


@pytest.mark.parametrize("received", [EXPLICIT_LE, IMPLICIT_LE])
@pytest.mark.parametrize("to", ["", "rle", "explicit-le", "implicit-le"])
def test_what_was_transcoded_is_signed_and_checked_in_the_form_it_has_now(
    pki: Pki, signer: Issued, received: str, to: str
) -> None:
    data = encoded(ct(1))
    if received == IMPLICIT_LE:
        data = whole(convert.to_implicit_le(BytesSource(data), EXPLICIT_LE))
    original = BytesSource(data)
    done = deidentify(original, received, compile_profile("basic", ()), Context(b"k" * 32, "trial"))
    identity = Identity(done.sop_class, done.sop_instance, done.study, done.series, done.patient_id)
    checked = Checked("1.2.9", original, received, Kept(), done.patient_id)
    made = Passing(done.plan, received, identity, egress=checked)
    if to:
        made = run(made, Step(transcode=to), around())  # type: ignore[arg-type]
    assert run(made, signing(signer), around()).done[-1] == "signed:base"
    with pytest.raises(HoldObject, match="egress-hit"):  # the same, of an object that kept a name
        run(replace(made, source=original, syntax=received), signing(signer), around())


def test_a_signature_over_pixels_goes_with_the_compression_that_it_was_made_over(pki: Pki, signer: Issued) -> None:
    """A MAC is over the pixels as they are encoded (PS3.15 C.1.1): packed or unpacked, it is right no more."""
    native = whole(data_set(anatomy(20, 30))[0])
    packed = whole(data_set(anatomy(20, 30), RLE)[0])
    for object_, uid, to in ((native, EXPLICIT_LE, "rle"), (packed, RLE, "explicit-le")):
        data = signed(object_, signer, uid=uid)
        assert judged(data, pki, uid).state is State.VALID
        made = run(passing(data, uid), Step(transcode=to), around(trace=True))  # type: ignore[arg-type]
        assert made.done[-1] == "signatures-dropped:1" and made.done[0].startswith(f"transcode:{to}")
        assert judged(whole(made.source), pki, made.syntax).state is State.UNSIGNED
    only = Destination(dimse={"host": "h", "port": 1, "ae": "A", "uncompressed_only": True}, unsafe_plaintext="a test")  # type: ignore[arg-type]
    made = fitted(passing(signed(packed, signer, uid=RLE), RLE), only, around())
    assert (made.syntax, made.done[-1]) == (EXPLICIT_LE, "signatures-dropped:1")
    kept = signed(IMAGE, signer)
    implicit = run(passing(kept), Step(transcode="implicit-le"), around())
    assert not any(each.startswith("signatures-dropped") for each in implicit.done)  # a MAC is over Explicit VR
    assert judged(whole(implicit.source), pki, implicit.syntax).state is State.VALID
