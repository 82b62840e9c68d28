"""What identifies in an object: one pass over its raw element headers, at every depth, for the values that name
somebody, some place or some case. No value is judged here; cleaner.py does.

* Sequences are entered by reading on: an item's elements stand in the same stream as its parent's. Values of private
  and unknown elements are passed by.
* The source has been framed; where it does not frame, BadFraming.
* Values are gathered as bytes, each once. Equal objects of a study give equal Identities, so that what is made of
  them (cleaner.py) is made once.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from typing import Final, NamedTuple

from transforms.dataset.elements import ITEM, ITEM_END, LONG_VRS, SEQUENCE_TAGS, SHORT_VRS, UNDEFINED
from transforms.dataset.index import Index
from transforms.dictionary import DicomDictionary
from transforms.errors import BadFraming
from transforms.source import ByteSource, BytesSource, Copy, EditPlan

_WINDOW: Final = 1 << 15
_VALUE: Final = 1 << 12  # bytes; identifiers are shorter
_ELEMENTS: Final = 1 << 20  # headers looked at; framing has the budget, this is the floor under it
_HEAD: Final = Struct("<HH2sH").unpack_from
_PLAIN: Final = Struct("<HHI").unpack_from
_LONG: Final = Struct("<I").unpack_from
_CHARSET: Final = 0x00080005
_PIXELS: Final = 0x7FE00010
_PIXEL_GROUP: Final = 0x7FE0
_PASSED: Final = frozenset(LONG_VRS) - {b"SQ", b"UN"}

_NUMBERS: Final = (  # of a patient, a visit, an order, a device: whole values, with or without separators
    0x00080050, 0x00100020, 0x00101000, 0x00101090, 0x00200010, 0x00380010, 0x00380060, 0x00400009,
    0x00400253, 0x00401001, 0x00402016, 0x00402017, 0x00181000, 0x00120040, 0x00102154, 0x00102160,
)  # fmt: skip
_PLACES: Final = (
    0x00080080, 0x00080081, 0x00081040, 0x00081010, 0x00101040, 0x00080092, 0x00401102, 0x00102152, 0x00380300,
    0x00321034, 0x00400243, 0x00400241, 0x00120031,
)  # fmt: skip
NAME, NUMBER, PLACE = "name", "number", "place"
_KINDS: Final[dict[int, str]] = (
    {tag: NAME for tag, entry in DicomDictionary.items() if entry[0] == "PN"}
    | dict.fromkeys(_NUMBERS, NUMBER)
    | dict.fromkeys(_PLACES, PLACE)
)
Value = tuple[str, bytes]  # Specific Character Set ("" where none is given), value without padding
Found = tuple[str, Value]  # with its kind


class Identities(NamedTuple):
    """The identifying values of an object, by kind. Hashable: equal ones are made into a cleaner once."""

    names: frozenset[Value] = frozenset()
    numbers: frozenset[Value] = frozenset()
    places: frozenset[Value] = frozenset()

    def __repr__(self) -> str:
        return f"Identities({len(self.names)} names, {len(self.numbers)} numbers, {len(self.places)} places)"


def identities(source: ByteSource, index: Index) -> Identities:
    """Those of a framed little-endian data set. Raises BadFraming."""
    entries = index.entries
    explicit = index.syntax.explicit
    head = source.pread(0, _WINDOW)

    charset = ""
    if (entry := entries.get(_CHARSET)) is not None and 0 <= entry[3] <= _VALUE:
        charset = source.pread(entry[2], entry[3]).strip(b" \0").decode("ascii", "replace")
    own = []
    for tag in sorted(entries.keys() & _KINDS.keys()):  # one order, so that like objects ask alike
        _, _, at, length, end = entries[tag]
        if 0 < length <= _VALUE:
            raw = (head[at:end] if end <= len(head) else source.pread(at, length)).strip(b" \0")
            if raw:
                own.append((tag, raw))
    inner = []
    for tag in index.nested:
        if tag != _PIXELS:
            vr, _, at, _, end = entries[tag]
            inside = explicit and vr != "UN"
            if end - at <= _VALUE:
                inner.append(_repeated(source.pread(at, end - at), inside, charset))
            else:
                inner.append(frozenset(_within(EditPlan(source, (Copy(at, end - at),)), inside, charset)))
    return _together(charset, tuple(own), tuple(inner))


@lru_cache(maxsize=256)
def _together(charset: str, own: tuple[tuple[int, bytes], ...], inner: tuple[frozenset[Found], ...]) -> Identities:
    """By their kinds, those of the top level and those within its sequences: a study's objects bring the same."""
    found: set[Found] = {(_KINDS[tag], (charset, raw)) for tag, raw in own}.union(*inner)
    return Identities(*(frozenset(value for what, value in found if what == kind) for kind in (NAME, NUMBER, PLACE)))


@lru_cache(maxsize=512)
def _repeated(items: bytes, explicit: bool, charset: str) -> frozenset[Found]:
    """Those of a sequence that other images of the series have as well."""
    return frozenset(_within(BytesSource(items), explicit, charset))


def _within(source: ByteSource, explicit: bool, charset: str) -> set[Found]:
    """Those within the items of one sequence, at every depth."""
    found: set[Found] = set()
    size = source.size
    data, base = b"", 0
    at = 0
    open_items: list[tuple[int, str]] = []  # where each ends, and the character set around it
    for _ in range(_ELEMENTS):
        while open_items and open_items[-1][0] <= at:
            charset = open_items.pop()[1]  # an item's character set ends with the item
        if at + 8 > size:
            break
        pos = at - base
        if pos < 0 or pos + 12 > len(data):
            data, base, pos = source.pread(at, _WINDOW), at, 0
            if len(data) < 8:
                raise BadFraming("header-truncated", at)
        if explicit:
            pos = _passed(data, pos, (open_items[-1][0] if open_items else size) - base)
            if base + pos != at:
                at = base + pos
                continue
        group, element, vr, length = _HEAD(data, pos)
        tag = group << 16 | element
        inside = explicit and (vr in SHORT_VRS or vr in LONG_VRS)
        if group == 0xFFFE or not inside:  # items and delimiters; and Implicit VR, also within UN of Explicit
            length = _PLAIN(data, pos)[2]
            at += 8
            vr = b""
            if tag == ITEM:
                open_items.append((size + 1 if length == UNDEFINED else at + length, charset))
            elif tag == ITEM_END and open_items:
                charset = open_items.pop()[1]
            if group == 0xFFFE:
                continue
        elif vr in LONG_VRS:
            if pos + 12 > len(data):
                raise BadFraming("header-truncated", at)
            length = _LONG(data, pos + 8)[0]
            at += 12
        else:
            at += 8
        if tag == _PIXELS:
            at = _past_pixels(source, at) if length == UNDEFINED else at + length
            continue
        if length == UNDEFINED or vr == b"SQ" or (not vr and tag in SEQUENCE_TAGS):
            continue  # its items follow
        kind = _KINDS.get(tag)
        if length and length <= _VALUE and (kind is not None or tag == _CHARSET):
            pos = at - base
            raw = data[pos : pos + length] if pos + length <= len(data) else source.pread(at, length)
            raw = raw.strip(b" \0")
            if tag == _CHARSET:
                charset = raw.decode("ascii", "replace")
            elif raw and kind is not None:
                found.add((kind, (charset, raw)))
        at += length
    return found


def _passed(data: bytes, pos: int, stop: int) -> int:
    """Where the first element begins that needs a look: one that is sought, nested, or long."""
    edge = min(len(data) - 12, stop - 1)
    head, short, passed, sought = _HEAD, SHORT_VRS, _PASSED, _KINDS
    while pos <= edge:
        group, element, vr, length = head(data, pos)
        if vr in short:
            if group << 16 | element in sought or group == 0xFFFE or (group == 8 and element == 5):
                return pos
            pos += 8 + length
        elif vr in passed and group < _PIXEL_GROUP and group << 16 | element not in sought:
            (length,) = _LONG(data, pos + 8)
            if length == UNDEFINED:
                return pos
            pos += 12 + length
        else:
            return pos
    return pos


def _past_pixels(source: ByteSource, at: int) -> int:
    """The offset after the fragments of encapsulated Pixel Data and their delimiter."""
    while at + 8 <= source.size:
        group, element, length = _PLAIN(source.pread(at, 8), 0)
        at += 8
        if (group, element) == (0xFFFE, 0xE0DD):
            return at
        if (group, element) != (0xFFFE, 0xE000) or length == UNDEFINED:
            raise BadFraming("item-expected", at - 8)
        at += length
    raise BadFraming("delimiter-missing", at)
