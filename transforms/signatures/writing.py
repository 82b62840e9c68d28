"""Signatures put into a data set, and taken out: edit plans, everything else byte for byte as it was.

* A signature is put in at the top or in an item: an item at the end of its Digital Signatures Sequence, and one of its
  MAC Parameters Sequence with a MAC ID Number that is free. Sequences keep the kind of their length (PS3.5 7.5).
* Taken out anywhere, with the MAC parameters that no other signature of the level names.
* Data sets are in Explicit VR little endian and framed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from re import fullmatch
from typing import Final

from transforms.dataset import framing, syntax
from transforms.dataset.elements import ITEM, header_bytes
from transforms.dataset.index import Entry, Limits
from transforms.deidentify.edit import Edit, Mark
from transforms.errors import TransformError
from transforms.signatures import tags
from transforms.signatures.mac import Entries, Levels
from transforms.source import ByteSource, EditPlan

_AT_LENGTH: Final = 8  # of the length field within the header of a sequence; 4 within that of an item


@dataclass(frozen=True, slots=True)
class Parameters:
    """A MAC Parameters Sequence item (PS3.3 Table C.12-6)."""

    mac_id: int
    syntax: str
    algorithm: str  # SHA256 ...
    signed: tuple[int, ...]

    def item(self) -> bytes:
        """Its elements. Raises TransformError('signature-too-many') where the tags do not fit into an AT."""
        if len(self.signed) * 4 > 0xFFFC:
            raise TransformError("signature-too-many", f"{len(self.signed)} attributes to sign; at most 16383 fit")
        listed = b"".join(
            (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little") for tag in self.signed
        )
        return b"".join(
            (
                element(tags.MAC_ID, "US", self.mac_id.to_bytes(2, "little")),
                element(tags.MAC_SYNTAX, "UI", self.syntax.encode("ascii")),
                element(tags.MAC_ALGORITHM, "CS", self.algorithm.encode("ascii")),
                element(tags.SIGNED, "AT", listed),
            )
        )


@dataclass(frozen=True, slots=True)
class Statement:
    """A Digital Signatures Sequence item (PS3.3 Table C.12-6), without and with what is made after the MAC."""

    mac_id: int
    uid: str
    at: str  # DT
    purpose: tuple[str, str, str] | None = None  # code value, coding scheme designator, code meaning

    def item(self, certificate: bytes = b"", signature: bytes = b"", timestamp: bytes = b"") -> bytes:
        """Its elements; without arguments those that the MAC is over."""
        made = [
            element(tags.MAC_ID, "US", self.mac_id.to_bytes(2, "little")),
            element(tags.UID, "UI", self.uid.encode("ascii")),
            element(tags.AT, "DT", self.at.encode("ascii")),
            element(tags.CERTIFICATE_TYPE, "CS", b"X509_1993_SIG"),
        ]
        if certificate:
            made += [element(tags.CERTIFICATE, "OB", certificate), element(tags.SIGNATURE, "OB", signature)]
        if timestamp:
            made += [element(tags.TIMESTAMP_TYPE, "CS", b"CMS_TSP"), element(tags.TIMESTAMP, "OB", timestamp)]
        if self.purpose is not None:
            value, scheme, meaning = (text.encode("ascii") for text in self.purpose)
            code = element(0x00080100, "SH", value) + element(0x00080102, "SH", scheme)
            made.append(sequence(tags.PURPOSE, [code + element(0x00080104, "LO", meaning)]))
        return b"".join(made)


def element(tag: int, vr: str, value: bytes) -> bytes:
    """An element in Explicit VR little endian, padded to even length (PS3.5 7.1.1)."""
    if len(value) % 2:
        value += b"\0" if vr in ("UI", "OB") else b" "
    return header_bytes(tag, vr, len(value)) + value


def sequence(tag: int, items: Iterable[bytes]) -> bytes:
    """A sequence of defined length with these items."""
    body = b"".join(header_bytes(ITEM, "", len(each)) + each for each in items)
    return header_bytes(tag, "SQ", len(body)) + body


def free_mac_id(levels: Levels, entries: Entries, depth: int) -> int:
    """The lowest MAC ID Number that neither sequence of a level uses. Raises TransformError('signature-too-many')."""
    used = set()
    for tag in (tags.MAC_PARAMETERS, tags.SIGNATURES):
        sequence_ = entries.get(tag)
        if sequence_ is not None and sequence_[0] == "SQ":
            for _, item, _ in levels.items(sequence_, depth):
                used.add(int.from_bytes(_mac_id(levels, item), "little"))
    for number in range(1 << 16):
        if number not in used:
            return number
    raise TransformError("signature-too-many", "no MAC ID Number is free")


def level_of(levels: Levels, entries: Entries, path: str) -> tuple[Entries, int]:
    """(elements, depth) of the item at a path such as "(0040,A730)[1]"; "" is the top, whose elements are given.

    Raises TransformError('signature-path') where there is none.
    """
    depth = 0
    for step in filter(None, path.split("/")):
        _, entries, _ = _item_at(levels, entries, step, depth)
        depth += 1
    return entries, depth


def signed(levels: Levels, entries: Entries, path: str, parameters: bytes, statement: bytes) -> EditPlan:
    """The data set with one more signature at the top (`path` "") or in an item."""
    edit = Edit()
    _put(levels, entries, levels.source.size, path, 0, (parameters, statement), edit)
    return EditPlan(levels.source, edit.finish(levels.source.size))


def _put(
    levels: Levels, entries: Entries, end: int, path: str, depth: int, made: tuple[bytes, bytes], edit: Edit
) -> None:
    if not path:
        for tag, item in zip((tags.MAC_PARAMETERS, tags.SIGNATURES), made, strict=True):
            _append(edit, end, entries, tag, item)
        return
    step, _, rest = path.partition("/")
    at, inside, after = _item_at(levels, entries, step, depth)
    delimited = levels.source.pread(at + 4, 4) == b"\xff\xff\xff\xff"
    mark = edit.mark()
    _put(levels, inside, after - 8 if delimited else after, rest, depth + 1, made, edit)
    _relength_item(levels, edit, mark, at)
    _, start, _, length, _ = entries[_step(step)[0]]
    if length >= 0:
        edit.relength(mark, start + _AT_LENGTH, length)


def _item_at(levels: Levels, entries: Entries, step: str, depth: int) -> tuple[int, Entries, int]:
    tag, number = _step(step)
    entry = entries.get(tag)
    items = levels.items(entry, depth) if entry is not None and entry[0] == "SQ" else iter(())
    for place, item in enumerate(items, 1):
        if place == number:
            return item
    raise TransformError("signature-path", f"there is no item {step}")


def _step(step: str) -> tuple[int, int]:
    """(tag, number from 1) of one step of a path."""
    found = fullmatch(r"\(([0-9A-Fa-f]{4}),([0-9A-Fa-f]{4})\)\[([1-9][0-9]{0,5})\]", step)
    if found is None:
        raise TransformError("signature-path", "a path is like (0040,A730)[1]/(0008,1140)[2]")
    return int(found[1] + found[2], 16), int(found[3])


def _append(edit: Edit, size: int, entries: Entries, tag: int, item: bytes) -> None:
    there = entries.get(tag)
    whole = header_bytes(ITEM, "", len(item)) + item
    if there is None:
        place = next((entry[1] for other, entry in entries.items() if other > tag), size)
        if place < edit.run:
            raise TransformError("signature-order", "its attributes do not stand in ascending order (PS3.5 7.1)")
        edit.replace(place, place, sequence(tag, [item]))
        return
    vr, start, _, length, end = there
    if vr != "SQ":
        raise TransformError("signature-malformed", "the sequence of signatures is no sequence")
    if length < 0:
        edit.replace(end - 8, end - 8, whole)
        return
    mark = edit.mark()
    edit.replace(end, end, whole)
    edit.relength(mark, start + _AT_LENGTH, length)


def unsigned(source: ByteSource, uid: str, gone: Collection[tuple[str, int]], limits: Limits = Limits()) -> EditPlan:
    """The data set without these signatures, by `Found.path` and `Found.number`."""
    index = framing.check(source, uid, limits)
    levels = Levels(source, syntax.lookup(uid), limits)
    edit = Edit()
    _level(levels, index.entries, "", 0, frozenset(gone), edit)
    return EditPlan(source, edit.finish(source.size))


def _level(
    levels: Levels, entries: Entries, path: str, depth: int, gone: frozenset[tuple[str, int]], edit: Edit
) -> None:
    here = {number for where, number in gone if where == path}
    doomed = _doomed(levels, entries, here, depth) if here else {}
    for tag, entry in entries.items():
        if tag in doomed:
            _items_gone(levels, entry, depth, doomed[tag], edit)
        elif entry[0] == "SQ" and any(where.startswith(_prefix(path, tag)) for where, _ in gone):
            mark = edit.mark()
            for number, (at, inside, _) in enumerate(levels.items(entry, depth), 1):
                inner = edit.mark()
                _level(levels, inside, f"{_prefix(path, tag)}{number}]", depth + 1, gone, edit)
                _relength_item(levels, edit, inner, at)
            if entry[3] >= 0:
                edit.relength(mark, entry[1] + _AT_LENGTH, entry[3])


def _doomed(levels: Levels, entries: Entries, here: set[int], depth: int) -> dict[int, set[int]]:
    """The items, from 1, of both sequences of a level that go when these signatures go."""
    names: dict[int, bytes] = {}
    for number, (_, item, _) in enumerate(levels.items(entries[tags.SIGNATURES], depth), 1):
        names[number] = _mac_id(levels, item)
    kept = {name for number, name in names.items() if number not in here}
    found = {tags.SIGNATURES: here & set(names)}
    parameters = entries.get(tags.MAC_PARAMETERS)
    if parameters is not None and parameters[0] == "SQ":
        found[tags.MAC_PARAMETERS] = {
            number
            for number, (_, item, _) in enumerate(levels.items(parameters, depth), 1)
            if _mac_id(levels, item) not in kept
        }
    return found


def _items_gone(levels: Levels, entry: Entry, depth: int, doomed: set[int], edit: Edit) -> None:
    _, start, _, length, end = entry
    items = list(levels.items(entry, depth))
    if len(doomed) == len(items):
        edit.drop(start, end)
        return
    mark = edit.mark()
    for number, (at, _, after) in enumerate(items, 1):
        if number in doomed:
            edit.drop(at, after)
    if length >= 0:
        edit.relength(mark, start + _AT_LENGTH, length)


def _relength_item(levels: Levels, edit: Edit, mark: Mark, at: int) -> None:
    length = int.from_bytes(levels.source.pread(at + 4, 4), "little")
    if length != 0xFFFFFFFF:
        edit.relength(mark, at + 4, length)


def _mac_id(levels: Levels, item: Entries) -> bytes:
    entry = item.get(tags.MAC_ID)
    return levels.source.pread(entry[2], 2) if entry is not None else b""


def _prefix(path: str, tag: int) -> str:
    step = f"({tag >> 16:04X},{tag & 0xFFFF:04X})["
    return f"{path}/{step}" if path else step
