"""Makes PDFs with reportlab and pypdf, for the tests that read them."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from typing import Any

import pypdf
from pypdf.generic import ArrayObject, DictionaryObject, NameObject, TextStringObject
from reportlab.pdfgen import canvas

CLEAN = ("Findings: lungs are clear (both sides).", "Impression: no acute finding.")


def made(*lines: str, draw: Callable[[Any], None] | None = None, title: str = "x", compress: int = 1) -> bytes:
    """One page with these lines, and what `draw` adds."""
    out = io.BytesIO()
    page = canvas.Canvas(out, pageCompression=compress)
    page.setTitle(title)
    page.setAuthor(title)
    for number, line in enumerate(lines):
        page.drawString(72, 700 - 20 * number, line)
    if draw is not None:
        draw(page)
    page.showPage()
    page.save()
    return out.getvalue()


def changed(change: Callable[[pypdf.PdfWriter], object], *lines: str) -> bytes:
    """A PDF of these lines that pypdf has changed."""
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(made(*(lines or CLEAN))))
    change(writer)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def with_action(name: str) -> Callable[[pypdf.PdfWriter], None]:
    """An action of the document: Launch, URI, SubmitForm ..."""

    def change(writer: pypdf.PdfWriter) -> None:
        action = DictionaryObject({NameObject("/S"): NameObject(f"/{name}")})
        writer.root_object[NameObject("/OpenAction")] = action

    return change


def bomb() -> bytes:
    """A page whose content is 200 MB of blanks in 200 KB."""
    packed = zlib.compress(b" " * 200_000_000, 9)
    return (
        b"%%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>endobj\n"
        b"4 0 obj<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream endobj\n"
        b"5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\ntrailer<</Root 1 0 R/Size 6>>\n%%%%EOF"
        % (len(packed), packed)
    )


def deep(levels: int) -> bytes:
    """A tree of pages, `levels` deep."""
    parts = [b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"]
    parts += [b"%d 0 obj<</Type/Pages/Kids[%d 0 R]/Count 1>>endobj\n" % (at, at + 1) for at in range(2, levels + 2)]
    parts.append(b"%d 0 obj<</Type/Page/MediaBox[0 0 9 9]>>endobj\n" % (levels + 2))
    return b"".join((*parts, b"trailer<</Root 1 0 R/Size %d>>\n%%%%EOF" % (levels + 3)))


def loop() -> bytes:
    """A tree of pages that is its own child."""
    return (
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        b"2 0 obj<</Type/Pages/Kids[2 0 R 2 0 R]/Count 2>>endobj\n"
        b"trailer<</Root 1 0 R/Size 3>>\n%%EOF"
    )


def scripted(writer: pypdf.PdfWriter) -> None:
    """A script that runs when the document is opened."""
    named = DictionaryObject({NameObject("/Names"): ArrayObject([TextStringObject("a"), DictionaryObject()])})
    writer.root_object[NameObject("/Names")] = DictionaryObject({NameObject("/JavaScript"): named})


def turned(writer: pypdf.PdfWriter) -> None:
    """An action of a page."""
    writer.pages[0].update({NameObject("/AA"): DictionaryObject({NameObject("/O"): DictionaryObject()})})


def filled(writer: pypdf.PdfWriter) -> None:
    """A form with a field."""
    field = DictionaryObject({NameObject("/T"): TextStringObject("t")})
    form(DictionaryObject({NameObject("/Fields"): ArrayObject([field])}))(writer)


def form(fields: DictionaryObject) -> Callable[[pypdf.PdfWriter], None]:
    """A form of these fields."""

    def change(writer: pypdf.PdfWriter) -> None:
        writer.root_object[NameObject("/AcroForm")] = fields

    return change
