"""CDA that we write, before judges that nobody here wrote: the CDA schemas and the international PS3.20 rules."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from tests.peers.schematron import Failed, Judge
from tests.unit.cda import worked
from tests.unit.cda.reading import parsed
from tests.unit.cda.test_sections import everything
from tests.unit.sr import trees
from transforms.cda.from_sr import convert
from transforms.cda.options import Lineage, Picture
from transforms.errors import TransformError
from transforms.source import BytesSource
from transforms.sr.model import Document
from transforms.sr.read import read_file
from transforms.sr.values import Code

pytestmark = pytest.mark.peers

_SCHEMAS = "standard/schemas"
_EXTENDED = f"{_SCHEMAS}/cda-ansforge/infrastructure/cda/CDA_extended.xsd"
_NORMATIVE = f"{_SCHEMAS}/hl7-cda-core-2.0/schema/normative/infrastructure/cda/CDA.xsd"
_RULES = f"{_SCHEMAS}/cda-schematron-dicom-part20-ansforge/schematrons/include/entrees"


def national(failed: Failed) -> bool:
    """Rules of the French frame (CI-SIS) in the international files: its template ids, one instance a series, and no
    laterality of a measurement's site, which 10.5 has."""
    return (
        any(part in failed.test for part in ("1.2.250.", "count_templateId", "'106233006'"))
        or "CI-SIS" in failed.message
    )


@pytest.fixture(scope="session")
def judge(shared: Path) -> Judge:
    return Judge(sorted((shared / _RULES).glob("*_int.sch")))


@pytest.fixture(scope="session")
def documents(corpus_files: list[Path]) -> dict[str, bytes]:
    """The worked example, and every SR of the corpus that is one."""
    found = {"worked example": convert(worked.document(), worked.SITE).data}
    found["everything"] = convert(everything(), worked.SITE, pictures=lambda _: Picture("image/png", b"PNG")).data
    found["in German"] = convert(_in_languages("de", "<de>")).data
    found["an addendum"] = convert(worked.document(), lineage=Lineage("2.25.1", 1, "2.25.2^7", appends=True)).data
    found["a version"] = convert(worked.document(), lineage=Lineage("2.25.1", 2, "2.25.2")).data
    for path in corpus_files:
        data = path.read_bytes()
        if b"1.2.840.10008.5.1.4.1.1.88." in data[:100_000]:
            try:
                found[path.name] = convert(read_file(BytesSource(data))).data
            except TransformError:
                continue  # what is held, and why, is told by tests/unit/cda/test_corpus.py
    assert len(found) > 10
    return found


@pytest.fixture
def valid(program: Callable[[str], str], tmp_path: Path) -> Callable[[bytes, Path], bool]:
    def run(data: bytes, schema: Path) -> bool:
        path = tmp_path / "document.xml"
        path.write_bytes(data)
        done = subprocess.run(
            [program("xmllint"), "--huge", "--nonet", "--noout", "--schema", str(schema), str(path)],
            capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode in (0, 3), done.stderr
        return done.returncode == 0

    return run


def _in_languages(*languages: str) -> Document:
    """The worked example, its findings in other languages."""
    document = worked.document()
    children = tuple(
        replace(each, language=Code(language, "RFC5646", language), children=())
        for each, language in zip(document.root.children[7].children * len(languages), languages, strict=True)
    )
    again = tuple(replace(each, position=(1, 8, number)) for number, each in enumerate(children, 1))
    findings = replace(document.root.children[7], children=again)
    return replace(document, root=replace(document.root, children=(*document.root.children[:7], findings)))


def _without_extension(data: bytes) -> bytes:
    root = parsed(data)
    for element in list(root.iter("{urn:dicom-org:ps3-20}*")):
        element.getparent().remove(element)  # type: ignore[union-attr]
    return etree.tostring(root)


def test_every_document_is_valid(
    documents: dict[str, bytes], valid: Callable[[bytes, Path], bool], shared: Path
) -> None:
    for name, data in documents.items():
        assert valid(data, shared / _EXTENDED), name
        assert valid(_without_extension(data), shared / _NORMATIVE), name


@pytest.fixture(scope="session")
def schema(shared: Path) -> etree.XMLSchema:
    """The same schema in this process: a generated document costs no program."""
    return etree.XMLSchema(etree.parse(shared / _EXTENDED))


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.one_of(trees.documents(), trees.headers().filter(lambda each: each.study.instance)))
def test_generated_documents_are_valid(schema: etree.XMLSchema, document: Document) -> None:
    assert schema.validate(parsed(convert(document).data)), schema.error_log.last_error


def test_the_schemas_refuse_what_is_wrong(valid: Callable[[bytes, Path], bool], shared: Path) -> None:
    data = convert(worked.document()).data
    assert not valid(data.replace(b"<custodian>", b"<custodian/><custodian>"), shared / _EXTENDED)
    assert not valid(data, shared / _NORMATIVE)  # with the extension of PS3.20


def test_every_document_obeys_the_rules(documents: dict[str, bytes], judge: Judge) -> None:
    for name, data in documents.items():
        assert [each for each in judge.failed(data) if not national(each)] == [], name


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (b'<statusCode code="completed"/>', b""),
        (b'<targetSiteCode nullFlavor="NI"/>', b""),
        (b'classCode="DGIMG"', b'classCode="OBS"'),
        (b'<methodCode code="XR"', b'<approachSiteCode code="XR"'),
        (b'xsi:type="PQ"', b'xsi:type="ST"'),
    ],
)
def test_the_rules_refuse_what_is_wrong(judge: Judge, good: bytes, bad: bytes) -> None:
    data = convert(worked.document(), worked.SITE).data
    assert good in data
    assert [each for each in judge.failed(data.replace(good, bad)) if not national(each)]


def test_a_hostile_document_is_valid(valid: Callable[[bytes, Path], bool], judge: Judge, shared: Path) -> None:
    document = worked.document()
    name = "</name><script/>&x;\u202e\x01^<b>"
    hostile = replace(document, patient=replace(document.patient, name=name, birth_date="next year", sex="?"))
    data = convert(hostile).data
    assert valid(data, shared / _EXTENDED)
    assert [each for each in judge.failed(data) if not national(each)] == []
