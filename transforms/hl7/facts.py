"""What a message needs to know of a CDA document: who, which document, when, of what order. Read from its header.

* Times stay HL7 TS texts. A nullFlavor is an absent value: "".
* It reads any CDA R2, not only ours: what is missing is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from transforms.errors import TransformError
from transforms.xmltext import parsed

_NS: Final = {"v3": "urn:hl7-org:v3", "p": "urn:dicom-org:ps3-20"}
_ROOT: Final = "{urn:hl7-org:v3}ClinicalDocument"


@dataclass(frozen=True, slots=True)
class Id:
    """An II: root and extension."""

    root: str = ""
    extension: str = ""

    @property
    def whole(self) -> str:
        """root^extension, as DICOM's HL7 Instance Identifier (0040,E001) has it."""
        return f"{self.root}^{self.extension}" if self.extension else self.root


@dataclass(frozen=True, slots=True)
class Coded:
    """A code: value, code system OID, display name."""

    code: str = ""
    system: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Name:
    """A person's name in its parts; `text` where it was not given in parts."""

    family: str = ""
    given: tuple[str, ...] = ()
    prefix: str = ""
    suffix: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Signer:
    """Author or legal authenticator."""

    id: Id
    name: Name
    time: str


@dataclass(frozen=True, slots=True)
class Order:
    """An order the document fulfils."""

    placer: Id
    accession: Id
    code: Coded


@dataclass(frozen=True, slots=True)
class Facts:
    """The header of one CDA document."""

    id: Id
    code: Coded
    title: str
    time: str  # effectiveTime
    confidentiality: str
    patient_ids: tuple[Id, ...]
    patient: Name
    birth_time: str
    gender: str
    authors: tuple[Signer, ...]
    signer: Signer | None  # legalAuthenticator
    replaces: Id | None  # relatedDocument RPLC
    source: Id | None  # relatedDocument XFRM: the SR
    orders: tuple[Order, ...]
    encounter: Id
    study_time: str  # of the first documented service
    study: Id  # the same's id: Study Instance UID


def of(data: bytes) -> Facts:
    """The facts of a CDA document. Raises TransformError: xml-malformed, xml-doctype, cda-unreadable."""
    root = parsed(data)
    if root.tag != _ROOT:
        raise TransformError("cda-unreadable", "the document is no ClinicalDocument of HL7 v3")
    if not _id(_first(root, "v3:id")).root:
        raise TransformError("cda-unreadable", "the document has no id")
    patient = _first(root, "v3:recordTarget/v3:patientRole")
    signer = _first(root, "v3:legalAuthenticator")
    service = "v3:documentationOf/v3:serviceEvent"
    return Facts(
        id=_id(_first(root, "v3:id")),
        code=_code(_first(root, "v3:code")),
        title=_text(_first(root, "v3:title")),
        time=_value(_first(root, "v3:effectiveTime")),
        confidentiality=_code(_first(root, "v3:confidentialityCode")).code,
        patient_ids=tuple(found for each in _all(patient, "v3:id") if (found := _id(each)).root or found.extension),
        patient=_name(_first(patient, "v3:patient/v3:name")),
        birth_time=_value(_first(patient, "v3:patient/v3:birthTime")),
        gender=_code(_first(patient, "v3:patient/v3:administrativeGenderCode")).code,
        authors=tuple(_signer(each, "v3:assignedAuthor") for each in _all(root, "v3:author")),
        signer=_signer(signer, "v3:assignedEntity") if signer is not None else None,
        replaces=_related(root, "RPLC"),
        source=_related(root, "XFRM"),
        orders=tuple(_order(each) for each in _all(root, "v3:inFulfillmentOf/v3:order")),
        encounter=_id(_first(root, "v3:componentOf/v3:encompassingEncounter/v3:id")),
        study_time=_value(_first(root, f"{service}/v3:effectiveTime/v3:low")),
        study=_id(_first(root, f"{service}/v3:id")),
    )


def _all(element: Any, path: str) -> list[Any]:
    return [] if element is None else list(element.xpath(path, namespaces=_NS))


def _first(element: Any, path: str) -> Any:
    return next(iter(_all(element, path)), None)


def _value(element: Any) -> str:
    return "" if element is None else element.get("value", "")


def _text(element: Any) -> str:
    return "" if element is None else " ".join("".join(element.itertext()).split())


def _id(element: Any) -> Id:
    return Id() if element is None else Id(element.get("root", ""), element.get("extension", ""))


def _code(element: Any) -> Coded:
    if element is None:
        return Coded()
    return Coded(element.get("code", ""), element.get("codeSystem", ""), element.get("displayName", ""))


def _name(element: Any) -> Name:
    if element is None:
        return Name()
    family, prefix, suffix = (_text(_first(element, f"v3:{part}")) for part in ("family", "prefix", "suffix"))
    given = tuple(_text(each) for each in _all(element, "v3:given"))
    whole = "" if family or given else _text(element)
    return Name(family, given, prefix, suffix, whole)


def _signer(element: Any, role: str) -> Signer:
    entity = _first(element, role)
    return Signer(
        _id(_first(entity, "v3:id")),
        _name(_first(entity, "v3:assignedPerson/v3:name")),
        _value(_first(element, "v3:time")),
    )


def _related(root: Any, kind: str) -> Id | None:
    found = _first(root, f"v3:relatedDocument[@typeCode='{kind}']/v3:parentDocument/v3:id")
    return None if found is None else _id(found)


def _order(element: Any) -> Order:
    return Order(
        _id(_first(element, "v3:id")), _id(_first(element, "p:accessionNumber")), _code(_first(element, "v3:code"))
    )
