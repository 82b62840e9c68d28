"""PDF (PS3.3 A.45): the text of every page is read, and pages of that text alone can be written.

* What leaves is what was read: pages.py sets the same pieces of text at the same places in a font of its own. Metadata,
  scripts, fonts, links, rules and boxes have no way into it, whatever hides in them.
* What can hold words that are not read here raises instead: encryption, scripts, attachments, forms, notes, images,
  drawings, fonts whose codes say nothing of their letters, characters that the font of pages.py does not have.
* Reading is pypdf's, in a limited process of the shell: it may be slow, hungry or wrong, and must not be trusted with
  more than one document.

Raises TransformError: pdf-malformed, pdf-encrypted, pdf-script, pdf-attachment, pdf-form, pdf-note, pdf-image,
pdf-drawing, pdf-font, pdf-character, pdf-too-large. No detail holds a word of the document.
"""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from transforms.errors import TransformError

if TYPE_CHECKING:
    from pypdf import PageObject, PdfReader

_LONGEST: Final = 64 << 20  # bytes of a document
_PAGES: Final = 500
_PIECES: Final = 100_000
_TEXT: Final = 1 << 20  # characters
_OPERATORS: Final = 2_000_000
_SHAPES: Final = 200  # rules and boxes of a page; a bar code has more
_DEPTH: Final = 8  # forms within forms
_OBLIQUE: Final = frozenset({b"c", b"v", b"y", b"sh", b"BI", b"EI", b"ID", b"INLINE IMAGE"})
_HARMLESS: Final = frozenset({"/GoTo", "/Named"})
_STANDARD: Final = frozenset({"/WinAnsiEncoding", "/MacRomanEncoding", "/StandardEncoding"})
_BASE: Final = ("/Helvetica", "/Times", "/Courier", "/Arial")


class Piece(NamedTuple):
    """Text as it stands on a page: its matrix in points from the lower left corner, and its size."""

    text: str
    matrix: tuple[float, float, float, float, float, float]
    size: float


class Page(NamedTuple):
    """One page: left, bottom, right, top in points, the turn in degrees, its pieces in their order."""

    box: tuple[float, float, float, float]
    rotation: int
    pieces: tuple[Piece, ...]


def read(document: bytes) -> tuple[Page, ...]:
    """Every page of a document of which every word can be read. Raises TransformError."""
    if len(document) > _LONGEST:
        raise TransformError("pdf-too-large", "above 64 MiB")
    if not document.lstrip(b"\0\t\n\f\r ").startswith(b"%PDF-"):
        raise TransformError("pdf-malformed", "no header")
    with _listening() as complaints:
        pages = _read(document)
    if complaints:  # it goes on without what it cannot read; we do not
        raise TransformError("pdf-malformed", "not all of it can be read")
    return pages


@contextmanager
def _listening() -> Iterator[list[int]]:
    """What pypdf warns of, counted. Its messages quote the document, so none goes on."""
    complaints: list[int] = []
    handler = logging.Handler()
    handler.emit = lambda record: complaints.append(record.levelno)  # type: ignore[method-assign]
    logger = logging.getLogger("pypdf")
    before = logger.propagate, logger.level
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(logging.WARNING)
    try:
        yield complaints
    finally:
        logger.removeHandler(handler)
        logger.propagate, logger.level = before


def _read(document: bytes) -> tuple[Page, ...]:
    import pypdf
    from pypdf.errors import LimitReachedError

    try:
        reader = pypdf.PdfReader(io.BytesIO(document), root_object_recovery_limit=1000)
        if reader.is_encrypted:
            raise TransformError("pdf-encrypted")
        _whole(reader)
        if len(reader.pages) > _PAGES:
            raise TransformError("pdf-too-large", f"above {_PAGES} pages")
        budget = _Budget()
        return tuple(_page(page, budget) for page in reader.pages)
    except TransformError:
        raise
    except (LimitReachedError, RecursionError, MemoryError) as error:
        raise TransformError("pdf-too-large", type(error).__name__) from None
    except Exception as error:  # pypdf raises what Python raises, on bytes that it does not expect
        raise TransformError("pdf-malformed", type(error).__name__) from None


def words(pages: tuple[Page, ...]) -> Iterator[str]:
    """The text of each page, for who looks for names in it: a line a piece, and all pieces as one."""
    for page in pages:
        yield "\n".join(piece.text for piece in page.pieces)
        yield "".join(piece.text for piece in page.pieces)
        yield " ".join(piece.text for piece in page.pieces)


class _Budget:
    """What one document may cost."""

    __slots__ = ("characters", "operators", "pieces")

    def __init__(self) -> None:
        self.characters = self.operators = self.pieces = 0

    def operator(self) -> None:
        self.operators += 1
        if self.operators > _OPERATORS:
            raise TransformError("pdf-too-large", "operators")

    def piece(self, text: str) -> None:
        self.pieces += 1
        self.characters += len(text)
        if self.pieces > _PIECES or self.characters > _TEXT:
            raise TransformError("pdf-too-large", "text")


def _whole(reader: PdfReader) -> None:
    """What concerns the whole document."""
    root: Any = reader.trailer["/Root"].get_object()
    if "/AA" in root or _acts(root.get("/OpenAction")):
        raise TransformError("pdf-script", "actions of the document")
    names = _dictionary(root.get("/Names"))
    if "/JavaScript" in names:
        raise TransformError("pdf-script", "scripts of the document")
    if "/EmbeddedFiles" in names or "/AF" in root or "/Collection" in root:
        raise TransformError("pdf-attachment")
    form = _dictionary(root.get("/AcroForm"))
    if "/XFA" in form or form.get("/Fields"):
        raise TransformError("pdf-form")


def _page(page: PageObject, budget: _Budget) -> Page:
    if "/AA" in page:
        raise TransformError("pdf-script", "actions of a page")
    for note in page.get("/Annots", None) or ():
        _note(note.get_object())
    _resources(page.get("/Resources"), 0)
    box = tuple(float(each) for each in page.mediabox)
    left, right = sorted((box[0], box[2]))
    bottom, top = sorted((box[1], box[3]))
    if not all(math.isfinite(each) and abs(each) <= 14_400 for each in box):
        raise TransformError("pdf-malformed", "no page that could be printed")
    turn = page.rotation % 360
    return Page((left, bottom, right, top), turn if turn % 90 == 0 else 0, tuple(_pieces(page, budget)))


def _note(note: Any) -> None:
    """An annotation: a link may be left out, all else says something."""
    if note.get("/Subtype") == "/FileAttachment":
        raise TransformError("pdf-attachment")
    if "/AA" in note or (_acts(note.get("/A")) and _dictionary(note.get("/A")).get("/S") != "/URI"):
        raise TransformError("pdf-script", "an action of a note")
    if note.get("/Subtype") not in ("/Link", "/Popup"):
        raise TransformError("pdf-note")


def _acts(action: Any) -> bool:
    found = _dictionary(action)
    return bool(found) and (found.get("/S") not in _HARMLESS or "/Next" in found)


def _dictionary(value: Any) -> Any:
    from pypdf.generic import DictionaryObject

    found = None if value is None else value.get_object()
    return found if isinstance(found, DictionaryObject) else {}


def _resources(value: Any, depth: int) -> None:
    """Fonts that can be read, no image, no pattern; within forms as well."""
    if depth > _DEPTH:
        raise TransformError("pdf-too-large", "forms within forms")
    resources = _dictionary(value)
    if _dictionary(resources.get("/Pattern")) or _dictionary(resources.get("/Shading")):
        raise TransformError("pdf-drawing", "patterns")
    for font in _dictionary(resources.get("/Font")).values():
        _font(font.get_object())
    for entry in _dictionary(resources.get("/XObject")).values():
        form = entry.get_object()
        if form.get("/Subtype") != "/Form":
            raise TransformError("pdf-image")
        _resources(form.get("/Resources"), depth + 1)


def _font(font: Any) -> None:
    """A font whose codes stand for known letters."""
    kind, encoding = font.get("/Subtype"), font.get("/Encoding")
    if kind == "/Type3":
        raise TransformError("pdf-font", "letters that are drawn")
    if "/ToUnicode" in font:
        return
    if kind == "/Type0":
        raise TransformError("pdf-font", "codes that stand for no letters")
    base = _dictionary(encoding).get("/BaseEncoding") if _dictionary(encoding) else encoding
    embedded = any(key.startswith("/FontFile") for key in _dictionary(font.get("/FontDescriptor")))
    known = base in _STANDARD or (not embedded and str(font.get("/BaseFont", "")).startswith(_BASE))
    if not known or any(_is_code(each) for each in _dictionary(encoding).get("/Differences", None) or ()):
        raise TransformError("pdf-font", "an encoding of its own")


def _is_code(each: Any) -> bool:
    """A glyph's name that is none of a letter: g12, cid34, uni without digits ..."""
    from pypdf._codecs import adobe_glyphs

    return isinstance(each, str) and each != "/.notdef" and each not in adobe_glyphs


def _pieces(page: PageObject, budget: _Budget) -> Iterator[Piece]:
    """The pieces of text of a page, in the order they are painted."""
    found: list[Piece] = []
    shapes = 0
    at = (0.0, 0.0)

    def operator(name: bytes, operands: Any, _cm: Any, _tm: Any) -> None:
        nonlocal shapes, at
        budget.operator()
        if name in _OBLIQUE:
            raise TransformError("pdf-drawing", "curves, shades or images")
        if name in (b"m", b"l"):
            to = (float(operands[0]), float(operands[1]))
            if name == b"l" and to[0] != at[0] and to[1] != at[1]:
                raise TransformError("pdf-drawing", "lines that are no rules")
            at = to
        if name in (b"l", b"re"):
            shapes += 1
            if shapes > _SHAPES:
                raise TransformError("pdf-drawing", "many lines or boxes")

    def text(piece: str, cm: Any, tm: Any, _font: Any, size: float) -> None:
        for line in piece.splitlines():
            if line.strip():
                budget.piece(line)
                found.append(Piece(_shown(line), _matrix(tm, cm), _size(size)))

    page.extract_text(visitor_operand_before=operator, visitor_text=text)
    return iter(found)


def _shown(text: str) -> str:
    """The text in the letters of Windows-1252, or it is not shown."""
    text = " ".join(text.split()).replace("\u00ad", "-")
    for many, one in (("\ufb00", "ff"), ("\ufb01", "fi"), ("\ufb02", "fl"), ("\ufb03", "ffi"), ("\ufb04", "ffl")):
        text = text.replace(many, one)
    try:
        text.encode("cp1252")
    except UnicodeEncodeError:
        raise TransformError("pdf-character", "a letter outside Windows-1252") from None
    if not text.isprintable():
        raise TransformError("pdf-character", "a control character")
    return text


def _matrix(tm: Any, cm: Any) -> tuple[float, float, float, float, float, float]:
    """Where text stands: the text matrix in the page's space (ISO 32000-1, 9.4.4)."""
    a, b, c, d, e, f = (float(each) for each in tm)
    p, q, r, s, t, u = (float(each) for each in cm)
    found = a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u
    if not all(math.isfinite(each) and abs(each) < 1e6 for each in found):
        raise TransformError("pdf-malformed", "text that stands nowhere")
    return found


def _size(size: Any) -> float:
    found = float(size)
    if not math.isfinite(found) or abs(found) > 10_000:
        raise TransformError("pdf-malformed", "text of no size")
    return found
