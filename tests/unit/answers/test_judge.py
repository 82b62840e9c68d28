"""Each of the ten actions, followed and not; paths; planted bytes in every form."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from benchmarks.answers.index import Index, same, shown
from benchmarks.answers.judge import judge
from benchmarks.answers.key import ACTIONS, KEEPING, Answer, Planted
from benchmarks.answers.search import survivor

UIDS = {"1.2.3": frozenset({"2.25.9"})}
PATIENTS = {"4711": frozenset({"SUBJ"})}


def out() -> Index:
    inner, data = Dataset(), Dataset()
    inner.PatientName, inner.StationName = "Kelvaro^Tira", "X"
    data.SeriesDescription, data.StudyDate, data.PatientID, data.AccessionNumber = "CT chest", "20200102", "SUBJ", ""
    data.SOPInstanceUID, data.StudyInstanceUID, data.KVP = "2.25.9", "1.2.3", "120"
    data.ReferencedImageSequence = Sequence([Dataset(), inner])
    data.private_block(0x0019, "Siemens Med", create=True).add_new(0x11, "LO", "Kelvaro")
    data.add_new(0x7FE00010, "OW", b"\1\2")
    return Index(data)


NESTED = "<(0008,1140)>[<0001>]<(0010,0010)>"
PRIVATE = '<(0019,"SIEMENS MED",11)>'


@pytest.mark.parametrize(
    ("action", "place", "value", "text", "verdict"),
    [
        ("tag_retained", "<(0008,0050)>", "", "", True),
        ("tag_retained", "<(0008,0090)>", "", "", False),
        ("text_notnull", "<(0008,103E)>", "", "", True),
        ("text_notnull", "<(0008,0050)>", "", "", False),
        ("text_notnull", "<(0008,0090)>", "", "", False),
        ("text_retained", "<(0008,103e)>", "", "CT chest", True),
        ("text_retained", "<(0018,0060)>", "", "120.0", True),
        ("text_retained", "<(0008,103e)>", "", "CT abdomen", False),
        ("text_retained", "<(0008,0050)>", "", "CT", False),
        ("text_retained", "<(0008,103e)>", "", "of", None),
        ("text_removed", "<(0008,103e)>", "", "Kelvaro", True),
        ("text_removed", "<(0008,0090)>", "", "Kelvaro", True),
        ("text_removed", NESTED, "", "Kelvaro", False),
        ("text_removed", PRIVATE, "", "Kelvaro", False),
        ("date_shifted", "<(0008,0020)>", "20200102", "", False),
        ("date_shifted", "<(0008,0020)>", "20200103", "", True),
        ("date_shifted", "<(0008,0021)>", "20200102", "", True),
        ("uid_changed", "<(0020,000d)>", "1.2.3", "", False),
        ("uid_changed", "<(0008,0018)>", "1.2.3", "", True),
        ("uid_consistent", "<(0008,0018)>", "1.2.3", "", True),
        ("uid_consistent", "<(0020,000d)>", "1.2.3", "", False),
        ("uid_consistent", "<(0008,0018)>", "1.2.4", "", False),
        ("uid_consistent", "<(0020,0052)>", "1.2.3", "", True),
        ("patid_consistent", "<(0010,0020)>", "4711", "", True),
        ("patid_consistent", "<(0010,0020)>", "4712", "", False),
        ("pixels_retained", "", "", hashlib.md5(b"\1\2").hexdigest(), True),
        ("pixels_retained", "", "", hashlib.md5(b"\1\3").hexdigest(), False),
    ],
)
def test_actions(action: str, place: str, value: str, text: str, verdict: bool | None) -> None:
    assert judge(Answer(action, place, value=value, text=text), out(), UIDS, PATIENTS) is verdict


@pytest.mark.parametrize("action", ACTIONS)
def test_without_output_only_removal_is_followed(action: str) -> None:
    assert judge(Answer(action, "<(0010,0010)>", text="x"), None, {}, {}) is (action not in KEEPING)


def picture(box: int) -> Index:
    data = Dataset()
    data.Rows = data.Columns = 8
    data.SamplesPerPixel, data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 1, 8, 8, 7, 0
    data.PhotometricInterpretation = "MONOCHROME2"
    pixels = bytearray(range(64))
    for row in range(2, 5):
        pixels[row * 8 + 2 : row * 8 + 6] = bytes([box] * 4)
    data.add_new(0x7FE00010, "OB", bytes(pixels))
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return Index(data)


def test_burned_in_text(monkeypatch: pytest.MonkeyPatch) -> None:
    told = json.dumps({"text": "KELVARO TIRA", "top_left": [2, 2], "bottom_right": [6, 5]})
    wider = json.dumps({"text": "KELVARO TIRA", "top_left": [1, 2], "bottom_right": [6, 5]})
    solid, open_ = Answer("pixels_hidden", "", text=told), Answer("pixels_hidden", "", text=wider)
    assert judge(solid, picture(0), {}, {}) is True
    for read, verdict in ((None, None), ("", True), ("KELVARO", False), ("nothing", True)):
        monkeypatch.setattr("benchmarks.answers.judge._read", lambda _, read=read: read)
        assert judge(open_, picture(0), {}, {}) is verdict
    assert judge(Answer("pixels_hidden", "", text="{}"), picture(0), {}, {}) is None
    assert judge(solid, out(), {}, {}) is None


def test_paths() -> None:
    index = out()
    assert index.text(NESTED) == "Kelvaro^Tira" and index.text(PRIVATE) == "Kelvaro"
    assert same('<(0019,"Siemens Med",AB)>') == '<(0019,"SIEMENS MED",ab)>'
    assert same("<(0008,103E)>") == "<(0008,103e)>"
    assert "SIEMENS" not in shown(PRIVATE)
    assert index.text("<(7fe0,0010)>") == "" and index.text("<(0008,0090)>") is None


WORD = b"Kelvaro"


@pytest.mark.parametrize(
    "content",
    [
        WORD, WORD.lower(), WORD.decode().encode("utf-16-le"), WORD.decode().encode("utf-16-be"), WORD[::-1],
        WORD.hex().encode(), WORD.hex().upper().encode(),
        *(base64.b64encode(b"abc"[:n] + WORD + b"yz") for n in range(3)),
    ],
)  # fmt: skip
def test_planted_bytes_in_any_form(content: bytes) -> None:
    planted = Planted("x", "", 0, "ascii", "LO", WORD)
    assert survivor(planted, b"before" + content + b"after", "a.dcm")
    assert not survivor(planted, b"before Kelvar after", "a.dcm") and survivor(planted, b"", "Kelvaro.dcm")
    with pytest.raises(ValueError, match="too short"):
        survivor(Planted("x", "", 0, "ascii", "LO", b"Kel"), b"", "")
