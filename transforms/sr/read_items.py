"""Content items out of their levels: one function a value type, each obeying the macro of PS3.3 C.18 it names.

Rules of this file
* What the standard requires and an item lacks, or has wrong, raises TransformError with the item's position, never with
  its values. What the standard leaves open is read as it is.
* An item's children are built before it (level.py); context and language are filled in by context.py.

Reasons: sr-value-type, sr-relationship, sr-name-missing, sr-code, sr-value-missing, sr-number, sr-coordinates,
sr-reference, sr-encoding.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from transforms.sr.level import Level
from transforms.sr.model import Item
from transforms.sr.values import (
    Axis,
    ByReference,
    Cell,
    Code,
    Coded,
    CodeForm,
    Composite,
    Container,
    Date,
    DateTime,
    Image,
    Num,
    PName,
    SCoord,
    SCoord3D,
    SopReference,
    Table,
    TCoord,
    Template,
    Text,
    Time,
    UidRef,
    Value,
    Waveform,
)

# PS3.3 Table C.17.3-8
RELATIONSHIPS: Final = frozenset(
    {
        "CONTAINS",
        "HAS OBS CONTEXT",
        "HAS CONCEPT MOD",
        "HAS PROPERTIES",
        "HAS ACQ CONTEXT",
        "INFERRED FROM",
        "SELECTED FROM",
    }
)
_NAMELESS: Final = frozenset(
    {"CONTAINER", "COMPOSITE", "IMAGE", "WAVEFORM", "SCOORD", "SCOORD3D", "TCOORD", "TABLE"}
)  # PS3.3 Table C.17-5, Concept Name Code Sequence is 1C: these may go without one
_DECIMAL: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([Ee][+-]?\d+)?", re.ASCII)
_FORMS: Final[tuple[tuple[int, CodeForm], ...]] = ((0x00080100, "short"), (0x00080119, "long"), (0x00080120, "urn"))
# PS3.3 C.18.6.1.2, C.18.9.1.2: how many points a graphic has; those of _OPEN may have more
_POINTS: Final = {"POINT": 1, "MULTIPOINT": 1, "POLYLINE": 1, "POLYGON": 3, "CIRCLE": 2, "ELLIPSE": 4, "ELLIPSOID": 6}
_OPEN: Final = frozenset({"MULTIPOINT", "POLYLINE", "POLYGON"})
_GRAPHICS_2D: Final = frozenset({"POINT", "MULTIPOINT", "POLYLINE", "CIRCLE", "ELLIPSE"})
_GRAPHICS_3D: Final = frozenset({"POINT", "MULTIPOINT", "POLYLINE", "POLYGON", "ELLIPSE", "ELLIPSOID"})

# Selector Attribute VR -> Selector ... Value, for the VRs that cells of PS3.3 Table C.18.10-1 have
SELECTORS: Final = {
    "DT": 0x00720063, "IS": 0x00720064, "UC": 0x0072006F, "DS": 0x00720072, "FD": 0x00720074, "FL": 0x00720076,
    "UL": 0x00720078, "US": 0x0072007A, "SL": 0x0072007C, "SS": 0x0072007E,
}  # fmt: skip


class Codes:
    """Reads code sequences (PS3.3 8.8). Equal codes of a document are one object: a report repeats a few codes."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[Code, Code] = {}

    def of(self, level: Level, tag: int, what: str) -> Code | None:
        """The code of a sequence of at most one item; None where there is none. Raises sr-code."""
        found = self.all_of(level, tag, what)
        if len(found) > 1:
            raise level.fail("sr-code", f"{what} has {len(found)} codes, not one")
        return found[0] if found else None

    def required(self, level: Level, tag: int, what: str) -> Code:
        """The code of a sequence that must have one. Raises sr-code."""
        code = self.of(level, tag, what)
        if code is None:
            raise level.fail("sr-code", f"{what} is missing")
        return code

    def all_of(self, level: Level, tag: int, what: str) -> tuple[Code, ...]:
        """The codes of a sequence. Raises sr-code for one without value, scheme or meaning."""
        return tuple([self._code(item, what) for item in level.items(tag)])

    def _code(self, level: Level, what: str) -> Code:
        value, form = "", _FORMS[0][1]
        for tag, each in _FORMS:
            text = level.text(tag)
            if text and value:
                raise level.fail("sr-code", f"{what} has two code values")
            if text:
                value, form = text, each
        scheme, meaning = level.text(0x00080102), level.text(0x00080104)
        if not value or not (scheme or form == "urn") or not meaning:
            lacking = "value" if not value else "meaning" if not meaning else "scheme"
            raise level.fail("sr-code", f"{what} is a code without its {lacking}")
        equivalents = self.all_of(level, 0x00080121, what) if 0x00080121 in level.fields else ()
        code = Code(value, scheme, meaning, level.text(0x00080103), form, equivalents)
        return self._known.setdefault(code, code)


class Items:
    """Builds the content items of one document; `leave` is given each level once everything known was taken from it."""

    __slots__ = ("_readers", "codes", "leave")

    def __init__(self, codes: Codes, leave: Callable[[Level], None]) -> None:
        self.codes = codes
        self.leave = leave
        self._readers: dict[str, Callable[[Level], Value]] = {
            "CONTAINER": self._container,
            "TEXT": lambda level: Text(self._sent(level, 0x0040A160, "Text Value")),
            "NUM": self._num,
            "CODE": lambda level: Coded(self.codes.required(level, 0x0040A168, "the coded value")),
            "DATETIME": lambda level: DateTime(self._sent(level, 0x0040A120, "DateTime")),
            "DATE": lambda level: Date(self._sent(level, 0x0040A121, "Date")),
            "TIME": lambda level: Time(self._sent(level, 0x0040A122, "Time")),
            "UIDREF": lambda level: UidRef(self._sent(level, 0x0040A124, "UID")),
            "PNAME": lambda level: PName(self._sent(level, 0x0040A123, "Person Name")),
            "COMPOSITE": self._composite,
            "IMAGE": self._image,
            "WAVEFORM": self._waveform,
            "SCOORD": self._scoord,
            "SCOORD3D": self._scoord3d,
            "TCOORD": self._tcoord,
            "TABLE": self._table,
        }

    def build(self, level: Level) -> Item:
        """The item of a level of Content Sequence, or of the object itself (PS3.3 Table C.17-6)."""
        root = len(level.position) == 1
        relationship = "" if root else level.text(0x0040A010)
        if not root and relationship not in RELATIONSHIPS:
            raise level.fail("sr-relationship", "the Relationship Type is missing or unknown")
        if 0x0040DB73 in level.fields:
            return self._by_reference(level, relationship)
        kind = level.text(0x0040A040)
        reader = self._readers.get(kind)
        if reader is None:
            raise level.fail(
                "sr-value-type", "the Value Type is missing or unknown" if not kind else "unknown Value Type"
            )
        if root and kind != "CONTAINER":
            raise level.fail("sr-value-type", "the root is not a CONTAINER")
        name = self.codes.of(level, 0x0040A043, "the Concept Name")
        if name is None and (root or kind not in _NAMELESS):
            raise level.fail("sr-name-missing", f"a {kind} without Concept Name")
        item = Item(
            relationship,
            name,
            reader(level),
            tuple(level.children),
            level.position,
            level.text(0x0040A032),
            level.text(0x0040A171),
        )
        if not root:
            self.leave(level)
        return item

    def _by_reference(self, level: Level, relationship: str) -> Item:
        target = level.integers(0x0040DB73)
        if level.children or not target or 0x0040A040 in level.fields:
            raise level.fail("sr-relationship", "a relationship by reference has content, or no target")
        self.leave(level)
        return Item(relationship, None, ByReference(target), (), level.position)

    def _sent(self, level: Level, tag: int, what: str) -> str:
        """The text of an attribute that must be there; it may be empty, as devices and de-identification leave it."""
        if tag not in level.fields:
            raise level.fail("sr-value-missing", f"{what} is missing")
        return level.text(tag)

    def _container(self, level: Level) -> Container:
        template = level.item(0x0040A504)
        if template is None:
            return Container(level.text(0x0040A050))
        found = Template(template.text(0x0040DB00), template.text(0x00080105), template.text(0x00080118))
        return Container(level.text(0x0040A050), found)

    def _num(self, level: Level) -> Num:
        qualifier = self.codes.of(level, 0x0040A301, "the Numeric Value Qualifier")
        measured = level.item(0x0040A300)
        if measured is None:
            return Num("", None, qualifier)
        decimal = measured.text(0x0040A30A)
        if not _DECIMAL.fullmatch(decimal):
            raise level.fail("sr-number", "Numeric Value is not one decimal number")
        unit = self.codes.required(measured, 0x004008EA, "the unit")
        floating = measured.numbers(0x0040A161)
        numerator, denominator = measured.integers(0x0040A162), measured.integers(0x0040A163)
        if len(floating) > 1 or (len(numerator), len(denominator)) not in ((0, 0), (1, 1)) or denominator == (0,):
            raise level.fail("sr-number", "the floating point or rational value is not one number")
        return Num(
            decimal,
            unit,
            qualifier,
            floating[0] if floating else None,
            (numerator[0], denominator[0]) if numerator else None,
        )

    def _reference(self, level: Level | None, owner: Level) -> SopReference:
        if level is None or 0x00081155 not in level.fields:
            raise owner.fail("sr-reference", "the reference lacks its SOP Instance UID")
        found = SopReference(level.text(0x00081150), level.text(0x00081155))
        if not found.sop_class:
            raise owner.fail("sr-reference", "the reference lacks its SOP Class UID")
        return found

    def _composite(self, level: Level) -> Composite:
        return Composite(self._reference(level.item(0x00081199), level))

    def _image(self, level: Level) -> Image:
        sop = level.item(0x00081199)
        reference = self._reference(sop, level)
        assert sop is not None
        state, mapping = sop.item(0x00081199), sop.item(0x0008114B)
        icon = bool(sop.items(0x00880200))
        return Image(
            reference,
            sop.integers(0x00081160),
            sop.integers(0x0062000B),
            None if state is None else self._reference(state, level),
            None if mapping is None else self._reference(mapping, level),
            icon,
        )

    def _waveform(self, level: Level) -> Waveform:
        sop = level.item(0x00081199)
        reference = self._reference(sop, level)
        assert sop is not None
        numbers = sop.integers(0x0040A0B0)
        if len(numbers) % 2:
            raise level.fail("sr-reference", "Referenced Waveform Channels are not pairs")
        return Waveform(reference, tuple(zip(numbers[::2], numbers[1::2], strict=True)))

    def _points(self, level: Level, kind: str, dimensions: int) -> tuple[float, ...]:
        data = level.numbers(0x00700022)
        given, wanted = divmod(len(data), dimensions), _POINTS[kind]
        if given[1] or given[0] < wanted or (given[0] > wanted and kind not in _OPEN):
            raise level.fail("sr-coordinates", "Graphic Data has not the numbers that its Graphic Type needs")
        return data

    def _scoord(self, level: Level) -> SCoord:
        kind = level.text(0x00700023)
        if kind not in _GRAPHICS_2D:
            raise level.fail("sr-coordinates", "the Graphic Type is missing or unknown")
        return SCoord(kind, self._points(level, kind, 2), level.text(0x00480301), level.text(0x0070031A))

    def _scoord3d(self, level: Level) -> SCoord3D:
        kind = level.text(0x00700023)
        if kind not in _GRAPHICS_3D:
            raise level.fail("sr-coordinates", "the Graphic Type is missing or unknown")
        data = self._points(level, kind, 3)
        return SCoord3D(kind, data, self._sent(level, 0x30060024, "Frame of Reference UID"), level.text(0x0070031A))

    def _tcoord(self, level: Level) -> TCoord:
        kind = level.text(0x0040A130)
        found = TCoord(kind, level.integers(0x0040A132), level.texts(0x0040A138), level.texts(0x0040A13A))
        if not kind or not (found.samples or found.offsets or found.date_times):
            raise level.fail("sr-coordinates", "a temporal coordinate lacks its range type or its values")
        return found

    def _table(self, level: Level) -> Table:
        table = level.item(0x0040A801)
        if table is None:
            raise level.fail("sr-value-missing", "Tabulated Values Sequence is missing")
        rows, columns = table.integers(0x0040A802), table.integers(0x0040A803)
        if len(rows) != 1 or len(columns) != 1:
            raise level.fail("sr-value-missing", "the numbers of rows and columns are missing")
        return Table(
            rows[0],
            columns[0],
            tuple(self._axis(each, 0x0040A804) for each in table.items(0x0040A806)),
            tuple(self._axis(each, 0x0040A805) for each in table.items(0x0040A807)),
            tuple(self._cell(each) for each in table.items(0x0040A808)),
        )

    def _axis(self, level: Level, tag: int) -> Axis:
        name = self.codes.required(level, 0x0040A043, "what the row or column holds")
        return Axis(next(iter(level.integers(tag)), 0), name, self.codes.of(level, 0x004008EA, "the unit"))

    def _cell(self, level: Level) -> Cell:
        vr = level.text(0x00720050)
        if vr and vr not in SELECTORS:
            raise level.fail("sr-value-type", "a table cell of a VR that is not read")
        return Cell(
            next(iter(level.integers(0x0040A804)), 0),
            next(iter(level.integers(0x0040A805)), 0),
            vr,
            level.texts(SELECTORS[vr]) if vr else (),
            self.codes.all_of(level, 0x0040A168, "a coded cell"),
            self.codes.of(level, 0x004008EA, "the unit"),
            self.codes.of(level, 0x0040A301, "the Numeric Value Qualifier"),
            level.integers(0x0040DB73),
        )
