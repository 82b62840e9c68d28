"""The first look: every member's header is read and judged by the application profile, before anything is written.

Rules of this file
* All problems are gathered, not the first alone: who makes a disc of 2,000 objects mends them in one go.
* What is uncompressed is written in Explicit VR little endian, as every profile of PS3.11 asks. What is compressed
  keeps its transfer syntax; where the profile does not take it, those that do are told.
* It keeps records and sizes, no pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from gateway.dimse.uids import is_storage, name_of
from gateway.errors import GatewayError
from gateway.media.errors import MediaError
from gateway.media.members import Member, Opened
from profiles.media import ApplicationProfile, load, names
from transforms.dataset import convert, framing, part10
from transforms.dataset import syntax as syntaxes
from transforms.errors import TransformError
from transforms.media.records import Described, describe
from transforms.media.tree import Tree
from transforms.source import ByteSource, chunks

LARGEST_FILE: Final = (4 << 30) - 1  # of a Secure DICOM File; PS3.5's lengths end there too
_TOLD: Final = 20  # problems told one by one
_RETIRED: Final = ("Standalone", "Stored Print", "Hardcopy", "Inventory")  # classes without a directory record


@dataclass(frozen=True, slots=True)
class Surveyed:
    """A member that may be written: its records, its transfer syntax there, and the bytes of its DICOM file."""

    member: Member
    described: Described
    syntax: str
    size: int


@dataclass(frozen=True, slots=True)
class Survey:
    """What will be written, in order; `repeated` counts inputs that are the same object twice."""

    members: tuple[Surveyed, ...]
    repeated: int = 0


def survey(members: Sequence[Member], profile: ApplicationProfile, seen: Callable[[int], None]) -> Survey:
    """Judge every member. `seen` is told how many are done. Raises MediaError (media-profile) with all problems."""
    judged = Judged(profile)
    problems: list[str] = []
    for number, member in enumerate(members, 1):
        try:
            judged.add(member)
        except (TransformError, GatewayError) as error:
            problems.append(f"{member.label}: {error}")
        seen(number)
    if problems:
        told = problems[:_TOLD]
        if len(problems) > _TOLD:
            told.append(f"and {len(problems) - _TOLD} more")
        raise MediaError("media-profile", f"nothing was written for {profile.name}\n  " + "\n  ".join(told))
    return Survey(tuple(judged.members.values()), judged.repeated)


class Judged:
    """The members of one set while they are looked at, one after the other."""

    def __init__(self, profile: ApplicationProfile) -> None:
        self.members: dict[str, Surveyed] = {}  # by SOP Instance UID
        self.repeated = 0
        self._profile = profile
        self._tree = Tree()  # thrown away, each volume gets its own: it shows what cannot stand in one directory

    def add(self, member: Member) -> Surveyed | None:
        """A member that fits; None where it is one that is there already. Raises MediaError, TransformError."""
        each = look(member, self._profile)
        other = self.members.get(each.described.sop_instance)
        if other is not None:
            _same(other, each)
            self.repeated += 1
            return None
        self._tree.add(each.described, each.syntax)
        self.members[each.described.sop_instance] = each
        return each


def look(member: Member, profile: ApplicationProfile) -> Surveyed:
    """One member's header. Raises MediaError, TransformError."""
    with written_form(member) as opened:
        index = framing.check(opened.source, opened.syntax)
        described = describe(opened.source, index, profile.keys)
        if problem := _refused(described.sop_class, opened.syntax, profile):
            raise MediaError("media-profile", problem)
        head = part10.meta(described.sop_class, described.sop_instance, opened.syntax)
        size = len(head) + opened.source.size
    if size > LARGEST_FILE:
        raise MediaError("media-too-large", f"a file of {size} bytes cannot be on this medium")
    return Surveyed(member, described, opened.syntax, size)


@contextmanager
def written_form(member: Member) -> Iterator[Opened]:
    """A member as it will be written: what is uncompressed in Explicit VR little endian. Raises TransformError."""
    with member.open() as opened:
        source, uid = opened
        if syntaxes.lookup(uid).uncompressed:
            source, uid = convert.to_explicit_le(source, uid), syntaxes.EXPLICIT_LE
        yield Opened(source, uid)


def _refused(sop_class: str, syntax: str, profile: ApplicationProfile) -> str:
    name = name_of(sop_class)
    if not is_storage(sop_class) or name.startswith(_RETIRED):
        return f"SOP class {name} is not one of PS3.4's media storage classes"
    if profile.sop_classes and sop_class not in profile.sop_classes:
        return f"SOP class {name} is not in {profile.name}"
    if not profile.syntaxes or syntax in profile.syntaxes:
        return ""
    others = [each for each in names() if syntax in load(each).syntaxes and load(each).secure == profile.secure]
    hint = f"; {', '.join(others)} take it" if others else ""
    return f"transfer syntax {name_of(syntax)} is not in {profile.name}{hint}"


def _same(one: Surveyed, other: Surveyed) -> None:
    """Raises where two members of one SOP Instance UID are not the same object."""
    with written_form(one.member) as first, written_form(other.member) as second:
        if first.syntax == second.syntax and _equal(first.source, second.source):
            return
    raise MediaError("media-instance-twice", f"it has the SOP Instance UID of {one.member.label}, and other content")


def _equal(one: ByteSource, other: ByteSource) -> bool:
    return one.size == other.size and all(a == b for a, b in zip(chunks(one), chunks(other), strict=True))
