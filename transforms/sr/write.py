"""Document -> bytes: the mirror of read.py and read_header.py, in Explicit VR little endian.

Rules of this file
* read(write(document)) equals the document, but for `others` and icons, which are not written, and the character set,
  which is UTF-8 (ISO_IR 192).
* Attributes of type 2 stand there empty where the document has nothing for them; those of type 1 are the document's
  maker's to fill: nothing is invented.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import groupby
from typing import TYPE_CHECKING

from profiles.sr.sop_classes import KEY_OBJECTS
from transforms.dataset.attributes import UTF8, Attributes
from transforms.dataset.part10 import meta
from transforms.dataset.syntax import EXPLICIT_LE
from transforms.errors import TransformError
from transforms.sr.header import (
    Author,
    CodingScheme,
    Evidence,
    General,
    Identifier,
    Participant,
    Patient,
    PatientIdentifier,
    Person,
    Request,
    Study,
    Verifier,
)
from transforms.sr.model import Document
from transforms.sr.write_items import ItemWriter, put_reference

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset


def write(document: Document) -> bytes:
    """The data set. Raises TransformError('does-not-fit') for what its VR cannot hold."""
    return _Writer(document).encoded()


def write_file(document: Document) -> bytes:
    """The same as a DICOM file (PS3.10)."""
    try:
        return meta(document.sop_class, document.sop_instance, EXPLICIT_LE) + write(document)
    except ValueError as error:
        raise TransformError("does-not-fit", "a UID that is none") from error


def write_dataset(document: Document) -> FileDataset:
    """The same as a pydicom data set, for programs that speak it."""
    from pydicom import dcmread

    return dcmread(BytesIO(write_file(document)))


class _Writer:
    """One document's header, module by module, and its tree."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.items = ItemWriter()
        self.out = Attributes()

    def encoded(self) -> bytes:
        """All of it."""
        document, out = self.document, self.out
        out.text(0x00080005, UTF8)
        out.text(0x00080016, document.sop_class)
        out.text(0x00080018, document.sop_instance)
        out.items(0x00080110, map(_scheme, document.coding_schemes))
        self._patient(document.patient)
        self._study(document.study)
        self._series_and_equipment()
        self._general(document.general)
        self.items.put(document.root, out)
        return out.encoded()

    def _patient(self, patient: Patient) -> None:
        out = self.out
        out.text(0x00100010, patient.name, empty=True)
        self._patient_id(patient.id, out, empty=True)
        if patient.source_group_id:
            inner = Attributes()
            inner.text(0x00100020, patient.source_group_id)
            out.items(0x00100026, (inner.encoded(),))
        out.text(0x00100030, patient.birth_date, empty=True)
        out.text(0x00100032, patient.birth_time)
        out.text(0x00100040, patient.sex, empty=True)
        out.items(0x00101002, map(self._other_id, patient.other_ids))
        out.text(0x00101010, patient.age)
        out.text(0x00101020, patient.size)
        out.text(0x00101030, patient.weight)
        out.text(0x00102160, patient.ethnic_group)
        out.text(0x00104000, patient.comments)
        out.text(0x00120062, patient.identity_removed)
        out.text(0x00120063, *patient.deidentification_methods)
        out.items(0x00120064, self.items.codes(patient.deidentification_codes))

    def _study(self, study: Study) -> None:
        out = self.out
        out.text(0x00080020, study.date, empty=True)
        out.text(0x00080030, study.time, empty=True)
        _identifier(study.accession, out, 0x00080050, 0x00080051, empty=True)
        out.text(0x00080090, study.referring.name, empty=True)
        out.items(0x00080096, self._identification(study.referring))
        out.text(0x00081030, study.description)
        out.items(0x00081032, self.items.codes(study.procedure_codes))
        out.text(0x00081048, *study.physicians_of_record)
        out.text(0x00081060, *study.readers)
        out.text(0x0020000D, study.instance)
        out.text(0x00200010, study.id, empty=True)
        _identifier(study.admission, out, 0x00380010, 0x00380014)

    def _series_and_equipment(self) -> None:
        series, equipment, out = self.document.series, self.document.equipment, self.out
        out.text(0x00080021, series.date)
        out.text(0x00080031, series.time)
        out.text(0x00080060, series.modality)
        out.text(0x0008103E, series.description)
        out.items(0x00081111, (), empty=True)  # Referenced Performed Procedure Step, type 2
        out.text(0x0020000E, series.instance)
        out.text(0x00200011, series.number)
        out.text(0x00080070, equipment.manufacturer, empty=True)
        out.text(0x00080080, equipment.institution)
        out.text(0x00080081, equipment.institution_address)
        out.items(0x00080082, self.items.codes(equipment.institution_codes))
        out.text(0x00081010, equipment.station)
        out.text(0x00081040, equipment.department)
        out.text(0x00081090, equipment.model)
        out.text(0x00181000, equipment.serial)
        out.text(0x00181020, *equipment.software)

    def _general(self, general: General) -> None:
        out = self.out
        out.text(0x00080012, general.creation_date)
        out.text(0x00080013, general.creation_time)
        out.text(0x00080023, general.content_date)
        out.text(0x00080033, general.content_time)
        out.text(0x00080201, general.timezone)
        out.text(0x00200013, general.instance_number)
        out.items(0x0040A073, map(self._verifier, general.verifiers))
        out.items(0x0040A078, map(self._author, general.authors))
        out.items(0x0040A07A, map(self._participant, general.participants))
        if general.custodian or general.custodian_codes:
            inner = Attributes()
            inner.text(0x00080080, general.custodian)
            inner.items(0x00080082, self.items.codes(general.custodian_codes))
            out.items(0x0040A07C, (inner.encoded(),))
        out.items(0x0040A360, self._evidence(general.predecessors))
        out.items(0x0040A370, map(self._request, general.requests))
        key_objects = self.document.sop_class == KEY_OBJECTS
        out.items(0x0040A372, self.items.codes(general.performed_codes), empty=not key_objects)
        out.items(0x0040A375, self._evidence(general.current_evidence))
        out.items(0x0040A385, self._evidence(general.other_evidence))
        out.text(0x0040A491, general.completion)
        out.text(0x0040A492, general.completion_description)
        out.text(0x0040A493, general.verification)
        out.text(0x0040A496, general.preliminary)
        out.items(0x0040A525, self._evidence(general.identical))

    def _patient_id(self, identifier: PatientIdentifier, out: Attributes, *, empty: bool = False) -> None:
        out.text(0x00100020, identifier.value, empty=empty)
        out.text(0x00100021, identifier.issuer)
        out.text(0x00100022, identifier.type)
        if identifier.universal or identifier.universal_type:
            inner = Attributes()
            inner.text(0x00400032, identifier.universal)
            inner.text(0x00400033, identifier.universal_type)
            out.items(0x00100024, (inner.encoded(),))

    def _other_id(self, identifier: PatientIdentifier) -> bytes:
        out = Attributes()
        self._patient_id(identifier, out)
        return out.encoded()

    def _person(self, person: Person, out: Attributes) -> None:
        """What a Person Identification macro says beside the name (Table 10-1)."""
        out.items(0x00401101, self.items.codes(person.codes))
        out.text(0x00080080, person.institution)
        out.items(0x00080082, self.items.codes(person.institution_codes))
        out.text(0x00401102, person.address)
        out.text(0x00401103, *person.telephones)

    def _identification(self, person: Person) -> Iterator[bytes]:
        if person != Person(person.name):
            out = Attributes()
            self._person(person, out)
            yield out.encoded()

    def _author(self, author: Author) -> bytes:
        out = Attributes()
        self._observer(author, out)
        return out.encoded()

    def _observer(self, author: Author, out: Attributes) -> None:
        out.text(0x0040A084, author.type)
        out.text(0x0040A123, author.person.name)
        self._person(author.person, out)
        out.text(0x00181002, author.device_uid)
        out.text(0x00081010, author.station)
        out.text(0x00080070, author.manufacturer)
        out.text(0x00081090, author.model)
        out.text(0x00181000, author.serial)
        out.text(0x00080080, author.person.institution, empty=True)  # type 2 here, 3 elsewhere
        if author.type == "PSN":
            out.items(0x00401101, self.items.codes(author.person.codes), empty=True)  # type 2 of a person
            out.items(0x00080082, self.items.codes(author.person.institution_codes), empty=True)

    def _participant(self, participant: Participant) -> bytes:
        out = Attributes()
        self._observer(participant.author, out)
        out.text(0x0040A080, participant.participation)
        out.text(0x0040A082, participant.date_time)
        return out.encoded()

    def _verifier(self, verifier: Verifier) -> bytes:
        out = Attributes()
        out.text(0x0040A027, verifier.organization)
        out.text(0x0040A030, verifier.date_time)
        out.text(0x0040A075, verifier.name)
        out.items(0x0040A088, self.items.codes(verifier.codes), empty=True)
        return out.encoded()

    def _request(self, request: Request) -> bytes:
        out = Attributes()
        out.text(0x0020000D, request.study)
        _identifier(request.accession, out, 0x00080050, 0x00080051, empty=True)
        _identifier(request.placer_order, out, 0x00402016, 0x00400026, empty=True)
        _identifier(request.filler_order, out, 0x00402017, 0x00400027, empty=True)
        out.text(0x00401001, request.procedure_id, empty=True)
        out.text(0x00321060, request.procedure_description, empty=True)
        out.items(0x00321064, self.items.codes(request.procedure_codes), empty=True)
        out.items(0x00081110, (), empty=True)  # Referenced Study Sequence, type 2
        out.text(0x00401002, request.reason)
        out.items(0x0040100A, self.items.codes(request.reason_codes))
        out.text(0x00321032, request.requesting.name)
        out.items(0x00321031, self._identification(request.requesting))
        return out.encoded()

    def _evidence(self, evidence: Iterable[Evidence]) -> Iterator[bytes]:
        """Hierarchical SOP Instance Reference macro (Table C.17-3); runs of one study or series stand together."""
        for study, of_study in groupby(evidence, lambda each: each.study):
            out = Attributes()
            out.text(0x0020000D, study)
            out.items(0x00081115, self._series(of_study))
            yield out.encoded()

    def _series(self, evidence: Iterable[Evidence]) -> Iterator[bytes]:
        for series, of_series in groupby(evidence, lambda each: each.series):
            out = Attributes()
            out.text(0x0020000E, series)
            out.items(0x00081199, map(self._instance, of_series))
            yield out.encoded()

    def _instance(self, evidence: Evidence) -> bytes:
        out = Attributes()
        put_reference(evidence.reference, out)
        out.items(0x0040A170, self.items.codes(evidence.purposes))
        return out.encoded()


def _identifier(identifier: Identifier, out: Attributes, tag: int, issuer: int, *, empty: bool = False) -> None:
    out.text(tag, identifier.value, empty=empty)
    by = identifier.issuer
    if by.local or by.universal or by.universal_type:
        inner = Attributes()
        inner.text(0x00400031, by.local)
        inner.text(0x00400032, by.universal)
        inner.text(0x00400033, by.universal_type)
        out.items(issuer, (inner.encoded(),))


def _scheme(scheme: CodingScheme) -> bytes:
    out = Attributes()
    out.text(0x00080102, scheme.designator)
    out.text(0x00080103, scheme.version)
    out.text(0x0008010C, scheme.uid)
    out.text(0x00080112, scheme.registry)
    out.text(0x00080114, scheme.external_id)
    out.text(0x00080115, scheme.name)
    out.text(0x00080116, scheme.organization)
    return out.encoded()
