"""What PS3.15 Annex C says of digital signatures, as data: the attributes that each profile signs, and purposes.

`attributes.py` is generated (generate.py); this module gives its lists names and shapes. Nothing is interpreted here.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

from profiles.signatures import attributes


class Profile(NamedTuple):
    """A digital signature profile."""

    name: str  # as rule files and commands say it
    section: str  # of PS3.15
    attributes: str  # 8 hex digits each, xx for repeating groups; "" where the profile names none
    purpose: bool  # whether Digital Signature Purpose Code Sequence must be there
    needs: tuple[int, ...] = ()  # attributes that must be present, and signed


_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES = 0x00080016, 0x00080018, 0x0020000D, 0x0020000E
_INSTANCE: Final = (_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES)
PROFILES: Final = {
    each.name: each
    for each in (
        Profile("base", "C.1", "", purpose=False),
        Profile("creator", "C.2", attributes.CREATOR, purpose=False, needs=_INSTANCE),
        Profile("authorization", "C.3", attributes.AUTHORIZATION, purpose=False, needs=_INSTANCE),
        Profile("sr", "C.4", attributes.STRUCTURED_REPORT, purpose=True, needs=(_SOP_CLASS, _STUDY, _SERIES)),
        Profile(
            "sr-verification",
            "C.4",
            f"{attributes.STRUCTURED_REPORT} {attributes.VERIFICATION}",
            purpose=True,
            needs=_INSTANCE,
        ),
    )
}
SCHEME: Final = "ASTM-sigpurpose"
PURPOSES: Final = {  # CID 7007, which PS3.16 takes from ASTM E 2084
    "1": "Author's Signature",
    "2": "Coauthor's Signature",
    "3": "Co-participant's Signature",
    "4": "Transcriptionist/Recorder Signature",
    "5": "Verification Signature",
    "6": "Validation Signature",
    "7": "Consent Signature",
    "8": "Signature Witness Signature",
    "9": "Event Witness Signature",
    "10": "Identity Witness Signature",
    "11": "Consent Witness Signature",
    "12": "Interpreter Signature",
    "13": "Review Signature",
    "14": "Source Signature",
    "15": "Addendum Signature",
    "16": "Modification Signature",
    "17": "Administrative (Error/Edit) Signature",
    "18": "Timestamp Signature",
}


@cache
def _listed(name: str) -> tuple[frozenset[int], frozenset[int]]:
    """(single tags, tags of repeating groups with group & 0xFF00)."""
    single: set[int] = set()
    repeating: set[int] = set()
    for tag in PROFILES[name].attributes.split():
        (repeating if "x" in tag else single).add(int(tag.replace("xx", "00"), 16))
    return frozenset(single), frozenset(repeating)


def signs(name: str, tag: int) -> bool:
    """Whether the profile wants this attribute signed where it is present; the base profile wants none by itself."""
    single, repeating = _listed(name)
    return tag in single or (tag & 0xFF00FFFF in repeating and not tag >> 16 & 1 and tag >> 16 & 0xFF <= 0x1E)
