"""A DICOMDIR's bytes: the Basic Directory IOD over a tree of records (PS3.3 F.3, PS3.10 section 8.6).

* Explicit VR little endian, every item of defined length, records in the order of the tree: a parent before its
  children. Offsets count from the file's first byte, preamble and prefix included (PS3.3 Table F.3-3).
* Two passes: sizes first, then bytes, so that nothing is written twice and nothing is patched.
* The File-set UID is the SOP Instance UID of the DICOMDIR; it stands in File Meta Information only (PS3.3 F.3.2.1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from transforms.dataset.elements import ITEM, header_bytes
from transforms.dataset.part10 import meta
from transforms.dataset.syntax import EXPLICIT_LE
from transforms.errors import TransformError

SOP_CLASS: Final = "1.2.840.10008.1.3.10"  # Media Storage Directory Storage
_LARGEST: Final = 0xFFFFFFFF  # an offset is a UL


@dataclass(slots=True)
class Node:
    """A directory record in its place. `file` is what it refers to; PATIENT, STUDY and SERIES refer to none."""

    type: str
    keys: Mapping[int, bytes]  # whole elements by tag
    children: list[Node] = field(default_factory=list)
    file: File | None = None


@dataclass(frozen=True, slots=True)
class File:
    """A file of the File-set as its record names it (PS3.3 Table F.3-3)."""

    file_id: tuple[str, ...]
    sop_class: str
    sop_instance: str
    syntax: str


def written(roots: list[Node], file_set_uid: str, file_set_id: str = "") -> Iterator[bytes]:
    """The DICOMDIR in pieces, preamble and File Meta Information first. Raises TransformError('dicomdir-too-large')."""
    head = meta(SOP_CLASS, file_set_uid, EXPLICIT_LE)
    head += _element(0x00041130, "CS", _padded(file_set_id, " "))
    first = len(head) + 12 + 12 + 10 + 12  # two offsets, the flag, the header of the sequence
    offsets: dict[int, int] = {}
    at = first
    for node in walked(roots):
        offsets[id(node)] = at
        at += 8 + _size(node)
    if at > _LARGEST:
        raise TransformError("dicomdir-too-large", "a DICOMDIR has 32-bit offsets")
    yield head
    yield _number(0x00041200, offsets[id(roots[0])] if roots else 0)
    yield _number(0x00041202, offsets[id(roots[-1])] if roots else 0)
    yield _element(0x00041212, "US", b"\0\0")
    yield header_bytes(0x00041220, "SQ", at - first)
    yield from _items(roots, offsets)


def size(roots: list[Node]) -> int:
    """No less than the bytes of the DICOMDIR, and at most 1 KiB more."""
    return 1024 + sum(8 + _size(each) for each in walked(roots))


def walked(roots: list[Node]) -> Iterator[Node]:
    """Every record, a parent before its children."""
    for node in roots:
        yield node
        yield from walked(node.children)


def _items(siblings: list[Node], offsets: dict[int, int]) -> Iterator[bytes]:
    """The records of one directory entity, each followed by those beneath it (PS3.3 F.2.2.2)."""
    for place, node in enumerate(siblings, 1):
        yield _item(node, offsets[id(siblings[place])] if place < len(siblings) else 0, offsets)
        yield from _items(node.children, offsets)


def _item(node: Node, after: int, offsets: dict[int, int]) -> bytes:
    lower = offsets[id(node.children[0])] if node.children else 0
    body = (
        _number(0x00041400, after)
        + _element(0x00041410, "US", b"\xff\xff")
        + _number(0x00041420, lower)
        + _element(0x00041430, "CS", _padded(node.type, " "))
        + _reference(node.file)
        + b"".join(node.keys[tag] for tag in sorted(node.keys))
    )
    return header_bytes(ITEM, "", len(body)) + body


def _size(node: Node) -> int:
    """Bytes of a record's item, without the item's header."""
    fixed = 12 + 10 + 12 + 8 + len(_padded(node.type, " "))
    return fixed + len(_reference(node.file)) + sum(map(len, node.keys.values()))


def _reference(file: File | None) -> bytes:
    if file is None:
        return b""
    return (
        _element(0x00041500, "CS", _padded("\\".join(file.file_id), " "))
        + _element(0x00041510, "UI", _padded(file.sop_class, "\0"))
        + _element(0x00041511, "UI", _padded(file.sop_instance, "\0"))
        + _element(0x00041512, "UI", _padded(file.syntax, "\0"))
    )


def _number(tag: int, value: int) -> bytes:
    return _element(tag, "UL", value.to_bytes(4, "little"))


def _element(tag: int, vr: str, raw: bytes) -> bytes:
    return header_bytes(tag, vr, len(raw)) + raw


def _padded(text: str, padding: str) -> bytes:
    raw = text.encode("ascii")
    return raw + padding.encode("ascii") * (len(raw) % 2)
