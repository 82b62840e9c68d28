"""Each event's message against A.5.3's own table of what must stand in it, and hostile text in every sink."""

from __future__ import annotations

import typing
from base64 import b64decode

import pytest
from hypothesis import given, settings
from lxml import etree
from strategies import EVENTS

from gateway.audit import events
from gateway.audit.events import AnyEvent, Party, StudyFacts
from gateway.audit.messages import BUILDERS, AuditSource, build
from gateway.audit.text import LONGEST, restored

US = AuditSource("GATEWAY-1", "gw.example", "HOSPITAL")
CT = Party("CT1", "192.0.2.9", "CN=ct1")
GATEWAY = Party("GATEWAY", "")
ARCHIVE = Party("ARCHIVE", "pacs.example", "CN=pacs")
CT_CLASS = "1.2.840.10008.5.1.4.1.1.2"
STUDY = StudyFacts("1.2.3", "P-17", {CT_CLASS: 3})
PSEUDONYMOUS = StudyFacts("2.25.7", "P-17", {CT_CLASS: 3}, anonymized=True)
OBJECT = {"when": 0.0, "study": "1.2.3", "patient_id": "P-17", "sop_class": CT_CLASS, "sop_instance": "1.2.3.4"}


def parsed(event: AnyEvent) -> etree._Element:
    return etree.fromstring(build(event, US))


def codes(message: etree._Element, path: str) -> list[str]:
    return [f"{each.get('csd-code')}/{each.get('codeSystemName')}" for each in message.findall(path)]


def participants(message: etree._Element) -> list[tuple[str, str, str]]:
    """(UserID, UserIsRequestor, RoleIDCode) of each."""
    return [
        (each.get("UserID"), each.get("UserIsRequestor"), ",".join(codes(each, "RoleIDCode")))
        for each in message.findall("ActiveParticipant")
    ]


def objects(message: etree._Element) -> list[tuple[str, str, str, str]]:
    """(ID, type, role, ID type) of each."""
    return [
        (
            each.get("ParticipantObjectID"),
            each.get("ParticipantObjectTypeCode"),
            each.get("ParticipantObjectTypeCodeRole"),
            codes(each, "ParticipantObjectIDTypeCode")[0],
        )
        for each in message.findall("ParticipantObjectIdentification")
    ]


STUDY_AND_PATIENT = [("1.2.3", "2", "3", "110180/DCM"), ("P-17", "1", "1", "2/RFC-3881")]
TABLE = [  # event; EventID, action, type codes, outcome; participants; objects
    (
        events.ApplicationStarted(when=0.0, aes=("A", "B"), rules_hash="ab"),
        ("110100/DCM", "E", ["110120/DCM"], "0"),
        [("dicom-gateway", "false", "110150/DCM")],
        [("sha256:ab", "2", "23", "RULES/99DCMGW")],
    ),
    (
        events.ApplicationStopped(when=0.0, aes=("A",), orderly=False),
        ("110100/DCM", "E", ["110121/DCM"], "8"),
        [("dicom-gateway", "false", "110150/DCM")],
        [],
    ),
    (
        events.TransferBegun(when=0.0, source=CT, destination=GATEWAY, study=STUDY, inbound=True),
        ("110102/DCM", "E", [], "0"),
        [("192.0.2.9", "true", "110153/DCM"), ("dicom-gateway", "false", "110152/DCM")],
        STUDY_AND_PATIENT,
    ),
    (
        events.Transferred(when=0.0, source=CT, destination=GATEWAY, study=STUDY, inbound=True, failed=1),
        ("110104/DCM", "C", [], "4"),
        [("192.0.2.9", "true", "110153/DCM"), ("dicom-gateway", "false", "110152/DCM")],
        STUDY_AND_PATIENT,
    ),
    (
        events.Transferred(when=0.0, source=GATEWAY, destination=ARCHIVE, study=STUDY, inbound=False, orderly=False),
        ("110104/DCM", "R", [], "4"),
        [("dicom-gateway", "true", "110153/DCM"), ("pacs.example", "false", "110152/DCM")],
        STUDY_AND_PATIENT,
    ),
    (
        events.Exported(when=0.0, destination=Party("", "file:///landing"), study=STUDY),
        ("110106/DCM", "R", [], "0"),
        [("dicom-gateway", "true", "110153/DCM"), ("file:///landing", "false", "110154/DCM")],
        STUDY_AND_PATIENT,
    ),
    (
        events.PeerRefused(when=0.0, listener="h", address="192.0.2.66", reason="not-tls"),
        ("110113/DCM", "E", ["110126/DCM"], "4"),
        [("dicom-gateway", "false", ""), ("192.0.2.66", "false", "")],
        [("192.0.2.66", "2", "13", "110182/DCM")],
    ),
    (
        events.ObjectHeld(**OBJECT, reason="no-route"),
        ("HELD/99DCMGW", "E", [], "4"),
        [("dicom-gateway", "true", "110150/DCM")],
        STUDY_AND_PATIENT,
    ),
    (
        events.ObjectReleased(**OBJECT, reason="released", user="mta"),
        ("RELEASED/99DCMGW", "E", [], "0"),
        [("mta", "true", ""), ("dicom-gateway", "false", "110150/DCM")],
        STUDY_AND_PATIENT,
    ),
    (
        events.ObjectDropped(**OBJECT, reason="not ours"),
        ("DROPPED/99DCMGW", "D", [], "0"),
        [("dicom-gateway", "true", "110150/DCM")],
        STUDY_AND_PATIENT,
    ),
    (
        events.ObjectDiscarded(**OBJECT, reason="test image", user="mta"),
        ("DISCARDED/99DCMGW", "D", [], "0"),
        [("mta", "true", ""), ("dicom-gateway", "false", "110150/DCM")],
        STUDY_AND_PATIENT,
    ),
    (
        events.ManifestMade(when=0.0, study="1.2.3", destination="archive", objects=2, sha256="ab", user="mta"),
        ("MANIFEST/99DCMGW", "C", [], "0"),
        [("mta", "true", ""), ("dicom-gateway", "false", "110150/DCM")],
        [STUDY_AND_PATIENT[0]],
    ),
    (
        events.GroupClosed(
            when=0.0, study="1.2.3", series="", route="r", objects=2, expected=3, reason="lost", user="mta"
        ),
        ("GROUPCLOSED/99DCMGW", "E", [], "0"),
        [("mta", "true", ""), ("dicom-gateway", "false", "110150/DCM")],
        [STUDY_AND_PATIENT[0]],
    ),
    (
        events.RowsForgotten(when=0.0, instances=3, before=0.0),
        ("FORGOTTEN/99DCMGW", "D", [], "0"),
        [("dicom-gateway", "true", "110150/DCM")],
        [("ledger", "2", "3", "LEDGER/99DCMGW")],
    ),
    (
        events.Reidentified(
            when=0.0, study="1.2.3", sop_class="1.2", sop_instance="1.2.3.4", recipient="ab", user="officer"
        ),
        ("REIDENTIFIED/99DCMGW", "U", [], "0"),
        [("officer", "true", ""), ("dicom-gateway", "false", "110150/DCM")],
        [STUDY_AND_PATIENT[0]],
    ),
]


@pytest.mark.parametrize(("event", "identification", "who", "what"), TABLE, ids=lambda v: type(v).__name__)
def test_each_event_has_what_a_5_3_asks_for(event, identification, who, what) -> None:
    message = parsed(event)
    head = message.find("EventIdentification")
    told = (codes(head, "EventID")[0], head.get("EventActionCode"), codes(head, "EventTypeCode"))
    assert (*told, head.get("EventOutcomeIndicator")) == identification
    assert head.get("EventDateTime") == "1970-01-01T00:00:00.000Z"
    assert participants(message) == who
    assert objects(message) == what
    source = message.find("AuditSourceIdentification")
    assert (source.get("AuditSourceID"), source.get("AuditEnterpriseSiteID")) == ("GATEWAY-1", "HOSPITAL")


def test_every_event_has_its_line_in_the_table() -> None:
    assert set(BUILDERS) == set(typing.get_args(AnyEvent)) == {type(row[0]) for row in TABLE}


def test_a_transfer_names_ends_classes_and_numbers() -> None:
    message = parsed(TABLE[3][0])
    source, destination = message.findall("ActiveParticipant")
    assert (source.get("AlternativeUserID"), source.get("UserName")) == ("AETITLES=CT1", "CN=ct1")
    assert (source.get("NetworkAccessPointID"), source.get("NetworkAccessPointTypeCode")) == ("192.0.2.9", "2")
    assert (destination.get("NetworkAccessPointID"), destination.get("NetworkAccessPointTypeCode")) == (
        "gw.example",
        "1",
    )
    described = message.find("ParticipantObjectIdentification/ParticipantObjectDescription")
    assert [dict(each.attrib) for each in described.iter("SOPClass")] == [{"UID": CT_CLASS, "NumberOfInstances": "3"}]
    assert (described.findtext("Encrypted"), described.findtext("Anonymized")) == ("false", "false")


def test_nothing_of_a_patient_stands_in_a_message_about_deidentified_output() -> None:
    for event in (
        events.TransferBegun(when=0.0, source=GATEWAY, destination=ARCHIVE, study=PSEUDONYMOUS, inbound=False),
        events.Transferred(when=0.0, source=GATEWAY, destination=ARCHIVE, study=PSEUDONYMOUS, inbound=False),
        events.Exported(when=0.0, destination=Party("", "file:///x"), study=PSEUDONYMOUS),
    ):
        message = parsed(event)
        assert b"P-17" not in build(event, US)
        assert message.findtext(".//Anonymized") == "true"
        study, patient = message.findall("ParticipantObjectIdentification")
        assert study.get("ParticipantObjectDataLifeCycle") == patient.get("ParticipantObjectDataLifeCycle") == "7"
        assert patient.get("ParticipantObjectID") == ""
        assert b"de-identified" in b64decode(patient.find("ParticipantObjectDetail").get("value"))


def test_an_empty_patient_id_stays_empty_and_is_explained() -> None:
    patient = parsed(events.ObjectHeld(**{**OBJECT, "patient_id": ""}, reason="empty-patient-id")).findall(
        "ParticipantObjectIdentification"
    )[1]
    assert patient.get("ParticipantObjectID") == ""
    assert b64decode(patient.find("ParticipantObjectDetail").get("value")) == b"empty in the instances"


def test_a_failed_transfer_without_any_instance_is_serious_and_claims_no_flag() -> None:
    nothing = StudyFacts("1.2.3", "P", {})
    event = events.Transferred(
        when=0.0, source=CT, destination=GATEWAY, study=nothing, inbound=True, failed=2, orderly=False
    )
    message = parsed(event)
    assert message.find("EventIdentification").get("EventOutcomeIndicator") == "8"
    assert message.find(".//Anonymized") is None


def test_an_ae_title_cannot_add_another() -> None:
    event = events.ApplicationStarted(when=0.0, aes=("A;AETITLES=B", "C"), rules_hash="")
    assert parsed(event).find("ActiveParticipant").get("AlternativeUserID") == "AETITLES=A\\u{3B}AETITLES=B;C"


@settings(deadline=None, max_examples=400)
@given(EVENTS)
def test_hostile_text_parses_and_comes_back_equal(event) -> None:
    document = build(event, US)
    assert b"\n" not in document and b"\r" not in document and b"\x1b" not in document
    message = etree.fromstring(document)
    told = {restored(text) for text in texts(message)}
    for sink, text in sinks(event):
        assert text[:LONGEST] == "" or any(text in each for each in told), sink
    assert {element.tag for element in message.iter()} <= KNOWN
    assert all("value" in detail.attrib for detail in message.iter("ParticipantObjectDetail"))


KNOWN = {
    *("AuditMessage", "EventIdentification", "EventID", "EventTypeCode", "EventOutcomeDescription"),
    *("ActiveParticipant", "RoleIDCode", "MediaIdentifier", "MediaType"),
    *("AuditSourceIdentification", "AuditSourceTypeCode"),
    *("ParticipantObjectIdentification", "ParticipantObjectIDTypeCode", "ParticipantObjectName"),
    *("ParticipantObjectDetail", "ParticipantObjectDescription", "SOPClass", "Instance"),
    *("ParticipantObjectContainsStudy", "StudyIDs", "Encrypted", "Anonymized"),
}


def texts(message: etree._Element):
    for element in message.iter():
        if element.text:
            yield element.text
        for key, value in element.attrib.items():
            yield b64decode(value).decode() if key == "value" else value


def sinks(event):
    """What of an event must be found in its message."""
    match event:
        case events.ApplicationStarted(aes=aes, rules_hash=rules):
            yield from (("ae", ae) for ae in aes)
            yield "rules", rules
        case events.ApplicationStopped(aes=aes):
            yield from (("ae", ae) for ae in aes)
        case events.TransferBegun(study=study) | events.Transferred(study=study) | events.Exported(study=study):
            yield "study", study.study
            yield from (("class", uid) for uid in study.sop_classes)
            if not study.anonymized:
                yield "patient", study.patient_id
            if isinstance(event, events.Exported):
                yield "address", event.destination.address
            else:
                yield "source", event.source.ae
                yield "destination", event.destination.ae
                peer = event.source if event.inbound else event.destination
                yield "subject", peer.subject
                yield "address", peer.address
        case events.PeerRefused():
            for name in ("listener", "address", "reason", "calling_ae", "called_ae", "subject"):
                yield name, getattr(event, name)
        case _:
            for name in ("study", "patient_id", "sop_class", "sop_instance", "reason", "route", "destination", "user"):
                yield name, getattr(event, name, "")
