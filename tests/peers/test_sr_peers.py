"""Reports that our writer wrote, as dcmtk and dicom3tools read them.

dsrdump prints the whole tree: of each report of the corpus it prints the same before and after, with codes, values,
templates and references; of one with a changed value it does not.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.sr.test_sr_cost import MM, measured
from tests.unit.sr.test_sr_round_trip import reports
from transforms.errors import TransformError
from transforms.source import BytesSource
from transforms.sr.context import settled
from transforms.sr.header import Equipment, Evidence, General, Patient, PatientIdentifier, Series, Study
from transforms.sr.model import Document
from transforms.sr.read import read_file
from transforms.sr.values import Num, SopReference
from transforms.sr.write import write_file

pytestmark = pytest.mark.peers

OPTIONS = ("+U8", "-Er", "-Ev", "-Ec", "-Ee", "-q", "+Pn", "+Pl", "+Pu", "+Psu", "+Pc", "+Pt")


def dumped(program: Callable[[str], str], path: Path) -> str:
    """What dsrdump prints; "" where it cannot read the file."""
    done = subprocess.run([program("dsrdump"), *OPTIONS, path], capture_output=True, check=False)
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""


def test_dsrdump_sees_the_same_tree(corpus_files: list[Path], program: Callable[[str], str], tmp_path: Path) -> None:
    seen = 0
    for path, _ in reports(corpus_files):
        before = dumped(program, path)
        try:
            document = read_file(BytesSource(path.read_bytes()))
        except TransformError:
            continue
        written = tmp_path / "written.dcm"
        written.write_bytes(write_file(document))
        after = dumped(program, written)
        assert after, path.name
        if before:  # pydicom's own reports are not read by dcmtk as they are; as written they are
            assert after == before, path.name
            seen += 1
    assert seen or not any("corpus" in path.parts for path in corpus_files)


def test_dsrdump_sees_a_changed_value(program: Callable[[str], str], tmp_path: Path) -> None:
    document = whole()
    first = document.root.children[0]
    other = replace(first.children[1], value=Num("777", MM))
    changed = replace(first, children=(first.children[0], other, *first.children[2:]))
    root = settled(replace(document.root, children=(changed, *document.root.children[1:])))
    for name, each in (("a", document.root), ("b", root)):
        (tmp_path / name).write_bytes(write_file(replace(document, root=each)))
    before, after = (dumped(program, tmp_path / name) for name in "ab")
    assert "777" in after and before.count("\n") == after.count("\n") > 10
    assert before != after


def whole() -> Document:
    """A report whose header has what the IOD requires."""
    image = Evidence("1.2.3", "1.2.4", SopReference("1.2.840.10008.5.1.4.1.1.2", "1.2.3.4.5.6.7.8.9"))
    return replace(
        measured(2),
        patient=Patient("Doe^Jane", PatientIdentifier("1"), birth_date="19700101", sex="F"),
        study=Study("1.2.3", "20261126", "120000", "1"),
        series=Series("1.2.5", "1", "SR"),
        equipment=Equipment("ACME", "Reporter", "7", ("1",)),
        general=General(
            instance_number="1",
            completion="COMPLETE",
            verification="UNVERIFIED",
            content_date="20261126",
            content_time="120000",
            current_evidence=(image,),
        ),
    )


@pytest.mark.parametrize("broken", [False, True])
def test_dciodvfy_has_nothing_to_say(broken: bool, program: Callable[[str], str], tmp_path: Path) -> None:
    document = whole()
    if broken:
        document = replace(document, general=replace(document.general, completion=""))
    (tmp_path / "a.dcm").write_bytes(write_file(document))
    done = subprocess.run([program("dciodvfy"), "-new", tmp_path / "a.dcm"], capture_output=True, check=False)
    said = done.stderr.decode()
    assert ("Error" in said) is broken, said
