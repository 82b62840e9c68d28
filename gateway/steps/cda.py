"""A Structured Report becomes an HL7 CDA imaging report (PS3.20), under a `reports` block.

* The same report under the same facts is the same document again; another one becomes its next version.
* Key images are drawn that are in the spool, where the block names whose (steps/looking.py). The same report with the
  same pictures is the same document; with others, its next version.
* After a de-identification the whole document is searched for what the study's originals said, as the object was.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from gateway.config.kinds import Kind
from gateway.config.schema import Step
from gateway.steps import checking
from gateway.steps.contract import Around, Passing
from gateway.steps.deidentify import little_endian
from gateway.steps.looking import Looking, drawn, looking
from transforms.cda.from_sr import VERSION, Cda, convert
from transforms.cda.options import Options, Picture
from transforms.cda.pictures import pictures
from transforms.cda.plan import is_addendum
from transforms.cda.readable import readings
from transforms.source import ByteSource, BytesSource, chunks
from transforms.sr.model import Document
from transforms.sr.read import read
from transforms.sr.values import Image


def told(step: Step) -> str:
    """On the line of `check`."""
    return f"as CDA for {step.cda}"


def run(passing: Passing, step: Step, around: Around) -> Passing:
    """Raises HoldObject, WaitObject, TransformError."""
    assert step.cda is not None
    source, uid = little_endian(passing, around)
    document = read(source, uid)
    options = around.ruleset.reports[step.cda]
    with looking(passing, around, around.ruleset.config.reports[step.cda].images) as seen:
        cda = _converted(document, options, source, step.cda, around, seen)
        told = seen.images.told if seen.images is not None else ""
    data = cda.data
    if passing.egress is not None:
        checking.document(passing, around, readings(data))
    return replace(
        passing,
        source=BytesSource(data),
        syntax="",
        kind=Kind.CDA,
        done=(*passing.done, f"cda:{step.cda}:{VERSION}", *((told,) if told else ())),
        told=cda.losses.as_text() if around.trace else None,
    )


def _converted(
    document: Document, options: Options, source: ByteSource, name: str, around: Around, seen: Looking
) -> Cda:
    depicted = _Depicted(seen)
    ask = depicted if seen.images is not None or seen.why else None
    if around.trial:
        return convert(document, options, pictures=ask)
    digest = hashlib.sha256(f"{VERSION} {options!r}".encode())
    for chunk in chunks(source):
        digest.update(chunk)
    if seen.images is not None:
        convert(document, options, pictures=ask)  # which pictures it has is part of what the document is made of
        digest.update(depicted.digest())
    key = (name, document.sop_instance, digest.hexdigest())
    before = [each.reference.sop_instance for each in document.general.predecessors]
    lineage = around.ruleset.lineages.of(*key, before, addendum=is_addendum(document))
    cda = convert(document, options, lineage, ask)
    around.ruleset.lineages.made(*key, cda.instance_identifier)
    return cda


class _Depicted:
    """The pictures of one document, each made once."""

    def __init__(self, seen: Looking) -> None:
        self._ask = pictures(seen.images, drawn) if seen.images is not None else lambda _: seen.why
        self._made: dict[Image, Picture | str] = {}

    def __call__(self, image: Image) -> Picture | str:
        if image not in self._made:
            self._made[image] = self._ask(image)
        return self._made[image]

    def digest(self) -> bytes:
        """Of the pictures in their order; nothing where there is none: then it is the document without them."""
        return b"".join(hashlib.sha256(each.data).digest() for each in self._made.values() if isinstance(each, Picture))
