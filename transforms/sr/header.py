"""What a document says of itself outside its content tree: PS3.3 A.35 modules, as far as conversions need them.

Rules of this file
* As in values.py: decoded Unicode, "" for missing or empty, dates and times (DA, TM, DT) as sent.
* Attributes of the object that have no field here are named in Document.others, so that a loss report can tell of them.
* Names of persons are whole PN values with all component groups.
"""

from __future__ import annotations

from dataclasses import dataclass

from transforms.sr.values import Code, SopReference


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who assigned an identifier (PS3.3 Table 10-17, HL7v2 HD)."""

    local: str = ""  # Local Namespace Entity ID (0040,0031)
    universal: str = ""  # Universal Entity ID (0040,0032)
    universal_type: str = ""  # Universal Entity ID Type (0040,0033): ISO, DNS, ...


@dataclass(frozen=True, slots=True)
class Identifier:
    """An identifier and who assigned it. `value` "": none was sent."""

    value: str = ""
    issuer: Issuer = Issuer()


@dataclass(frozen=True, slots=True)
class PatientIdentifier:
    """Patient ID (0010,0020), or an item of Other Patient IDs Sequence (0010,1002)."""

    value: str
    issuer: str = ""  # Issuer of Patient ID (0010,0021)
    universal: str = ""  # Issuer of Patient ID Qualifiers Sequence > Universal Entity ID (0040,0032)
    universal_type: str = ""
    type: str = ""  # Type of Patient ID (0010,0022)


@dataclass(frozen=True, slots=True)
class Patient:
    """Patient and Patient Study modules (C.7.1.1, C.7.2.2)."""

    name: str = ""
    id: PatientIdentifier = PatientIdentifier("")
    other_ids: tuple[PatientIdentifier, ...] = ()
    birth_date: str = ""
    birth_time: str = ""
    sex: str = ""  # M, F, O
    age: str = ""  # Patient's Age (0010,1010), AS
    size: str = ""  # Patient's Size (0010,1020), m
    weight: str = ""  # Patient's Weight (0010,1030), kg
    ethnic_group: str = ""
    comments: str = ""
    source_group_id: str = ""  # Source Patient Group Identification Sequence (0010,0026) > Patient ID
    identity_removed: str = ""  # Patient Identity Removed (0012,0062): YES, NO
    deidentification_methods: tuple[str, ...] = ()  # De-identification Method (0012,0063)
    deidentification_codes: tuple[Code, ...] = ()  # De-identification Method Code Sequence (0012,0064)


@dataclass(frozen=True, slots=True)
class Person:
    """A person with what the Person Identification macro (Table 10-1) and its kin say."""

    name: str = ""
    codes: tuple[Code, ...] = ()  # Person Identification Code Sequence (0040,1101)
    institution: str = ""  # Institution Name (0008,0080)
    institution_codes: tuple[Code, ...] = ()  # Institution Code Sequence (0008,0082)
    address: str = ""  # Person's Address (0040,1102)
    telephones: tuple[str, ...] = ()  # Person's Telephone Numbers (0040,1103)


@dataclass(frozen=True, slots=True)
class Author:
    """An item of Author Observer Sequence (0040,A078) (Table C.17-3b)."""

    type: str  # Observer Type (0040,A084): PSN, DEV
    person: Person = Person()
    device_uid: str = ""  # Device UID (0018,1002)
    station: str = ""  # Station Name (0008,1010)
    manufacturer: str = ""
    model: str = ""
    serial: str = ""  # Device Serial Number (0018,1000)


@dataclass(frozen=True, slots=True)
class Participant:
    """An item of Participant Sequence (0040,A07A)."""

    participation: str  # Participation Type (0040,A080): SOURCE, ENT, ATTEST
    date_time: str
    author: Author


@dataclass(frozen=True, slots=True)
class Verifier:
    """An item of Verifying Observer Sequence (0040,A073)."""

    name: str
    organization: str
    date_time: str  # Verification DateTime (0040,A030)
    codes: tuple[Code, ...] = ()  # Verifying Observer Identification Code Sequence (0040,A088)


@dataclass(frozen=True, slots=True)
class Study:
    """General Study module (C.7.2.1), and where the study took place."""

    instance: str = ""  # Study Instance UID (0020,000D)
    date: str = ""
    time: str = ""
    id: str = ""
    description: str = ""
    accession: Identifier = Identifier()
    referring: Person = Person()
    procedure_codes: tuple[Code, ...] = ()  # Procedure Code Sequence (0008,1032)
    physicians_of_record: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()  # Name of Physician(s) Reading Study (0008,1060)
    admission: Identifier = Identifier()  # Admission ID (0038,0010)


@dataclass(frozen=True, slots=True)
class Series:
    """SR Document Series module (C.17.1)."""

    instance: str = ""
    number: str = ""
    modality: str = ""
    description: str = ""
    date: str = ""
    time: str = ""


@dataclass(frozen=True, slots=True)
class Equipment:
    """General Equipment module (C.7.5.1)."""

    manufacturer: str = ""
    model: str = ""
    serial: str = ""
    software: tuple[str, ...] = ()
    station: str = ""
    institution: str = ""
    institution_address: str = ""
    department: str = ""
    institution_codes: tuple[Code, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """An item of Referenced Request Sequence (0040,A370): the order that this document answers."""

    study: str = ""
    accession: Identifier = Identifier()
    placer_order: Identifier = Identifier()  # Placer Order Number / Imaging Service Request (0040,2016)
    filler_order: Identifier = Identifier()  # Filler Order Number / Imaging Service Request (0040,2017)
    procedure_id: str = ""  # Requested Procedure ID (0040,1001)
    procedure_description: str = ""
    procedure_codes: tuple[Code, ...] = ()  # Requested Procedure Code Sequence (0032,1064)
    reason: str = ""  # Reason for the Requested Procedure (0040,1002)
    reason_codes: tuple[Code, ...] = ()
    requesting: Person = Person()  # Requesting Physician (0032,1032) and his identification


@dataclass(frozen=True, slots=True)
class Evidence:
    """One SOP Instance of a hierarchical reference macro (Table C.17-3), flattened: where the instance is found."""

    study: str
    series: str
    reference: SopReference
    purposes: tuple[Code, ...] = ()  # Purpose of Reference Code Sequence (0040,A170)


@dataclass(frozen=True, slots=True)
class CodingScheme:
    """An item of Coding Scheme Identification Sequence (0008,0110): what a designator stands for."""

    designator: str
    registry: str = ""
    uid: str = ""
    external_id: str = ""
    name: str = ""
    version: str = ""
    organization: str = ""


@dataclass(frozen=True, slots=True)
class General:
    """SR Document General and Key Object Document modules (C.17.2, C.17.6)."""

    instance_number: str = ""
    completion: str = ""  # Completion Flag (0040,A491): PARTIAL, COMPLETE; "" in key objects
    completion_description: str = ""
    verification: str = ""  # Verification Flag (0040,A493): UNVERIFIED, VERIFIED
    preliminary: str = ""  # Preliminary Flag (0040,A496): PRELIMINARY, FINAL
    content_date: str = ""
    content_time: str = ""
    timezone: str = ""  # Timezone Offset From UTC (0008,0201): "+0100", for every DA and TM of the header
    creation_date: str = ""  # Instance Creation Date (0008,0012)
    creation_time: str = ""
    verifiers: tuple[Verifier, ...] = ()
    authors: tuple[Author, ...] = ()
    participants: tuple[Participant, ...] = ()
    custodian: str = ""  # Custodial Organization Sequence (0040,A07C) > Institution Name
    custodian_codes: tuple[Code, ...] = ()
    predecessors: tuple[Evidence, ...] = ()
    identical: tuple[Evidence, ...] = ()
    requests: tuple[Request, ...] = ()
    performed_codes: tuple[Code, ...] = ()  # Performed Procedure Code Sequence (0040,A372)
    current_evidence: tuple[Evidence, ...] = ()
    other_evidence: tuple[Evidence, ...] = ()  # Pertinent Other Evidence Sequence (0040,A385)
