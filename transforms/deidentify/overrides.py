"""A site's exceptions to a profile: the lines of `override:`, each an attribute, an action and why.

    PatientAge                                  wherever it stands, at the top and in every item
    RequestAttributesSequence.StudyComments     only in the items of that sequence, however deep the sequence stands
    (0019,"SIEMENS MED",0A)                     a private attribute of a creator, by group and low byte

* Lines are ordered; of two for one attribute the later one holds.
* A line with `when` holds for the objects that its condition is true of. The shell asks (gateway/overrides.py): here a
  line is active or not. UIDs hang on all lines, so that objects of a study with different active lines agree in them.
* One that keeps more than the profile says so (`allow_looser`); none may touch what makes the object itself.
* A private attribute that stays has the VR of Table E.3.10-1, of pydicom's list of makers' attributes, or of the line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from transforms.dataset.elements import LONG_VRS, SHORT_VRS, dictionary_vr
from transforms.deidentify import options as chosen
from transforms.deidentify import private
from transforms.deidentify.dummies import ITEMS
from transforms.deidentify.options import How
from transforms.deidentify.rules import Action, Rule, Rules
from transforms.dictionary import keyword_for_tag, tag_for_keyword
from transforms.errors import TransformError

_VERBS: Final = {
    "keep": Action.KEEP,
    "remove": Action.REMOVE,
    "empty": Action.EMPTY,
    "dummy": Action.DUMMY,
    "uid": Action.UID,
    "clean": Action.CLEAN,
}
_PRIVATE: Final = re.compile(r'\((?P<group>[0-9A-Fa-f]{4}),"(?P<creator>[ -\[\]-~]{1,64})",(?P<low>[0-9A-Fa-f]{2})\)')
_ENCODABLE: Final = frozenset(each.decode() for each in SHORT_VRS | LONG_VRS)
MARKERS: Final[frozenset[int]] = frozenset({0x00120062, 0x00120063, 0x00120064, 0x00280303})
# Without these an object is not itself: an override may not touch them
_ESSENTIAL: Final = frozenset({0x00080005, 0x00080016, 0x00080018, 0x0020000D, 0x0020000E, 0x00100020}) | MARKERS


class Override(Protocol):
    """One line of `override:` (gateway.config.schema.Override)."""

    @property
    def at(self) -> str: ...
    @property
    def do(self) -> str: ...
    @property
    def why(self) -> str: ...
    @property
    def when(self) -> Mapping[str, Any] | None: ...
    @property
    def allow_looser(self) -> bool: ...
    @property
    def vr(self) -> str | None: ...


class Place(NamedTuple):
    """What a line names."""

    tag: int = 0  # 0: a private attribute
    within: int = 0  # the sequence in whose items; 0: everywhere
    private: private.Attribute | None = None


class Compiled(NamedTuple):
    """The active lines of a file, as the walk looks them up."""

    everywhere: Mapping[int, Rule]
    within: Mapping[int, Mapping[int, Rule]]  # sequence -> attribute -> rule
    private: Mapping[private.Attribute, private.Carried]
    lines: tuple[tuple[int, int, str], ...]  # number, tag, action of what is not private
    told: list[tuple[object, ...]]  # of all lines, active or not: what the UIDs of a study hang on
    conditional: Mapping[int, bool]  # number of a line with `when` -> whether it keeps more than the profile
    looser: tuple[int, ...]  # numbers of all lines that keep more


NONE: Final = Compiled({}, {}, {}, (), [], {}, ())


def compiled(lines: Sequence[Override], plain: Rules, active: Collection[int]) -> Compiled:
    """Every line checked, those that are active compiled; a line without `when` always is.

    Raises TransformError: override-* with the number of the line.
    """
    everywhere: dict[int, Rule] = {}
    within: dict[int, dict[int, Rule]] = {}
    carried_on: dict[private.Attribute, private.Carried] = {}
    pinned: list[tuple[int, int, str]] = []
    told: list[tuple[object, ...]] = []
    conditional: dict[int, bool] = {}
    looser: list[int] = []
    for number, line in enumerate(lines, 1):
        where = f"override {number}"
        place = _place(line.at, where)
        if not line.why.strip():
            raise TransformError("override-why", f"{where}: say why")
        rule, carried = (_carried if place.private else _ruled)(line, place, plain, where)
        told.append(_told(place, rule, carried, line))
        if rule.looser:
            looser.append(number)
        if line.when is not None:
            conditional[number] = rule.looser
            if number not in active:
                continue
        if place.private is not None:
            assert carried is not None
            carried_on[place.private] = carried
        else:
            target = within.setdefault(place.within, {}) if place.within else everywhere
            target[place.tag] = rule
            pinned.append((number, place.tag, rule.action.value))
    if not conditional:  # then their order says nothing
        plainly = sorted({each for each in told if len(each) == 2})
        told = [*plainly, *sorted({each for each in told if len(each) != 2}, key=repr)]
    last = {(tag, action): (number, tag, action) for number, tag, action in pinned}
    return Compiled(everywhere, within, carried_on, tuple(last.values()), told, conditional, tuple(looser))


def _told(place: Place, rule: Rule, carried: private.Carried | None, line: Override) -> tuple[object, ...]:
    """What a line does, for the generation; (tag, action) where it can be said so."""
    found: tuple[object, ...] = (place.tag, rule.action.value)
    if place.private is not None and carried is not None:
        found = (*place.private, rule.action.value, carried.vr)
    elif place.within:
        found = (place.within, *found)
    return found if line.when is None else (*found, json.dumps(line.when, sort_keys=True, default=str))


def _ruled(line: Override, place: Place, plain: Rules, where: str) -> tuple[Rule, None]:
    """The rule of a line that names a standard attribute."""
    action, tag = _VERBS[line.do], place.tag
    if tag in _ESSENTIAL and not place.within:
        raise TransformError("override-essential", f"{where}: {line.at} is what makes the object itself")
    if line.vr is not None:
        raise TransformError("override-vr", f"{where}: PS3.6 says the VR of {line.at}")
    looser = _allowed(_looser(action, plain, tag), line, where)
    if action is Action.UID and dictionary_vr(tag) != "UI":
        raise TransformError("override-uid", f"{where}: {line.at} is not a UID")
    if action is Action.DUMMY and dictionary_vr(tag) == "SQ" and tag not in ITEMS:
        raise TransformError("override-dummy", f"{where}: there is no dummy item for {line.at}; empty or remove it")
    return Rule(action, where, line.why, looser, _how(action, tag, where, line.at)), None


def _carried(line: Override, place: Place, plain: Rules, where: str) -> tuple[Rule, private.Carried]:
    """The rule of a line that names a private attribute: it stays, is cleaned, or goes."""
    assert place.private is not None
    action = _VERBS[line.do]
    if action not in (Action.KEEP, Action.CLEAN, Action.REMOVE):
        raise TransformError("override-private", f"{where}: a private attribute is kept, cleaned or removed")
    listed = private.safe_vr(place.private) if chosen.SAFE_PRIVATE in plain.options else ""
    vr = line.vr or private.safe_vr(place.private) or private.known_vr(place.private)
    if action is not Action.REMOVE and vr not in _ENCODABLE:
        raise TransformError("override-vr", f"{where}: nobody lists the VR of {line.at}; write `vr:`")
    if action is Action.CLEAN and vr not in private.CLEANABLE:
        raise TransformError("override-clean", f"{where}: {line.at} is no text; keep or remove it")
    looser = action is Action.KEEP or (action is Action.CLEAN and not listed)
    rule = Rule(action, where, line.why, _allowed(looser, line, where))
    return rule, private.Carried(vr, rule)


def _allowed(looser: bool, line: Override, where: str) -> bool:
    """`looser`, where the line says that it may be."""
    if looser and not line.allow_looser:
        raise TransformError("override-looser", f"{where}: keeps more of {line.at} than the profile; allow_looser")
    return looser


def _how(action: Action, tag: int, where: str, at: str) -> How | None:
    """How an override's `clean` is done. Raises TransformError where nothing can be cleaned."""
    if action is not Action.CLEAN:
        return None
    how = chosen.cleanable(dictionary_vr(tag))
    if how is None:
        raise TransformError("override-clean", f"{where}: {at} is neither text nor a date; keep, empty or remove it")
    return how


def _looser(action: Action, plain: Rules, tag: int) -> bool:
    """Whether the action lets more through than the profile does at any place."""
    profile = {
        plain.without_override(tag, types, nested=nested).action
        for types in (None, {}, {tag: "2"}, {tag: "1"})
        for nested in (False, True)
    }
    if action is Action.CLEAN:
        return not profile <= {Action.KEEP, Action.CLEAN}
    if action is Action.KEEP:
        # Keeping a sequence that the profile walks is no change; keeping a listed value is
        return profile != {Action.KEEP}
    return action is Action.UID and profile != {Action.UID}


def _place(at: str, where: str) -> Place:
    """What `at` names. Raises TransformError."""
    if found := _PRIVATE.fullmatch(at.strip()):
        group = int(found["group"], 16)
        if not group & 1:
            raise TransformError("override-private", f"{where}: a private group is odd (PS3.5 7.8)")
        return Place(private=private.Attribute(found["creator"].strip().encode("ascii"), group, int(found["low"], 16)))
    *above, name = at.split(".")
    if len(above) > 1 or "[" in at or "/" in at:
        raise TransformError("override-path", f"{where}: write Attribute, or Sequence.Attribute for each of its items")
    within = _tag(above[0], where) if above else 0
    if within and dictionary_vr(within) != "SQ":
        raise TransformError("override-path", f"{where}: {above[0]} is no sequence")
    return Place(_tag(name, where), within)


def _tag(at: str, where: str) -> int:
    """The tag of a keyword or of gggg,eeee. Raises TransformError."""
    text = at.strip().strip("()").replace(",", "")
    tag = tag_for_keyword(at.strip())
    if tag is None and len(text) == 8:
        try:
            tag = int(text, 16)
        except ValueError:
            tag = None
    if tag is not None and tag >> 16 & 1:
        raise TransformError("override-private", f'{where}: name a private attribute with its creator: (0019,"X",0A)')
    if tag is None or not keyword_for_tag(tag):
        raise TransformError("override-unknown", f"{where}: {at!r} is not in PS3.6")
    if tag & 0xFFFF == 0 or tag < 0x00080000:
        raise TransformError("override-unknown", f"{where}: {at!r} is no attribute of a data set")
    return tag
