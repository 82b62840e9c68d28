"""Real objects with an invented patient planted into them: real structures, invented identities.

Rules of this file
* Whatever patient was there is written over. What must stay is asked of attributes that the object really has.
* An object that pydicom cannot read and write again, or that has no place for the patient, is left out.
* Nothing of a real object is kept by the project: the set is made where the corpus is, and stays there.
"""

from __future__ import annotations

import hashlib
import random
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pydicom
from pydicom.dataset import Dataset

from benchmarks.answers import content, forms, kinds, leaks, people
from benchmarks.answers.plant import Made, Planter
from examples import study

_LARGEST: Final = 4 << 20  # bytes of a file
_FOREIGN: Final = ("1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99")  # big endian, deflated: another test's
_MEDIA: Final = "1.2.840.10008.1.3.10"  # a directory is no object of a patient


def made(folder: Path, first: int, seed: int, options: frozenset[str]) -> Iterator[Made]:
    """As many as take a patient; the first has the number `first`."""
    number, seen = first, set()
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        raw = path.read_bytes() if path.stat().st_size <= _LARGEST else b""
        digest = hashlib.sha256(raw).digest()
        if not raw or digest in seen:
            continue
        seen.add(digest)
        try:
            one = _one(path, number, seed, options)
        except Exception:  # unreadable, unwritable, or it cannot take the patient
            continue
        yield one
        number += 1


def _one(path: Path, number: int, seed: int, options: frozenset[str]) -> Made:
    person = people.person(seed, number)
    planter = Planter(_taken(path, person, number), person, random.Random(f"{seed}/corpus/{number}"), options)
    digest = _digest(planter.data)
    implicit = planter.data.file_meta.TransferSyntaxUID.is_implicit_VR
    leaks.matrix(planter, [each for each in forms.combinations() if each.depth != 0 or each.encoding == "ascii"][:60])
    leaks.header(planter)
    content.characteristics(planter, planter.chance)
    content.texts(planter)
    content.dates(planter, planter.chance)
    leaks.before(planter)
    leaks.private(planter, implicit=implicit)
    content.common(planter, "corpus")
    if digest:
        planter.note("pixels_retained", "", digest, "kept: pixels")
    leaks.meta(planter)
    return planter.finish(f"{number:05d}.dcm")


def _taken(path: Path, person: people.Person, number: int) -> Dataset:
    """The object, of this patient. Raises whatever pydicom raises, ValueError where it is no object of a patient."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = pydicom.dcmread(path)
        data.decode()
    syntax = data.file_meta.TransferSyntaxUID
    if syntax in _FOREIGN or data.SOPClassUID == _MEDIA or data.SOPClassUID.is_private:
        raise ValueError("another kind of object")
    for element in list(data):
        if element.VR == "PN" or element.tag.is_private:
            del data[element.tag]
    return study.fill(
        data,
        SpecificCharacterSet="ISO_IR 192",
        PatientName=person.name,
        PatientID=person.patient_id,
        PatientBirthDate=person.birth,
        AccessionNumber=person.accession,
        StudyInstanceUID=f"{kinds.root(person)}.1",
        SeriesInstanceUID=f"{kinds.root(person)}.2.1",
        SOPInstanceUID=f"{kinds.root(person)}.3.1.{number}",
        StudyDate=person.study_date,
        ReferringPhysicianName=person.physician,
        OperatorsName=person.operator,
        InstitutionName=person.institution,
    )


def _digest(data: Dataset) -> str:
    pixels = data.get("PixelData")
    return hashlib.md5(pixels + b"\0" * (len(pixels) & 1)).hexdigest() if isinstance(pixels, bytes) else ""
