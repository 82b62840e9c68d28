"""SR -> CDA: the one function that the shell calls.

Rules of this file
* It is a function of its arguments: the same document, options, lineage and pictures give the same bytes.
* The id is made of all the other bytes, so they are written first.
* It raises nothing of its own but TransformError: cda-no-identity, and what `held` says.
"""

from __future__ import annotations

from dataclasses import dataclass

from transforms.cda import header, identity, sections
from transforms.cda.making import Making, Pictures
from transforms.cda.options import Lineage, Options
from transforms.cda.plan import plan
from transforms.cda.unsaid import unsaid
from transforms.errors import TransformError
from transforms.loss import LossReport
from transforms.sr.model import Document

VERSION = "1"  # of the mapping; another number where the same SR gives another document
_START = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b'<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    b' xmlns:ps3-20="urn:dicom-org:ps3-20">'
)
_END = b"</ClinicalDocument>\n"


@dataclass(frozen=True, slots=True)
class Cda:
    """A CDA document and what is to be known of it without reading it."""

    chunks: tuple[bytes, ...]  # XML in UTF-8
    root: str  # of ClinicalDocument/id
    extension: str
    lineage: Lineage
    title: str
    losses: LossReport

    @property
    def data(self) -> bytes:
        """The document in one piece."""
        return b"".join(self.chunks)

    @property
    def instance_identifier(self) -> str:
        """HL7 Instance Identifier (0040,E001): root, or root^extension."""
        return f"{self.root}^{self.extension}" if self.extension else self.root


def held(document: Document, options: Options) -> None:
    """Raises TransformError: report-unverified, report-partial, where the site wants such reports held."""
    general = document.general
    if options.unverified == "hold" and general.verification == "UNVERIFIED":
        raise TransformError("report-unverified", "Verification Flag is UNVERIFIED")
    if options.partial == "hold" and header.is_partial(document):
        raise TransformError("report-partial", "Completion Flag is PARTIAL or Preliminary Flag PRELIMINARY")


def convert(
    document: Document,
    options: Options = Options(),
    lineage: Lineage | None = None,
    pictures: Pictures | None = None,
) -> Cda:
    """The Imaging Report of an SR. `lineage` None: the first version of a set of its own."""
    if not document.sop_instance or not document.study.instance:
        raise TransformError("cda-no-identity", "SOP Instance UID or Study Instance UID is missing")
    held(document, options)
    lineage = lineage or Lineage(identity.set_of(document.sop_instance), 1)
    planned = plan(document)
    making = Making(document, options, pictures)
    header.first(making, lineage)
    first = making.take()
    header.rest(making, lineage, planned.headed)
    sections.body(making, planned)
    rest = making.take()
    unsaid(making, planned)
    root, extension = identity.document(options.id_root, (*first, *rest))
    id_chunk = f'<id root="{root}"' + (f' extension="{extension}"' if extension else "") + "/>"
    return Cda(
        (_START, *first, id_chunk.encode(), *rest, _END),
        root,
        extension,
        lineage,
        header.title(document, planned.headed),
        LossReport("sr", "cda", making.losses.lines),
    )
