"""Reads a DICOMDIR and says what it refers to, or what is wrong with it (PS3.3 Annex F).

* Records are found by their offsets, as a reader must; what the offsets do not reach, reach twice or miss raises
  dicomdir-malformed. The caller scans the medium instead, and says so.
* Implicit VR, as old writers had it, is read too. In-use flags other than FFFFH count as in use (Table F.3-3).
* A File ID is returned as it stands; `safe` says whether it may be looked for on a medium.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from transforms.dataset import part10
from transforms.dataset import syntax as syntaxes
from transforms.dataset.elements import ITEM, SEQUENCE_END, UNDEFINED
from transforms.dataset.framing import Walk, check
from transforms.dataset.index import Entry, Index, Limits
from transforms.errors import TransformError
from transforms.media.dicomdir import SOP_CLASS, File
from transforms.source import ByteSource, Copy, EditPlan

_LIMITS: Final = Limits(elements=20_000_000)
_LARGEST: Final = 1 << 30  # bytes: ten million records
_COMPONENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,63}")
_STRICT = re.compile(r"[A-Z0-9_]{1,8}")
_DEPTH: Final = 8  # PS3.10 8.2


class Found(NamedTuple):
    """One record: its type, how deep it stands, and the file it refers to, if any."""

    type: str
    depth: int
    file: File | None


@dataclass(frozen=True, slots=True)
class Directory:
    """What a DICOMDIR says."""

    file_set_uid: str
    records: tuple[Found, ...]  # in the order of the tree

    @property
    def files(self) -> tuple[File, ...]:
        """Every file it refers to."""
        return tuple(each.file for each in self.records if each.file is not None)


def safe(file_id: tuple[str, ...]) -> bool:
    """Whether it names a place beneath the medium, and nothing else: no `..`, no separator, no drive, no NUL."""
    return 0 < len(file_id) <= 16 and all(_COMPONENT.fullmatch(part) and ".." not in part for part in file_id)


def strict(file_id: tuple[str, ...]) -> bool:
    """Whether it is a File ID as PS3.10 8.2 and 8.5 say."""
    return 0 < len(file_id) <= _DEPTH and all(_STRICT.fullmatch(part) for part in file_id)


def read(source: ByteSource) -> Directory:
    """A whole DICOMDIR file. Raises TransformError: dicomdir-malformed, and what framing and part10 raise."""
    if source.size > _LARGEST:
        raise TransformError("dicomdir-malformed", "more than 1 GiB")
    found = part10.split(source, tolerant=True)
    if found.sop_class not in (SOP_CLASS, ""):
        raise TransformError("dicomdir-malformed", "its SOP class is not that of a directory")
    known = syntaxes.lookup(found.syntax)
    if not known.little_endian or known.deflated or known.encapsulated:
        raise TransformError("dicomdir-malformed", "its transfer syntax is not Explicit VR little endian")
    data = EditPlan(source, [Copy(found.offset, source.size - found.offset)])
    index = check(data, found.syntax, _LIMITS)
    records = _records(data, index, found.offset)
    first = _number(data, index.entries.get(0x00041200))
    return Directory(found.sop_instance, tuple(_linked(records, first)))


class _Raw(NamedTuple):
    after: int
    lower: int
    type: str
    file: File | None


def _records(data: ByteSource, index: Index, base: int) -> dict[int, _Raw]:
    """Every item of the Directory Record Sequence by its offset in the file."""
    entry = index.entries.get(0x00041220)
    if entry is None:
        raise TransformError("dicomdir-malformed", "it has no Directory Record Sequence")
    walk = Walk(data, index.syntax, _LIMITS)
    walker = walk.explicit if index.syntax.explicit else walk.implicit
    found: dict[int, _Raw] = {}
    _, _, at, _, end = entry
    while at < end:
        tag, length = walk.item_header(at, end)
        if tag == SEQUENCE_END:
            break
        if tag != ITEM:
            raise TransformError("dicomdir-malformed", "what is no item stands among the records")
        inside: dict[int, Entry] = {}
        stop = at + 8 + length
        stop = walker(at + 8, end, 1, inside, True) if length == UNDEFINED else walker(at + 8, stop, 1, inside, False)
        found[base + at] = _raw(data, inside)
        at = stop
    return found


def _raw(data: ByteSource, inside: dict[int, Entry]) -> _Raw:
    file_id = tuple(part.strip(" \0") for part in _text(data, inside.get(0x00041500)).split("\\"))
    file = None
    if file_id != ("",):
        file = File(file_id, *(_text(data, inside.get(tag)) for tag in (0x00041510, 0x00041511, 0x00041512)))
    return _Raw(
        _number(data, inside.get(0x00041400)),
        _number(data, inside.get(0x00041420)),
        _text(data, inside.get(0x00041430)),
        file,
    )


def _linked(records: dict[int, _Raw], first: int) -> Iterator[Found]:
    """The tree by its offsets. Raises where a record is missing, reached twice, or never."""
    seen: set[int] = set()
    stack = [(first, 0)]
    while stack:
        at, depth = stack.pop()
        if not at:
            continue
        record = records.get(at)
        if record is None:
            raise TransformError("dicomdir-malformed", "an offset leads to no record")
        if at in seen or depth > _DEPTH:
            raise TransformError("dicomdir-malformed", "a record is reached twice")
        seen.add(at)
        yield Found(record.type, depth, record.file)
        stack.append((record.after, depth))
        stack.append((record.lower, depth + 1))
    if len(seen) != len(records):
        raise TransformError("dicomdir-malformed", f"{len(records) - len(seen)} records are reached by no offset")


def _number(data: ByteSource, entry: Entry | None) -> int:
    if entry is None or entry[3] not in (2, 4):
        raise TransformError("dicomdir-malformed", "an offset is missing")
    return int.from_bytes(data.pread(entry[2], entry[3]), "little")


def _text(data: ByteSource, entry: Entry | None) -> str:
    if entry is None:
        return ""
    if entry[3] > 1 << 10:
        raise TransformError("dicomdir-malformed", "a key is longer than its VR allows")
    return data.pread(entry[2], entry[3]).decode("ascii", "replace").strip(" \0")
