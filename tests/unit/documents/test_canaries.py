"""What is neither header nor pixels, with canaries: none leaves, at any depth; colours, samples and spectra stay.

`survivors` of examples/planted.py judges raw bytes in every encoding; the outside judges are in tests/peers.
"""

from __future__ import annotations

import sys

import pytest

from tests.conftest import ROOT
from tests.unit.deidentify.building import CT, Elements, encode, image, parsed, result, run
from tests.unit.documents import planting
from tests.unit.documents.planting import CANARY, ECG, object_with
from transforms.documents import icc
from transforms.errors import TransformError

sys.path.insert(0, str(ROOT / "examples"))
from planted import survivors

WORDS = {"planted": CANARY.decode()}


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("depth", [0, 1, 3, 12])
@pytest.mark.parametrize("explicit", [True, False])
@pytest.mark.parametrize("what", ["places", "waveform"])
def test_no_canary_leaves(what: str, explicit: bool, depth: int, undefined: bool) -> None:
    before = object_with(getattr(planting, what)(), explicit, depth=depth, undefined=undefined)
    assert survivors(before, WORDS), "the judge must see it before"
    after = result(before, explicit)
    assert not survivors(after, WORDS)
    assert result(after, explicit).count(b"de-identified") == after.count(b"de-identified")


def test_samples_stay_and_what_lies_behind_them_goes() -> None:
    group = parsed(result(object_with(planting.waveform(), True, sop_class=ECG))).WaveformSequence[1]
    assert group.WaveformData == bytes(range(16))
    assert group.ChannelDefinitionSequence[0].ChannelSourceSequence[0].CodeMeaning == "Lead"
    odd: Elements = planting.waveform()
    for item in odd[0x54000100][1]:
        item |= {0x003A0010: ("UL", b"\3\0\0\0"), 0x003A0005: ("US", b"\1\0"), 0x54001004: ("US", b"\x08\0")}
    assert parsed(result(object_with(odd, True))).WaveformSequence[0].WaveformData == b"\0\1\2\0"


def test_a_waveform_of_unknown_size_is_held() -> None:
    elements = planting.waveform()
    del elements[0x54000100][1][1][0x003A0010]
    with pytest.raises(TransformError, match="waveform-size-unknown"):
        run(object_with(elements, True))


def test_spectra_stay() -> None:
    spectrum = b"\0\0\x80\x3f" * 8
    assert parsed(result(object_with({0x56000020: ("OF", spectrum)}, True))).SpectroscopyData == spectrum


def test_what_is_no_profile_becomes_srgb() -> None:
    for raw in (CANARY, planting.profile()[:200], b"", planting.profile() + CANARY):
        data = parsed(result(object_with({0x00282000: ("OB", raw)}, True)))
        assert (data.ICCProfile or b"") == (icc.srgb() if raw else b"")


def test_known_mime_types_stay() -> None:
    for mime in (b"application/pdf", b"text/XML", b"model/stl"):
        assert parsed(result(object_with({0x00420012: ("LO", mime)}, True)))[0x00420012].value == mime.decode()
    made = parsed(result(object_with(planting.places(), True)))
    assert made[0x00420014].value == ["application/pdf", "application/octet-stream"]
    made = parsed(result(object_with(planting.places(), True, sop_class=planting.PDF)))
    assert made[0x00420012].value == "application/pdf" and made[0x00420011].value.startswith(b"%PDF-")


def test_names_of_parts_stay_apart_and_alike() -> None:
    def uri(name: bytes) -> str:
        return str(parsed(result(encode(image({0x00687005: ("UR", name)}, CT), True)))[0x00687005].value)

    assert uri(b"doe.mtl") == uri(b"doe.mtl ") != uri(b"roe.mtl")
