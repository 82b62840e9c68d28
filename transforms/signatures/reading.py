"""Every digital signature of an object: at the top and in items, with its MAC parameters (PS3.3 C.12.1.1.3).

* Read, not believed. What cannot be read is a signature all the same, with what is wrong with it: none is passed over.
* Signatures within Original Attributes (0400,0561) were of the object as it was, and are not looked for.
* Sizes are limited before anything is read, and so is what all signatures together are over: each may be over pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from transforms.dataset import framing, syntax
from transforms.dataset.index import Entry, Limits
from transforms.errors import TransformError
from transforms.signatures import tags
from transforms.signatures.mac import Entries, Levels, Running, feed, of_item, of_level
from transforms.source import ByteSource

_MOST: Final = 1 << 20  # bytes of a certificate, a signature, a time stamp
_MOST_SIGNATURES: Final = 1000
_MOST_TIMES: Final = 64  # that an object is hashed, for all signatures together
_FREE: Final = 64 << 20  # bytes that may be hashed of any object


@dataclass(frozen=True, slots=True)
class Found:
    """One item of a Digital Signatures Sequence, and the item of MAC Parameters Sequence that it names."""

    path: str  # of the level it stands in: "" for the top, "(0040,A730)[1]" for an item of a sequence
    number: int  # among those of its level, from 1
    fault: str  # why it cannot be read; "" where it can
    uid: str = ""
    at: str = ""  # Digital Signature DateTime, as it stands (DT)
    mac_id: int = -1
    syntax: str = ""  # MAC Calculation Transfer Syntax UID
    algorithm: str = ""  # MAC Algorithm
    signed: tuple[int, ...] = ()  # Data Elements Signed
    certificate_type: str = ""
    certificate: bytes = b""
    signature: bytes = b""
    timestamp_type: str = ""
    timestamp: bytes = b""
    purpose: tuple[str, str] = ("", "")  # code value, coding scheme designator
    level: _Level | None = None

    def feed(self, running: Running) -> None:
        """What it is over, into a hash. Raises TransformError('signature-unsignable')."""
        assert self.level is not None
        levels, depth = self.level.levels, self.level.depth
        feed(running, levels.source, of_level(levels, self.level.entries, self.signed, depth))
        feed(running, levels.source, of_item(levels, self.level.item, depth))

    def unsigned(self) -> tuple[int, ...]:
        """Attributes of its level that may be signed and that it does not sign."""
        assert self.level is not None
        return tuple(tag for tag in self.level.entries if tags.may_be_signed(tag) and tag not in self.signed)


@dataclass(frozen=True, slots=True)
class _Level:
    levels: Levels
    entries: Entries
    item: Entries  # of the signature's own item
    depth: int


def signatures(source: ByteSource, uid: str, limits: Limits = Limits()) -> list[Found]:
    """All signatures of a data set in Explicit VR little endian, those at the top first.

    Raises TransformError: signature-syntax (it is in another syntax), signature-too-many; BadFraming.
    """
    known = syntax.lookup(uid)
    if not known.explicit or not known.little_endian or known.deflated:
        raise TransformError("signature-syntax", "it is not in Explicit VR little endian")
    index = framing.check(source, uid, limits)
    levels = Levels(source, known, limits)
    found: list[Found] = []
    _level(levels, index.entries, "", 0, found, [0])
    return found


def _level(levels: Levels, entries: Entries, path: str, depth: int, out: list[Found], spent: list[int]) -> None:
    if tags.SIGNATURES in entries:
        parameters = _parameters(levels, entries, depth)
        sequence = entries[tags.SIGNATURES]
        items = levels.items(sequence, depth) if sequence[0] == "SQ" else iter(())
        for number, (_, item, _) in enumerate(items, 1):
            out.append(_read(_Level(levels, entries, item, depth), parameters, path, number))
            if len(out) > _MOST_SIGNATURES:
                raise TransformError("signature-too-many", f"more than {_MOST_SIGNATURES}")
            spent[0] += _over(out[-1])
            if spent[0] > max(_FREE, _MOST_TIMES * levels.source.size):
                raise TransformError("signature-too-many", f"they are over the object more than {_MOST_TIMES} times")
    for tag, entry in entries.items():
        if entry[0] != "SQ" or tag in (tags.SIGNATURES, tags.MAC_PARAMETERS, tags.ORIGINAL_ATTRIBUTES):
            continue
        for number, (_, inside, _) in enumerate(levels.items(entry, depth), 1):
            step = f"({tag >> 16:04X},{tag & 0xFFFF:04X})[{number}]"
            _level(levels, inside, f"{path}/{step}" if path else step, depth + 1, out, spent)


def _over(found: Found) -> int:
    """Bytes that a signature is over."""
    assert found.level is not None
    entries = found.level.entries
    return sum(entries[tag][4] - entries[tag][1] for tag in set(found.signed) if tag in entries)


def _parameters(levels: Levels, entries: Entries, depth: int) -> dict[int, list[Entries]]:
    found: dict[int, list[Entries]] = {}
    sequence = entries.get(tags.MAC_PARAMETERS)
    if sequence is not None and sequence[0] == "SQ":
        for _, item, _ in levels.items(sequence, depth):
            number = _number(levels, item)
            if number is not None:
                found.setdefault(number, []).append(item)
    return found


def _read(level: _Level, parameters: dict[int, list[Entries]], path: str, number: int) -> Found:
    levels, item = level.levels, level.item
    mac_id = _number(levels, item)
    named = parameters.get(-1 if mac_id is None else mac_id, [])
    try:
        if len(named) != 1:
            raise TransformError("signature-malformed", "its MAC Parameters are missing or there twice")
        (mac,) = named
        raw = _value(levels, mac, tags.SIGNED)
        if not raw or len(raw) % 4:
            raise TransformError("signature-malformed", "Data Elements Signed is empty or no list of tags")
        pairs = (raw[place : place + 4] for place in range(0, len(raw), 4))
        return Found(
            path,
            number,
            "",
            uid=_text(levels, item, tags.UID),
            at=_text(levels, item, tags.AT),
            mac_id=mac_id or 0,
            syntax=_text(levels, mac, tags.MAC_SYNTAX),
            algorithm=_text(levels, mac, tags.MAC_ALGORITHM),
            signed=tuple(
                int.from_bytes(pair[:2], "little") << 16 | int.from_bytes(pair[2:], "little") for pair in pairs
            ),
            certificate_type=_text(levels, item, tags.CERTIFICATE_TYPE),
            certificate=_value(levels, item, tags.CERTIFICATE),
            signature=_value(levels, item, tags.SIGNATURE),
            timestamp_type=_text(levels, item, tags.TIMESTAMP_TYPE),
            timestamp=_value(levels, item, tags.TIMESTAMP),
            purpose=_purpose(levels, item, level.depth),
            level=level,
        )
    except TransformError as error:
        return Found(path, number, error.detail, uid=_text(levels, item, tags.UID, strict=False), level=level)


def _purpose(levels: Levels, item: Entries, depth: int) -> tuple[str, str]:
    entry = item.get(tags.PURPOSE)
    if entry is not None and entry[0] == "SQ":
        for _, code, _ in levels.items(entry, depth + 1):
            return _text(levels, code, 0x00080100), _text(levels, code, 0x00080102)
    return "", ""


def _number(levels: Levels, item: Entries) -> int | None:
    entry = item.get(tags.MAC_ID)
    return int.from_bytes(levels.source.pread(entry[2], 2), "little") if entry is not None and entry[3] == 2 else None


def _text(levels: Levels, item: Entries, tag: int, *, strict: bool = True) -> str:
    try:
        return _value(levels, item, tag).decode("ascii").rstrip(" \0")
    except (UnicodeDecodeError, TransformError):
        if strict:
            raise TransformError("signature-malformed", "a text of it is not ASCII, or too long") from None
        return ""


def _value(levels: Levels, item: Entries, tag: int) -> bytes:
    entry: Entry | None = item.get(tag)
    if entry is None:
        return b""
    if not 0 <= entry[3] <= _MOST:
        raise TransformError("signature-malformed", "a part of it is too long")
    return levels.source.pread(entry[2], entry[3])
