"""The header of a document out of its top level: who, when, what, and where the evidence lies.

Rules of this file
* Each attribute is taken by its tag beside the field it fills; header.py says what the fields are.
* The header is read as it is: an empty or missing attribute is "", for a converter to default and to tell of. Only the
  UIDs that name the document are required, and codes are codes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from transforms.errors import TransformError
from transforms.sr.header import (
    Author,
    CodingScheme,
    Equipment,
    Evidence,
    General,
    Identifier,
    Issuer,
    Participant,
    Patient,
    PatientIdentifier,
    Person,
    Request,
    Series,
    Study,
    Verifier,
)
from transforms.sr.level import Level
from transforms.sr.read_items import Codes
from transforms.sr.values import Code, SopReference


class Header:
    """Reads the header of one document; `leave` is given each item of a sequence once all known was taken from it."""

    __slots__ = ("_codes", "_leave", "_top")

    def __init__(self, top: Level, codes: Codes, leave: Callable[[Level], None]) -> None:
        self._top = top
        self._codes = codes
        self._leave = leave

    def patient(self) -> Patient:
        """Patient and Patient Study modules, and what was de-identified (C.7.1.1, C.7.2.2, C.12.1)."""
        top = self._top
        group = top.item(0x00100026)
        source = group.text(0x00100020) if group is not None else ""
        self._done(group)
        return Patient(
            name=top.text(0x00100010),
            id=self._patient_id(top),
            other_ids=tuple([self._other_id(each) for each in top.items(0x00101002)]),
            birth_date=top.text(0x00100030),
            birth_time=top.text(0x00100032),
            sex=top.text(0x00100040),
            age=top.text(0x00101010),
            size=top.text(0x00101020),
            weight=top.text(0x00101030),
            ethnic_group=top.text(0x00102160),
            comments=top.text(0x00104000),
            source_group_id=source,
            identity_removed=top.text(0x00120062),
            deidentification_methods=top.texts(0x00120063),
            deidentification_codes=self._coded(top, 0x00120064, "the De-identification Method"),
        )

    def study(self) -> Study:
        """General Study module, and the visit (C.7.2.1, C.3.2)."""
        top = self._top
        referring = top.item(0x00080096)
        person = self._person(referring, top.text(0x00080090))
        self._done(referring)
        return Study(
            instance=top.text(0x0020000D),
            date=top.text(0x00080020),
            time=top.text(0x00080030),
            id=top.text(0x00200010),
            description=top.text(0x00081030),
            accession=self._identifier(top, 0x00080050, 0x00080051),
            referring=person,
            procedure_codes=self._coded(top, 0x00081032, "the Procedure Code"),
            physicians_of_record=top.texts(0x00081048),
            readers=top.texts(0x00081060),
            admission=self._identifier(top, 0x00380010, 0x00380014),
        )

    def series(self) -> Series:
        """SR Document Series module (C.17.1)."""
        top = self._top
        return Series(
            instance=top.text(0x0020000E),
            number=top.text(0x00200011),
            modality=top.text(0x00080060),
            description=top.text(0x0008103E),
            date=top.text(0x00080021),
            time=top.text(0x00080031),
        )

    def equipment(self) -> Equipment:
        """General Equipment module (C.7.5.1)."""
        top = self._top
        return Equipment(
            manufacturer=top.text(0x00080070),
            model=top.text(0x00081090),
            serial=top.text(0x00181000),
            software=top.texts(0x00181020),
            station=top.text(0x00081010),
            institution=top.text(0x00080080),
            institution_address=top.text(0x00080081),
            department=top.text(0x00081040),
            institution_codes=self._coded(top, 0x00080082, "the Institution Code"),
        )

    def general(self) -> General:
        """SR Document General and Key Object Document modules (C.17.2, C.17.6)."""
        top = self._top
        custodian = top.item(0x0040A07C)
        name = custodian.text(0x00080080) if custodian is not None else ""
        codes = self._coded(custodian, 0x00080082, "the Institution Code") if custodian is not None else ()
        self._done(custodian)
        return General(
            instance_number=top.text(0x00200013),
            completion=top.text(0x0040A491),
            completion_description=top.text(0x0040A492),
            verification=top.text(0x0040A493),
            preliminary=top.text(0x0040A496),
            content_date=top.text(0x00080023),
            content_time=top.text(0x00080033),
            timezone=top.text(0x00080201),
            creation_date=top.text(0x00080012),
            creation_time=top.text(0x00080013),
            verifiers=tuple([self._verifier(each) for each in top.items(0x0040A073)]),
            authors=tuple([self._author(each) for each in top.items(0x0040A078)]),
            participants=tuple([self._participant(each) for each in top.items(0x0040A07A)]),
            custodian=name,
            custodian_codes=codes,
            predecessors=self._evidence(0x0040A360),
            identical=self._evidence(0x0040A525),
            requests=tuple([self._request(each) for each in top.items(0x0040A370)]),
            performed_codes=self._coded(top, 0x0040A372, "the Performed Procedure Code"),
            current_evidence=self._evidence(0x0040A375),
            other_evidence=self._evidence(0x0040A385),
        )

    def coding_schemes(self) -> tuple[CodingScheme, ...]:
        """Coding Scheme Identification Sequence (C.12.1.1.1)."""
        return tuple([self._scheme(each) for each in self._top.items(0x00080110)])

    def uid(self, tag: int, what: str) -> str:
        """A UID that the document cannot be without. Raises sr-not-a-report."""
        found = self._top.text(tag)
        if not found:
            raise TransformError("sr-not-a-report", f"the object has no {what}")
        return found

    def _done(self, level: Level | None) -> None:
        if level is not None:
            self._leave(level)

    def _coded(self, level: Level, tag: int, what: str) -> tuple[Code, ...]:
        return self._codes.all_of(level, tag, what)

    def _issuer(self, level: Level, tag: int) -> Issuer:
        item = level.item(tag)
        if item is None:
            return Issuer()
        found = Issuer(item.text(0x00400031), item.text(0x00400032), item.text(0x00400033))
        self._leave(item)
        return found

    def _identifier(self, level: Level, tag: int, issuer: int) -> Identifier:
        return Identifier(level.text(tag), self._issuer(level, issuer))

    def _patient_id(self, level: Level) -> PatientIdentifier:
        qualifiers = level.item(0x00100024)
        universal = kind = ""
        if qualifiers is not None:
            universal, kind = qualifiers.text(0x00400032), qualifiers.text(0x00400033)
            self._leave(qualifiers)
        return PatientIdentifier(
            level.text(0x00100020), level.text(0x00100021), universal, kind, level.text(0x00100022)
        )

    def _other_id(self, level: Level) -> PatientIdentifier:
        found = self._patient_id(level)
        self._leave(level)
        return found

    def _person(self, level: Level | None, name: str) -> Person:
        """What a Person Identification macro (Table 10-1) adds to a name."""
        if level is None:
            return Person(name)
        return Person(
            name,
            self._coded(level, 0x00401101, "the Person Identification"),
            level.text(0x00080080),
            self._coded(level, 0x00080082, "the Institution Code"),
            level.text(0x00401102),
            level.texts(0x00401103),
        )

    def _author(self, level: Level, *, leave: bool = True) -> Author:
        """Identified Person or Device macro (Table C.17-3b)."""
        found = Author(
            type=level.text(0x0040A084),
            person=self._person(level, level.text(0x0040A123)),
            device_uid=level.text(0x00181002),
            station=level.text(0x00081010),
            manufacturer=level.text(0x00080070),
            model=level.text(0x00081090),
            serial=level.text(0x00181000),
        )
        if leave:
            self._leave(level)
        return found

    def _participant(self, level: Level) -> Participant:
        found = Participant(level.text(0x0040A080), level.text(0x0040A082), self._author(level, leave=False))
        self._leave(level)
        return found

    def _verifier(self, level: Level) -> Verifier:
        found = Verifier(
            name=level.text(0x0040A075),
            organization=level.text(0x0040A027),
            date_time=level.text(0x0040A030),
            codes=self._coded(level, 0x0040A088, "the Verifying Observer Identification"),
        )
        self._leave(level)
        return found

    def _request(self, level: Level) -> Request:
        requesting = level.item(0x00321031)
        person = self._person(requesting, level.text(0x00321032))
        self._done(requesting)
        found = Request(
            study=level.text(0x0020000D),
            accession=self._identifier(level, 0x00080050, 0x00080051),
            placer_order=self._identifier(level, 0x00402016, 0x00400026),
            filler_order=self._identifier(level, 0x00402017, 0x00400027),
            procedure_id=level.text(0x00401001),
            procedure_description=level.text(0x00321060),
            procedure_codes=self._coded(level, 0x00321064, "the Requested Procedure Code"),
            reason=level.text(0x00401002),
            reason_codes=self._coded(level, 0x0040100A, "the Reason for Requested Procedure"),
            requesting=person,
        )
        self._leave(level)
        return found

    def _scheme(self, level: Level) -> CodingScheme:
        found = CodingScheme(
            designator=level.text(0x00080102),
            registry=level.text(0x00080112),
            uid=level.text(0x0008010C),
            external_id=level.text(0x00080114),
            name=level.text(0x00080115),
            version=level.text(0x00080103),
            organization=level.text(0x00080116),
        )
        self._leave(level)
        return found

    def _evidence(self, tag: int) -> tuple[Evidence, ...]:
        return tuple([found for study in self._top.items(tag) for found in self._of_study(study)])

    def _of_study(self, study: Level) -> Iterator[Evidence]:
        """Hierarchical SOP Instance Reference macro (Table C.17-3)."""
        study_uid = study.text(0x0020000D)
        for series in study.items(0x00081115):
            series_uid = series.text(0x0020000E)
            for sop in series.items(0x00081199):
                reference = SopReference(sop.text(0x00081150), sop.text(0x00081155))
                purposes = self._coded(sop, 0x0040A170, "the Purpose of Reference")
                yield Evidence(study_uid, series_uid, reference, purposes)
                self._leave(sop)
            self._leave(series)
        self._leave(study)
