"""`steps: [{cda: NAME}]`: documents with versions, what is held, and the egress check over the document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import pytest
import study

from gateway.config.kinds import Kind
from gateway.config.load import examine, load
from gateway.errors import ConfigRefused, HoldObject
from gateway.model import Decision, Identity, Instance, Origin, Stored, Verdict
from gateway.rulebook import Ruleset, compile_ruleset, take
from gateway.steps.contract import Around, Passing
from gateway.steps.table import run_all
from gateway.store.lineages import Lineages, lineages_of
from tests.unit.cda import worked
from tests.unit.cda.reading import found, one, parsed
from transforms.cda import from_sr, making
from transforms.dataset.syntax import EXPLICIT_LE
from transforms.source import BytesSource, chunks
from transforms.sr.header import Evidence
from transforms.sr.model import Document
from transforms.sr.read import read_file
from transforms.sr.values import Code, SopReference, Text
from transforms.sr.write import write

RULES = """
version: 1
state: {dir: state}
listeners: [{id: hospital, dimse: {ae: GATEWAY, port: 2762}, tls: {trust: ca.pem}}]
identity: {certificate: gateway.pem, key: gateway.key}
destinations: {landing: {folder: {dir: out}}}
deidentify: {trial: {key: file:project.key, options: [clean-structured-content]}}
reports:
  ehr: {custodian: {name: Site}, language: en}
  strict: {unverified: hold, partial: hold}
  pictured: {images: [hospital]}
routes:
  - {id: ehr, match: {Modality: SR}, steps: [{cda: ehr}], deliver: landing}
  - {id: strict, match: {Modality: PR}, steps: [{cda: strict}], deliver: landing}
  - {id: trial, match: {Modality: OT}, steps: [{deidentify: trial}, {cda: ehr}], deliver: landing}
  - {id: pictured, match: {Modality: KO}, steps: [{cda: pictured}], deliver: landing}
  - {id: hidden, match: {Modality: DOC}, steps: [{deidentify: trial}, {cda: pictured}], deliver: landing}
  - {id: rest, otherwise: hold, reason: no-route}
"""


RECEIVED = Instance(
    Identity("1.2", "1.3", "1.4"), Origin("hospital", "a" * 32, "127.0.0.1"), Stored("0" * 32, 0, 1, "0" * 64), "", 0.0,
    Decision(Verdict.DELIVER, "pictured"),
)  # fmt: skip


class Hand:
    """Images at hand, without a spool."""

    def __init__(self, images: dict[str, BytesSource], listeners: Sequence[str]) -> None:
        assert list(listeners) == ["hospital"]
        self._images = images
        self.asked: set[str] = set()

    def __enter__(self) -> Hand:
        return self

    def __exit__(self, *_: object) -> None: ...

    def __call__(self, uid: str) -> BytesSource | None:
        self.asked.add(uid)
        return self._images.get(uid)

    @property
    def told(self) -> str:
        return f"images:{len(self.asked & self._images.keys())}-of-{len(self.asked)}"


class Site:
    """Rules, and a document through the steps of a route."""

    def __init__(self, folder: Path) -> None:
        lineages_of.cache_clear()
        (folder / "project.key").write_bytes(bytes(range(32)))
        (folder / "project.key").chmod(0o600)
        (folder / "gateway.yaml").write_text(RULES)
        self.folder = folder
        self.ruleset: Ruleset = compile_ruleset(*take(folder / "gateway.yaml"))

    def through(
        self, route: str, document: Document, *, trial: bool = False, images: dict[str, BytesSource] | None = None
    ) -> Passing:
        source = BytesSource(write(document))
        around = Around(
            self.ruleset,
            self.ruleset.egress,
            lambda chunks: BytesSource(b"".join(chunks)),
            RECEIVED if images is not None else None,
            look=(lambda report, listeners: cast(Any, Hand(images, listeners))) if images is not None else None,
            trial=trial,
            trace=True,
        )
        identity = Identity(document.sop_class, document.sop_instance, document.study.instance, modality="SR")
        return run_all(Passing(source, EXPLICIT_LE, identity), self.ruleset.routes[route].steps, around)

    def cda(self, route: str, document: Document, **more: Any) -> bytes:
        passing = self.through(route, document, **more)
        assert passing.kind is Kind.CDA
        assert passing.syntax == ""
        return passing.source.pread(0, passing.source.size)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def _replacing(document: Document, predecessor: Document, sop_instance: str) -> Document:
    evidence = Evidence(
        predecessor.study.instance, predecessor.series.instance,
        SopReference(predecessor.sop_class, predecessor.sop_instance),
    )  # fmt: skip
    return replace(document, sop_instance=sop_instance, general=replace(document.general, predecessors=(evidence,)))


def _version(data: bytes) -> tuple[str, str, str]:
    root = parsed(data)
    return (
        one(root, "/c:ClinicalDocument/c:id/@root"),
        one(root, "/c:ClinicalDocument/c:setId/@root"),
        one(root, "/c:ClinicalDocument/c:versionNumber/@value"),
    )


def test_the_same_report_is_the_same_document(site: Site) -> None:
    first = site.cda("ehr", worked.document())
    assert site.cda("ehr", worked.document()) == first
    assert Site(site.folder).cda("ehr", worked.document()) == first  # another process
    assert site.cda("ehr", worked.document(), trial=True) == first


def test_a_corrected_report_is_the_next_version(site: Site) -> None:
    first = worked.document()
    second = _replacing(first, first, "1.2.3.2")
    third = _replacing(first, second, "1.2.3.3")
    documents = [site.cda("ehr", each) for each in (first, second, third)]
    versions = [_version(each) for each in documents]
    assert len({document for document, _, _ in versions}) == 3
    assert len({set_id for _, set_id, _ in versions}) == 1
    assert [version for _, _, version in versions] == ["1", "2", "3"]
    for (before, set_id, version), data in zip(versions, documents[1:], strict=False):
        replaced = "//c:relatedDocument[@typeCode='RPLC']/c:parentDocument"
        assert one(parsed(data), f"{replaced}/c:id/@root") == before
        assert one(parsed(data), f"{replaced}/c:setId/@root") == set_id
        assert one(parsed(data), f"{replaced}/c:versionNumber/@value") == version
    assert site.cda("ehr", second) == documents[1]  # sent again: the version it was


def test_changed_content_under_the_same_uid_is_the_next_version(site: Site) -> None:
    document = worked.document()
    first = _version(site.cda("ehr", document))
    changed = replace(document, patient=replace(document.patient, name="Doe^Jon"))
    second = _version(site.cda("ehr", changed))
    assert second[0] != first[0]
    assert second[1] == first[1]
    assert second[2] == "2"


def test_an_addendum_is_a_document_of_its_own(site: Site) -> None:
    """7.2: where an SR says nothing but addenda, and what it is an addendum to is known."""
    first = worked.document()
    text = replace(first.root.children[6].children[0], value=Text("One more thing."))
    addendum = replace(first.root.children[6], name=Code("55107-7", "LN", "Addendum"), children=(text,))
    second = _replacing(replace(first, root=replace(first.root, children=(addendum,))), first, "1.2.3.2")
    third = _replacing(second, second, "1.2.3.3")
    alone = parsed(site.cda("ehr", replace(second, sop_instance="1.2.3.9")))
    assert not found(alone, "//c:relatedDocument[@typeCode='APND']")  # nothing is known of what was before
    one_id, one_set, _ = _version(site.cda("ehr", first))
    root = parsed(site.cda("ehr", second))
    assert one(root, "/c:ClinicalDocument/c:templateId[1]/@root") == "1.2.840.10008.9.24"
    assert one(root, "//c:relatedDocument[@typeCode='APND']/c:parentDocument/c:id/@root") == one_id
    assert one(root, "/c:ClinicalDocument/c:setId/@root") != one_set
    assert one(root, "/c:ClinicalDocument/c:versionNumber/@value") == "1"
    assert not found(root, "//c:relatedDocument[@typeCode='RPLC']")
    assert site.cda("ehr", second) == site.cda("ehr", second)
    again = parsed(site.cda("ehr", third))
    assert one(again, "/c:ClinicalDocument/c:setId/@root") not in (one_set, "")


def test_what_was_never_made_is_not_replaced(tmp_path: Path) -> None:
    lineages = Lineages(tmp_path / "documents.sqlite")
    crashed = lineages.of("ehr", "1.2", "a")
    assert lineages.of("ehr", "1.2", "a") == crashed
    after = lineages.of("ehr", "1.3", "b", ["1.2"])
    assert (after.set_id, after.version, after.replaces) == (crashed.set_id, 2, "")


def test_unverified_and_partial_reports(site: Site) -> None:
    document = worked.document()
    unverified = replace(document, general=replace(document.general, verification="UNVERIFIED", verifiers=()))
    partial = replace(document, general=replace(document.general, completion="PARTIAL"))
    for each, reason in ((unverified, "report-unverified"), (partial, "report-partial")):
        with pytest.raises(HoldObject) as raised:
            site.through("strict", each)
        assert raised.value.reason == reason
    assert not found(parsed(site.cda("ehr", unverified)), "//c:legalAuthenticator")
    assert one(parsed(site.cda("ehr", partial)), "/c:ClinicalDocument/c:title").endswith("[preliminary]")


def test_what_is_no_report_is_held(site: Site) -> None:
    image = write(worked.document()).replace(b"1.2.840.10008.5.1.4.1.1.88.22", b"1.2.840.10008.5.1.4.1.1.4\0\0\0\0")
    around = Around(site.ruleset, site.ruleset.egress, lambda chunks: BytesSource(b"".join(chunks)))
    with pytest.raises(HoldObject) as raised:
        run_all(
            Passing(BytesSource(image), EXPLICIT_LE, Identity("1.2", "1.3")), site.ruleset.routes["ehr"].steps, around
        )
    assert raised.value.reason == "sr-not-a-report"


def test_a_deidentified_report_names_nobody(site: Site) -> None:
    data = site.cda("trial", worked.document())
    text = data.decode()
    for word in (
        "Doe",
        "John",
        "0000680029",
        "19641128",
        "Blitz",
        "Smith",
        "10523475",
        "World University",
        worked.STUDY,
    ):
        assert word not in text, word
    root = parsed(data)
    assert one(root, "//c:birthTime/@nullFlavor") == "MSK"
    assert one(root, "//c:associatedPerson/c:name/@nullFlavor") == "MSK"
    assert one(root, "//c:order/ps3-20:accessionNumber/@nullFlavor") == "MSK"


@pytest.mark.parametrize(
    "leak",
    [
        b"<name><given>John</given><family>Doe</family></name>",
        b"<birthTime value='19641128'/>",
        b"<id extension='0000680029'/>",
        b"<title>D&#111;e, John</title>",
    ],
)
def test_a_leak_into_the_document_is_found(site: Site, monkeypatch: pytest.MonkeyPatch, leak: bytes) -> None:
    honest = from_sr.Cda.data.fget  # type: ignore[attr-defined]
    monkeypatch.setattr(
        from_sr.Cda,
        "data",
        property(lambda self: honest(self).replace(b"</ClinicalDocument>", leak + b"</ClinicalDocument>")),
    )
    with pytest.raises(HoldObject) as raised:
        site.through("trial", worked.document())
    assert raised.value.reason == "egress-hit"


def test_a_step_that_names_no_block_is_told(site: Site) -> None:
    file = site.folder / "gateway.yaml"
    file.write_text(file.read_text().replace("steps: [{cda: strict}]", "steps: [{cda: strickt}]"))
    with pytest.raises(ConfigRefused) as raised:
        load(file)
    assert "no reports block 'strickt'" in str(raised.value)


def test_what_an_ehr_insists_on_is_named_with_its_place(site: Site) -> None:
    _, problems = examine(site.folder / "gateway.yaml")
    told = [(each.line, each.message) for each in problems if each.severity == "warning"]
    for word in ("custodian.root", "authorities.patient", "authorities.accession"):
        assert any(line == 9 and message.startswith(f"{word} is missing") for line, message in told), (word, told)
    assert not any(line == 9 and "language is missing" in message for line, message in told)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{custodian: {root: 1.02}}", "custodian.root: an OID"),
        ("{authorities: {patient: WUH}}", "authorities.patient: an OID"),
        ("{wado: 'file:///x'}", "wado: an http or https URL"),
    ],
)
def test_wrong_facts_are_told(site: Site, line: str, said: str) -> None:
    file = site.folder / "gateway.yaml"
    file.write_text(file.read_text().replace("{custodian: {name: Site}, language: en}", line))
    with pytest.raises(ConfigRefused) as raised:
        load(file)
    assert said in str(raised.value)


def key_object() -> tuple[Document, dict[str, BytesSource]]:
    """Two key images, and what they are of."""
    shown = [study.ct(7, number, 32) for number in (1, 2)]
    files = {}
    for each in shown:
        out = BytesIO()
        each.save_as(out, enforce_file_format=True)
        files[str(each.SOPInstanceUID)] = BytesSource(out.getvalue())
    out = BytesIO()
    study.key_object(7, shown).save_as(out, enforce_file_format=True)
    return read_file(BytesSource(out.getvalue())), files


def media(data: bytes) -> int:
    return len(found(parsed(data), "//c:observationMedia"))


def test_the_same_report_with_the_same_images_is_the_same_document(site: Site) -> None:
    document, files = key_object()
    some = dict(list(files.items())[:1])
    bare = site.cda("pictured", document, images={})
    two, one_of = site.cda("pictured", document, images=files), site.cda("pictured", document, images=some)
    assert [media(each) for each in (bare, two, one_of)] == [0, 2, 1]
    assert [_version(each)[2] for each in (bare, two, one_of)] == ["1", "2", "3"]
    for images, made in (({}, bare), (files, two), (some, one_of)):
        assert site.cda("pictured", document, images=images) == made
        assert Site(site.folder).cda("pictured", document, images=images) == made  # another process
    assert site.cda("pictured", document) == bare


def test_what_was_at_hand_is_told_in_steps_and_losses(site: Site) -> None:
    document, files = key_object()
    made = site.through("pictured", document, images=dict(list(files.items())[:1]))
    assert made.done == ("cda:pictured:1", "images:1-of-2")
    assert str(made.told).count("picture: the image is not at hand") == 1
    explained = site.through("pictured", document, trial=True)
    assert explained.done == ("cda:pictured:1",)
    assert str(explained.told).count("picture: only a gateway that serves looks at the images of its spool") == 2


def test_a_de_identified_report_gets_no_image_that_is_not(site: Site) -> None:
    document, files = key_object()
    assert media(site.cda("hidden", document, images=files)) == 0
    made = site.through("hidden", document, images=files)
    assert not any(each.startswith("images:") for each in made.done)
    assert str(made.told).count("picture: the document is de-identified, the images of the spool are not") == 2


def test_a_document_has_so_many_pictures_and_no_more(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "MOST_PICTURES", 1)
    document, files = key_object()
    made = site.through("pictured", document, images=files)
    assert media(b"".join(chunks(made.source))) == 1
    assert str(made.told).count("picture: a document has at most 1 of them") == 1
