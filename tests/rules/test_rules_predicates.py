"""Each predicate against each kind of VR: its answer to a value, and to a missing, empty or wrong one."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.config.document import Positions
from gateway.decide.facts import DictFacts, Values
from gateway.decide.tree import Compiler, Truth
from transforms.errors import TransformError

T, F, U, H, E = Truth.TRUE, Truth.FALSE, Truth.UNKNOWN, Truth.HOLD, Truth.ERROR

PN, DT = "PatientName", "AcquisitionDateTime"

ROWS: list[tuple[str, Any, Values, Truth]] = [
    # text: CS, LO, SH, LT, UT, UC, ST, AE
    ("Modality", "CT", ("CT",), T),
    ("Modality", "CT", ("CT ",), T),
    ("Modality", "CT", ("ct",), F),
    ("Modality", {"eq": "CT"}, ("CT\0",), T),
    ("Modality", ["CT", "MR"], ("MR",), T),
    ("Modality", {"in": ["CT", "MR"]}, ("US",), F),
    ("ImageType", {"eq": "PRIMARY"}, ("ORIGINAL", "PRIMARY", "AXIAL"), T),
    ("ImageType", {"eq": "DERIVED"}, ("ORIGINAL", "PRIMARY"), F),
    ("ImageType", {"eq": "DERIVED"}, ("", "DERIVED"), T),
    ("ImageType", {"eq": "DERIVED"}, ("", " "), U),
    ("StudyDescription", {"like": "*TRIAL42*"}, ("CT TRIAL42 chest",), T),
    ("StudyDescription", {"like": "*TRIAL42*"}, ("CT trial42",), F),
    ("StudyDescription", {"like": "TRIAL??"}, ("TRIAL42",), T),
    ("StudyDescription", {"like": "TRIAL??"}, ("TRIAL421",), F),
    ("StudyDescription", {"like": "a.c"}, ("abc",), F),
    ("StudyDescription", {"re": "TRIAL(41|42)"}, ("TRIAL42",), T),
    ("StudyDescription", {"re": "TRIAL"}, ("TRIAL42",), F),
    ("PatientComments", {"like": "*consent*"}, ("no consent given",), T),
    ("TextValue", {"re": ".*\\d{4}.*"}, ("seen 2024",), T),
    ("StationAETitle", "CT1", (" CT1 ",), T),
    ("StudyDescription", "x", ("x" * 20_000,), E),
    ("StudyDescription", "x", ("x",) * 5_000, E),
    # PN
    (PN, "DOE^JANE", ("DOE^JANE^^^",), T),
    (PN, "DOE^JANE", ("Doe^Jane",), F),
    (PN, "DOE^JANE", ("DOE^JANE^MARY",), F),
    (PN, "DOE^JANE^^", ("DOE ^JANE",), T),
    (PN, "山田^太郎", ("YAMADA^TARO=山田^太郎=やまだ^たろう",), T),
    (PN, "YAMADA^TARO=山田^太郎", ("YAMADA^TARO",), F),
    (PN, {"like": "DOE*"}, ("DOE^JANE",), T),
    (PN, {"like": "DOE^*"}, ("DOEMAN^JANE",), F),
    (PN, {"re": "TEST\\^.*"}, ("TEST^A",), T),
    (PN, {"in": ["A^B", "C^D"]}, ("C^D",), T),
    # UI
    ("SOPClassUID", "1.2.840.10008.5.1.4.1.1.2", ("1.2.840.10008.5.1.4.1.1.2\0",), T),
    ("SOPClassUID", "1.2.840.10008.5.1.4.1.1.2", ("1.2.840.10008.5.1.4.1.1.20",), F),
    ("SOPClassUID", {"like": "1.2.840.10008.*"}, ("1.2.840.113619.1",), F),
    # DA
    ("StudyDate", "2024-03-01", ("20240301",), T),
    ("StudyDate", 20240301, ("2024.03.01",), T),
    ("StudyDate", {"lt": "20240301"}, ("20240229",), T),
    ("StudyDate", {"gt": "20240301"}, ("20240301",), F),
    ("StudyDate", {"between": ["20240101", "20241231"]}, ("20241231",), T),
    ("StudyDate", {"lt": "20240301"}, ("20240230",), E),
    ("StudyDate", {"eq": "20240301"}, ("yesterday",), E),
    ("StudyDate", {"lt": "20240301"}, ("20240101", "never"), E),
    ("StudyDate", {"lt": "20240301"}, ("٢٠٢٤٠١٠١",), E),
    # TM
    ("StudyTime", {"lt": "0830"}, ("082959.999999",), T),
    ("StudyTime", {"lt": "0830"}, ("08:30:00",), F),
    ("StudyTime", {"eq": "08"}, ("080000",), T),
    ("StudyTime", {"lt": "0830"}, ("2460",), E),
    # DT
    (DT, {"lt": "20240301120000"}, ("20240301115959",), T),
    (DT, {"lt": "20240301120000"}, ("20240301115959+0100",), T),
    (DT, {"eq": "20240301120000+0000"}, ("20240301130000+0100",), T),
    (DT, {"eq": "20240301120000+0000"}, ("20240301130000",), E),
    (DT, {"gt": "2024"}, ("2024",), F),
    (DT, {"gt": "2023"}, ("202413",), E),
    # AS
    ("PatientAge", {"lt": "90Y"}, ("089Y",), T),
    ("PatientAge", {"lt": "2Y"}, ("018M",), T),
    ("PatientAge", "1Y", ("012M",), T),
    ("PatientAge", {"lt": "90Y"}, ("old",), E),
    # DS, IS, US, FD
    ("SliceThickness", {"lt": 1.5}, ("1.25 ",), T),
    ("SliceThickness", 1, ("1.0",), T),
    ("SliceThickness", {"in": [1, "2.50"]}, ("2.5",), T),
    ("SliceThickness", {"gt": 1}, ("1,5",), E),
    ("SliceThickness", {"gt": 1}, ("1_0",), E),
    ("SliceThickness", {"gt": 1}, ("NaN",), E),
    ("SliceThickness", {"gt": 1}, ("1e5",), T),
    ("InstanceNumber", {"between": [1, 10]}, ("10",), T),
    ("Rows", {"gt": 512}, ("1024",), T),
    ("SmallestImagePixelValue", {"lt": 0}, ("-3",), T),
    ("PixelSpacing", {"lt": 0.6}, ("0.7", "0.5"), T),
    # AT
    ("FrameIncrementPointer", "(0018,1063)", ("00181063",), T),
    ("FrameIncrementPointer", "(0018,1063)", ("soon",), E),
    # what has no values, and what the dictionary does not know
    ("PixelData", {"exists": True}, ("",), T),
    ("RequestAttributesSequence", {"exists": False}, None, T),
    ("RequestAttributesSequence", {"vm": 2}, ("", ""), T),
    ('(0029,"MAKER",10)', {"like": "*secret*"}, ("a secret",), T),
    ("(0009,0010)", "MAKER", ("MAKER",), T),
    ("(0008,0060)", "CT", None, U),
    # exists and vm always know
    ("PatientID", {"exists": True}, (), T),
    ("PatientID", {"exists": True}, None, F),
    ("PatientID", {"exists": False}, ("1",), F),
    ("PatientID", {"vm": 0}, (), T),
    ("PatientID", {"vm": [1, 2]}, ("a", "b"), T),
    ("PatientID", {"vm": 1}, None, U),
    ("PatientID", {"vm": 1, "missing": "hold"}, None, H),
    # missing and empty
    ("PatientID", "1", None, U),
    ("PatientID", "1", (), U),
    ("PatientID", {"eq": "1", "missing": "hold"}, None, H),
    ("PatientID", {"eq": "1", "missing": "hold"}, (), H),
    ("PatientID", {"eq": "1", "missing": "hold"}, ("2",), F),
    # several predicates over one attribute: all of them
    ("StudyDate", {"gt": 20240101, "lt": 20250101}, ("20240601",), T),
    ("StudyDate", {"gt": 20240101, "lt": 20250101}, ("20260601",), F),
]


@pytest.mark.parametrize(("key", "asked", "values", "answer"), ROWS, ids=lambda each: str(each)[:40])
def test_predicate(key: str, asked: Any, values: Values, answer: Truth) -> None:
    compiler = Compiler(Positions("rules"))
    node = compiler.match({key: asked}, ())
    assert node is not None, [str(each) for each in compiler.problems]
    asked_as = {"(0008,0060)": "Modality"}.get(key, key)
    assert node.answer(DictFacts({asked_as: values})) is answer


@pytest.mark.parametrize("word", ["listener", "called_ae", "calling_ae", "subject"])
def test_words_of_the_association_are_asked_like_attributes(word: str) -> None:
    compiler = Compiler(Positions("rules"))
    node = compiler.match({word: {"like": "A*"}}, ())
    assert node is not None
    assert node.answer(DictFacts(**{word: "ABC"})) is T  # type: ignore[arg-type]
    assert node.answer(DictFacts(**{word: "BC"})) is F  # type: ignore[arg-type]
    assert node.answer(DictFacts()) is U


class NotText(DictFacts):
    """Facts of an object whose values cannot be given as text."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        object.__setattr__(self, "reason", reason)

    def get(self, path: str) -> Values:
        raise TransformError(self.reason)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("key", "asked", "reason", "answer"),
    [
        ("PixelData", {"exists": True}, "value-too-long", T),
        ("PixelData", {"exists": False}, "not-text", F),
        ("EncapsulatedDocument", {"exists": True}, "undecodable-text", E),
        ("IconImageSequence[0].PixelData", {"exists": True}, "not-text", T),
        ("IconImageSequence[0].PixelData", {"exists": True}, "value-too-long", E),
        ("StudyDescription", {"like": "*"}, "undecodable-text", E),
        ("StudyDescription", {"eq": "x", "missing": "hold"}, "value-too-long", E),
    ],
)
def test_what_cannot_be_read_is_there_but_says_nothing(key: str, asked: Any, reason: str, answer: Truth) -> None:
    compiler = Compiler(Positions("rules"))
    node = compiler.match({key: asked}, ())
    assert node is not None
    assert node.answer(NotText(reason)) is answer


def test_an_item_of_a_sequence_is_asked_by_its_path() -> None:
    compiler = Compiler(Positions("rules"))
    node = compiler.match({"RequestAttributesSequence[1].(0040,0009)": "SPS1"}, ())
    assert node is not None
    facts = DictFacts({"RequestAttributesSequence[1].ScheduledProcedureStepID": ("SPS1",)})
    assert node.answer(facts) is T
