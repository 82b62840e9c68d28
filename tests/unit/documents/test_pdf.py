"""PDFs: what leaves is what was read; what could hold other words raises; mutated ones raise or are read."""

from __future__ import annotations

import io
import random
import time
from typing import Any

import pypdf
import pytest
from PIL import Image
from pypdf.annotations import FreeText, Link
from pypdf.generic import ArrayObject, DictionaryObject, NameObject, NumberObject, TextStringObject
from reportlab.lib.utils import ImageReader

from gateway.hosted import reading
from gateway.hosted.process import Bounds
from tests.unit.documents import pdfs
from tests.unit.documents.pdfs import CLEAN, changed, made
from tests.unit.documents.planting import CANARY
from transforms.documents import pages, pdf
from transforms.errors import TransformError

WORD = CANARY.decode()


def image() -> ImageReader:
    return ImageReader(Image.new("RGB", (8, 8), "red"))


def test_what_leaves_is_what_was_read_and_nothing_else() -> None:
    before = made(*CLEAN, title=WORD, draw=lambda page: page.bookmarkPage(WORD) or page.addOutlineEntry(WORD, WORD))
    found = pdf.read(before)
    fresh = pages.written(found)
    assert pdf.read(fresh) == found and pages.written(pdf.read(fresh)) == fresh
    assert [piece.text for piece in found[0].pieces] == list(CLEAN)
    reader = pypdf.PdfReader(io.BytesIO(fresh))
    assert set(reader.trailer) == {"/Root", "/Size"} and set(reader.trailer["/Root"].get_object()) == {
        "/Type",
        "/Pages",
    }
    assert CANARY not in fresh and reader.pages[0].extract_text().splitlines() == list(CLEAN)
    assert reader.pages[0].mediabox == pypdf.PdfReader(io.BytesIO(before)).pages[0].mediabox


def test_text_stays_where_it_stood() -> None:
    def draw(page: object) -> None:
        page.translate(100, 50)  # type: ignore[attr-defined]
        page.rotate(90)  # type: ignore[attr-defined]
        page.drawString(10, 20, "turned")  # type: ignore[attr-defined]

    (piece,) = pdf.read(made(draw=draw))[0].pieces
    assert piece.text == "turned"
    assert piece.matrix == pytest.approx((0, 1, -1, 0, 80, 60)) and piece.size == 12


DOT = Image.new("RGB", (4, 4))


def bars(page: Any) -> None:
    for at in range(300):
        page.rect(at, 0, 1, 9, fill=1)


REFUSED = {
    "encrypted": ("pdf-encrypted", changed(lambda w: w.encrypt("secret"))),
    "encrypted, opens without": ("pdf-encrypted", changed(lambda w: w.encrypt("", "owner"))),
    "script": ("pdf-script", changed(pdfs.scripted)),
    "launch": ("pdf-script", changed(pdfs.with_action("Launch"))),
    "submit": ("pdf-script", changed(pdfs.with_action("SubmitForm"))),
    "additional actions": ("pdf-script", changed(pdfs.turned)),
    "attachment": ("pdf-attachment", changed(lambda w: w.add_attachment("a.txt", CANARY))),
    "form": ("pdf-form", changed(pdfs.filled)),
    "xfa": ("pdf-form", changed(pdfs.form(DictionaryObject({NameObject("/XFA"): TextStringObject("t")})))),
    "note": ("pdf-note", changed(lambda w: w.add_annotation(0, FreeText(text=WORD, rect=(0, 0, 9, 9))))),
    "image": ("pdf-image", made(*CLEAN, draw=lambda page: page.drawImage(image(), 0, 0))),
    "inline image": ("pdf-drawing", made(*CLEAN, draw=lambda page: page.drawInlineImage(DOT, 0, 0))),
    "circle": ("pdf-drawing", made(*CLEAN, draw=lambda page: page.circle(99, 99, 9))),
    "drawn letter": ("pdf-drawing", made(*CLEAN, draw=lambda page: page.line(0, 0, 9, 20))),
    "bar code": ("pdf-drawing", made(*CLEAN, draw=bars)),
    "shade": ("pdf-drawing", made(*CLEAN, draw=lambda page: page.linearGradient(0, 0, 9, 9, ("#ff0000", "#00ff00")))),
    "no pdf": ("pdf-malformed", b"PK\3\4" + CANARY),
    "bomb": ("pdf-", pdfs.bomb()),
    "loop": ("pdf-", pdfs.loop()),
    "deep": ("pdf-", pdfs.deep(20_000)),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_may_hold_other_words_raises(what: str) -> None:
    reason, document = REFUSED[what]
    began = time.monotonic()
    with pytest.raises(TransformError, match=reason) as told:
        reading.pages(document)
    assert WORD not in str(told.value) and time.monotonic() - began < 40


def test_fonts_that_say_nothing_raise() -> None:
    def font(**entries: object) -> bytes:
        def change(writer: pypdf.PdfWriter) -> None:
            fonts = writer.pages[0]["/Resources"]["/Font"]  # type: ignore[index]
            for each in fonts.values():
                found = each.get_object()
                found.pop("/Encoding", None)
                found.update({NameObject(f"/{key}"): value for key, value in entries.items()})

        return changed(change)

    differences = DictionaryObject(
        {NameObject("/BaseEncoding"): NameObject("/WinAnsiEncoding"),
         NameObject("/Differences"): ArrayObject([NumberObject(65), NameObject("/g17")])}
    )  # fmt: skip
    for entries in (
        {"Subtype": NameObject("/Type3")},
        {"Subtype": NameObject("/Type0")},
        {"BaseFont": NameObject("/ABCDEF+Own")},
        {"Encoding": differences},
    ):
        with pytest.raises(TransformError, match="pdf-font"):
            pdf.read(font(**entries))
    assert pdf.read(font(BaseFont=NameObject("/Helvetica")))


def test_a_letter_that_cannot_be_set_raises_and_a_link_goes() -> None:
    with pytest.raises(TransformError, match="pdf-character"):
        pdf._shown("山田")
    assert pdf._shown("ﬁne\u00a0day") == "fine day"
    linked = changed(lambda w: w.add_annotation(0, Link(rect=(0, 0, 9, 9), url=f"https://example.org/{WORD}")))
    assert CANARY not in pages.written(pdf.read(linked))


def test_a_reader_that_hangs_or_grows_is_ended() -> None:
    with pytest.raises(TransformError, match="pdf-too-large"):
        reading.pages(made(*CLEAN), Bounds(timeout=0.01, memory=1 << 30))
    with pytest.raises(TransformError, match="pdf-"):
        reading.pages(made(*CLEAN), Bounds(timeout=20, memory=16 << 20))


@pytest.mark.parametrize("seed", range(4))
def test_mutated_documents_raise_what_is_typed_or_are_read(seed: int) -> None:
    chosen = random.Random(seed)
    sources = [
        made(*CLEAN, compress=0),
        made(*CLEAN, "x" * 60),
        changed(pdfs.scripted),
        pdfs.deep(5),
        pages.written(pdf.read(made(*CLEAN))),
    ]
    read = 0
    for number in range(550):
        raw = bytearray(sources[number % len(sources)])
        for _ in range(chosen.randint(1, 12)):
            at = chosen.randrange(len(raw))
            match chosen.randrange(4):
                case 0:
                    raw[at] = chosen.randrange(256)
                case 1:
                    del raw[at : at + chosen.randint(1, 40)]
                case 2:
                    raw[at:at] = raw[chosen.randrange(len(raw)) :][: chosen.randint(1, 60)]
                case _:
                    raw[at:at] = chosen.choice(
                        [b"<<", b">>", b"[", b"(", b" 0 R", b"/Kids", b"99999999999", b"-1", b"endobj", b"1e99"]
                    )
        try:
            found = pdf.read(bytes(raw))
        except TransformError as error:
            assert error.reason.startswith("pdf-")
        else:
            read += 1
            assert pdf.read(pages.written(found)) == found or found
    assert read
