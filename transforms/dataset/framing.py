"""Strict framing: are these bytes exactly one data set of this transfer syntax? (PS3.5 section 7 and Annex A)

* `check` runs before every acknowledgement. It walks by seeking: headers through one window, values skipped.
* Every byte belongs to exactly one element, and the last element ends where the source ends.
* What can be framed in one way only is accepted, with a warning where it breaks the standard: odd lengths, order not
  ascending, reserved bytes not zero, pixel data of an unexpected length.
* What two readers could read differently is refused: tags that stand twice in one data set or item, unknown or
  malformed VRs, delimiters with a length, undefined length where PS3.5 gives none, groups that no data set has.
* UN of defined length is opaque, and so is an unknown tag of defined length in Implicit VR (PS3.5 6.2.2, 7.5).
* Cost is bounded by `Limits` before it is spent. No value is decoded; values.py does that.

Reasons of BadFraming: empty, header-truncated, length-overrun, tag-twice, group-illegal, vr-unknown, length-undefined,
item-expected, delimiter-unexpected, delimiter-length, delimiter-missing, fragment-expected, fragment-undefined,
pixel-data-encapsulated, pixel-length; deflate-*; of BudgetExceeded: depth, elements, fragments, inflated-*.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from transforms.dataset import syntax as syntaxes
from transforms.dataset.elements import (
    BIG,
    ITEM,
    ITEM_END,
    LITTLE,
    LONG_VRS,
    PIXEL_DATA,
    SEQUENCE_END,
    SEQUENCE_TAGS,
    SHORT_VRS,
    UNDEFINED,
)
from transforms.dataset.index import Entry, Index, Limits
from transforms.dataset.inflating import inflated
from transforms.dataset.pixels import length_warning
from transforms.dataset.repeated import KEY, Part, Repeated, Run
from transforms.errors import BadFraming, BudgetExceeded, TransformError
from transforms.source import ByteSource

__all__ = ["Index", "Limits", "Walk", "check"]

WINDOW = 1 << 15  # bytes read at a time: the header of nearly every image in one read
LOWEST = 0x0007FFFF  # tags up to here, and from FFFE on, get a second look
DELIMITERS = 0xFFFE0000
PLACES = 8  # offsets at which the elements of a run are remembered as they lie
SKIP = 1 << 12  # beyond fragments of this size, one header is read at a time

Walker = Callable[[int, int, int, dict[int, Entry], bool], int]
_IMPLICIT: Final = LITTLE.implicit.unpack_from  # items, delimiters and UN content are little endian in LE syntaxes


def check(source: ByteSource, syntax_uid: str, limits: Limits = Limits()) -> Index:
    """Frame the whole source and index its top-level elements.

    Raises BadFraming or BudgetExceeded, with a stable reason and the offset; TransformError('syntax-unknown') and
    TransformError('syntax-not-storable') for syntaxes whose bytes are not known to be an object.
    In Deflated syntaxes offsets count in the inflated stream (PS3.5 A.5).
    """
    syntax = syntaxes.lookup(syntax_uid)
    if not syntax.storable:
        raise TransformError("syntax-not-storable", syntax.name)
    stream = inflated(source, limits) if syntax.deflated else source
    size = stream.size
    if not size:
        raise BadFraming("empty", 0)
    walk = Walk(stream, syntax, limits)
    walk.known = seen = _repeated(syntax_uid, limits)
    entries: dict[int, Entry] = {}
    walker = walk.explicit if syntax.explicit else walk.implicit
    walker(0, size, 0, entries, False)
    if walk.count > limits.elements:
        raise BudgetExceeded("elements", size)
    if not walk.warnings and seen.due(len(entries) - walk.repeated):
        _learn(seen, walk, entries)
    index = Index(syntax, size, entries, walk.count, walk.nested.keys())
    if PIXEL_DATA in entries and not syntax.encapsulated:
        warning = length_warning(stream, index)
        if warning:
            if limits.pixel_length == "refuse":
                raise BadFraming("pixel-length", entries[PIXEL_DATA][1], warning)
            walk.warnings.add(warning)
    index.warnings = frozenset(walk.warnings)
    if syntax.deflated:
        index.keep(stream, limits)
    return index


class Framed(Run):
    """Elements whose framing is known. Where the same bytes begin at an element's beginning of another data set of the
    same syntax, under the same limits, they frame the same: `Walk` reads nothing else but the tag before them, for the
    order. Nothing in them was warned of."""

    __slots__ = ("_entries", "_places", "inside", "nested")

    def __init__(self, data: bytes, parts: list[Part], entries: dict[int, Entry], nested: dict[int, int]) -> None:
        super().__init__(data, parts)
        self.inside = {tag: nested[tag] for tag, _, _ in parts if tag in nested}  # elements and items of its sequences
        self.nested = sum(self.inside.values())
        self._entries = {tag: entries[tag] for tag, _, _ in parts}  # as they lay where it was learnt
        self._places: dict[int, dict[int, Entry]] = {parts[0][1]: self._entries}

    def entries(self, at: int) -> dict[int, Entry]:
        """Its elements where it begins at `at`. Not to be changed."""
        found = self._places.get(at)
        if found is None:
            by = at - self._parts[0][1]
            found = {tag: (vr, a + by, b + by, n, c + by) for tag, (vr, a, b, n, c) in self._entries.items()}
            if len(self._places) < PLACES:
                self._places[at] = found
        return found


@lru_cache(maxsize=16)
def _repeated(syntax_uid: str, limits: Limits) -> Repeated[Framed]:
    """What is known of objects of this syntax under these limits."""
    return Repeated()


def _learn(known: Repeated[Framed], walk: Walk, entries: dict[int, Entry]) -> None:
    """Remember how this object, of which nothing is warned, was framed."""
    head = walk.head
    parts = ((tag, entry[1], entry[4]) for tag, entry in entries.items())
    found = (
        Framed(head[chain[0][1] : chain[-1][2]], chain, entries, walk.nested) for chain in known.chains(parts, head)
    )
    known.runs = {run.data[:KEY]: run for run in found}


class Walk:
    """One pass over a source, forward only. `explicit` and `implicit` frame elements, `items` a sequence's content."""

    __slots__ = (
        "base", "big", "count", "encapsulated", "fragments_seen", "head", "known", "limits", "nested", "repeated",
        "source", "warnings", "window",
    )  # fmt: skip

    def __init__(self, source: ByteSource, syntax: syntaxes.TransferSyntax, limits: Limits) -> None:
        if not 1 <= limits.depth <= 100:
            raise ValueError("depth must be within 1..100: the walk recurses, twice a level")
        self.source = source
        self.limits = limits
        self.encapsulated = syntax.encapsulated
        self.big = not syntax.little_endian
        self.window = b""
        self.base = 0
        self.count = 0  # elements and items so far, all levels
        self.fragments_seen = 0
        self.warnings: set[str] = set()
        self.known: Repeated[Framed] | None = None  # what other objects had
        self.head = b""  # the first window
        self.nested: dict[int, int] = {}  # top-level sequences -> elements and items within
        self.repeated = 0  # top-level elements that other objects had

    def explicit(self, at: int, end: int, depth: int, out: dict[int, Entry], delimited: bool) -> int:
        """Explicit VR elements of [at, end) into `out`; up to the item delimiter where `delimited`.

        Returns the offset after the last byte that belongs to them (PS3.5 7.1.2).
        """
        layout = BIG if self.big else LITTLE
        unpack, unpack_length = layout.short.unpack_from, layout.long.unpack_from
        short_vr = SHORT_VRS.get
        window, base = self.window, self.base
        edge = base + len(window) - 8
        last, counted, odd = LOWEST, 0, 0
        runs = self.known.runs if self.known is not None and not depth else None
        while at < end:
            if at > edge:
                self.tally(len(out) - counted, at)
                counted = len(out)
                window, base = self.fill(at, end)
                edge = base + len(window) - 8
            if runs and (run := runs.get(window[at - base : at - base + KEY])) is not None and last < run.first:
                if window.startswith(run.data, at - base):
                    at, last = self.repeat(run, at, out), run.last
                    continue
                self.differs(run, at)
            group, element, raw, length = unpack(window, at - base)
            tag = group << 16 | element
            if not last < tag < DELIMITERS:
                if tag == ITEM_END and delimited:
                    self.delimiter(at, end)
                    self.close(len(out) - counted, odd, at)
                    return at + 8
                self.suspect(tag, at, out)
            vr = short_vr(raw)
            if vr is not None:
                value = at + 8
                stop = value + length
            else:
                vr = LONG_VRS.get(raw)
                if vr is None:
                    raise BadFraming("vr-unknown", at)
                value = at + 12
                if value > end:
                    raise BadFraming("header-truncated", at)
                if at > edge - 4:
                    window, base = self.fill(at, end)
                    edge = base + len(window) - 8
                (length,) = unpack_length(window, at - base + 8)
                if window[at - base + 6 : at - base + 8] != b"\0\0":
                    self.warnings.add("reserved-nonzero")
                stop = value + length
                if length == UNDEFINED or vr == "SQ":
                    self.tally(len(out) - counted, at)
                    counted = len(out)
                    before = self.count
                    if length == UNDEFINED:
                        length = -1
                        stop = self.undefined(vr, tag, value, end, depth)
                    elif stop <= end:
                        self.items(value, stop, depth + 1, False, self.explicit)
                    if not depth:
                        self.nested[tag] = self.count - before
                    window, base = self.window, self.base
                    edge = base + len(window) - 8
            if stop > end:
                raise BadFraming("length-overrun", at)
            out[tag] = (vr, at, value, length, stop)
            odd |= stop
            if tag > last:
                last = tag
            at = stop
        if delimited:
            raise BadFraming("delimiter-missing", at)
        self.close(len(out) - counted, odd, at)
        return at

    def implicit(self, at: int, end: int, depth: int, out: dict[int, Entry], delimited: bool) -> int:
        """Implicit VR elements of [at, end) into `out`, as `explicit` (PS3.5 7.1.3)."""
        unpack = _IMPLICIT
        sequences = SEQUENCE_TAGS
        window, base = self.window, self.base
        edge = base + len(window) - 8
        last, counted, odd = LOWEST, 0, 0
        runs = self.known.runs if self.known is not None and not depth else None
        while at < end:
            if at > edge:
                self.tally(len(out) - counted, at)
                counted = len(out)
                window, base = self.fill(at, end)
                edge = base + len(window) - 8
            if runs and (run := runs.get(window[at - base : at - base + KEY])) is not None and last < run.first:
                if window.startswith(run.data, at - base):
                    at, last = self.repeat(run, at, out), run.last
                    continue
                self.differs(run, at)
            group, element, length = unpack(window, at - base)
            tag = group << 16 | element
            if not last < tag < DELIMITERS:
                if tag == ITEM_END and delimited:
                    self.delimiter(at, end)
                    self.close(len(out) - counted, odd, at)
                    return at + 8
                self.suspect(tag, at, out)
            value = at + 8
            stop = value + length
            if length == UNDEFINED or tag in sequences:
                self.tally(len(out) - counted, at)
                counted = len(out)
                before = self.count
                if length == UNDEFINED:
                    if tag == PIXEL_DATA:
                        raise BadFraming("pixel-data-encapsulated", at)
                    length = -1
                    stop = self.items(value, end, depth + 1, True, self.implicit)
                elif stop <= end:
                    self.items(value, stop, depth + 1, False, self.implicit)
                if not depth:
                    self.nested[tag] = self.count - before
                window, base = self.window, self.base
                edge = base + len(window) - 8
            if stop > end:
                raise BadFraming("length-overrun", at)
            out[tag] = ("", at, value, length, stop)
            odd |= stop
            if tag > last:
                last = tag
            at = stop
        if delimited:
            raise BadFraming("delimiter-missing", at)
        self.close(len(out) - counted, odd, at)
        return at

    def items(self, at: int, end: int, depth: int, delimited: bool, walker: Walker) -> int:
        """The items of one sequence in [at, end), up to its delimiter where `delimited` (PS3.5 7.5). Its end."""
        if depth > self.limits.depth:
            raise BudgetExceeded("depth", at)
        while delimited or at < end:
            tag, length = self.item_header(at, end)
            if tag == ITEM:
                self.tally(1, at)
                if length == UNDEFINED:
                    at = walker(at + 8, end, depth, {}, True)
                else:
                    stop = at + 8 + length
                    if stop > end:
                        raise BadFraming("length-overrun", at)
                    at = walker(at + 8, stop, depth, {}, False)
            elif tag == SEQUENCE_END and delimited:
                if length:
                    raise BadFraming("delimiter-length", at)
                return at + 8
            else:
                raise BadFraming("item-expected", at)
        return at

    def undefined(self, vr: str, tag: int, at: int, end: int, depth: int) -> int:
        """The content of an Explicit VR element of undefined length; returns its end."""
        if vr == "SQ":
            return self.items(at, end, depth + 1, True, self.explicit)
        if vr == "UN":
            # PS3.5 6.2.2: UN of undefined length is a sequence in Implicit VR Little Endian, whatever is around it
            big, self.big = self.big, False
            at = self.items(at, end, depth + 1, True, self.implicit)
            self.big = big
            return at
        if tag == PIXEL_DATA and vr in ("OB", "OW"):
            if not self.encapsulated:
                raise BadFraming("pixel-data-encapsulated", at)
            return self.fragments(at, end)
        raise BadFraming("length-undefined", at)

    def fragments(self, at: int, end: int) -> int:
        """Encapsulated pixel data: offset table, fragments, delimiter (PS3.5 A.4). Its end."""
        first = True
        length = 0
        while True:
            tag, length = self.item_header(at, end, seek=length > SKIP)
            if tag == SEQUENCE_END:
                if length:
                    raise BadFraming("delimiter-length", at)
                if first:
                    self.warnings.add("offset-table-missing")
                return at + 8
            if tag != ITEM:
                raise BadFraming("fragment-expected", at)
            if length == UNDEFINED:
                raise BadFraming("fragment-undefined", at)
            self.fragments_seen += 1
            if self.fragments_seen > self.limits.fragments:
                raise BudgetExceeded("fragments", at)
            if first and length % 4:
                self.warnings.add("offset-table-length")
            if length & 1:
                self.warnings.add("odd-length")
            first = False
            if at + 8 + length > end:
                raise BadFraming("length-overrun", at)
            at += 8 + length

    def item_header(self, at: int, end: int, seek: bool = False) -> tuple[int, int]:
        """Tag and length of the item or delimiter at `at`."""
        offset = at - self.base
        if 0 <= offset <= len(self.window) - 8:
            window = self.window
        elif seek:
            window, offset = self.source.pread(at, 8), 0
            if end - at < 8 or len(window) < 8:
                raise BadFraming("header-truncated", at)
        else:
            window, offset = self.fill(at, end)[0], 0
        if end - at < 8:
            raise BadFraming("header-truncated", at)
        layout = BIG if self.big else LITTLE
        group, element, length = layout.implicit.unpack_from(window, offset)
        return group << 16 | element, length

    def delimiter(self, at: int, end: int) -> None:
        """An item delimiter must have no length (PS3.5 7.5.2)."""
        if end - at < 8:
            raise BadFraming("header-truncated", at)
        if self.window[at - self.base + 4 : at - self.base + 8] != b"\0\0\0\0":
            raise BadFraming("delimiter-length", at)

    def suspect(self, tag: int, at: int, out: dict[int, Entry]) -> None:
        """A tag out of order or of a group that needs a second look (PS3.5 7.1, 7.8)."""
        if tag >= DELIMITERS:
            raise BadFraming("delimiter-unexpected" if tag < 0xFFFF0000 else "group-illegal", at)
        if tag <= LOWEST:
            if tag >> 16 in (0x0000, 0x0002):
                raise BadFraming("group-illegal", at)  # the command's and the file's
            if tag & 0x10000:
                self.warnings.add("group-reserved")  # 0001, 0003, 0005, 0007 are nobody's
        if tag in out:
            raise BadFraming("tag-twice", at)
        if out and tag < next(reversed(out)):
            self.warnings.add("not-ascending")

    def repeat(self, run: Framed, at: int, out: dict[int, Entry]) -> int:
        """Take over what was found in another object; the offset after it."""
        out.update(run.entries(at))
        self.repeated += run.count
        if run.nested:
            self.nested.update(run.inside)
            self.tally(run.nested, at)
        return at + run.size

    def differs(self, run: Framed, at: int) -> None:
        """What began as a run is none."""
        if self.known is not None:
            self.known.differs(run, self.window, at - self.base)

    def tally(self, more: int, at: int) -> None:
        """Count elements and items of every level."""
        self.count += more
        if self.count > self.limits.elements:
            raise BudgetExceeded("elements", at)

    def close(self, more: int, odd: int, at: int) -> None:
        """A level has ended. An odd length is against PS3.5 7.1, but frames in one way only."""
        self.tally(more, at)
        if odd & 1:
            self.warnings.add("odd-length")

    def fill(self, at: int, end: int) -> tuple[bytes, int]:
        """A window from `at` on. Raises where not even one header is left."""
        self.window = self.source.pread(at, WINDOW)
        self.base = at
        if not at:
            self.head = self.window
        if end - at < 8 or len(self.window) < min(12, end - at):
            raise BadFraming("header-truncated", at)
        return self.window, at
