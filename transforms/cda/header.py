"""The header: General Header (8.1), Imaging Header (8.2), Parent Document (8.3), by Table C.3-1.

Rules of this file
* The order is that of the CDA schema. Every SHALL element is there, with a nullFlavor where nobody knows.
* legalAuthenticator only where the SR is VERIFIED, by its first verifier; further ones, and participants who attested,
  are authenticators.
* What the header has no place for is named in the losses by unsaid.py, not here.
"""

from __future__ import annotations

from profiles.cda.modalities import DERIVED, MODALITY_OF
from profiles.cda.templates import (
    ADDENDUM_REPORT,
    CDA_TYPE,
    GENERAL_HEADER,
    IMAGING_HEADER,
    IMAGING_REPORT,
    PARENT_DOCUMENT,
)
from transforms.cda import display, people, times
from transforms.cda.making import Making
from transforms.cda.options import Lineage, Organization
from transforms.cda.terms import OID, TOKEN, place_of
from transforms.sr.header import Identifier, Issuer, Person
from transforms.sr.model import Document, Item
from transforms.sr.values import Code, Coded

DEFAULT_TYPE = Code("18748-4", "LN", "Diagnostic imaging study")  # 7.1: LOINC Imaging Document Codes


def first(making: Making, lineage: Lineage) -> None:
    """What stands before the document's id."""
    writer = making.writer
    writer.leaf("realmCode", {"code": making.options.realm})
    writer.leaf("typeId", {"root": CDA_TYPE[0], "extension": CDA_TYPE[1]})
    kind = ADDENDUM_REPORT if lineage.appends else IMAGING_REPORT
    for root in (kind, GENERAL_HEADER, IMAGING_HEADER, PARENT_DOCUMENT):
        writer.leaf("templateId", {"root": root})


def rest(making: Making, lineage: Lineage, headed: tuple[Item, ...]) -> None:
    """What stands after it, to the body."""
    _document(making, lineage, headed)
    _patient(making)
    people.authors(making)
    people.transcriptionist(making)
    _custodian(making)
    _recipients(making)
    people.verifiers(making)
    people.referrer(making)
    _orders(making)
    _service(making, headed)
    _related(making, lineage)
    _encounter(making)


def title(document: Document, headed: tuple[Item, ...]) -> str:
    """Equivalent Meaning of Concept Name (121050) as text or code; else the meaning of the root's concept."""
    said = next((each for each in headed if place_of(each.name) == "equivalent-meaning"), None)
    words = (display.value(said) if said is not None else "") or display.heading(document.root) or "Imaging Report"
    return f"{words} [preliminary]" if is_partial(document) else words


def is_partial(document: Document) -> bool:
    """Whether the SR says of itself that more is to come."""
    return document.general.completion == "PARTIAL" or document.general.preliminary == "PRELIMINARY"


def _document(making: Making, lineage: Lineage, headed: tuple[Item, ...]) -> None:
    writer, document, general = making.writer, making.document, making.document.general
    _type(making)
    writer.leaf("title", text=title(document, headed))
    said = next((each for each in headed if place_of(each.name) == "equivalent-meaning"), None)
    if said is not None and isinstance(said.value, Coded):
        making.losses.left_out(display.where(said), "code of the title; its meaning is the title")
    created = times.timestamp(general.content_date, general.content_time, making.zone)
    making.time("effectiveTime", created, "ContentDate")
    writer.leaf("confidentialityCode", {"code": making.options.confidentiality, "codeSystem": "2.16.840.1.113883.5.25"})
    _language(making, headed)
    writer.leaf("setId", {"root": lineage.set_id})
    writer.leaf("versionNumber", {"value": str(lineage.version)})


def _type(making: Making) -> None:
    """code: LOINC (SHALL noNull); what an SR of another template calls itself is a translation of the general one."""
    name = making.document.root.name
    if name is not None and name.scheme == "LN":
        making.code("code", name, "1")
        return
    making.losses.defaulted("1", "document type 18748-4 (LOINC): the SR names its kind by another scheme")
    making.code("code", Code("18748-4", "LN", DEFAULT_TYPE.meaning, equivalents=(name,) if name else ()), "1")


def _language(making: Making, headed: tuple[Item, ...]) -> None:
    said = next((each for each in headed if place_of(each.name) == "language"), None)
    code = display.coded(said)
    tag = code.value if code is not None else making.options.language
    country = display.coded(display.child(said, "country")) if said is not None else None
    if country is not None and TOKEN.match(country.value) and "-" not in tag:
        tag = f"{tag}-{country.value}"
    if code is not None and said is not None:
        making.losses.left_out(
            display.where(said), "scheme and meaning of the language's code: languageCode is RFC 5646"
        )
    if TOKEN.match(tag):
        making.writer.leaf("languageCode", {"code": tag})
    else:
        making.writer.leaf("languageCode", {"nullFlavor": "UNK"})
        making.losses.defaulted("1", "the language is not known: nullFlavor UNK")


def _root(making: Making, issuer: Issuer, otherwise: str, where: str) -> str:
    """The OID of who assigned a number: as the object says, as the site says by name, as the site says."""
    if issuer.universal_type in ("", "ISO") and OID.match(issuer.universal):
        if issuer.local and where != "PatientID":  # that one is the provider's name
            making.losses.left_out(f"{where}/issuer", "name of who assigned the number, beside its OID")
        return issuer.universal
    if issuer.local or issuer.universal or issuer.universal_type:
        making.losses.left_out(f"{where}/issuer", "who assigned the number is not named by an OID")
    return making.options.authorities.named.get(issuer.local, "") or otherwise


def _patient(making: Making) -> None:
    writer, patient = making.writer, making.document.patient
    with writer.element("recordTarget"), writer.element("patientRole"):
        numbers = [each for each in (patient.id, *patient.other_ids) if each.value]
        for number, each in enumerate(numbers):
            where = "PatientID" if each is patient.id else "OtherPatientIDsSequence"
            issuer = Issuer(each.issuer, each.universal, each.universal_type)
            root = _root(making, issuer, making.options.authorities.patient if number == 0 else "", where)
            making.number("id", each.value, root, where)
        if not numbers:
            writer.leaf("id", {"nullFlavor": making.absent})
        making.text_or_null("addr", making.other("PatientAddress"))
        making.telecom(*making.others("PatientTelephoneNumbers"))
        with writer.element("patient"):
            making.person("name", patient.name)
            if patient.sex in ("M", "F"):
                writer.leaf("administrativeGenderCode", {"code": patient.sex, "codeSystem": "2.16.840.1.113883.5.1"})
            else:  # C.3: O is UNK
                writer.leaf("administrativeGenderCode", {"nullFlavor": "UNK" if patient.sex else making.absent})
                if patient.sex:
                    making.losses.changed("PatientSex", "neither M nor F: nullFlavor UNK (C.3)")
            birth = times.timestamp(patient.birth_date, patient.birth_time, making.zone)
            if birth is None and patient.birth_time:
                birth = times.timestamp(patient.birth_date)
                making.losses.left_out("PatientBirthTime", "no date or time as DICOM writes one")
            making.time("birthTime", birth, "PatientBirthDate")
        site = making.options.provider
        if name := patient.id.issuer or site.name:
            _organization(making, "providerOrganization", Organization(name, site.root, site.extension, site.address,
                                                                       site.telephone))  # fmt: skip


def _organization(making: Making, name: str, given: Organization) -> None:
    writer = making.writer
    with writer.element(name):
        if given.root or given.extension:
            _organization_id(making, given)
        making.text_or_null("name", given.name)
        if given.telephone:
            making.telecom(given.telephone)
        if given.address:
            writer.leaf("addr", text=given.address)


def _organization_id(making: Making, given: Organization) -> None:
    start = {"root": given.root} if OID.match(given.root) else {"nullFlavor": making.absent}
    making.writer.leaf("id", start | ({"extension": given.extension} if given.extension else {}))


def _custodian(making: Making) -> None:
    writer, general, site = making.writer, making.document.general, making.options.custodian
    with (
        writer.element("custodian"),
        writer.element("assignedCustodian"),
        writer.element("representedCustodianOrganization"),
    ):
        if general.custodian_codes and not site.root:
            making.identified_by(general.custodian_codes, "CustodialOrganizationSequence")
        else:
            _organization_id(making, site)
        making.text_or_null("name", general.custodian or site.name)
        making.telecom(site.telephone)
        making.text_or_null("addr", site.address)


def _recipients(making: Making) -> None:
    writer = making.writer
    for each in making.options.recipients:
        with writer.element("informationRecipient"), writer.element("intendedRecipient", {"classCode": "ASSIGNED"}):
            if each.name:
                with writer.element("informationRecipient"):
                    making.person("name", each.name)
            if each.organization:
                with writer.element("receivedOrganization"):
                    writer.leaf("name", text=each.organization)


def _orders(making: Making) -> None:
    """inFulfillmentOf 1..*: one for each request; without one, the study's accession number."""
    document = making.document
    requests = [(each.placer_order, each.accession, each.procedure_codes) for each in document.general.requests]
    for placer, accession, codes in requests or [(Identifier(), document.study.accession, ())]:
        _order(making, placer, accession if accession.value else document.study.accession, codes)


def _order(making: Making, placer: Identifier, accession: Identifier, codes: tuple[Code, ...]) -> None:
    writer, authorities = making.writer, making.options.authorities
    with writer.element("inFulfillmentOf"), writer.element("order"):
        root = _root(making, placer.issuer, authorities.order, "PlacerOrderNumberImagingServiceRequest")
        making.number("id", placer.value, root, "PlacerOrderNumberImagingServiceRequest")
        if codes:
            first_code, *others = codes
            making.code("code", _with(first_code, others), "RequestedProcedureCodeSequence")
        root = _root(making, accession.issuer, authorities.accession, "AccessionNumber")
        making.number("ps3-20:accessionNumber", accession.value, root, "AccessionNumber")


def _with(code: Code, others: list[Code]) -> Code:
    """A code with further ones as its translations: an element that stands once says them all."""
    return Code(code.value, code.scheme, code.meaning, code.version, code.form, (*code.equivalents, *others))


def modalities(making: Making, headed: tuple[Item, ...]) -> tuple[Code, ...]:
    """What acquired the study: (122142, DCM) of the root or of Current Procedure Descriptions, else of the evidence."""
    said = _said(making, headed, "modality")
    if said is not None:
        return (said,)
    evidence = making.document.general.current_evidence
    classes = dict.fromkeys(MODALITY_OF.get(each.reference.sop_class) for each in evidence)
    found = tuple(Code(each[0], "DCM", each[1]) for each in classes if each is not None and each[0] not in DERIVED)
    if found:
        making.losses.defaulted("1", "modality of the study: by the SOP classes of the evidence")
    return found


def region(making: Making, headed: tuple[Item, ...]) -> Code | None:
    """What was imaged: (123014, DCM) of the root or of Current Procedure Descriptions."""
    return _said(making, headed, "region")


def _said(making: Making, headed: tuple[Item, ...], place: str) -> Code | None:
    for each in headed:
        if place_of(each.name) == place:
            return display.coded(each)
    for section in making.document.root.children:
        if section.name is not None and section.name.value in ("55111-9", "121064"):
            return display.coded(display.child(section, place))
    return None


def _service(making: Making, headed: tuple[Item, ...]) -> None:
    writer, study = making.writer, making.document.study
    with writer.element("documentationOf"), writer.element("serviceEvent", {"classCode": "ACT"}):
        making.uid("id", study.instance, "StudyInstanceUID")
        procedure(making, headed, "code", also_header=True)
        time = times.timestamp(study.date, study.time, making.zone)
        making.from_low("effectiveTime", time, "StudyDate")


def procedures(making: Making) -> tuple[Code, ...]:
    """What was done: Procedure Code Sequence (0008,1032), else Performed Procedure Code Sequence (0040,A372)."""
    return making.document.study.procedure_codes or making.document.general.performed_codes


def procedure(making: Making, headed: tuple[Item, ...], name: str, *, also_header: bool = False) -> None:
    """Procedure Code Sequence (0008,1032) as one code, in the header with modality and region as translations."""
    codes = procedures(making)
    more = [*codes[1:]]
    if also_header:
        more += modalities(making, headed)
        if (where := region(making, headed)) is not None:
            more.append(where)
    if codes:
        making.code(name, _with(codes[0], more), "ProcedureCodeSequence")
        return
    with making.writer.element(name, {"nullFlavor": making.absent}):
        for each in more:
            making.code("translation", each, "ProcedureCodeSequence")


def _related(making: Making, lineage: Lineage) -> None:
    """RPLC where the version before is known, APND where this is an addendum to it (7.2); XFRM of the SR always."""
    writer = making.writer
    if lineage.replaces:
        root, _, extension = lineage.replaces.partition("^")
        kind = "APND" if lineage.appends else "RPLC"
        with writer.element("relatedDocument", {"typeCode": kind}), writer.element("parentDocument"):
            writer.leaf("id", {"root": root} | ({"extension": extension} if extension else {}))
            if not lineage.appends:
                writer.leaf("setId", {"root": lineage.set_id})
                writer.leaf("versionNumber", {"value": str(lineage.version - 1)})
    with writer.element("relatedDocument", {"typeCode": "XFRM"}), writer.element("parentDocument"):
        making.uid("id", making.document.sop_instance, "SOPInstanceUID")


def _encounter(making: Making) -> None:
    writer, document, site = making.writer, making.document, making.options.facility
    with writer.element("componentOf"), writer.element("encompassingEncounter"):
        if document.study.admission.value:
            root = _root(making, document.study.admission.issuer, making.options.authorities.admission, "AdmissionID")
            making.number("id", document.study.admission.value, root, "AdmissionID")
        writer.leaf("effectiveTime", {"nullFlavor": making.absent})
        for name in document.study.physicians_of_record:
            with (
                writer.element("encounterParticipant", {"typeCode": "ATND"}),
                writer.element("assignedEntity"),
            ):
                writer.leaf("id", {"nullFlavor": making.absent})
                with writer.element("assignedPerson"):
                    making.person("name", name)
        equipment = document.equipment
        institution = equipment.institution or site.name
        address = equipment.institution_address or site.address
        if institution or address or equipment.institution_codes:
            with writer.element("location"), writer.element("healthCareFacility"):
                with writer.element("location"):
                    making.text_or_null("name", site.name)
                    making.text_or_null("addr", address)
                person = Person(institution=institution, institution_codes=equipment.institution_codes)
                people.institution(making, person, "InstitutionCodeSequence", "serviceProviderOrganization")
