"""What a site says that an SR does not: who keeps the document, what its numbers are numbers of, where images are.

Rules of this file
* All of it is optional. What is missing becomes the nullFlavor that PS3.20 wants; `gateway check` tells what an EHR
  usually insists on.
* The object's own word goes first: an assigning authority in the SR beats the one here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Organization:
    """A name with what HL7 asks beside it."""

    name: str = ""
    root: str = ""  # OID of the organization, or of who numbers it
    extension: str = ""
    address: str = ""
    telephone: str = ""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who shall get a copy (informationRecipient)."""

    name: str = ""  # a PN value: Family^Given
    organization: str = ""


@dataclass(frozen=True, slots=True)
class Authorities:
    """Who assigned a number, as an OID, where the SR does not say."""

    patient: str = ""  # of Patient ID
    accession: str = ""
    order: str = ""  # of Placer Order Number
    admission: str = ""
    person: str = ""  # of what identifies people by codes of a scheme that has no OID
    named: Mapping[str, str] = field(default_factory=dict)  # by Issuer of Patient ID, or Local Namespace Entity ID


@dataclass(frozen=True, slots=True)
class Options:
    """The `reports` block of a route."""

    realm: str = "UV"
    id_root: str = ""  # OID under which documents are numbered; "": each has an OID of its own (2.25)
    confidentiality: str = "N"  # N, R, V of HL7 Confidentiality
    language: str = ""  # of documents that name none, RFC 5646
    custodian: Organization = Organization()
    provider: Organization = Organization()  # of the patient's number
    facility: Organization = Organization()  # where the encounter took place
    recipients: tuple[Recipient, ...] = ()
    authorities: Authorities = Authorities()
    coding_schemes: Mapping[str, str] = field(default_factory=dict)  # designator -> OID
    wado: str = ""  # base of the links to images; "": no links
    wado_style: Literal["rs", "uri"] = "rs"
    unverified: Literal["mark", "hold"] = "mark"  # an SR that nobody verified; marked: it has no legalAuthenticator
    partial: Literal["mark", "hold"] = "mark"  # a PARTIAL or PRELIMINARY one; marked: its title says so


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a document stands among its versions: what the shell remembers of those before it."""

    set_id: str  # OID, setId/@root
    version: int
    replaces: str = ""  # document id of the version before, "root" or "root^extension"; "": none is known
    appends: bool = False  # `replaces` is what an addendum report is an addendum to, not a version before it


@dataclass(frozen=True, slots=True)
class Picture:
    """A rendered key image."""

    media_type: str  # image/jpeg, image/png
    data: bytes
    without: str = ""  # what it should have been shown by, and was not: for the loss report
