"""Audit messages of PS3.15 A.5, one for each event, as XML in UTF-8. Pure: no clock, no host name but the given one.

Rules of this file
* `BUILDERS` maps each of our events to the message A.5.3 has for it; what A.5.3 lacks has an event ID of our own.
* Order of elements and names of attributes are A.5.1's (no namespace; csd-code, codeSystemName, originalText).
* Only what A.5.3 asks for stands in a message. A patient's name is never in it.
* After de-identification the patient's identity is not what was sent, and a message that held both the new Study
  Instance UID and the old Patient ID would undo it for every reader of the trail. So the Patient ID is left out there,
  whatever the event holds; Anonymized is true and the life cycle is 7 (de-identification).
* An empty Patient ID stays empty; a detail says why. No invented value could be told from a real one.
* All text goes through `safe`: AE titles, IDs, certificate subjects and reasons come from peers.

What is not here: sending (RFC 5425), and reading messages.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any, NamedTuple

from lxml import etree  # type: ignore[import-untyped]

from gateway.audit import codes, events
from gateway.audit.codes import Code
from gateway.audit.events import AnyEvent, ObjectEvent, Party, StudyFacts
from gateway.audit.text import safe

_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")
SUCCESS, MINOR, SERIOUS = "0", "4", "8"  # EventOutcomeIndicator


class AuditSource(NamedTuple):
    """Who tells: this gateway (A.5.2.3 and the local participant of every event)."""

    source_id: str
    host: str  # the one name or address this node always goes by (A.5.2.1, multi-homed nodes)
    enterprise_site: str = ""
    process: str = "dicom-gateway"  # as system logs name it


class _Participant(NamedTuple):
    user_id: str
    aes: tuple[str, ...] = ()
    user_name: str = ""
    requestor: bool = False
    address: str = ""
    role: Code | None = None
    media: Code | None = None


class _Object(NamedTuple):
    id: str
    id_type: Code
    type_code: str  # 1 person, 2 system object
    role: str  # 1 patient, 3 report, 13 security resource, 23 routing criteria
    life_cycle: str = ""  # 7 de-identification
    details: tuple[tuple[str, str], ...] = ()
    sop_classes: Mapping[str, int] = {}
    instances: tuple[str, ...] = ()  # only with a single SOP class
    studies: tuple[str, ...] = ()
    anonymized: bool | None = None  # None: not told


class _Message(NamedTuple):
    id: Code
    action: str
    participants: tuple[_Participant, ...]
    type: Code | None = None
    outcome: str = SUCCESS
    description: str = ""
    objects: tuple[_Object, ...] = ()


def build(event: AnyEvent, source: AuditSource) -> bytes:
    """The message of one event: an XML document in UTF-8, with its declaration, on one line."""
    message = BUILDERS[type(event)](event, source)
    root = etree.Element("AuditMessage")
    when = datetime.fromtimestamp(event.when, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    told = _sub(
        root,
        "EventIdentification",
        EventActionCode=message.action,
        EventDateTime=when,
        EventOutcomeIndicator=message.outcome,
    )
    _code(told, "EventID", message.id)
    if message.type is not None:
        _code(told, "EventTypeCode", message.type)
    if message.description:
        _sub(told, "EventOutcomeDescription").text = safe(message.description)
    for participant in message.participants:
        _participant(root, participant)
    ours = _sub(root, "AuditSourceIdentification", AuditEnterpriseSiteID=source.enterprise_site)
    ours.set("AuditSourceID", safe(source.source_id))
    _sub(ours, "AuditSourceTypeCode").set("csd-code", "4")  # application server process
    for each in message.objects:
        _object(root, each)
    document: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return document.replace(b"\n", b"")  # only lxml's own after the declaration: `safe` let none through


def _started(event: events.ApplicationStarted, source: AuditSource) -> _Message:
    """A.5.3.1."""
    rules = _Object(f"sha256:{event.rules_hash}", codes.RULES_HASH, "2", "23")
    application = _us(source, event.aes, codes.APPLICATION)
    return _Message(codes.APPLICATION_ACTIVITY, "E", (application,), codes.APPLICATION_START, objects=(rules,))


def _stopped(event: events.ApplicationStopped, source: AuditSource) -> _Message:
    """A.5.3.1."""
    application = _us(source, event.aes, codes.APPLICATION)
    outcome, text = (SUCCESS, "") if event.orderly else (SERIOUS, "it had crashed; found at the next start")
    return _Message(codes.APPLICATION_ACTIVITY, "E", (application,), codes.APPLICATION_STOP, outcome, text)


def _begun(event: events.TransferBegun, source: AuditSource) -> _Message:
    """A.5.3.3."""
    return _Message(codes.BEGIN_TRANSFERRING, "E", _transfer(event, source), objects=_study_and_patient(event.study))


def _transferred(event: events.Transferred, source: AuditSource) -> _Message:
    """A.5.3.7: C where the receiver had no copy, R where that is not known."""
    moved = sum(event.study.sop_classes.values())
    outcome, texts = SUCCESS, []
    if event.failed:
        outcome = MINOR if moved else SERIOUS
        texts.append(f"{event.failed} instances were refused")
    if not event.orderly:
        outcome = max(outcome, MINOR)
        texts.append("the association was aborted")
    return _Message(
        codes.INSTANCES_TRANSFERRED,
        "C" if event.inbound else "R",
        _transfer(event, source),
        outcome=outcome,
        description="; ".join(texts),
        objects=_study_and_patient(event.study),
    )


def _exported(event: events.Exported, source: AuditSource) -> _Message:
    """A.5.3.4."""
    medium = event.destination
    return _Message(
        codes.EXPORT,
        "R",
        (
            _us(source, (), codes.SOURCE, requestor=True),
            _Participant(
                user_id=medium.address or medium.ae,
                address=medium.address,
                role=codes.DESTINATION_MEDIA,
                media=codes.EMAIL if medium.address.startswith("mailto:") else codes.URI,
            ),
        ),
        objects=_study_and_patient(event.study),
    )


def _refused(event: events.PeerRefused, source: AuditSource) -> _Message:
    """A.5.3.11. Outcome 4: the danger was warded off."""
    peer = _Participant(
        user_id=event.address,
        aes=(event.calling_ae,) if event.calling_ae else (),
        user_name=event.subject,
        address=event.address,
    )
    details = [("Alert Description", event.reason), ("Listener", event.listener)]
    if event.called_ae:
        details.append(("Called AE Title", event.called_ae))
    node = _Object(event.address, codes.NODE_ID, "2", "13", details=tuple(details))
    return _Message(
        codes.SECURITY_ALERT,
        "E",
        (_us(source, (), None), peer),
        codes.NODE_AUTHENTICATION,
        MINOR,
        event.reason,
        (node,),
    )


def _own(code: Code, action: str, outcome: str) -> Callable[[ObjectEvent, AuditSource], _Message]:
    """Events about one object that A.5.3 does not have; built like its others (docs/audit.md)."""

    def build_own(event: ObjectEvent, source: AuditSource) -> _Message:
        participants = [_us(source, (), codes.APPLICATION, requestor=not event.user)]
        if event.user:
            participants.insert(0, _Participant(user_id=event.user, requestor=True))
        named = (("Reason", event.reason), ("Route", event.route), ("Destination", event.destination))
        study = _Object(
            event.study,
            codes.STUDY_INSTANCE_UID,
            "2",
            "3",
            details=tuple((kind, value) for kind, value in named if value),
            sop_classes={event.sop_class: 1},
            instances=(event.sop_instance,),
        )
        objects = (study, _patient(event.patient_id, event.study))
        return _Message(code, action, tuple(participants), None, outcome, event.reason, objects)

    return build_own


def _manifest(event: events.ManifestMade, source: AuditSource) -> _Message:
    """Ours, too. Of the study only what the manifest itself says."""
    details = (("Destination", event.destination), ("Objects", str(event.objects)), ("SHA-256", event.sha256))
    study = _Object(event.study, codes.STUDY_INSTANCE_UID, "2", "3", details=details)
    participants = (_Participant(user_id=event.user, requestor=True), _us(source, (), codes.APPLICATION))
    return _Message(codes.MANIFEST_MADE, "C", participants, objects=(study,))


def _group_closed(event: events.GroupClosed, source: AuditSource) -> _Message:
    """Ours. What was missing is told by its number: who decided so has to answer for it."""
    named = (("Series", event.series), ("Route", event.route), ("Objects", str(event.objects)))
    expected = str(event.expected) if event.expected else ""
    details = (*named, ("Expected", expected), ("Reason", event.reason))
    study = _Object(
        event.study, codes.STUDY_INSTANCE_UID, "2", "3", details=tuple((kind, told) for kind, told in details if told)
    )
    participants = (_Participant(user_id=event.user, requestor=True), _us(source, (), codes.APPLICATION))
    return _Message(codes.GROUP_CLOSED, "E", participants, None, SUCCESS, event.reason, (study,))


def _forgotten(event: events.RowsForgotten, source: AuditSource) -> _Message:
    """No event of A.5.3: the gateway forgets what it did; what it did stands in the trail."""
    before = datetime.fromtimestamp(event.before, UTC).isoformat(timespec="seconds")
    details = (("Instances", str(event.instances)), ("Before", before))
    ledger = _Object("ledger", codes.LEDGER, "2", "3", details=details)
    return _Message(codes.ROWS_FORGOTTEN, "D", (_us(source, (), codes.APPLICATION, requestor=True),), objects=(ledger,))


def _reidentified(event: events.Reidentified, source: AuditSource) -> _Message:
    """Ours. Of the object what it was called before: who it is of is what must not stand here."""
    study = _Object(
        event.study,
        codes.STUDY_INSTANCE_UID,
        "2",
        "3",
        details=(("Recipient", event.recipient),),
        sop_classes={event.sop_class: 1},
        instances=(event.sop_instance,),
    )
    participants = (_Participant(user_id=event.user, requestor=True), _us(source, (), codes.APPLICATION))
    return _Message(codes.REIDENTIFIED, "U", participants, objects=(study,))


BUILDERS: dict[type, Callable[[Any, AuditSource], _Message]] = {
    events.ApplicationStarted: _started,
    events.ApplicationStopped: _stopped,
    events.TransferBegun: _begun,
    events.Transferred: _transferred,
    events.Exported: _exported,
    events.PeerRefused: _refused,
    events.ObjectHeld: _own(codes.OBJECT_HELD, "E", MINOR),
    events.ObjectReleased: _own(codes.OBJECT_RELEASED, "E", SUCCESS),
    events.ObjectDropped: _own(codes.OBJECT_DROPPED, "D", SUCCESS),
    events.ObjectDiscarded: _own(codes.OBJECT_DISCARDED, "D", SUCCESS),
    events.ManifestMade: _manifest,
    events.GroupClosed: _group_closed,
    events.RowsForgotten: _forgotten,
    events.Reidentified: _reidentified,
}


def _us(source: AuditSource, aes: tuple[str, ...], role: Code | None, requestor: bool = False) -> _Participant:
    return _Participant(source.process, aes, requestor=requestor, address=source.host, role=role)


def _transfer(event: events.TransferBegun | events.Transferred, source: AuditSource) -> tuple[_Participant, ...]:
    """Sender and receiver. A C-STORE is asked for by its sender (A.5.2: at most one requestor)."""
    sender = _end(event.source, source, ours=not event.inbound, role=codes.SOURCE, requestor=True)
    receiver = _end(event.destination, source, ours=event.inbound, role=codes.DESTINATION, requestor=False)
    return sender, receiver


def _end(party: Party, source: AuditSource, *, ours: bool, role: Code, requestor: bool) -> _Participant:
    return _Participant(
        user_id=source.process if ours else party.address or party.ae or "unknown",
        aes=(party.ae,) if party.ae else (),
        user_name="" if ours else party.subject,
        requestor=requestor,
        address=source.host if ours else party.address,
        role=role,
    )


def _study_and_patient(study: StudyFacts) -> tuple[_Object, _Object]:
    cycle = "7" if study.anonymized else ""
    facts = _Object(
        study.study,
        codes.STUDY_INSTANCE_UID,
        "2",
        "3",
        life_cycle=cycle,
        sop_classes=study.sop_classes,
        anonymized=study.anonymized,
    )
    return facts, _patient("" if study.anonymized else study.patient_id, study.study, anonymized=study.anonymized)


def _patient(patient_id: str, study: str, *, anonymized: bool = False) -> _Object:
    details: tuple[tuple[str, str], ...] = ()
    if anonymized:
        details = (("Patient ID", "left out: the instances were de-identified"),)
    elif not patient_id:
        details = (("Patient ID", "empty in the instances"),)
    cycle = "7" if anonymized else ""
    return _Object(patient_id, codes.PATIENT_NUMBER, "1", "1", life_cycle=cycle, details=details, studies=(study,))


def _participant(root: etree._Element, told: _Participant) -> None:
    element = _sub(root, "ActiveParticipant", UserID=told.user_id or "unknown")
    if told.aes:  # A.5.2.1: separated by semicolons, so one inside an AE title is escaped
        aes = ";".join(safe(ae).replace(";", r"\u{3B}") for ae in told.aes)
        element.set("AlternativeUserID", f"AETITLES={aes}")
    if told.user_name:
        element.set("UserName", safe(told.user_name))
    element.set("UserIsRequestor", "true" if told.requestor else "false")
    if told.address:
        element.set("NetworkAccessPointID", safe(told.address))
        element.set("NetworkAccessPointTypeCode", _access_point(told.address))
    if told.role is not None:
        _code(element, "RoleIDCode", told.role)
    if told.media is not None:
        _code(_sub(element, "MediaIdentifier"), "MediaType", told.media)


def _access_point(address: str) -> str:
    """2 IP address, 4 e-mail address, 5 URI, 1 machine name (A.5.2.1)."""
    if address.startswith("mailto:"):
        return "4"
    try:
        ip_address(address)
    except ValueError:
        return "5" if ":/" in address else "1"
    return "2"


def _object(root: etree._Element, told: _Object) -> None:
    element = _sub(
        root,
        "ParticipantObjectIdentification",
        ParticipantObjectTypeCode=told.type_code,
        ParticipantObjectTypeCodeRole=told.role,
        ParticipantObjectDataLifeCycle=told.life_cycle,
    )
    element.set("ParticipantObjectID", safe(told.id))
    _code(element, "ParticipantObjectIDTypeCode", told.id_type)
    _sub(element, "ParticipantObjectName")  # the schema wants it; for a patient it stays empty on purpose
    # A UID that is none would make the message invalid: it is told as a detail instead.
    details = [*told.details, *(("InvalidSOPClassUID", uid) for uid in told.sop_classes if not _OID.fullmatch(uid))]
    details += [("InvalidSOPInstanceUID", uid) for uid in told.instances if not _OID.fullmatch(uid)]
    for kind, value in details:
        detail = _sub(element, "ParticipantObjectDetail", type=kind)
        detail.set("value", b64encode(safe(value).encode()).decode())  # also when it is empty: the schema wants it
    described = _sub(element, "ParticipantObjectDescription")
    for uid, number in told.sop_classes.items():
        sop_class = _sub(described, "SOPClass", UID=uid if _OID.fullmatch(uid) else "", NumberOfInstances=str(number))
        for instance in _valid(told.instances):
            _sub(sop_class, "Instance", UID=instance)
    # A.5.1 leaves it optional; dcm4che's schema, which collectors use, wants it in every description.
    studies = _sub(described, "ParticipantObjectContainsStudy")
    for study in _valid(told.studies):
        _sub(studies, "StudyIDs", UID=study)
    if told.sop_classes and told.anonymized is not None:
        _sub(described, "Encrypted").text = "false"
        _sub(described, "Anonymized").text = "true" if told.anonymized else "false"


def _valid(uids: Iterable[str]) -> list[str]:
    return [uid for uid in uids if _OID.fullmatch(uid)]


def _code(parent: etree._Element, name: str, code: Code) -> None:
    element = _sub(parent, name)
    element.set("csd-code", code.value)
    element.set("codeSystemName", code.scheme)
    element.set("originalText", code.meaning)


def _sub(parent: etree._Element, name: str, **attributes: str) -> etree._Element:
    """A child with those attributes that are not empty."""
    element = etree.SubElement(parent, name)
    for key, value in attributes.items():
        if value:
            element.set(key, safe(value))
    return element
