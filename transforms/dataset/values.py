"""Values of a framed data set as text: what routing asks, and who an object is.

Rules of this file
* None: the element is missing. (): it is there and empty. Else one text a value, stripped as PS3.5 6.2 says.
* Text is decoded by the Specific Character Set of its level (PS3.3 C.12.1.1.2), strictly: what does not decode raises
  TransformError, it is never guessed at.
* A path is written as gateway.yaml writes it: `Keyword`, `(gggg,eeee)`, `(gggg,"CREATOR",ee)`, `Sequence[0].Keyword`.
* Values are never printed here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from io import BytesIO
from struct import error as StructError
from struct import unpack
from typing import TYPE_CHECKING, Any, Final

from transforms.dataset.elements import dictionary_vr
from transforms.dataset.index import Index
from transforms.dictionary import tag_for_keyword
from transforms.errors import TransformError
from transforms.source import ByteSource

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_CHARSET: Final = 0x00080005
_PIXEL_REPRESENTATION: Final = 0x00280103
_IDENTITY: Final = {
    0x00080016: "SOPClassUID",
    0x00080018: "SOPInstanceUID",
    0x0020000D: "StudyInstanceUID",
    0x0020000E: "SeriesInstanceUID",
    0x00080060: "Modality",
}
_PATIENT_ID: Final = 0x00100020
_LONGEST: Final = 1 << 20  # bytes of a value that a rule may ask for

_NUMBERS: Final = {"US": "H", "SS": "h", "UL": "L", "SL": "l", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}
_PLAIN: Final = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"})  # default repertoire only
_TEXTS: Final = frozenset({"LO", "SH", "PN", "UC", "LT", "ST", "UT"})
_SINGLE: Final = frozenset({"LT", "ST", "UT", "UR"})  # a backslash is text (PS3.5 6.2)
_SEGMENT = re.compile(
    r"(?P<keyword>[A-Za-z][A-Za-z0-9]*)"
    r"|\((?P<group>[0-9A-Fa-f]{4}),\s*(?P<element>[0-9A-Fa-f]{4})\)"
    r'|\((?P<odd>[0-9A-Fa-f]{4}),\s*"(?P<creator>[^"]*)",\s*(?P<low>[0-9A-Fa-f]{2})\)'
)
_ESCAPES = re.compile(rb"\x1b[^\x1b]*|[^\x1b]+")
_RESETS: Final = b"\r\n\t\f"
_INDEX = re.compile(r"\[([0-9]+)\]\.")


def identity(source: ByteSource, index: Index) -> dict[str, str]:
    """Keyword -> value of the UIDs, Modality and Patient ID that are there; for the ledger, so never refused."""
    found = {}
    for tag, keyword in _IDENTITY.items():
        raw = index.value_bytes(source, tag)
        if raw is not None:
            found[keyword] = raw.decode("latin-1").strip(" \0")
    raw = index.value_bytes(source, _PATIENT_ID)
    if raw is not None:
        try:
            found["PatientID"] = "\\".join(read(source, index, _PATIENT_ID) or ())
        except TransformError:  # a pass-through route need not understand it; rules and profiles read it strictly
            found["PatientID"] = raw.decode("latin-1").strip(" \0")
    return found


def read(source: ByteSource, index: Index, tag: int) -> tuple[str, ...] | None:
    """The values of a top-level element. Of a sequence: one empty text an item."""
    entry = index.get(tag)
    if entry is None:
        return None
    if entry.end - entry.value > _LONGEST:
        raise TransformError("value-too-long", "an element of this length cannot be asked for")
    vr = entry.vr if entry.vr not in ("", "UN") else _implicit_vr(source, index, tag)
    if vr == "SQ" or (entry.length < 0 and vr in ("UN", "")):
        items = nested(source, index, (tag,)).get(tag)
        return () if items is None else ("",) * len(items.value)
    raw = index.value_bytes(source, tag)
    assert raw is not None
    charset = read(source, index, _CHARSET) if vr in _TEXTS and _CHARSET in index else None
    return decode(raw, vr, charset, little_endian=index.syntax.little_endian)


def read_path(source: ByteSource, index: Index, path: str) -> tuple[str, ...] | None:
    """The values at a path; None where it, or an item on the way, is missing. Raises TransformError."""
    steps = _steps(path)
    first = steps[0][0]
    if len(steps) == 1:
        tag = first if isinstance(first, int) else _private(source, index, *first)
        return None if tag is None else read(source, index, tag)
    tag = first if isinstance(first, int) else _private(source, index, *first)
    if tag is None or tag not in index:
        return None
    level: Dataset = nested(source, index, (tag,))
    charset = read(source, index, _CHARSET)
    for step, number in steps[:-1]:
        inside = _tag_in(level, step)
        found = None if inside is None else level.get(inside)
        if found is None or found.VR != "SQ" or number >= len(found.value):
            return None
        level = found.value[number]
        if _CHARSET in level:
            charset = _of_dataset(level, _CHARSET, None)
    return _of_dataset(level, _tag_in(level, steps[-1][0]), charset)


def decode(raw: bytes, vr: str, charset: Iterable[str] | None, *, little_endian: bool = True) -> tuple[str, ...]:
    """The values in the bytes of one element. Raises TransformError('undecodable-text', 'bad-value-length')."""
    if not raw:
        return ()
    if vr in _NUMBERS or vr == "AT":
        code = _NUMBERS.get(vr, "H")
        try:
            numbers = unpack(f"{'<' if little_endian else '>'}{len(raw) // _width(code)}{code}", raw)
        except StructError as error:
            raise TransformError("bad-value-length", f"a value of VR {vr}") from error
        if vr == "AT":
            pairs = zip(numbers[::2], numbers[1::2], strict=False)
            return tuple(f"({group:04x},{element:04x})" for group, element in pairs)
        return tuple(str(number) for number in numbers)
    if vr in _PLAIN:
        text = _ascii(raw)
    elif vr in _TEXTS:
        text = _decoded(raw, vr, tuple(charset or ()))
    elif vr == "UN" or not vr:
        text = _ascii(raw)
    else:
        raise TransformError("not-text", f"a value of VR {vr} cannot be asked for")
    text = text.rstrip("\0 ")
    if not text:
        return ()
    if vr in _SINGLE:
        return (text,)
    return tuple(part.strip(" \0") for part in text.split("\\"))


def _ascii(raw: bytes) -> str:
    try:
        return raw.rstrip(b"\0").decode("ascii")
    except UnicodeDecodeError as error:
        raise TransformError("undecodable-text", "a value outside the default repertoire") from error


@lru_cache(maxsize=256)
def _encodings(charset: tuple[str, ...]) -> tuple[str, ...]:
    """Python's names of the declared character sets. Raises TransformError('unknown-character-set')."""
    from pydicom.charset import python_encoding  # pydicom is a third of a command's start, and few values need it

    found = []
    for term in charset or ("",):
        if term in ("", "ISO_IR 6", "ISO 2022 IR 6"):
            found.append("ascii")  # pydicom says Latin-1, and would guess
        elif term in python_encoding:
            found.append(python_encoding[term])
        else:
            raise TransformError("unknown-character-set", "Specific Character Set names what PS3.3 does not know")
    return tuple(found)


def _decoded(raw: bytes, vr: str, charset: tuple[str, ...]) -> str:
    try:
        if raw.isascii() and b"\x1b" not in raw and _safe(charset):
            return raw.decode("ascii")
        encodings = _encodings(charset)
        if b"\x1b" not in raw:
            return raw.decode(encodings[0])
        resets = _RESETS + (b"^=\\" if vr == "PN" else b"" if vr in _SINGLE else b"\\")
        return "".join(_escaped(part, encodings, resets) for part in _ESCAPES.findall(raw))
    except (UnicodeError, LookupError) as error:
        raise TransformError("undecodable-text", "text that is not of its declared character set") from error


def _escaped(part: bytes, encodings: tuple[str, ...], resets: bytes) -> str:
    """A run of bytes under one escape sequence, which a delimiter takes back (PS3.5 6.1.2.5.3)."""
    if not part.startswith(b"\x1b"):
        return part.decode(encodings[0])
    from pydicom.charset import CODES_TO_ENCODINGS

    size = 4 if part[1:3] in (b"$)", b"$(") else 3
    code, text = part[:size], part[size:]
    encoding = "ascii" if code == b"\x1b(B" else CODES_TO_ENCODINGS.get(code, "")
    if encoding not in encodings and encoding != "ascii":
        raise UnicodeError("an escape to a character set that is not declared")
    if encoding == "euc_kr" or encoding == "iso_ir_58":
        # G1 holds the wide characters, G0 stays ASCII, so that delimiters are what they look like
        end = next((at for at, byte in enumerate(text) if byte in resets), len(text))
        wide = text[:end].decode("euc_kr" if encoding == "euc_kr" else "gb2312")
        return wide + text[end:].decode(encodings[0])
    if encoding.startswith("iso2022"):
        return (code + text).decode(encoding)  # Python's codec wants the escape sequence
    end = next((at for at, byte in enumerate(text) if byte in resets), len(text))
    return text[:end].decode(encoding) + text[end:].decode(encodings[0])


def _safe(charset: tuple[str, ...]) -> bool:
    """ASCII bytes mean ASCII letters in it: all but the Japanese Romaji of ISO_IR 13 (5CH and 7EH differ)."""
    return not any(term in ("ISO_IR 13", "ISO 2022 IR 13") for term in charset)


def _width(code: str) -> int:
    return {"H": 2, "h": 2, "L": 4, "l": 4, "Q": 8, "q": 8, "f": 4, "d": 8}[code]


def _implicit_vr(source: ByteSource, index: Index, tag: int) -> str:
    """The dictionary's VR; where it leaves a choice, what PS3.5 Annex A says."""
    vr = dictionary_vr(tag)
    if vr in ("US or SS", "US or SS or OW"):
        raw = index.value_bytes(source, _PIXEL_REPRESENTATION)
        return "SS" if raw and raw[0 if index.syntax.little_endian else 1] == 1 else "US"
    return "OW" if " or " in vr else vr


def nested(source: ByteSource, index: Index, tags: tuple[int, ...]) -> Dataset:
    """Some top-level elements as a pydicom data set: for what is nested."""
    from pydicom.filereader import read_dataset

    from transforms.dataset.elements import header_bytes

    syntax = index.syntax
    raw = b""
    for tag in sorted(tags):
        entry = index.get(tag)
        if entry is None:
            continue
        if entry.end - entry.header > _LONGEST:
            raise TransformError("value-too-long", "a sequence of this length cannot be asked for")
        value = index.value_bytes(source, tag)
        assert value is not None
        length = entry.length if entry.length >= 0 else -1
        raw += header_bytes(tag, entry.vr, length, syntax.little_endian) + value
    try:
        return read_dataset(BytesIO(raw), not syntax.explicit, syntax.little_endian)
    except Exception as error:  # whatever pydicom says of nested data, the object is held
        raise TransformError("unreadable-sequence", type(error).__name__) from error


def _of_dataset(level: Dataset, tag: int | None, charset: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if tag is None or tag not in level:
        return None
    try:
        element: Any = level.get_item(tag)
        if getattr(element, "is_raw", False) and element.VR != "SQ":
            raw: Any = element.value
            vr = element.VR if element.VR not in (None, "UN") else dictionary_vr(tag)
            return decode(bytes(raw or b""), vr, charset, little_endian=element.is_little_endian)
        value = level[tag].value
    except TransformError:
        raise
    except Exception as error:  # as above
        raise TransformError("unreadable-sequence", type(error).__name__) from error
    return ("",) * len(value)


Step = int | tuple[int, str, int]


@lru_cache(maxsize=4096)
def _steps(path: str) -> tuple[tuple[Step, int], ...]:
    steps: list[tuple[Step, int]] = []
    at = 0
    while True:
        found = _SEGMENT.match(path, at)
        if not found:
            raise TransformError("bad-path", "write Keyword, (gggg,eeee) or Sequence[0].Keyword")
        step: Step
        if found["keyword"]:
            tag = tag_for_keyword(found["keyword"])
            if tag is None:
                raise TransformError("bad-path", "a keyword that PS3.6 does not know")
            step = int(tag)
        elif found["creator"] is not None:
            step = (int(found["odd"], 16), found["creator"], int(found["low"], 16))
        else:
            step = int(found["group"] + found["element"], 16)
        at = found.end()
        if at == len(path):
            steps.append((step, 0))
            return tuple(steps)
        number = _INDEX.match(path, at)
        if not number:
            raise TransformError("bad-path", "after a sequence comes [n]. and the attribute inside the item")
        steps.append((step, int(number[1])))
        at = number.end()


def _private(source: ByteSource, index: Index, group: int, creator: str, low: int) -> int | None:
    """The tag of a private element by its creator (PS3.5 7.8.1); None where the block is not there."""
    for block in range(0x10, 0x100):
        tag = group << 16 | block
        if tag in index:
            raw = index.value_bytes(source, tag)
            if raw is not None and raw.decode("latin-1").strip(" \0") == creator:
                return group << 16 | block << 8 | low
    return None


def _tag_in(level: Dataset, step: Step) -> int | None:
    if isinstance(step, int):
        return step
    group, creator, low = step
    for block in range(0x10, 0x100):
        found = level.get((group, block))
        if found is not None and str(found.value).strip(" \0") == creator:
            return group << 16 | block << 8 | low
    return None
