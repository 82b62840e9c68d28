"""Person names: PN (PS3.5 6.2.1) in its parts, for HL7 and for people."""

from __future__ import annotations

from typing import Final, NamedTuple

USES: Final = ("ABC", "IDE", "SYL")  # alphabetic, ideographic, phonetic: EntityNameUse of HL7


class Name(NamedTuple):
    """One component group."""

    use: str
    family: str
    given: str
    middle: str
    prefix: str
    suffix: str


def parted(value: str) -> tuple[Name, ...]:
    """The component groups of a PN value that say something. Further components stay at the end of the last one."""
    found = []
    groups = value.split("=", 2)
    for use, group in zip(USES, groups, strict=False):
        parts = group.split("^", 4)
        if any(part.strip(" ") for part in parts):
            family, given, middle, prefix, suffix = (part.strip(" ") for part in (*parts, "", "", "", "", "")[:5])
            found.append(Name(use, family, given, middle, prefix, suffix))
    return tuple(found)


def shown(value: str) -> str:
    """A PN for people: "Dr. Ada M. Lovelace MD (アダ)"."""
    names = [
        " ".join(part for part in (each.prefix, each.given, each.middle, each.family, each.suffix) if part)
        for each in parted(value)
    ]
    return names[0] + "".join(f" ({name})" for name in names[1:]) if names else ""
