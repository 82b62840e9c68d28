"""Content items as bytes: the mirror of read_items.py, one function a value type.

* What the reader would refuse is not written: the writer trusts the tree it is given, tests hold the two together.
* Context and language are not written: the items that set them stand in the tree.
"""

from __future__ import annotations

from collections.abc import Iterable

from transforms.dataset.attributes import Attributes
from transforms.errors import TransformError
from transforms.sr.model import Item
from transforms.sr.read_items import SELECTORS
from transforms.sr.values import (
    Axis,
    ByReference,
    Cell,
    Code,
    Coded,
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
    Text,
    Time,
    UidRef,
    Waveform,
)

_FORMS = {"short": 0x00080100, "long": 0x00080119, "urn": 0x00080120}


class ItemWriter:
    """Writes the items of one document. A code that was written once is not encoded again."""

    __slots__ = ("_codes",)

    def __init__(self) -> None:
        self._codes: dict[Code, bytes] = {}

    def code(self, code: Code) -> bytes:
        """An item of a code sequence (PS3.3 Table 8.8-1)."""
        found = self._codes.get(code)
        if found is None:
            out = Attributes()
            out.text(_FORMS[code.form], code.value)
            out.text(0x00080102, code.scheme)
            out.text(0x00080103, code.version)
            out.text(0x00080104, code.meaning)
            out.items(0x00080121, self.codes(code.equivalents))
            found = self._codes[code] = out.encoded()
        return found

    def codes(self, codes: Iterable[Code | None]) -> list[bytes]:
        """Items of a code sequence; None: none."""
        return [self.code(code) for code in codes if code is not None]

    def item(self, item: Item) -> bytes:
        """An item of Content Sequence."""
        out = Attributes()
        self.put(item, out)
        return out.encoded()

    def put(self, item: Item, out: Attributes) -> None:
        """An item's attributes and its children's; at the top of the object, the root's. Raises does-not-fit."""
        out.text(0x0040A010, item.relationship)
        value = item.value
        if isinstance(value, ByReference):
            out.numbers(0x0040DB73, value.target)
            return
        out.text(0x0040A040, value.TYPE)
        out.items(0x0040A043, self.codes((item.name,)))
        out.text(0x0040A032, item.observed_at)
        out.text(0x0040A171, item.observation_uid)
        match value:
            case Container():
                self._container(value, out)
            case Text(text):
                out.text(0x0040A160, text, empty=True)
            case Num():
                self._num(value, out)
            case Coded(code):
                out.items(0x0040A168, (self.code(code),))
            case DateTime(text):
                out.text(0x0040A120, text, empty=True)
            case Date(text):
                out.text(0x0040A121, text, empty=True)
            case Time(text):
                out.text(0x0040A122, text, empty=True)
            case UidRef(text):
                out.text(0x0040A124, text, empty=True)
            case PName(text):
                out.text(0x0040A123, text, empty=True)
            case Composite(reference):
                out.items(0x00081199, (reference_item(reference),))
            case Image() | Waveform():
                out.items(0x00081199, (self._referenced(value),))
            case SCoord() | SCoord3D() | TCoord():
                self._coordinates(value, out)
            case Table():
                out.items(0x0040A801, (self._table(value),))
        out.items(0x0040A730, map(self.item, item.children))

    def _container(self, value: Container, out: Attributes) -> None:
        out.text(0x0040A050, value.continuity)
        if value.template is not None:
            inner = Attributes()
            inner.text(0x00080105, value.template.mapping_resource)
            inner.text(0x00080118, value.template.mapping_resource_uid)
            inner.text(0x0040DB00, value.template.identifier)
            out.items(0x0040A504, (inner.encoded(),))

    def _num(self, value: Num, out: Attributes) -> None:
        out.items(0x0040A301, self.codes((value.qualifier,)))
        measured = []
        if value.decimal:
            if value.unit is None:
                raise TransformError("does-not-fit", "a number without a unit")
            inner = Attributes()
            inner.text(0x0040A30A, value.decimal)
            inner.items(0x004008EA, (self.code(value.unit),))
            if value.floating is not None:
                inner.numbers(0x0040A161, (value.floating,))
            if value.rational is not None:
                inner.numbers(0x0040A162, value.rational[:1])
                inner.numbers(0x0040A163, value.rational[1:])
            measured.append(inner.encoded())
        out.items(0x0040A300, measured, empty=True)

    def _referenced(self, value: Image | Waveform) -> bytes:
        out = Attributes()
        put_reference(value.reference, out)
        if isinstance(value, Waveform):
            out.numbers(0x0040A0B0, (number for pair in value.channels for number in pair))
        else:
            out.numbers(0x00081160, value.frames)
            out.numbers(0x0062000B, value.segments)
            if value.presentation_state is not None:
                out.items(0x00081199, (reference_item(value.presentation_state),))
            if value.real_world_value_mapping is not None:
                out.items(0x0008114B, (reference_item(value.real_world_value_mapping),))
        return out.encoded()

    def _coordinates(self, value: SCoord | SCoord3D | TCoord, out: Attributes) -> None:
        if isinstance(value, TCoord):
            out.text(0x0040A130, value.range_type)
            out.numbers(0x0040A132, value.samples)
            out.text(0x0040A138, *value.offsets)
            out.text(0x0040A13A, *value.date_times)
            return
        out.numbers(0x00700022, value.data)
        out.text(0x00700023, value.graphic_type)
        out.text(0x0070031A, value.fiducial)
        if isinstance(value, SCoord3D):
            out.text(0x30060024, value.frame_of_reference)
        else:
            out.text(0x00480301, value.pixel_origin)

    def _table(self, value: Table) -> bytes:
        out = Attributes()
        out.numbers(0x0040A802, (value.rows,))
        out.numbers(0x0040A803, (value.columns,))
        out.items(0x0040A806, (self._axis(axis, 0x0040A804) for axis in value.row_axis))
        out.items(0x0040A807, (self._axis(axis, 0x0040A805) for axis in value.column_axis))
        out.items(0x0040A808, map(self._cell, value.cells))
        return out.encoded()

    def _axis(self, axis: Axis, tag: int) -> bytes:
        out = Attributes()
        out.numbers(tag, (axis.number,) if axis.number else ())
        out.items(0x0040A043, (self.code(axis.name),))
        out.items(0x004008EA, self.codes((axis.unit,)))
        return out.encoded()

    def _cell(self, cell: Cell) -> bytes:
        out = Attributes()
        out.numbers(0x0040A804, (cell.row,) if cell.row else ())
        out.numbers(0x0040A805, (cell.column,) if cell.column else ())
        out.text(0x00720050, cell.vr)
        if cell.vr in ("DT", "IS", "UC", "DS"):
            out.text(SELECTORS[cell.vr], *cell.values)
        elif cell.vr:
            out.numbers(SELECTORS[cell.vr], map(float if cell.vr in ("FL", "FD") else int, cell.values))
        out.items(0x0040A168, self.codes(cell.codes))
        out.items(0x004008EA, self.codes((cell.unit,)))
        out.items(0x0040A301, self.codes((cell.qualifier,)))
        out.numbers(0x0040DB73, cell.target)
        return out.encoded()


def reference_item(reference: SopReference) -> bytes:
    """An item that names a SOP Instance (PS3.3 Table 10-11)."""
    out = Attributes()
    put_reference(reference, out)
    return out.encoded()


def put_reference(reference: SopReference, out: Attributes) -> None:
    """The two UIDs of a SOP Instance."""
    out.text(0x00081150, reference.sop_class)
    out.text(0x00081155, reference.sop_instance, empty=True)
