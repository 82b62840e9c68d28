"""`documents: remove | clean | clean-or-hold | hold`: what leaves in place of a document, and what is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.main import command_line
from gateway.config.load import load
from gateway.documents import deidentified
from gateway.errors import ConfigRefused, HoldObject
from tests.unit.deidentify.building import KEY, Elements, encode, image, parsed
from tests.unit.documents import pdfs
from tests.unit.documents.pdfs import CLEAN, made
from tests.unit.documents.planting import CANARY
from tests.unit.documents.test_surfaces import MTL, OBJ, binary
from transforms.dataset import part10
from transforms.dataset.syntax import EXPLICIT_LE, IMPLICIT_LE
from transforms.deidentify import dummies
from transforms.deidentify.engine import Context, Deidentified
from transforms.deidentify.profile import DOCUMENTS, compile_profile
from transforms.source import BytesSource

CLASS = "1.2.840.10008.5.1.4.1.1.104."
NAMED = [
    ("the name", made("Report on Jane Doe")),
    ("the name backwards", made("DOE, J.")),
    ("the number", made("MRN 4711")),
    ("letters one by one", made(*"MRN4711")),
    ("a date", made("seen on 2024-03-01")),
]


def encapsulated(document: bytes, number: int, mime: bytes, explicit: bool = True) -> BytesSource:
    elements: Elements = {
        0x00420010: ("ST", CANARY),
        0x00420011: ("OB", document),
        0x00420012: ("LO", mime),
        0x00420015: ("UL", len(document).to_bytes(4, "little")),
    }
    whole = image(elements, f"{CLASS}{number}")
    del whole[0x7FE00010]
    return BytesSource(encode(whole, explicit))


def done(document: bytes, number: int, mime: bytes, how: str, explicit: bool = True) -> Deidentified:
    source = encapsulated(document, number, mime, explicit)
    syntax = EXPLICIT_LE if explicit else IMPLICIT_LE
    return deidentified(source, syntax, compile_profile(documents=how), Context(KEY, "test"))


def value(made: Deidentified, explicit: bool = True) -> bytes:
    data = parsed(b"".join(made.plan.chunks()), explicit)
    return bytes(data.EncapsulatedDocument[: data.EncapsulatedDocumentLength])


def test_a_pdf_that_names_nobody_leaves_as_text() -> None:
    made_ = done(made(*CLEAN, title="DOE^JANE"), 1, b"application/pdf", "clean")
    assert made_.steps[-1] == "document:clean" and made_.codes == ("113100",)
    assert value(made_).startswith(b"%PDF-") and CLEAN[1].encode() in value(made_)
    assert b"DOE" not in b"".join(made_.plan.chunks())


@pytest.mark.parametrize("what", NAMED, ids=[name for name, _ in NAMED])
def test_a_pdf_that_names_somebody_does_not_leave(what: tuple[str, bytes]) -> None:
    made_ = done(what[1], 1, b"application/pdf", "clean")
    assert made_.steps[-1] == "document:removed:document-names-somebody"
    assert value(made_) == dummies.document(b"application/pdf")
    with pytest.raises(HoldObject, match="document-names-somebody"):
        done(what[1], 1, b"application/pdf", "clean-or-hold")


@pytest.mark.parametrize("explicit", [True, False])
def test_surfaces_leave_without_words(explicit: bool) -> None:
    for number, mime, document in ((3, b"model/stl", binary()), (4, b"model/obj", OBJ), (5, b"model/mtl", MTL)):
        made_ = done(document, number, mime, "clean", explicit)
        assert made_.steps[-1] == "document:clean" and CANARY not in b"".join(made_.plan.chunks())
        assert value(made_, explicit) != dummies.document(mime)


def test_a_material_is_found_by_its_reference() -> None:
    elements: Elements = {0x00687005: ("UR", b"doe jane.mtl")}
    source = BytesSource(encode(image(elements), True))
    made_ = deidentified(source, EXPLICIT_LE, compile_profile(), Context(KEY, "test"))
    reference = parsed(b"".join(made_.plan.chunks()))[0x00687005].value
    assert b"mtllib " + reference.encode() in value(done(OBJ, 4, b"model/obj", "clean"))


@pytest.mark.parametrize(
    ("document", "number", "mime", "reason"),
    [
        (b"<ClinicalDocument/>", 2, b"text/XML", "document-kind"),
        (b"PK\3\4", 1, b"application/pdf", "pdf-malformed"),
        (pdfs.changed(pdfs.scripted), 1, b"application/pdf", "pdf-script"),
        (pdfs.changed(lambda w: w.encrypt("x")), 1, b"application/pdf", "pdf-encrypted"),
        (b"DOE", 3, b"model/stl", "stl-malformed"),
        (b"DOE", 4, b"model/obj", "obj-malformed"),
    ],
)
def test_what_cannot_be_cleaned(document: bytes, number: int, mime: bytes, reason: str) -> None:
    made_ = done(document, number, mime, "clean")
    assert made_.steps[-1] == f"document:removed:{reason}" and value(made_) == dummies.document(mime)
    with pytest.raises(HoldObject) as told:
        done(document, number, mime, "clean-or-hold")
    assert told.value.reason == reason


def test_remove_and_hold() -> None:
    assert value(done(made(*CLEAN), 1, b"application/pdf", "remove")) == dummies.document(b"application/pdf")
    with pytest.raises(HoldObject, match="encapsulated-document"):
        done(made(*CLEAN), 1, b"application/pdf", "hold")
    plain = encode(image(), True)
    for how in DOCUMENTS:
        found = deidentified(BytesSource(plain), EXPLICIT_LE, compile_profile(documents=how), Context(KEY, "test"))
        assert not any(step.startswith("document") for step in found.steps)


def test_other_content_has_other_uids() -> None:
    assert len({compile_profile(documents=how).generation for how in DOCUMENTS}) == 3  # remove and hold leave the same


def test_deid_and_check_know_it(tmp_path: Path) -> None:
    key = tmp_path / "k.key"
    key.write_bytes(bytes(range(64, 96)))
    key.chmod(0o600)
    source = encapsulated(made(*CLEAN), 1, b"application/pdf")
    file = tmp_path / "in.dcm"
    file.write_bytes(part10.meta(f"{CLASS}1", "1.2.3.4", EXPLICIT_LE) + source.pread(0, source.size))
    report, out = tmp_path / "r.json", tmp_path / "out"
    words = ["deid", str(file), "--key", str(key), "--out", str(out), "--documents", "clean", "--report", str(report)]
    assert CliRunner().invoke(command_line("deid"), words).exit_code == 0
    assert json.loads(report.read_text())["inputs"][0]["document"] == "document:clean"
    assert b"lungs are clear" in next(out.iterdir()).read_bytes()
    rules = tmp_path / "gateway.yaml"
    rules.write_text("version: 1\nstate: {dir: ./s}\ndeidentify: {a: {key: env:X, documents: keep}}\n")
    with pytest.raises(ConfigRefused, match=r"gateway\.yaml:3:"):
        load(rules)
