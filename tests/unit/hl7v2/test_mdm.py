"""CDA -> MDM: the document arrives as it is, the header says what it says, no value escapes its field."""

from __future__ import annotations

from base64 import b64decode
from datetime import UTC, datetime

import hl7
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.hl7v2.documents import ROOT, cda
from transforms.conversion import Given
from transforms.errors import TransformError
from transforms.hl7 import mdm
from transforms.hl7.er7 import escaped, segment

NOW = Given(datetime(2026, 11, 26, 12, 30, tzinfo=UTC))


def message(document: bytes, given: Given = NOW) -> hl7.Message:
    """The message as python-hl7, which is not what made it, reads it."""
    return hl7.parse(mdm.convert(document, given).data.decode())


def test_the_document_arrives_byte_for_byte() -> None:
    document = cda()
    (value,) = message(document).segment("OBX")(5)
    assert [str(part) for part in value[:4]] == ["", "TEXT", "XML", "Base64"]
    assert b64decode(str(value[4])) == document


def test_the_header_is_told() -> None:
    found = message(cda())
    msh = found.segment("MSH")
    assert [str(msh(number)) for number in (9, 12, 18)] == ["MDM^T02^MDM_T02", "2.5.1", "UNICODE UTF-8"]
    pid, txa = found.segment("PID"), found.segment("TXA")
    assert str(pid(3)) == f"4711^^^&{ROOT}.2&ISO^PI~other^^^&{ROOT}.8&ISO^PI"
    assert str(pid(5)) == "Müller-Ødegård^Jane^Q."
    assert (str(pid(7)), str(pid(8))) == ("19700102", "F")
    assert str(found.segment("PV1")(19)) == f"V1^^^&{ROOT}.6&ISO"
    assert str(found.segment("ORC")(3)) == f"ACC1^^{ROOT}.5^ISO"
    assert str(found.segment("OBR")(4)) == "36572-6^Chest AP^LN"
    assert str(txa(6)) == "20261126120000.1234+0100"
    assert str(txa(9)) == f"D78^Smith^John^^^^^^&{ROOT}.3&ISO"
    assert str(txa(12)) == f"doc-1^^{ROOT}.1^ISO"
    assert [str(txa(number)) for number in (14, 15, 17, 18, 19)] == [
        f"PL1^^{ROOT}.4^ISO",
        f"ACC1^^{ROOT}.5^ISO",
        "LA",
        "R",
        "AV",
    ]
    assert str(txa(22)).endswith("^20261126130000+0100")
    assert str(found.segment("OBX")(11)) == "F"


def test_what_is_not_signed_is_not_said_to_be() -> None:
    found = message(cda(signed=False))
    assert (str(found.segment("TXA")(17)), str(found.segment("OBX")(11))) == ("DO", "P")


def test_a_replacement_names_what_it_replaces() -> None:
    found = message(cda(replaces=True))
    assert str(found.segment("MSH")(9)) == "MDM^T10^MDM_T02"
    assert str(found.segment("TXA")(13)) == f"old^^{ROOT}.9^ISO"


def test_the_control_id_is_the_document_s() -> None:
    first, again, other = (str(message(each)["MSH.F10"]) for each in (cda(), cda(), cda(body="Another.")))
    assert first == again != other
    assert len(first) == 20


def test_the_site_says_who_sends() -> None:
    options = {"mdm": {"sending_facility": "1.2.3", "receiving_application": "EHR", "processing": "T"}}
    found = message(cda(), Given(NOW.now, options))
    assert [str(found.segment("MSH")(n)) for n in (3, 4, 5, 11)] == ["DICOM-GATEWAY", "^1.2.3^ISO", "EHR", "T"]


@pytest.mark.parametrize(
    "block", [{"processing": "X"}, {"colour": "red"}, {"sending_facility": 3}, {"patient_class": ""}, "text"]
)
def test_wrong_options_are_named(block: object) -> None:
    with pytest.raises(TransformError, match="options-invalid: `mdm:`"):
        mdm.convert(cda(), Given(NOW.now, {"mdm": block}))


def test_what_a_message_cannot_carry_is_told() -> None:
    def losses(document: bytes) -> list[tuple[str, str]]:
        return [(line.fate, line.where) for line in mdm.convert(document, NOW).losses.lines]

    nameless = (
        cda().replace(b"<family>M\xc3\xbcller-\xc3\x98deg\xc3\xa5rd</family>", b"").replace(b"<given>Jane</given>", b"")
    )
    uncoded = cda().replace(b'<code code="36572-6"', b'<code nullFlavor="UNK"')
    assert losses(cda()) == []
    assert losses(nameless.replace(b"<given>Q.</given>", b"")) == [("defaulted", "PID-5")]
    assert losses(uncoded) == [("defaulted", "OBR[1]-4")]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"<ClinicalDocument xmlns='urn:hl7-org:v3'/>", "cda-unreadable"),
        (b"<a/>", "cda-unreadable"),
        (b"<ClinicalDocument", "xml-malformed"),
        (b"", "xml-malformed"),
        (b"<!DOCTYPE a [<!ENTITY x 'y'>]>" + cda().split(b"?>", 1)[1], "xml-doctype"),
        (cda().replace(b'<id root="1.2.826.0.1.999.2" extension="4711"/>', b"").replace(b'extension="other"', b"")
         .replace(b'<id root="1.2.826.0.1.999.8" />', b""), "mdm-invalid"),
        (cda().replace(b'<code code="18748-4"', b'<code nullFlavor="UNK"'), "mdm-invalid"),
    ],
)  # fmt: skip
def test_what_is_no_document_makes_no_message(document: bytes, reason: str) -> None:
    with pytest.raises(TransformError) as caught:
        mdm.convert(document, NOW)
    assert caught.value.reason == reason
    assert "4711" not in str(caught.value)


hostile = st.text(
    st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="\ufffe\uffff"), min_size=1, max_size=40
).map(lambda text: " ".join((text + "|^~\\&").split()))


@settings(max_examples=25)
@given(hostile, hostile)
def test_no_value_leaves_its_field(family: str, patient_id: str) -> None:
    found = message(cda(family=family, patient_id=patient_id))
    assert [str(each[0]) for each in found] == ["MSH", "EVN", "PID", "PV1", "ORC", "OBR", "TXA", "OBX"]
    (name,) = found.segment("PID")(5)
    assert found.unescape(str(name[0])) == family
    identifier, _ = found.segment("PID")(3)
    assert found.unescape(str(identifier[0])) == patient_id


def test_control_characters_cannot_end_anything() -> None:
    assert escaped("a\r\n\x0b\x1c|b") == r"a\X0D\\X0A\\X0B\\X1C\\F\b"
    assert segment("ZZZ", "a", ("b", "", ("c", "")), "", "") == "ZZZ|a|b^^c"


def test_a_long_document_is_carried() -> None:
    document = cda(body="x" * 2_000_000)
    (value,) = message(document).segment("OBX")(5)
    assert b64decode(str(value[4])) == document


def test_the_judge_refuses_a_broken_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mdm, "_txa", lambda found, options: "TXB|1")
    with pytest.raises(TransformError, match="mdm-invalid: hl7apy says"):
        mdm.convert(cda(), NOW)
