"""The egress check of what a later step makes of a de-identified object: a document, a message, another object.

* A step that makes other bytes calls it; where no de-identification ran, there is nothing to check for.
* The check reads data sets: a document is put into one, as its text.
"""

from __future__ import annotations

from gateway.steps.contract import Around, Passing
from transforms.dataset.attributes import UTF8, Attributes
from transforms.dataset.syntax import EXPLICIT_LE
from transforms.source import ByteSource, BytesSource

_TEXT_VALUE = 0x0040A160


def document(passing: Passing, around: Around, text: str) -> None:
    """A text that would leave. Raises HoldObject(egress-*), WaitObject."""
    if passing.egress is not None:
        out = Attributes()
        out.text(0x00080005, UTF8)
        out.text(_TEXT_VALUE, text)
        data_set(passing, around, BytesSource(out.encoded()))


def data_set(
    passing: Passing, around: Around, output: ByteSource, name: str = "", syntax_uid: str = EXPLICIT_LE
) -> None:
    """A data set in Explicit VR little endian, compressed or not, that would leave. Raises HoldObject, WaitObject."""
    found = passing.egress
    if found is not None:
        around.egress.check(
            found.study, found.original, output, syntax_uid, found.kept,
            original_syntax=found.syntax, name=name, pseudonym=found.pseudonym,
        )  # fmt: skip
