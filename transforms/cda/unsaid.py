"""What of the header has no place in CDA: named, so that nothing vanishes (C.1: patient study, trials ...)."""

from __future__ import annotations

from collections.abc import Iterator

from transforms.cda import display, times
from transforms.cda.making import Making
from transforms.cda.plan import Plan
from transforms.sr.header import Author, Issuer, Person
from transforms.sr.values import Container

NO_PLACE = "PS3.20 has no place for it"


def unsaid(making: Making, plan: Plan) -> None:
    """Every attribute that was sent and that the CDA does not say."""
    for where, values in _fields(making):
        if any(values) if isinstance(values, tuple) else values:
            making.losses.left_out(where, NO_PLACE)
    for item in making.document.root.walk():
        if isinstance(item.value, Container) and (item.observation_uid or item.observed_at):
            making.losses.left_out(display.where(item), "Observation UID or DateTime of a heading")
    for other in making.document.others:
        if other.path not in making.said:
            making.losses.left_out(other.path, NO_PLACE)


def _fields(making: Making) -> Iterator[tuple[str, object]]:
    document = making.document
    patient, study, series, equipment, general = (
        document.patient, document.study, document.series, document.equipment, document.general,
    )  # fmt: skip
    yield "PatientAge", patient.age
    yield "PatientSize", patient.size
    yield "PatientWeight", patient.weight
    yield "EthnicGroup", patient.ethnic_group
    yield "PatientComments", patient.comments
    yield "SourcePatientGroupIdentificationSequence", patient.source_group_id
    yield "TypeOfPatientID", tuple(each.type for each in (patient.id, *patient.other_ids))
    yield "IssuerOfPatientID", tuple(each.issuer for each in patient.other_ids)
    yield "PatientIdentityRemoved", patient.identity_removed
    yield "DeidentificationMethod", patient.deidentification_methods
    yield "DeidentificationMethodCodeSequence", patient.deidentification_codes
    yield "StudyID", study.id
    yield "NameOfPhysiciansReadingStudy", study.readers
    if study.procedure_codes and general.performed_codes != study.procedure_codes:
        yield "PerformedProcedureCodeSequence", general.performed_codes
    yield "SeriesNumber", series.number
    yield "InstanceNumber", general.instance_number
    for name in ("manufacturer", "model", "serial", "software", "station", "department"):
        yield _EQUIPMENT[name], getattr(equipment, name)
    yield "CompletionFlag", general.completion
    yield "CompletionFlagDescription", general.completion_description
    yield "PreliminaryFlag", general.preliminary
    yield "CodingSchemeIdentificationSequence", document.coding_schemes
    if not times.is_zone(general.timezone):
        yield "TimezoneOffsetFromUTC", general.timezone
    yield from _people(making)
    yield from _orders(making)
    for evidence in (*general.current_evidence, *general.other_evidence, *general.predecessors, *general.identical):
        yield "purpose of reference of evidence", evidence.purposes


_EQUIPMENT = {
    "manufacturer": "Manufacturer",
    "model": "ManufacturerModelName",
    "serial": "DeviceSerialNumber",
    "software": "SoftwareVersions",
    "station": "StationName",
    "department": "InstitutionalDepartmentName",
}


def _people(making: Making) -> Iterator[tuple[str, object]]:
    general = making.document.general
    for author in general.authors:
        if author.type == "DEV":
            yield "AuthorObserverSequence", (*_device(author), author.person.name, *author.person.telephones)
        else:
            yield "AuthorObserverSequence", _device(author)
    met = False
    for each in general.participants:
        person = each.author.type != "DEV"
        if not person or each.participation not in ("ENT", "ATTEST") or (each.participation == "ENT" and met):
            yield "ParticipantSequence", each.participation or each.date_time
        yield "ParticipantSequence", _device(each.author)
        met = met or each.participation == "ENT"
    if general.verification != "VERIFIED" or not general.verifiers:
        yield "VerificationFlag", general.verification


def _device(author: Author) -> tuple[str, ...]:
    return (author.device_uid, author.station, author.manufacturer, author.model, author.serial)


def _orders(making: Making) -> Iterator[tuple[str, object]]:
    study = making.document.study
    numbers = [("AdmissionID", study.admission), ("AccessionNumber", study.accession)]
    for request in making.document.general.requests:
        numbers += [
            ("ReferencedRequestSequence", request.accession),
            ("ReferencedRequestSequence", request.placer_order),
        ]
    for where, number in numbers:
        if not number.value:
            yield f"{where}/issuer", number.issuer != Issuer()
    for request in making.document.general.requests:
        yield "ReferencedRequestSequence/FillerOrderNumber", request.filler_order.value
        yield "ReferencedRequestSequence/RequestedProcedureID", request.procedure_id
        yield "ReferencedRequestSequence/RequestedProcedureDescription", request.procedure_description
        yield "ReferencedRequestSequence/RequestingPhysician", request.requesting != Person()
        if request.study != study.instance:
            yield "ReferencedRequestSequence/StudyInstanceUID", request.study
