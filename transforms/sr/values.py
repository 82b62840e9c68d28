"""The values of content items (PS3.3 C.17.3.2, C.18): codes, and one frozen class for each Value Type (0040,A040).

Rules of this file
* Text is decoded Unicode. A text that is empty ("") was missing or empty in the object: SR tells the two apart nowhere.
* Numbers that were sent as text (DS, IS, DA, TM, DT) stay the text that was sent, less its padding: no digit is lost.
* Numbers that were sent as binary are Python numbers; a 32-bit float (FL) is the same float, always finite.
* Nothing here knows bytes, XML or another item; meaning (units, dates, names in parts) is made by who needs it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

CodeForm: TypeAlias = Literal["short", "long", "urn"]


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept (PS3.3 Table 8.8-1)."""

    value: str  # Code Value (0008,0100), Long Code Value (0008,0119) or URN Code Value (0008,0120)
    scheme: str  # Coding Scheme Designator (0008,0102); "" only with a URN
    meaning: str  # Code Meaning (0008,0104)
    version: str = ""  # Coding Scheme Version (0008,0103)
    form: CodeForm = "short"  # which of the three attributes holds `value`
    equivalents: tuple[Code, ...] = ()  # Equivalent Code Sequence (0008,0121)

    def same(self, other: Code) -> bool:
        """Whether both name one concept of one scheme; meanings and versions may differ (PS3.3 8.3)."""
        return self.value == other.value and self.scheme == other.scheme


@dataclass(frozen=True, slots=True)
class SopReference:
    """A SOP Instance by class and instance UID (PS3.3 Table 10-11)."""

    sop_class: str
    sop_instance: str  # "" where it was sent empty: real dose reports refer to images that were never stored


@dataclass(frozen=True, slots=True)
class Template:
    """Content Template Sequence (0040,A504): the template a container was made by (PS3.3 Table C.18.8-1)."""

    identifier: str  # Template Identifier (0040,DB00): "1500"
    mapping_resource: str = "DCMR"  # Mapping Resource (0008,0105)
    mapping_resource_uid: str = ""  # Mapping Resource UID (0008,0118)


@dataclass(frozen=True, slots=True)
class Container:
    """CONTAINER (C.18.8)."""

    TYPE: ClassVar[str] = "CONTAINER"
    continuity: str  # SEPARATE, CONTINUOUS; "" where missing
    template: Template | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """TEXT: Text Value (0040,A160), line breaks as sent (C.18.3)."""

    TYPE: ClassVar[str] = "TEXT"
    text: str


@dataclass(frozen=True, slots=True)
class Num:
    """NUM (C.18.1). With no Measured Value Sequence item: `decimal` "" and `unit` None; `qualifier` then says why."""

    TYPE: ClassVar[str] = "NUM"
    decimal: str  # Numeric Value (0040,A30A): the DS text as sent
    unit: Code | None  # Measurement Units Code Sequence (0040,08EA)
    qualifier: Code | None = None  # Numeric Value Qualifier Code Sequence (0040,A301)
    floating: float | None = None  # Floating Point Value (0040,A161), finite
    rational: tuple[int, int] | None = None  # Rational Numerator (0040,A162) and Denominator Value (0040,A163)


@dataclass(frozen=True, slots=True)
class Coded:
    """CODE: Concept Code Sequence (0040,A168) (C.18.2)."""

    TYPE: ClassVar[str] = "CODE"
    code: Code


@dataclass(frozen=True, slots=True)
class DateTime:
    """DATETIME: a DT as sent."""

    TYPE: ClassVar[str] = "DATETIME"
    value: str


@dataclass(frozen=True, slots=True)
class Date:
    """DATE: a DA as sent."""

    TYPE: ClassVar[str] = "DATE"
    value: str


@dataclass(frozen=True, slots=True)
class Time:
    """TIME: a TM as sent."""

    TYPE: ClassVar[str] = "TIME"
    value: str


@dataclass(frozen=True, slots=True)
class UidRef:
    """UIDREF: UID (0040,A124)."""

    TYPE: ClassVar[str] = "UIDREF"
    uid: str


@dataclass(frozen=True, slots=True)
class PName:
    """PNAME: Person Name (0040,A123) with all its component groups, as sent (PS3.5 6.2.1)."""

    TYPE: ClassVar[str] = "PNAME"
    name: str


@dataclass(frozen=True, slots=True)
class Composite:
    """COMPOSITE: any SOP Instance (C.18.3)."""

    TYPE: ClassVar[str] = "COMPOSITE"
    reference: SopReference


@dataclass(frozen=True, slots=True)
class Image:
    """IMAGE (C.18.4). No frames and no segments: the whole image is meant."""

    TYPE: ClassVar[str] = "IMAGE"
    reference: SopReference
    frames: tuple[int, ...] = ()  # Referenced Frame Number (0008,1160), from 1
    segments: tuple[int, ...] = ()  # Referenced Segment Number (0062,000B)
    presentation_state: SopReference | None = None
    real_world_value_mapping: SopReference | None = None
    icon: bool = False  # an Icon Image Sequence (0088,0200) was sent; its pixels are not kept


@dataclass(frozen=True, slots=True)
class Waveform:
    """WAVEFORM (C.18.5)."""

    TYPE: ClassVar[str] = "WAVEFORM"
    reference: SopReference
    channels: tuple[tuple[int, int], ...] = ()  # (multiplex group, channel), from 1; channel 0: all of the group


@dataclass(frozen=True, slots=True)
class SCoord:
    """SCOORD (C.18.6). `data`: column, row, column, row ... in pixels; (1.0, 1.0): far corner of the first pixel."""

    TYPE: ClassVar[str] = "SCOORD"
    graphic_type: str  # POINT, MULTIPOINT, POLYLINE, CIRCLE, ELLIPSE
    data: tuple[float, ...]
    pixel_origin: str = ""  # Pixel Origin Interpretation (0048,0301): FRAME, VOLUME
    fiducial: str = ""  # Fiducial UID (0070,031A)

    @property
    def points(self) -> tuple[tuple[float, float], ...]:
        """The (column, row) pairs."""
        return tuple(zip(self.data[::2], self.data[1::2], strict=True))


@dataclass(frozen=True, slots=True)
class SCoord3D:
    """SCOORD3D (C.18.9). `data`: x, y, z ... in mm of the Frame of Reference."""

    TYPE: ClassVar[str] = "SCOORD3D"
    graphic_type: str  # POINT, MULTIPOINT, POLYLINE, POLYGON, ELLIPSE, ELLIPSOID
    data: tuple[float, ...]
    frame_of_reference: str  # Referenced Frame of Reference UID (3006,0024)
    fiducial: str = ""

    @property
    def points(self) -> tuple[tuple[float, float, float], ...]:
        """The (x, y, z) triples."""
        return tuple(zip(self.data[::3], self.data[1::3], self.data[2::3], strict=True))


@dataclass(frozen=True, slots=True)
class TCoord:
    """TCOORD (C.18.7). One of the three is filled."""

    TYPE: ClassVar[str] = "TCOORD"
    range_type: str  # POINT, MULTIPOINT, SEGMENT, MULTISEGMENT, BEGIN, END
    samples: tuple[int, ...] = ()  # Referenced Sample Positions (0040,A132)
    offsets: tuple[str, ...] = ()  # Referenced Time Offsets (0040,A138), seconds, DS as sent
    date_times: tuple[str, ...] = ()  # Referenced DateTime (0040,A13A)


@dataclass(frozen=True, slots=True)
class Axis:
    """What one row or column of a table holds."""

    number: int  # Table Row Number (0040,A804) or Table Column Number (0040,A805), from 1; 0: every one
    name: Code
    unit: Code | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell, or a whole row or column: the missing number is then 0 and there is one value for each cell."""

    row: int
    column: int
    vr: str = ""  # Selector Attribute VR (0072,0050); "" where the cell holds codes, a reference or nothing
    values: tuple[str, ...] = ()  # of the attribute Selector ... Value that `vr` names, as texts
    codes: tuple[Code, ...] = ()  # Concept Code Sequence (0040,A168)
    unit: Code | None = None  # Measurement Units Code Sequence (0040,08EA)
    qualifier: Code | None = None  # Numeric Value Qualifier Code Sequence (0040,A301)
    target: tuple[int, ...] = ()  # Referenced Content Item Identifier (0040,DB73)


@dataclass(frozen=True, slots=True)
class Table:
    """TABLE (C.18.10)."""

    TYPE: ClassVar[str] = "TABLE"
    rows: int
    columns: int
    row_axis: tuple[Axis, ...] = ()
    column_axis: tuple[Axis, ...] = ()
    cells: tuple[Cell, ...] = ()


@dataclass(frozen=True, slots=True)
class ByReference:
    """Not a value but another item of the tree: Referenced Content Item Identifier (0040,DB73) (C.17.3.2.5)."""

    TYPE: ClassVar[str] = ""
    target: tuple[int, ...]  # a position, see model.Position


Value: TypeAlias = (
    Container
    | Text
    | Num
    | Coded
    | DateTime
    | Date
    | Time
    | UidRef
    | PName
    | Composite
    | Image
    | Waveform
    | SCoord
    | SCoord3D
    | TCoord
    | Table
    | ByReference
)
