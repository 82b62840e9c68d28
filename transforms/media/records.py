"""The directory records of one object: the keys PS3.3 F.5 asks for, copied from its data set.

* It reads headers and keys only, never pixels. The data set is framed, and in Explicit VR little endian.
* A key is copied byte for byte; Specific Character Set stands in each record, so that the bytes mean the same there.
* A key of type 1 that is missing or empty raises, unless a File-set Creator may supply it (PS3.11 D.3.3.1, note): then
  it is left out here and told in `wanting`; tree.py supplies it.
* Of an SR document's content only the items that modify its title are a key (PS3.3 F.5, HAS CONCEPT MOD).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from profiles.media.records import ADDITIONAL, KEYS, ROOTED, SUPPLIED, record_type
from transforms.dataset.elements import ITEM, SEQUENCE_END, UNDEFINED, dictionary_vr, header_bytes
from transforms.dataset.framing import Walk
from transforms.dataset.index import Entry, Index, Limits
from transforms.dictionary import keyword_for_tag, tag_for_keyword
from transforms.errors import TransformError
from transforms.source import ByteSource

CHARACTER_SET: Final = 0x00080005
CONTENT: Final = 0x0040A730
_RELATIONSHIP: Final = 0x0040A010
_VERIFIED: Final = 0x0040A030
_OBSERVERS: Final = 0x0040A073
_SHARED_GROUPS: Final = 0x52009229
_PATIENT_ID, _ISSUER, _PATIENT_NAME = 0x00100020, 0x00100021, 0x00100010
_STUDY, _SERIES = 0x0020000D, 0x0020000E
_CLASS, _INSTANCE = 0x00080016, 0x00080018
_LONGEST: Final = 1 << 16  # bytes of a key
_LONGEST_SEQUENCE: Final = 1 << 20
_NESTED: Final = frozenset({0x00081140, 0x00200032, 0x00200037, 0x00280030})  # also in shared functional groups

Set = Literal["none", "basic", "extended"]


@dataclass(frozen=True, slots=True)
class Record:
    """One directory record without its place: its type, its keys by tag as whole elements, what is to be supplied."""

    type: str
    keys: Mapping[int, bytes]
    wanting: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Described:
    """An object as a DICOMDIR sees it. UIDs and `patient` group it; `levels` is PATIENT, STUDY, SERIES, its own."""

    sop_class: str
    sop_instance: str
    patient: tuple[bytes, bytes]  # Patient ID and its issuer, without padding
    name: bytes  # Patient's Name, without padding: two for one Patient ID are told
    study: str
    series: str
    levels: tuple[Record, ...]  # one alone where it belongs to no patient


def describe(source: ByteSource, index: Index, additional: Set = "basic") -> Described:
    """The records of one framed object in Explicit VR little endian. `additional`: keys of the application profile.

    Raises TransformError: directory-key-missing, directory-key-malformed, directory-key-too-large.
    """
    if not index.syntax.explicit or not index.syntax.little_endian or index.syntax.deflated:
        raise ValueError("a data set in Explicit VR little endian is needed")
    sop_class, sop_instance = _uid(source, index, _CLASS), _uid(source, index, _INSTANCE)
    own = record_type(sop_class)
    types = (own,) if sop_class in ROOTED else ("PATIENT", "STUDY", "SERIES", own)
    more = ADDITIONAL[additional]
    levels = tuple(_record(source, index, each, (*KEYS[each], *more.get(each, ()))) for each in types)
    if len(levels) == 1:
        return Described(sop_class, sop_instance, (b"", b""), b"", "", "", levels)
    patient = _plain(source, index, _PATIENT_ID), _plain(source, index, _ISSUER)
    study, series = _uid(source, index, _STUDY), _uid(source, index, _SERIES)
    return Described(sop_class, sop_instance, patient, _plain(source, index, _PATIENT_NAME), study, series, levels)


def items(source: ByteSource, index: Index, entry: Entry) -> Iterator[tuple[int, int, dict[int, Entry]]]:
    """(first byte, end, elements) of each item of a framed sequence in Explicit VR little endian."""
    _, _, at, _, end = entry
    walk = Walk(source, index.syntax, Limits())
    while at < end:
        tag, size = walk.item_header(at, end)
        if tag == SEQUENCE_END:
            return
        if tag != ITEM:
            raise TransformError("directory-key-malformed", "a sequence without items")
        found: dict[int, Entry] = {}
        if size == UNDEFINED:
            stop = walk.explicit(at + 8, end, 1, found, True)
        else:
            stop = walk.explicit(at + 8, at + 8 + size, 1, found, False)
        yield at, stop, found
        at = stop


def _record(source: ByteSource, index: Index, kind: str, keys: tuple[tuple[str, str], ...]) -> Record:
    found: dict[int, bytes] = {}
    wanting = []
    if charset := _element(source, index, CHARACTER_SET):
        found[CHARACTER_SET] = charset
    for keyword, necessity in keys:
        tag = tag_for_keyword(keyword)
        assert tag is not None
        element = _verified(source, index) if tag == _VERIFIED else _element(source, index, tag)
        if element:
            found[tag] = element
        elif necessity == "2":
            found[tag] = header_bytes(tag, dictionary_vr(tag), 0)
        elif necessity == "1" and keyword in SUPPLIED:
            wanting.append(tag)
        elif necessity == "1":
            raise TransformError("directory-key-missing", f"{named(tag)} has no value, and a {kind} record needs it")
    return Record(kind, found, tuple(wanting))


def _element(source: ByteSource, index: Index, tag: int) -> bytes:
    """The whole element of a key, header and value; b"" where it is missing or empty."""
    entry = index.entries.get(tag)
    if tag in _NESTED and (entry is None or entry[3] == 0):
        entry = _shared(source, index, tag)
    if entry is None:
        return b""
    vr, _, value, length, end = entry
    wanted = dictionary_vr(tag)
    if (vr == "SQ") != (wanted == "SQ"):
        raise TransformError("directory-key-malformed", f"{named(tag)} is not of its VR")
    if end - value > (_LONGEST_SEQUENCE if vr == "SQ" else _LONGEST):
        raise TransformError("directory-key-too-large", f"{named(tag)} is too long for a directory")
    if vr == "SQ":
        return _sequence(source, index, tag, entry)
    raw = source.pread(value, length)
    if not raw.strip(b" \0"):
        return b"" if wanted not in ("US", "UL", "SS", "SL") or not raw else header_bytes(tag, wanted, length) + raw
    raw += (b"\0" if wanted == "UI" else b" ") * (len(raw) % 2)
    try:
        return header_bytes(tag, wanted, len(raw)) + raw
    except ValueError:
        raise TransformError("directory-key-too-large", f"{named(tag)} is too long for a directory") from None


def _verified(source: ByteSource, index: Index) -> bytes:
    """Verification DateTime of the last who verified a report (PS3.3 F.5, SR DOCUMENT); b"" where nobody did."""
    observers = index.entries.get(_OBSERVERS)
    if observers is None or observers[0] != "SQ":
        return b""
    times = [
        source.pread(found[_VERIFIED][2], min(found[_VERIFIED][3], 26)).strip(b" \0")
        for _, _, found in items(source, index, observers)
        if _VERIFIED in found
    ]
    raw = max(times, default=b"")
    raw += b" " * (len(raw) % 2)
    return header_bytes(_VERIFIED, "DT", len(raw)) + raw if raw else b""


def _sequence(source: ByteSource, index: Index, tag: int, entry: Entry) -> bytes:
    """A sequence whole; of a content tree only the items that modify its title."""
    _, _, value, length, end = entry
    if tag != CONTENT:
        raw = source.pread(value, end - value)
        return header_bytes(tag, "SQ", length) + raw if length else b""
    kept = []
    for start, stop, found in items(source, index, entry):
        relation = found.get(_RELATIONSHIP)
        if relation is not None and source.pread(relation[2], relation[3]).strip() == b"HAS CONCEPT MOD":
            kept.append(source.pread(start, stop - start))
    raw = b"".join(kept)
    return header_bytes(tag, "SQ", len(raw)) + raw if raw else b""


def _shared(source: ByteSource, index: Index, tag: int) -> Entry | None:
    """The element within the one item of the Shared Functional Groups Sequence, a macro deep (PS3.11 Table H.3-2)."""
    groups = index.entries.get(_SHARED_GROUPS)
    if groups is None or groups[0] != "SQ":
        return None
    for _, _, macros in items(source, index, groups):
        if tag in macros:
            return macros[tag]
        for macro in macros.values():
            if macro[0] == "SQ":
                for _, _, found in items(source, index, macro):
                    if tag in found:
                        return found[tag]
    return None


def _plain(source: ByteSource, index: Index, tag: int) -> bytes:
    return (index.value_bytes(source, tag) or b"")[:_LONGEST].strip(b" \0")


def _uid(source: ByteSource, index: Index, tag: int) -> str:
    raw = _plain(source, index, tag)
    if not raw or len(raw) > 64 or raw.strip(b"0123456789."):
        raise TransformError("directory-key-missing", f"{named(tag)} is missing or no UID")
    return raw.decode("ascii")


def named(tag: int) -> str:
    """An attribute for people: keyword and tag."""
    return f"{keyword_for_tag(tag)} ({tag >> 16:04X},{tag & 0xFFFF:04X})"
