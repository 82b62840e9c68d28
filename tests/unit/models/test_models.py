"""JSON and XML data sets become the bytes that pydicom writes of them; what a VR cannot hold is refused, never bent."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.sequence import Sequence

from tests.system.senders import ct, encoded
from transforms.models import json_model, native
from transforms.models.encode import Bulk, pieces
from transforms.models.model import MetadataError


def made(told: object, bulk: dict[str, bytes] | None = None) -> bytes:
    """The bytes of one data set in JSON."""
    ((data_set, _),) = json_model.read(json.dumps([told]).encode())
    return joined(data_set, bulk or {})


def joined(data_set, bulk: dict[str, bytes]) -> bytes:  # type: ignore[no-untyped-def]
    found = pieces(data_set, lambda uri: Bulk(uri, len(bulk[uri])) if uri in bulk else None)
    return b"".join(each if isinstance(each, bytes) else bulk[each.key] for each in found)


def xml(inner: str) -> bytes:
    return f'<NativeDicomModel xmlns="{native.NAMESPACE}">{inner}</NativeDicomModel>'.encode()


def from_xml(inner: str, bulk: dict[str, bytes] | None = None) -> bytes:
    return joined(native.read(xml(inner))[0], bulk or {})


def sample() -> Dataset:
    data = ct(1)
    data["PixelData"].VR = "OW"
    data.PatientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.SliceThickness = "1.5"
    data.PixelSpacing = ["0.5", "0.25"]
    data.add_new(0x00189073, "FD", 1.5)
    data.add_new(0x00280106, "US", 7)
    data.add_new(0x00080008, "CS", ["A", "", "B"])
    data.FrameIncrementPointer = 0x00181063
    inner = Dataset()
    inner.CodeValue, inner.CodeMeaning = "1", "eins äöü"
    empty = Dataset()
    data.ProcedureCodeSequence = Sequence([inner, empty])
    data.PatientComments = "one\r\ntwo \\ three"
    data.add_new(0x00091001, "LO", "private")
    data.add_new(0x00090010, "LO", "SOMEBODY")
    return data


def test_a_whole_object_is_byte_for_byte_what_pydicom_writes() -> None:
    data = sample()
    assert made(data.to_json_dict()) == encoded(data)


def test_bulk_data_stands_where_it_is_named() -> None:
    data = sample()
    told = data.to_json_dict()
    pixels = data.PixelData
    told["7FE00010"] = {"vr": "OW", "BulkDataURI": "../bulk/1"}
    assert made(told, {"../bulk/1": pixels}) == encoded(data)
    with pytest.raises(MetadataError, match="bulk-data-missing"):
        made(told, {})


def test_the_character_set_says_what_the_bytes_are() -> None:
    """UTF-8 where anything is not ASCII, at the top and nowhere else; else as it was said."""
    said = {"00080005": {"vr": "CS", "Value": ["ISO_IR 100"]}}
    name = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Müller"}]}}
    assert b"ISO_IR 100" in made(said) and b"ISO_IR 192" in made(said | name) and b"ISO_IR 100" not in made(said | name)
    nested = {"00081032": {"vr": "SQ", "Value": [said | {"00080104": {"vr": "LO", "Value": ["ä"]}}]}}
    assert made(nested).count(b"ISO_IR") == 1
    assert b"ISO_IR" not in made({"00100020": {"vr": "LO", "Value": ["ASCII"]}})


@pytest.mark.parametrize(
    ("number", "written"),
    [("1.50", "1.50"), ("1E+2", "1E+2"), ("-0.0", "-0.0"), ("0.1234567890123456789", "0.12345678901235"), ("1", "1")],
)
def test_a_number_keeps_its_digits_while_they_fit(number: str, written: str) -> None:
    raw = f'[{{"00180050": {{"vr": "DS", "Value": [{number}]}}}}]'.encode()
    ((data_set, _),) = json_model.read(raw)
    value = joined(data_set, {})[8:].decode().rstrip()
    assert value == written or (len(written) == 16 and len(value) <= 16 and abs(float(value) - float(number)) < 1e-13)


def of(vr: str, *values: object, tag: str = "00101010") -> dict[str, object]:
    return {tag: {"vr": vr, "Value": list(values)}}


@pytest.mark.parametrize(
    "told",
    [
        of("US", 65536), of("US", -1), of("US", 1.5), of("US", "x"), of("US", True), of("UL", "1_0"),
        of("UL", " 1"), of("FD", "x"), of("AT", "0010"), of("AT", 10), of("AT", "0010001G"), of("LO", 5),
        of("LO", "a\\b"), of("LO", "a\nb"), of("UI", "1.2\u00e9"), of("CS", "\x00"), of("LT", "a", "b"),
        of("OB", "AAAA"), of("PN", "text"), of("PN", {"X": "y"}), of("PN", {"Alphabetic": "a=b"}), of("LO", ["x"]),
        of("LO", {"a": "b"}), of("SQ", "x"), of("SQ", 5), of("XX", "x"), of("LO", "x" * 70000),
        of("LO", "x", tag="0010"), of("LO", "x", tag="FFFEE000"), of("LO", "x", tag="00041130"),
        {"00101010": {"Value": ["x"]}}, {"00101010": {"vr": "LO", "Value": "x"}}, {"00101010": "x"},
        {"00101010": None}, {"00101010": {"vr": "LO", "Value": ["x"], "InlineBinary": "AA=="}},
        {"00101010": {"vr": "OB", "InlineBinary": "*"}}, {"00101010": {"vr": "LO", "InlineBinary": "AAAA"}},
        {"00101010": {"vr": "LO", "Values": ["x"]}}, {"7fe00010": {"vr": "OW", "BulkDataURI": 5}},
        {"7FE00010": {"vr": "OW", "BulkDataURI": "http://127.0.0.1/x"}},
        {"0040a730": {"vr": "SQ", "BulkDataURI": "x"}}, of("LO", "\ud800"),
    ],
)  # fmt: skip
def test_what_a_vr_cannot_hold_is_refused(told: dict[str, object]) -> None:
    with pytest.raises(MetadataError):
        made(told)


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"x", b"5", b"[]", b"[5]", b"null", b'[{"00100010": {"vr": "PN"}, "00100010": {"vr": "PN"}}]',
        b'[{"00101010": {"vr": "FD", "Value": [NaN]}}]', b"\xff\xfe[]", b"[" * 100000,
        b'[{"0010001a": {"vr": "LO"}, "0010001A": {"vr": "LO"}}]',
    ],
)  # fmt: skip
def test_what_is_no_dicom_json(raw: bytes) -> None:
    with pytest.raises(MetadataError):
        json_model.read(raw)


def test_depth_and_number_are_bounded() -> None:
    told: dict[str, object] = {}
    for _ in range(40):
        told = {"0040A730": {"vr": "SQ", "Value": [told]}}
    with pytest.raises(MetadataError, match="metadata-too-large"):
        made(told)
    with pytest.raises(MetadataError, match="metadata-too-large"):
        made({"0040A730": {"vr": "SQ", "Value": [{"00080104": {"vr": "LO"}}] * 200001}})


def test_group_two_is_read_for_its_syntax_and_lengths_are_none() -> None:
    told = {"00020010": {"vr": "UI", "Value": ["1.2.3"]}, "00080000": {"vr": "UL", "Value": [9]}} | of("LO", "x")
    ((data_set, syntax),) = json_model.read(json.dumps(told).encode())
    assert syntax == "1.2.3" and [each.tag for each in data_set] == [0x00101010]


def test_xml_says_the_same_as_json() -> None:
    told = (
        '<DicomAttribute tag="00080005" vr="CS"><Value number="1">ISO_IR 192</Value></DicomAttribute>'
        '<DicomAttribute tag="00080008" vr="CS"><Value number="2">B</Value><Value number="1">A</Value></DicomAttribute>'
        '<DicomAttribute tag="00081032" vr="SQ"><Item number="1"><DicomAttribute tag="00080104" vr="LO">'
        '<Value number="1">é &amp; x</Value></DicomAttribute></Item><Item number="2"/></DicomAttribute>'
        '<DicomAttribute tag="00090002" vr="LO" privateCreator="B"><Value number="1">b</Value></DicomAttribute>'
        '<DicomAttribute tag="00090001" vr="LO" privateCreator="A"><Value number="1">a</Value></DicomAttribute>'
        '<DicomAttribute tag="00100010" vr="PN"><PersonName number="1"><Alphabetic><FamilyName>Yamada</FamilyName>'
        "<GivenName>Tarou</GivenName></Alphabetic><Ideographic><FamilyName>山田</FamilyName></Ideographic></PersonName>"
        '</DicomAttribute><DicomAttribute tag="00101030" vr="DS"/>'
        '<DicomAttribute tag="00420011" vr="OB"><InlineBinary>AAEC\nAw==</InlineBinary></DicomAttribute>'
        '<DicomAttribute tag="7FE00010" vr="OW"><BulkData uri="b1"/></DicomAttribute>'
    )
    same = {
        "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
        "00080008": {"vr": "CS", "Value": ["A", "B"]},
        "00081032": {"vr": "SQ", "Value": [{"00080104": {"vr": "LO", "Value": ["é & x"]}}, {}]},
        "00090010": {"vr": "LO", "Value": ["B"]},
        "00090011": {"vr": "LO", "Value": ["A"]},
        "00091002": {"vr": "LO", "Value": ["b"]},
        "00091101": {"vr": "LO", "Value": ["a"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Yamada^Tarou", "Ideographic": "山田"}]},
        "00101030": {"vr": "DS"},
        "00420011": {"vr": "OB", "InlineBinary": "AAECAw=="},
        "7FE00010": {"vr": "OW", "BulkDataURI": "b1"},
    }
    bulk = {"b1": b"pixels"}
    assert from_xml(told, bulk) == made(same, bulk)


@pytest.mark.parametrize(
    "document",
    [
        b"", b"<x/>", b"<NativeDicomModel/>", xml("<x/>"), xml("text<DicomAttribute/>"),
        xml('<DicomAttribute tag="00100010" vr="PN"><Value number="1">x</Value></DicomAttribute>'),
        xml('<DicomAttribute tag="00101010" vr="LO"><Value number="2">x</Value></DicomAttribute>'),
        xml('<DicomAttribute tag="00101010" vr="LO"><Value>x</Value></DicomAttribute>'),
        xml('<DicomAttribute tag="00101010" vr="LO"><Value number="1"><b/></Value></DicomAttribute>'),
        xml('<DicomAttribute tag="00101010" vr="LO" privateCreator="x"><Value number="1">x</Value></DicomAttribute>'),
        xml('<DicomAttribute tag="00101010" vr="OB"><BulkData/></DicomAttribute>'),
        b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>' + xml("&e;"),
        b'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">' + xml(""),
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
        + xml('<DicomAttribute tag="00101010" vr="LO"><Value number="1">&b;</Value></DicomAttribute>'),
    ],
)  # fmt: skip
def test_what_is_no_native_model(document: bytes) -> None:
    with pytest.raises(MetadataError):
        native.read(document)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["vr", "Value", "InlineBinary", "BulkDataURI", "00101010", "Alphabetic"]), inner
        )
    ),
    max_leaves=12,
)


@settings(max_examples=400)
@given(values, st.sampled_from(["LO", "PN", "SQ", "US", "DS", "OB", "AT", "UN", "FD", "UT"]))
def test_any_json_is_a_data_set_or_refused(value: object, vr: str) -> None:
    try:
        made({"00101010": {"vr": vr, "Value": value}, "00081155": value})
    except MetadataError as error:
        assert error.reason.startswith(("metadata-", "bulk-data-"))


@settings(max_examples=200)
@given(st.text(alphabet="<>/=\"& 'NativeDcomModlAtrbug0123", max_size=80))
def test_any_xml_is_a_data_set_or_refused(text: str) -> None:
    for document in (text.encode(), xml(text)):
        try:
            native.read(document)
        except MetadataError:
            pass


def test_what_a_parser_would_make_millions_of_objects_of_is_refused_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight megabytes of empty data sets: each would get an answer of its own."""
    with pytest.raises(MetadataError, match="metadata-too-large"):
        json_model.read(b"[" + b"{}," * 10_000 + b"{}]")
    assert len(json_model.read(b"[" + b"{}," * 9 + b"{}]", 10)) == 10
    with pytest.raises(MetadataError, match="metadata-too-large"):
        json_model.read(b"[{},{}]", 1)
    monkeypatch.setattr("json.loads", lambda *_, **__: pytest.fail("it was parsed"))
    for data in (
        b"[" + b"{}," * 1_000_000 + b"{}]",
        b'[{"00100010":{"vr":"LO","Value":[' + b"[]," * 1_000_000 + b"1]}}]",
    ):
        with pytest.raises(MetadataError, match="metadata-too-large"):
            json_model.read(data)
