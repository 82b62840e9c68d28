"""The steps `aim` and `sr`: a report as AIM and back, with no identity left where it was de-identified."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.config.annotations import Aim, Annotations
from gateway.config.kinds import Kind
from gateway.config.load import examine_bytes
from gateway.config.schema import Step
from gateway.egress import Egress
from gateway.errors import HoldObject
from gateway.model import Decision, Identity, Instance, Origin, Stored, Verdict
from gateway.steps.contract import Around, Checked, Passing
from gateway.steps.table import run, told
from tests.system.senders import ct, encoded
from tests.unit.aim.part21 import PET, PET_IMAGE, SAMPLE, SEGMENTATION
from transforms.aim.model.annotation import ImageAnnotationCollection
from transforms.aim.model.context import User
from transforms.aim.model.datatypes import St
from transforms.aim.options import Options
from transforms.aim.read import read
from transforms.aim.to_sr import to_sr
from transforms.dataset.attributes import UTF8, Attributes
from transforms.dataset.syntax import EXPLICIT_LE
from transforms.deidentify.engine import Context, deidentify
from transforms.deidentify.profile import compile_profile
from transforms.egress.classes import Kept
from transforms.source import BytesSource, chunks
from transforms.sr.read import read as read_sr
from transforms.sr.write import write

NAMES = ("Quasimodo", "Esmeralda", "UNLIKELY-9931", "Frollo", "19600101")


def identified() -> ImageAnnotationCollection:
    """The sample of an invented patient, by an invented reader who wrote the name down."""
    assert SAMPLE.person is not None
    annotation = replace(SAMPLE.image_annotations[0], comment=St("Mrs Quasimodo Esmeralda, seen again"))
    return replace(
        SAMPLE,
        person=replace(SAMPLE.person, name=St("Quasimodo^Esmeralda"), id=St("UNLIKELY-9931")),
        user=User(name=St("Frollo^Claude"), login_name=St("frollo")),
        image_annotations=(annotation,),
    )


def report() -> BytesSource:
    return BytesSource(write(to_sr(identified(), Options(), lambda _: None)))


def around() -> Around:
    return Around(cast(Any, None), Egress(), lambda parts: BytesSource(b"".join(parts)), trace=True)


def passing(source: Any, **more: Any) -> Passing:
    identity = Identity("1.2.840.10008.5.1.4.1.1.88.22", "1.2.3", "1.2.4", "1.2.5", "4711", "SR")
    return Passing(source, EXPLICIT_LE, identity, **more)


def text(made: Passing) -> bytes:
    return b"".join(chunks(made.source))


def test_a_report_becomes_aim_and_a_report_again() -> None:
    made = run(passing(report()), Step(aim=Aim()), around())
    assert (made.kind, made.syntax, made.done) == (Kind.AIM, "", ("aim",))
    assert read(text(made)).aim_version == "AIMv4_2"
    back = run(made, Step(sr=Annotations()), around())
    assert (back.kind, back.syntax, back.done) == (Kind.DICOM, EXPLICIT_LE, ("aim", "sr"))
    assert back.identity.sop_instance == SAMPLE.unique_identifier  # nothing was lost
    assert text(back) == text(passing(report()))


def test_the_version_is_the_steps() -> None:
    made = run(passing(report()), Step(aim=Aim(version="4.0")), around())
    assert read(text(made)).aim_version == "AIMv4_0"
    assert told(Step(aim=Aim(version="4.0"))) == "as AIM 4.0"


@pytest.mark.parametrize("source", [b"", b"no data set"])
def test_what_is_no_report_is_held(source: bytes) -> None:
    with pytest.raises(HoldObject):
        run(passing(BytesSource(source)), Step(aim=Aim()), around())
    with pytest.raises(HoldObject, match="aim-not-xml"):
        run(passing(BytesSource(source), kind=Kind.AIM), Step(sr=Annotations()), around())


def plane(number: int) -> BytesSource:
    """The image that the sample refers to, as a file."""
    data = ct(number)
    data.SOPInstanceUID, data.PixelSpacing = PET_IMAGE, [f"0.{number}", "0.5"]
    out = BytesIO()
    data.save_as(out, enforce_file_format=True)
    return BytesSource(out.getvalue())


RECEIVED = Instance(
    Identity("1.2", "1.3", "1.4"), Origin("in", "a" * 32, "127.0.0.1"), Stored("0" * 32, 0, 1, "0" * 64), "", 0.0,
    Decision(Verdict.DELIVER, "r"),
)  # fmt: skip


class Hand:
    """What a spool would give."""

    def __init__(self, image: BytesSource | None) -> None:
        self._image = image

    def __enter__(self) -> Hand:
        return self

    def __exit__(self, *_: object) -> None: ...

    def __call__(self, uid: str) -> BytesSource | None:
        return self._image if uid == PET_IMAGE else None

    told, missing = "images:1-of-2", 1


def seeing(image: BytesSource | None) -> Around:
    return replace(around(), instance=RECEIVED, look=lambda report, listeners: cast(Any, Hand(image)))


@pytest.mark.parametrize("to", ["aim", "sr"])
def test_images_at_hand_make_another_document(to: str) -> None:
    """What they say of their planes is in it, and its UID is made of it; it names what it was made of."""
    asking = Step(aim=Aim(images=("in",))) if to == "aim" else Step(sr=Annotations(images=("in",)))
    given = passing(report()) if to == "aim" else run(passing(report()), Step(aim=Aim()), around())

    def made(image: BytesSource | None) -> bytes:
        done = run(given, asking, seeing(image))
        assert done.done[-1] == "images:1-of-2"
        assert "1 of the images were not at hand" in str(done.told)
        return text(done)

    def uid(data: bytes) -> str:
        if to == "aim":
            return str(read(data).unique_identifier)
        return read_sr(BytesSource(data), EXPLICIT_LE).sop_instance

    without, one, other = made(None), made(plane(1)), made(plane(2))
    assert made(plane(1)) == one
    assert b"0.1" in one and b"0.2" in other
    assert len({uid(without), uid(one), uid(other)}) == 3
    assert uid(without) == SAMPLE.unique_identifier
    assert SAMPLE.unique_identifier.encode() in one
    plain = Step(aim=Aim()) if to == "aim" else Step(sr=Annotations())
    assert text(run(given, plain, seeing(plane(1)))) == without, "the rules do not ask for images"


def test_a_de_identified_report_asks_for_no_image() -> None:
    context = Context(b"k" * 32, "trial")
    original = report()
    done = deidentify(original, EXPLICIT_LE, compile_profile("basic", ("clean-structured-content",)), context)
    checked = Checked("1.2.4", original, EXPLICIT_LE, Kept(), done.patient_id)
    made = run(passing(done.plan, egress=checked), Step(aim=Aim(images=("in",))), seeing(plane(1)))
    assert made.done == ("aim",)
    assert "the document is de-identified" in str(made.told)


def mapped(uid: str, context: Context) -> str:
    """What the SOP Instance UID of an image becomes, in the image itself."""
    data = ct(1)
    data.SOPInstanceUID, data.PatientID, data.PatientName = uid, "UNLIKELY-9931", "Quasimodo"
    return deidentify(
        BytesSource(encoded(data)), EXPLICIT_LE, compile_profile("basic", ("clean-structured-content",)), context
    ).sop_instance


def test_de_identified_aim_keeps_no_identity_and_its_uids_are_those_of_its_images() -> None:
    context = Context(b"k" * 32, "trial")
    table = compile_profile("basic", ("clean-structured-content",))
    original = report()
    done = deidentify(original, EXPLICIT_LE, table, context)
    checked = Checked("1.2.4", original, EXPLICIT_LE, Kept(), done.patient_id)
    made = run(passing(done.plan, egress=checked), Step(aim=Aim()), around())
    data = text(made)
    for name in NAMES:
        assert name.encode() not in data, name
    collection = read(data)
    assert isinstance(collection, ImageAnnotationCollection) and collection.person is not None
    assert collection.person.id == done.patient_id
    (annotation,) = collection.image_annotations
    study = annotation.image_reference_entity_collection[0].image_study  # type: ignore[attr-defined]
    (image,) = study.image_series.image_collection
    assert image.sop_class_uid == PET  # registered, kept
    assert image.sop_instance_uid == mapped(PET_IMAGE, context)
    segment = annotation.segmentation_entity_collection[0]
    assert segment.sop_instance_uid == mapped(SEGMENTATION, context)  # type: ignore[attr-defined]
    assert [each.calculation_result_collection[0].value for each in annotation.calculation_entity_collection] == [  # type: ignore[attr-defined]
        "1.98024",
        "5.68816",
        "2.329186593407",
        "1.8828952323684",
    ]


@pytest.mark.parametrize("step", [Step(aim=Aim()), Step(sr=Annotations())], ids=told)
def test_a_name_that_was_left_is_found_again(step: Step) -> None:
    original = report()
    checked = Checked("1.2.4", original, EXPLICIT_LE, Kept(), "TRIAL-7")
    before = passing(original, egress=checked)
    if step.sr is not None:
        before = run(passing(original), Step(aim=Aim()), around())
        before = replace(before, egress=checked)
    with pytest.raises(HoldObject, match="egress-hit"):
        run(before, step, around())


def test_an_escape_of_xml_hides_nobody() -> None:
    """An address with & in it, in a comment: found in the AIM as it would be in the report."""
    original = Attributes()
    original.text(0x00080005, UTF8)
    original.text(0x00101040, "Smith & Sons, Quay 9")
    annotation = replace(SAMPLE.image_annotations[0], comment=St("Lives at Smith & Sons, Quay 9"))
    collection = replace(SAMPLE, image_annotations=(annotation,))
    source = BytesSource(write(to_sr(collection, Options(), lambda _: None)))
    checked = Checked("1.2.4", BytesSource(original.encoded()), EXPLICIT_LE, Kept(), "")
    with pytest.raises(HoldObject, match="egress-hit"):
        run(passing(source, egress=checked), Step(aim=Aim()), around())


FILE = """\
version: 1
state: {dir: ./state}
listeners: [{id: a, dimse: {ae: GATEWAY, port: 2762}, unsafe_plaintext: a test}]
destinations:
  epad: {http: {url: 'URL'}, SECURED}
routes:
  - {id: one, match: {Modality: SR}, steps: STEPS, deliver: [epad]}
  - {id: rest, otherwise: hold}
"""


@pytest.mark.parametrize(
    ("steps", "url", "secured", "problem"),
    [
        ("[{aim: {}}]", "http://example.org/aims", "unsafe_plaintext: a test", ""),
        ("[{aim: {version: '4.0'}}]", "http://example.org/aims", "unsafe_plaintext: a test", ""),
        ("[]", "http://example.org/aims", "unsafe_plaintext: a test", "takes aim, cda; this route gives dicom"),
        ("[{sr: {}}]", "http://example.org/aims", "unsafe_plaintext: a test", "`sr` takes aim"),
        (
            "[{aim: {version: '3'}}]",
            "http://example.org/aims",
            "unsafe_plaintext: a test",
            "'3' is not one of 4.0, 4.2",
        ),
        ("[{aim: {}}]", "https://example.org/aims", "unsafe_plaintext: a test", "this URL begins with http"),
        ("[{aim: {}}]", "http://example.org/aims", "retry: {for: 1h}", "exactly one of `tls` and `unsafe_plaintext"),
    ],
)
def test_what_does_not_fit_is_told_when_the_file_is_loaded(steps: str, url: str, secured: str, problem: str) -> None:
    text = FILE.replace("STEPS", steps).replace("SECURED", secured).replace("URL", url)
    _, found = examine_bytes(text.encode(), "gateway.yaml", Path("/base"))
    errors = [str(each) for each in found if each.severity == "error"]
    assert any(problem in each for each in errors) if problem else errors == [], errors
