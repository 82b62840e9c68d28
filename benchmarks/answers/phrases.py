"""Descriptors as people write them: harmless words about the examination, and somebody's identity in between.

Rules of this file
* Every identity in a phrase also stands in the same object's header, or has the shape of one (date, telephone, mail).
* Dates stand in forms that are one word, so that a cleaned text can be judged word by word.
"""

from __future__ import annotations

import random
from typing import Final, NamedTuple

from benchmarks.answers.people import Person

HARMLESS: Final = (
    "CT chest with contrast", "Brain MRI without contrast", "Abdomen routine portal venous phase", "Head routine axial",
    "Lumbar spine sagittal", "Knee left coronal", "PET whole body attenuation corrected", "Thyroid ultrasound",
    "Mammography screening", "Follow up of pulmonary nodule", "Motion artefact in lower slices", "Patient was calm",
    "No acute finding", "Compare with prior examination", "Protocol adapted to scan length", "Low dose lung",
)  # fmt: skip
# {0}: harmless text. Each: template, labels of Person that it names (with the label of HIPAA)
_TEMPLATES: Final[tuple[tuple[str, tuple[tuple[str, str], ...]], ...]] = (
    ("{0} for {family}, {given}", (("family", "name"), ("given", "name"))),
    ("{0} of {given} {family}", (("family", "name"), ("given", "name"))),
    ("{FAMILY}^{GIVEN} {0}", (("family", "name"), ("given", "name"))),
    ("{family}: {0}", (("family", "name"),)),
    ("{0}, MRN {patient_id}", (("patient_id", "record"),)),
    ("{0} accession {accession}", (("accession", "account"),)),
    ("{0} ({birth_iso})", (("birth_iso", "date"),)),
    ("{0} dob {birth_slash}", (("birth_slash", "date"),)),
    ("{0} on {study_dot}", (("study_dot", "date"),)),
    ("{0} on {study_date}", (("study_date", "date"),)),
    ("{0}, ordered by Dr. {physician}", (("physician", "name"),)),
    ("{0}, performed by {operator}", (("operator", "name"),)),
    ("{0} at {institution_word} Clinic", (("institution_word", "place"),)),
    ("{0}; call {telephone}", (("telephone", "telephone"),)),
    ("{0}; results to {mail}", (("mail", "mail"),)),
    ("{0} {family}/{given} {patient_id}", (("family", "name"), ("given", "name"), ("patient_id", "record"))),
)
# Descriptors of Table E.1-1 with C under Clean Descriptors, by how much text they hold
LONG: Final = (
    "ImageComments", "PatientComments", "AdditionalPatientHistory", "StudyComments", "VisitComments",
    "RequestedProcedureComments", "AcquisitionComments", "ReasonForVisit",
)  # fmt: skip
SHORT: Final = (
    "StudyDescription", "SeriesDescription", "ProtocolName", "RequestedProcedureDescription",
    "PerformedProcedureStepDescription", "AdmittingDiagnosesDescription", "DerivationDescription",
)  # fmt: skip


class Phrase(NamedTuple):
    """A text, its harmless part, and (word, label) of each identity in it."""

    text: str
    harmless: str
    gone: tuple[tuple[str, str], ...]


def phrase(chance: random.Random, person: Person, longest: int = 64) -> Phrase:
    """One that fits."""
    values = _values(person)
    while True:
        template, named = chance.choice(_TEMPLATES)
        harmless = chance.choice(HARMLESS)
        text = template.format(harmless, **values)
        if len(text) <= longest:
            return Phrase(text, harmless, tuple((values[name], label) for name, label in named))


def _values(person: Person) -> dict[str, str]:
    born, seen = person.birth, person.study_date
    return {
        **person.known(),
        "FAMILY": person.family.upper(),
        "GIVEN": person.given.upper(),
        "telephone": person.telephone,
        "institution_word": person.institution.split()[0],
        "birth_iso": f"{born[:4]}-{born[4:6]}-{born[6:]}",
        "birth_slash": f"{born[4:6]}/{born[6:]}/{born[:4]}",
        "study_dot": f"{seen[6:]}.{seen[4:6]}.{seen[:4]}",
        "study_date": seen,
    }
