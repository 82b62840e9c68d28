"""What is clean leaves: nothing that a correct de-identification keeps is taken for an identifier."""

from __future__ import annotations

import random
from pathlib import Path

import planted as planting
import pytest
import study as invented

from tests.unit.egress.outputs import EXPLICIT, IMPLICIT, clean_ct, ct, encoded, engine, parsed, searched
from transforms.dataset import convert, framing, part10
from transforms.dataset import syntax as syntaxes
from transforms.egress.check import Study
from transforms.egress.classes import Kept, kept_by
from transforms.errors import TransformError
from transforms.source import BytesSource

OPTIONS = (
    (),
    ("retain-uids",),
    ("retain-device-identity", "retain-institution-identity"),
    ("retain-full-dates",),
    ("retain-modified-dates", "clean-structured-content", "clean-descriptors", "retain-patient-characteristics"),
    ("retain-safe-private", "clean-graphics"),
)


def held(raw: bytes, syntax: str, options: tuple[str, ...]) -> list[str]:
    """What the check says of the real engine's output; nothing where the engine itself holds."""
    try:
        done = engine(raw, syntax, options)
    except TransformError:
        return []
    out = done.plan.pread(0, done.plan.size)
    return [str(hit) for hit in searched(raw, out, kept_by(options), syntax=syntax, name=f"{done.sop_instance}.dcm")]


def little_endian(content: bytes) -> tuple[bytes, str] | None:
    """A file's data set as the engine takes it; None where it is no file for it."""
    try:
        found = part10.split(BytesSource(content), tolerant=True)
        data, syntax = BytesSource(content[found.offset :]), found.syntax
        framing.check(data, syntax)
        known = syntaxes.lookup(syntax)
        if known.deflated:
            return b"".join(convert.inflate(data)), EXPLICIT
        if not known.little_endian:
            plan = convert.to_explicit_le(data, syntax)
            return plan.pread(0, plan.size), EXPLICIT
    except TransformError:
        return None
    return content[found.offset :], syntax


@pytest.mark.parametrize("options", OPTIONS, ids="+".join)
def test_the_invented_study_leaves(options: tuple[str, ...]) -> None:
    images = [invented.ct(1, number, rows=16) for number in (1, 2)]
    objects = [*images, invented.screen(1, rows=24), invented.report(1, images)]
    for data in objects:
        assert held(encoded(data), EXPLICIT, options) == []
    assert held(encoded(invented.mr(1, rows=16), IMPLICIT), IMPLICIT, options) == []
    for each in planting.planted(3):
        found = little_endian(each.content)
        assert found is not None
        assert held(*found, options) == [], each.name


def test_the_corpus_leaves(corpus_files: list[Path]) -> None:
    done, told = 0, set()
    for path in corpus_files:
        if path.stat().st_size > 2 << 20 or (found := little_endian(path.read_bytes())) is None:
            continue
        for options in (OPTIONS[0], OPTIONS[2], OPTIONS[4]):
            done += 1
            told |= {(path.name, hit) for hit in held(*found, options)}
    assert told == set()
    assert done > 300


FAMILY = [
    "Smith",
    "Tran",
    "Long",
    "White",
    "Head",
    "Hand",
    "Heart",
    "Ring",
    "Stone",
    "Fox",
    "King",
    "Rose",
    "Price",
    "Ward",
    "Philips",
    "Siemens",
    "Norm",
    "Axial",
    "Spin",
    "Echo",
    "Li",
    "Wang",
    "Zhang",
    "Ma",
    "Hu",
    "Braun",
    "Stein",
    "Lange",
    "Winter",
    "Kaiser",
    "Rossi",
    "Silva",
    "Petit",
    "Young",
    "Black",
    "Tesla",
    "Fields",
    "Chin",
    "Colon",
    "Palm",
]
GIVEN = [
    "Anna",
    "Mark",
    "Rosa",
    "Grant",
    "Max",
    "Jan",
    "May",
    "June",
    "Dean",
    "Art",
    "Carl",
    "Li",
    "Na",
    "Wei",
    "Van",
    "Thi",
    "Tom",
    "Ray",
    "Kay",
    "Ed",
    "Bo",
    "Hans",
    "Eva",
    "Min",
]


def somebody(chance: random.Random) -> list[tuple[str, str]]:
    """Identifiers as bad as real ones: short ids, names that are words, stations called as models are."""

    def digits(length: int) -> str:
        return "".join(chance.choice("0123456789") for _ in range(length))

    found = [
        (name, f"{chance.choice(FAMILY)}^{chance.choice(GIVEN)}") for name in ("patient-name", "physician", "operator")
    ]
    for name in ("patient-id", "accession", "free-id", "device"):
        found.append((name, digits(chance.randint(1, 10))))
    found += [
        ("institution", chance.choice(["CT", "MR", "Radiology", "General Hospital", "City Clinic"])),
        ("device", chance.choice(["CT01", "SIGNA", "Symphony", "STATION", "XRAY", "Scanomat"])),
        ("free-id", chance.choice(["1", "HEAD", "CT HEAD", "SPS1"])),
        ("birth-date", f"{chance.randint(1930, 2015)}{chance.randint(1, 12):02d}{chance.randint(1, 28):02d}"),
        ("study-date", f"{chance.randint(1995, 2026)}{chance.randint(1, 12):02d}{chance.randint(1, 28):02d}"),
    ]
    return found


def test_strangers_are_not_found_in_clean_objects(corpus_files: list[Path]) -> None:
    """Other people's identifiers against what leaves of real objects: fewer than 1 in 1,000."""
    chance = random.Random(4711)
    clean = [(clean_ct(), EXPLICIT)]
    for path in chance.sample(corpus_files, min(60, len(corpus_files))):
        if path.stat().st_size < 1 << 20 and (found := little_endian(path.read_bytes())):
            try:
                plan = engine(*found).plan
            except TransformError:
                continue
            clean.append((plan.pread(0, plan.size), found[1]))
    told = []
    for _ in range(60):
        known = Study(somebody(chance))
        for raw, syntax in clean:
            told += [str(hit) for hit in known.check(BytesSource(raw), syntax)]
    assert len(clean) > 20
    assert told == []


def changed(**values: object) -> bytes:
    """The invented CT with other values."""
    data = parsed(ct())
    for keyword, value in values.items():
        setattr(data, keyword, value)
    return encoded(data)


@pytest.mark.parametrize(
    "values",
    [
        {"PatientID": "1"},
        {"PatientID": "2"},
        {"PatientID": "120"},  # KVP
        {"PatientID": "200000", "ExposureInuAs": "200000"},
        {"PatientID": "HEAD", "AccessionNumber": "ISO_IR 100"},
        {"PatientName": "Head^Long", "OtherPatientNames": "Acme^Imaging"},
        {"PatientName": "Scanomat^Acme"},
        {"PatientName": "ANONYMIZED", "PatientID": "000000", "AccessionNumber": "0"},
        {"PatientName": "Original^Primary", "ReferringPhysicianName": "M"},
        {"InstitutionName": "CT", "StationName": "Scanomat 42"},
        {"StationName": "CT", "DeviceSerialNumber": "1", "OperatorsName": "HFS"},
        {"StudyDate": "19000101", "PatientBirthDate": "19000101"},
        {"StudyID": "2", "AdmissionID": "XYZ_EC"},
        {"PatientTelephoneNumbers": "110"},
    ],
    ids=str,
)
def test_what_is_short_or_ordinary_holds_nothing(values: dict[str, object]) -> None:
    assert held(changed(**values), EXPLICIT, ()) == []


def test_defined_terms_name_nobody() -> None:
    original = changed(PatientName="Headneck^Rcbf")
    out = parsed(clean_ct())
    out.BodyPartExamined, out.ImageType = "HEADNECK", ["DERIVED", "PRIMARY", "RCBF"]
    assert searched(original, encoded(out)) == ()
    out.ImageComments = "of HEADNECK"
    assert [hit.where for hit in searched(original, encoded(out))] == ["(0020,4000)"]


def test_a_short_value_still_counts_where_it_belongs() -> None:
    original = changed(PatientID="1", StudyID="7", OperatorsName="Li", StationName="CT")
    out = parsed(clean_ct())
    out.PatientID, out.StudyID, out.ReferringPhysicianName, out.StationName = "1", "7", "Li", "CT"
    hits = searched(original, encoded(out))
    assert {hit.name for hit in hits} == {"patient-id", "free-id", "operator", "device"}


def test_what_an_option_keeps_is_kept_in_its_place_only() -> None:
    out = parsed(clean_ct())
    original = parsed(ct())
    out.InstitutionName, out.StationName, out.StudyDate = "St. Erika Hospital", "SCANNER1", "20260815"
    out.StudyInstanceUID = original.StudyInstanceUID
    options = ("retain-institution-identity", "retain-device-identity", "retain-full-dates", "retain-uids")
    assert searched(ct(), encoded(out), kept_by(options)) == ()
    for number in range(4):
        less = options[:number] + options[number + 1 :]
        assert searched(ct(), encoded(out), kept_by(less)) != ()
    out.PatientComments = "Erika"
    assert [hit.name for hit in searched(ct(), encoded(out), kept_by(options))] == ["patient-name"]


def test_born_on_the_day_of_the_study() -> None:
    original = changed(PatientBirthDate="20260815")
    assert held(original, EXPLICIT, ("retain-full-dates",)) == []
    out = parsed(clean_ct())
    out.PatientBirthDate = "20260815"
    kept = kept_by(("retain-full-dates",))
    assert {hit.name for hit in searched(original, encoded(out), kept)} == {"birth-date"}


def test_a_date_moved_onto_another_is_no_hit_but_one_that_stayed_is() -> None:
    moved = Kept(shifted=True)
    out = parsed(clean_ct())
    out.AcquisitionDate = "20260801"  # the day of a calibration
    assert searched(ct(), encoded(out), moved) == ()
    assert searched(ct(), encoded(out)) != ()
    out.AcquisitionDate = "20260815"
    assert [hit.name for hit in searched(ct(), encoded(out), moved)] == ["study-date"]
    del out.AcquisitionDate
    out.ImageComments = "on 20260801"
    assert [hit.name for hit in searched(ct(), encoded(out), moved)] == ["device-date"]


def test_a_pseudonym_may_be_the_name_the_scanner_knew_never_the_id() -> None:
    original = changed(PatientName="TRIAL42-0007", PatientID="4711-XY")
    out = parsed(clean_ct())
    out.PatientName = out.PatientID = "TRIAL42-0007"
    known = Study()
    known.harvest(BytesSource(original), EXPLICIT)
    leaving = BytesSource(encoded(out))
    assert known.check(leaving, EXPLICIT) != ()
    assert known.check(leaving, EXPLICIT, pseudonym="TRIAL42-0007") == ()
    assert known.check(BytesSource(encoded(out)), EXPLICIT, pseudonym="OTHER") != ()
    same = Study()
    same.harvest(BytesSource(changed(PatientID="TRIAL42-0007")), EXPLICIT)
    assert same.check(leaving, EXPLICIT, pseudonym="TRIAL42-0007") != ()
