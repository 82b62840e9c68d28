"""Values that are neither text nor pixels, cleaned without knowing the patient: ICC profiles, MIME types, waveforms.

* An ICC profile keeps its numbers and loses its words (transforms/documents/icc.py); what is no profile becomes sRGB.
* A MIME type stays where it is one that DICOM knows; else that of the SOP class is written.
* Waveform Data is cut to channels x samples x bits (PS3.3 C.10.9); the samples stay byte for byte.

Reasons: bulk-vr, icc-too-long, waveform-size-unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from transforms.dataset.elements import UNDEFINED, header_bytes
from transforms.deidentify import dummies, rules
from transforms.deidentify.options import How
from transforms.deidentify.rules import Action, Rule, allowed_vrs
from transforms.errors import TransformError

if TYPE_CHECKING:
    from transforms.deidentify.actions import Actions

HOWS: Final = frozenset({How.COLORS, How.MIME, How.SAMPLES})
_CHANNELS, _SAMPLES, _BITS = 0x003A0005, 0x003A0010, 0x54001004
SIZES: Final = frozenset({_CHANNELS, _SAMPLES, _BITS})  # of one multiplex group, before its data
WAVEFORM_SEQUENCE: Final = 0x54000100
_LONGEST_PROFILE: Final = 16 << 20  # bytes


def cleaned(walk: Actions, rule: Rule, tag: int, vr: bytes, start: int, at: int, length: int, after: int) -> Rule:
    """Clean one such element; the rule that was carried out."""
    if length == UNDEFINED:
        walk.edit.drop(start, after)
        return rules.MISMATCH
    if rule.how is How.MIME:
        parts = walk.value(at, length).split(b"\\")
        fresh = b"\\".join(dummies.mime_type(each, walk.sop_class) for each in parts)
        if fresh == b"\\".join(each.strip(b" \0") for each in parts):
            return Rule(Action.KEEP, rule.source, "a MIME type that DICOM knows")
        walk.write(tag, vr, start, after, fresh + b" " * (len(fresh) & 1))
        return Rule(Action.DUMMY, rule.source, "no MIME type that DICOM knows")
    if vr and vr.decode("ascii") not in allowed_vrs(tag):
        raise TransformError("bulk-vr", f"({tag >> 16:04X},{tag & 0xFFFF:04X}) is not in a VR of the dictionary's")
    if rule.how is How.SAMPLES:
        return _samples(walk, rule, tag, vr, start, at, length)
    if length > _LONGEST_PROFILE:
        raise TransformError("icc-too-long", "an ICC profile above 16 MiB")
    from transforms.documents import icc  # few objects have one

    try:
        profile = icc.wordless(walk.value(at, length))
    except TransformError:
        profile = icc.srgb()
        rule = Rule(Action.DUMMY, rule.source, "no ICC profile: sRGB stands there")
    walk.write(tag, vr, start, after, profile)
    return rule


def _samples(walk: Actions, rule: Rule, tag: int, vr: bytes, start: int, at: int, length: int) -> Rule:
    """Keep what the channels' samples take, and the padding byte as zero."""
    try:
        bits = walk.sizes[_CHANNELS] * walk.sizes[_SAMPLES] * walk.sizes[_BITS]
    except KeyError:
        raise TransformError("waveform-size-unknown", "channels, samples or bits of a waveform are missing") from None
    walk.sizes.clear()
    size = (bits + 7) // 8
    even = size + (size & 1)
    kept = Rule(Action.KEEP, rule.source, "the samples of its channels")
    if length > even:
        walk.edit.replace(start, at, header_bytes(tag, vr.decode("ascii"), even))
    if length >= even > size:
        walk.edit.replace(at + size, at + length, b"\0")
    elif length > even:
        walk.edit.drop(at + size, at + length)
    return kept if length <= even else Rule(Action.CLEAN, rule.source, "cut to the samples of its channels")
