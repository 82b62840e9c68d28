"""The way back (PS3.15 E.1.1, E.1.2): what de-identification took, as an Encrypted Attributes Data Set, and its return.

* `protected` gathers each top-level attribute that left changed or not at all, whole, a sequence with all its items
  (E.1.1, 5), into the one item of Modified Attributes Sequence. Behind it, in a private block, stands its SHA-256: the
  encryption of E.1.1 tells no changed byte. Pixel data and attributes of more than LONGEST bytes do not go with it; how
  many is told.
* `sealed` puts the encrypted items into the output, `restored` moves the attributes back: Patient Identity Removed
  becomes NO, the method's attributes go, the item that was opened goes.
* Encrypting and decrypting are the shell's.

Reasons: encrypted-attributes-malformed, -changed, -missing, -too-large.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hmac import compare_digest
from typing import Final, NamedTuple

from transforms.dataset import convert, framing
from transforms.dataset import syntax as syntaxes
from transforms.dataset.elements import ITEM, header_bytes
from transforms.dataset.index import Element
from transforms.deidentify import dummies
from transforms.deidentify.edit import Edit
from transforms.errors import TransformError
from transforms.source import ByteSource, BytesSource, EditPlan

ENCRYPTED: Final = 0x04000500  # Encrypted Attributes Sequence
CONTENT_SYNTAX: Final = 0x04000510
CONTENT: Final = 0x04000520
MODIFIED: Final = 0x04000550
_CREATOR: Final = (0x04010010, b"DICOM-GATEWAY SHA-256 ")  # our block; behind what readers read first
_MAC: Final = 0x04011001
LONGEST: Final = 1 << 20  # bytes of one attribute
MOST: Final = 16 << 20  # bytes of them all
_REMOVED: Final = 0x00120062
_METHOD: Final = (0x00120063, 0x00120064)
_TEMPORAL: Final = 0x00280303  # says how dates were de-identified
_PIXELS: Final = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_PADDING: Final = 0xFFFCFFFC
_NEVER: Final = frozenset({ENCRYPTED, _PADDING, _REMOVED, *_METHOD, *_PIXELS})


class Protected(NamedTuple):
    """An Encrypted Attributes Data Set in Explicit VR little endian, not yet encrypted. It identifies the patient."""

    data: bytes
    attributes: int  # that are in it
    left_out: int  # too large, or pixels


def protected(original: ByteSource, output: ByteSource, uid: str) -> Protected:
    """What `original` had and `output` has not. Both are in this little-endian syntax.

    Raises TransformError (encrypted-attributes-too-large), BadFraming.
    """
    before, after = framing.check(original, uid), framing.check(output, uid)
    gone = [each.tag for each in before if not _same(original, each, output, after.get(each.tag))]
    wanted = [tag for tag in gone if tag not in _NEVER and tag & 0xFFFF]
    explicit, index = original, before
    if not syntaxes.lookup(uid).explicit:
        explicit = convert.to_explicit_le(original, uid)
        index = framing.check(explicit, syntaxes.EXPLICIT_LE)
    found = [each for tag in wanted if (each := index.get(tag)) is not None and each.end - each.header <= LONGEST]
    if sum(each.end - each.header for each in found) > MOST:
        raise TransformError("encrypted-attributes-too-large", f"more than {MOST} bytes to protect")
    item = b"".join(explicit.pread(each.header, each.end - each.header) for each in found)
    modified = header_bytes(MODIFIED, "SQ", len(item) + 8) + header_bytes(ITEM, "", len(item)) + item
    digest = hashlib.sha256(modified).digest()
    mac = dummies.element(_CREATOR[0], "LO", _CREATOR[1], True) + dummies.element(_MAC, "OB", digest, True)
    left_out = len(wanted) - len(found) + len(_PIXELS.intersection(gone))
    return Protected(modified + mac, len(found), left_out)


def sealed(output: ByteSource, uid: str, contents: Sequence[bytes]) -> EditPlan:
    """The output with an Encrypted Attributes Sequence of these encrypted contents (CMS, DER)."""
    explicit = syntaxes.lookup(uid).explicit
    index = framing.check(output, uid)
    if ENCRYPTED in index:
        raise TransformError("encrypted-attributes-malformed", "it has encrypted attributes already")
    items = []
    for each in contents:
        syntax = syntaxes.EXPLICIT_LE.encode("ascii")
        named = (CONTENT_SYNTAX, "UI", syntax + b"\0" * (len(syntax) % 2))
        items.append((named, (CONTENT, "OB", each + b"\0" * (len(each) % 2))))
    edit = Edit()
    place = next((each.header for each in index if each.tag > ENCRYPTED), output.size)
    edit.replace(place, place, dummies.element(ENCRYPTED, "SQ", dummies.items(tuple(items), explicit), explicit))
    return EditPlan(output, edit.finish(output.size))


@dataclass(frozen=True, slots=True)
class Sealed:
    """One item of Encrypted Attributes Sequence: what is in it is for who has a key."""

    syntax: str  # Encrypted Content Transfer Syntax UID
    content: bytes  # CMS, with at most one byte of padding behind it


def items_of(source: ByteSource, uid: str) -> list[Sealed]:
    """The items of an object's Encrypted Attributes Sequence. `source` is in Explicit VR little endian.

    Raises TransformError (encrypted-attributes-missing, encrypted-attributes-malformed), BadFraming.
    """
    index = framing.check(source, uid)
    sequence = index.get(ENCRYPTED)
    if sequence is None or sequence.vr != "SQ":
        raise TransformError("encrypted-attributes-missing", "the object has no encrypted attributes")
    if sequence.end - sequence.value > MOST * 2:
        raise TransformError("encrypted-attributes-too-large", f"more than {MOST * 2} bytes")
    found = []
    for at, end in _items(source, sequence):
        part = BytesSource(source.pread(at, end - at))
        inner = framing.check(part, syntaxes.EXPLICIT_LE)
        syntax = (inner.value_bytes(part, CONTENT_SYNTAX) or b"").rstrip(b" \0").decode("ascii", "replace")
        found.append(Sealed(syntax, inner.value_bytes(part, CONTENT) or b""))
    return found


def decoded(plain: bytes, syntax: str) -> tuple[bytes, bool]:
    """(the attributes of the item of Modified Attributes Sequence in Explicit VR little endian, whether a MAC guards
    them) of a decrypted Encrypted Attributes Data Set.

    Raises TransformError: encrypted-attributes-changed (its MAC is of other bytes), encrypted-attributes-malformed.
    """
    try:
        known = syntaxes.lookup(syntax)
        if not known.uncompressed or known.deflated:
            raise TransformError("encrypted-attributes-malformed", "its transfer syntax is none for attributes")
        source: ByteSource = BytesSource(plain)
        if not known.explicit or not known.little_endian:
            source = convert.to_explicit_le(source, syntax)
        index = framing.check(source, syntaxes.EXPLICIT_LE)
        modified = index.get(MODIFIED)
        items = list(_items(source, modified)) if modified is not None and modified.vr == "SQ" else []
        if modified is None or len(items) != 1:
            raise TransformError("encrypted-attributes-malformed", "Modified Attributes Sequence has not one item")
        (start, end), whole = items[0], source.pread(modified.header, modified.end - modified.header)
        item = source.pread(start, end - start)
        framing.check(BytesSource(item), syntaxes.EXPLICIT_LE)
    except TransformError as error:
        raise TransformError("encrypted-attributes-malformed", error.reason) from error
    if index.value_bytes(source, _CREATOR[0]) != _CREATOR[1]:
        return item, False
    if not compare_digest(hashlib.sha256(whole).digest(), index.value_bytes(source, _MAC) or b""):
        raise TransformError("encrypted-attributes-changed", "what was decrypted is not what was encrypted")
    return item, True


def restored(source: ByteSource, uid: str, item: bytes, opened: int) -> EditPlan:
    """The object with the item's attributes in place of dummies (E.1.2). `opened`: which item of the sequence it was.

    `source` is in Explicit VR little endian, compressed or not.
    """
    index = framing.check(source, uid)
    fresh = BytesSource(item)
    back = {
        each.tag: fresh.pread(each.header, each.end - each.header)
        for each in framing.check(fresh, syntaxes.EXPLICIT_LE)
    }
    back[_REMOVED] = dummies.element(_REMOVED, "CS", b"NO", True)
    for tag in (ENCRYPTED, _PADDING, *_METHOD):
        back.pop(tag, None)
    edit = Edit()
    waiting = sorted(back)
    for each in index:
        while waiting and waiting[0] < each.tag:
            edit.replace(each.header, each.header, back[waiting.pop(0)])
        if each.tag in waiting:
            waiting.remove(each.tag)
            edit.replace(each.header, each.end, back[each.tag])
        elif each.tag in back or each.tag in (
            *_METHOD,
            _TEMPORAL,
        ):  # its data set is not in ascending order: it stands before already
            edit.drop(each.header, each.end)
        elif each.tag == ENCRYPTED:
            _without(edit, source, each, opened)
    edit.replace(source.size, source.size, b"".join(back[tag] for tag in waiting))
    return EditPlan(source, edit.finish(source.size))


def _without(edit: Edit, source: ByteSource, sequence: Element, opened: int) -> None:
    """The sequence without the item that was opened: others' items are still others'."""
    kept = [
        header_bytes(ITEM, "", end - at) + source.pread(at, end - at)
        for number, (at, end) in enumerate(_items(source, sequence))
        if number != opened
    ]
    if kept:
        edit.replace(sequence.header, sequence.end, dummies.element(ENCRYPTED, "SQ", b"".join(kept), True))
    else:
        edit.drop(sequence.header, sequence.end)


def _items(source: ByteSource, sequence: Element) -> Iterator[tuple[int, int]]:
    """(first byte of the elements, end of them) of each item."""
    at = sequence.value
    stop = sequence.end - 8 if sequence.length < 0 else sequence.end
    walk = framing.Walk(source, syntaxes.lookup(syntaxes.EXPLICIT_LE), framing.Limits())
    while at < stop:
        size = int.from_bytes(source.pread(at + 4, 4), "little")
        if size == 0xFFFFFFFF:
            after = walk.explicit(at + 8, stop, 1, {}, True)
            yield at + 8, after - 8
        else:
            after = at + 8 + size
            yield at + 8, after
        at = after


def _same(original: ByteSource, before: Element, output: ByteSource, after: Element | None) -> bool:
    """Whether an element left as it came."""
    if after is None or after.end - after.header != before.end - before.header:
        return False
    size = before.end - before.header
    return all(
        original.pread(before.header + at, min(LONGEST, size - at))
        == output.pread(after.header + at, min(LONGEST, size - at))
        for at in range(0, size, LONGEST)
    )
