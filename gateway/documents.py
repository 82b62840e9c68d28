"""What leaves in place of an encapsulated document, as the rule file's `documents` says (docs/documents.md).

* `remove`: the smallest document of its kind (the engine's dummy). `hold`: a person decides.
* `clean`: what is understood to the last word leaves without words that name somebody; what is not, or names somebody,
  becomes the dummy. `clean-or-hold` holds it instead.
* Nothing is cut out of a text: a PDF that names somebody does not leave.

Reasons: encapsulated-document, document-names-somebody, document-kind, and those of transforms/documents.
"""

from __future__ import annotations

from typing import NamedTuple

from gateway.errors import HoldObject
from transforms.dataset import framing
from transforms.dataset.index import Index
from transforms.deidentify.context import Context
from transforms.deidentify.dummies import ENCAPSULATED_DOCUMENT, mime_type
from transforms.deidentify.engine import Deidentified, Pseudonym, deidentify
from transforms.deidentify.profile import CLEAN_OR_HOLD, HOLD, REMOVE, ActionTable
from transforms.deidentify.text import Remover
from transforms.errors import TransformError
from transforms.source import ByteSource

_MIME, _LENGTH, _SOP_CLASS = 0x00420012, 0x00420015, 0x00080016
_LONGEST = 64 << 20  # bytes


class Document(NamedTuple):
    """What was made of it. `value` None: the dummy stands there. `step` tells it; "" where there was no document."""

    value: bytes | None = None
    step: str = ""


def deidentified(
    source: ByteSource,
    syntax: str,
    table: ActionTable,
    context: Context,
    *,
    patient: Pseudonym | None = None,
    index: Index | None = None,
    ran: frozenset[str] = frozenset(),
    remover: Remover | None = None,
    trace: bool = False,
) -> Deidentified:
    """`engine.deidentify` with what `documents` asks for before it. Its steps tell what became of a document, and
    `named-entities` where `remover` looked at texts.

    `index` is what framing has found in this source. Raises HoldObject where `documents` asks for it, and
    TransformError as the engine does.
    """
    found = Document()
    if table.documents != REMOVE:
        index = index or framing.check(source, syntax)
        found = document_for(source, index, table, context, remover)
    done = deidentify(
        source, syntax, table, context, index=index, patient=patient, ran=ran, document=found.value, remover=remover,
        trace=trace,
    )  # fmt: skip
    if found.step:
        done = done.after(found.step)
    return done.after("named-entities") if remover is not None and table.cleans_text else done


def document_for(
    source: ByteSource, index: Index, table: ActionTable, context: Context, remover: Remover | None = None
) -> Document:
    """Make what leaves in its place; `remover` finds more names. Raises HoldObject where `documents` asks for it."""
    place = index.get(ENCAPSULATED_DOCUMENT)
    if place is None or place.length == 0 or table.documents == REMOVE:
        return Document()
    if table.documents == HOLD:
        raise HoldObject("encapsulated-document", "the rule file says so")
    try:
        if not 0 < place.length <= _LONGEST:
            raise TransformError("document-kind", "above 64 MiB, or in fragments")
        value = source.pread(place.value, place.length)
        told = int.from_bytes(index.value_bytes(source, _LENGTH) or b"", "little")
        value = value[:told] if 0 < told <= len(value) else value
        return Document(_cleaned(value, _kind(source, index), source, index, context, remover), "document:clean")
    except TransformError as error:
        if table.documents == CLEAN_OR_HOLD:
            raise HoldObject(error.reason, error.detail) from error
        return Document(None, f"document:removed:{error.reason}")


def _kind(source: ByteSource, index: Index) -> bytes:
    """Its MIME type, in lower case."""
    sop_class = (index.value_bytes(source, _SOP_CLASS) or b"").strip(b"\0 ").decode("ascii", "replace")
    return mime_type(index.value_bytes(source, _MIME) or b"", sop_class).lower()


def _cleaned(
    value: bytes, kind: bytes, source: ByteSource, index: Index, context: Context, remover: Remover | None
) -> bytes:
    """The document without words that name somebody. Raises TransformError."""
    from transforms.documents import stl, wavefront  # few objects need them

    def rename(name: bytes) -> bytes:
        return context.pseudonym("uri", name.strip(b" \0")).encode("ascii")  # as (0068,7005) gets

    if kind == b"application/pdf":
        return _pdf(value, source, index, remover)
    if kind == b"model/stl":
        return stl.wordless(value)
    if kind == b"model/obj":
        return wavefront.wordless_obj(value, rename)
    if kind == b"model/mtl":
        return wavefront.wordless_mtl(value, rename)
    raise TransformError("document-kind", "documents of this kind cannot be cleaned")


def _pdf(value: bytes, source: ByteSource, index: Index, remover: Remover | None) -> bytes:
    from gateway.hosted import reading
    from transforms.deidentify.text import cleaner_for, identities
    from transforms.deidentify.text.occurs import named
    from transforms.documents import pages, pdf

    found = reading.pages(value)
    known = identities(source, index)
    if named(pdf.words(found), known, cleaner_for(known, remover)):
        raise TransformError("document-names-somebody", "text cannot be cut out of a PDF")
    return pages.written(found)
