"""How stored values become what is seen: Modality LUT, VOI LUT, Presentation LUT (PS3.3 C.11, PS3.4 N.2), as 8 bits.

Rules of this file
* `of_image` and `of_state` read headers only; `applied` sees pixels only. What lies between them is plain data, so that
  pixels may be read in another process.
* Without a presentation state: the image's own Modality LUT, then its first VOI LUT as a table, else its first window;
  those of the frame where the image has several. Where it has neither, None: the caller shows the range of its values.
* With one, everything is the state's, and what it does not have is an identity (PS3.4 N.2.1): the image's own tables
  and windows are not used, nor is MONOCHROME1. A state applies to the images and frames that it refers to.
* Drawn of a state's graphics: points, lines, circles and ellipses in pixels of the image. Not: text, what is placed on
  the screen, rotation, the displayed area, shutters, overlays.

Reasons: pixels-undescribed, pixels-unsupported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from struct import pack, unpack
from typing import TYPE_CHECKING, Any, Final

from transforms.dataset.index import Index
from transforms.dataset.values import nested, read
from transforms.errors import TransformError
from transforms.pixels.image import Image
from transforms.source import ByteSource

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

GRAYSCALE_STATE: Final = "1.2.840.10008.5.1.4.1.1.11.1"
COLOR_STATE: Final = "1.2.840.10008.5.1.4.1.1.11.2"
_SOP_CLASS, _SOP_INSTANCE = 0x00080016, 0x00080018
_IMAGE_TAGS: Final = (
    0x00281050, 0x00281051, 0x00281052, 0x00281053, 0x00281056, 0x00283000, 0x00283010, 0x52009229, 0x52009230,
)  # fmt: skip
_STATE_TAGS: Final = (
    0x00081115, 0x00281052, 0x00281053, 0x00283000, 0x00283110, 0x00700001, 0x20500010, 0x20500020,
)  # fmt: skip
_MOST_POINTS: Final = 20_000  # of all graphics of a state


@dataclass(frozen=True, slots=True)
class Table:
    """A lookup table: what the first entry is for, bits of an entry, the entries as 16-bit words, little endian."""

    first: int
    bits: int
    data: bytes

    @property
    def top(self) -> int:
        """The largest entry there can be."""
        return int((1 << self.bits) - 1)


@dataclass(frozen=True, slots=True)
class Window:
    """Window Center and Width, and the function they are of (C.11.2.1.2, .3)."""

    center: float
    width: float
    function: str = "LINEAR"


@dataclass(frozen=True, slots=True)
class Graphic:
    """A line or point of a presentation state, in pixels of the image, (0, 0) its top left corner."""

    kind: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Rendering:
    """Everything between stored values and what is seen."""

    slope: float = 1.0
    intercept: float = 0.0
    modality: Table | None = None
    window: Window | None = None
    voi: Table | None = None
    inverse: bool = False
    presentation: Table | None = None
    graphics: tuple[Graphic, ...] = ()


def of_image(source: ByteSource, index: Index, image: Image, frame: int) -> Rendering | None:
    """What the image says of its frame (from 1) itself; None where it has no VOI LUT. Raises TransformError."""
    data = nested(source, index, _IMAGE_TAGS)
    levels = [data, *_functional(data, frame)]
    modality = _modality(levels, image)
    voi, window = _voi(levels, _lowest(modality, image) < 0)
    if voi is None and window is None:
        return None
    return Rendering(*modality, window, voi, image.photometric == "MONOCHROME1")


def of_state(source: ByteSource, index: Index, image: Image, sop_instance: str, frame: int) -> Rendering:
    """What a presentation state says of a frame of that image. Raises TransformError where it says nothing of it."""
    sop_class = (read(source, index, _SOP_CLASS) or ("",))[0]
    if sop_class not in (GRAYSCALE_STATE, COLOR_STATE):
        raise TransformError("pixels-unsupported", "a presentation state of a kind that is not applied")
    data = nested(source, index, _STATE_TAGS)
    series = data.get("ReferencedSeriesSequence") or ()
    if not any(_refers(each.get("ReferencedImageSequence") or (), sop_instance, frame) for each in series):
        raise TransformError("pixels-unsupported", "a presentation state of other images")
    graphics = tuple(_graphics(data, sop_instance, frame))
    if sop_class == COLOR_STATE:
        return Rendering(graphics=graphics)
    modality = _modality([data], image)
    chosen = [each for each in data.get("SoftcopyVOILUTSequence") or () if _of(each, sop_instance, frame)]
    voi, window = _voi(chosen[:1], _lowest(modality, image) < 0)
    tables = data.get("PresentationLUTSequence") or ()
    return Rendering(
        *modality,
        window,
        voi,
        not tables and str(data.get("PresentationLUTShape") or "IDENTITY") == "INVERSE",
        _table(tables[0], signed=False) if tables else None,
        graphics,
    )


def instance_of(source: ByteSource, index: Index) -> str:
    """SOP Instance UID of a framed data set; "" where it has none."""
    return (read(source, index, _SOP_INSTANCE) or ("",))[0]


_Modality = tuple[float, float, "Table | None"]


def _modality(levels: Sequence[Dataset], image: Image) -> _Modality:
    """Slope, intercept, table of the first level that has any; an identity where none does."""
    for each in levels:
        tables = each.get("ModalityLUTSequence") or ()
        if tables:
            return 1.0, 0.0, _table(tables[0], signed=image.signed)
        slope, intercept = _number(each, "RescaleSlope"), _number(each, "RescaleIntercept")
        if slope is not None and intercept is not None:
            return slope, intercept, None
    return 1.0, 0.0, None


def _lowest(modality: _Modality, image: Image) -> float:
    """The smallest value that the Modality LUT can give: whether the table after it counts from below zero."""
    slope, intercept, table = modality
    if table is not None:
        return 0.0
    return min(end * slope + intercept for end in stored_values(image))


def stored_values(image: Image) -> tuple[int, int]:
    """The smallest and the largest value that Bits Stored have room for."""
    half = 1 << (image.stored - 1)
    return (-half, half - 1) if image.signed else (0, 2 * half - 1)


def _voi(levels: Sequence[Dataset], signed: bool) -> tuple[Table | None, Window | None]:
    """The table or the window of the first level that has any."""
    for each in levels:
        tables = each.get("VOILUTSequence") or ()
        if tables:
            return _table(tables[0], signed=signed), None
        center, width = _number(each, "WindowCenter"), _number(each, "WindowWidth")
        function = str(each.get("VOILUTFunction") or "LINEAR").strip()
        if center is not None and width is not None and (width >= 1 if function == "LINEAR" else width > 0):
            if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
                raise TransformError("pixels-unsupported", "VOI LUT Function")
            return None, Window(center, width, function)
    return None, None


def _functional(data: Dataset, frame: int) -> Iterator[Dataset]:
    """The functional groups of a frame that say how it is shown (C.7.6.16.2.9, .10): its own, then the shared ones."""
    own, shared = data.get("PerFrameFunctionalGroupsSequence") or (), data.get("SharedFunctionalGroupsSequence") or ()
    for group in (*own[frame - 1 : frame], *shared[:1]):
        for name in ("FrameVOILUTSequence", "PixelValueTransformationSequence"):
            yield from (group.get(name) or ())[:1]


def _table(item: Dataset, *, signed: bool) -> Table:
    """A LUT item. The first value mapped is signed where what goes in is, whatever VR it was written in."""
    entries, first, bits = _words(item.get("LUTDescriptor"), 3)
    entries = entries or 1 << 16
    value = item.get("LUTData")
    data = value if isinstance(value, bytes) else _packed(_plain(value))
    if bits == 8 and len(data) in (entries, entries + entries % 2):  # packed, two entries a word
        data = _packed(data[:entries])
    if not 1 <= bits <= 16 or len(data) < 2 * entries:
        raise TransformError("pixels-undescribed", "a lookup table")
    return Table(first - (1 << 16) if signed and first >= 1 << 15 else first, bits, data[: 2 * entries])


def _words(value: Any, count: int) -> tuple[int, ...]:
    """Unsigned words of a value, in whichever form its VR gave it."""
    packed = isinstance(value, bytes) and len(value) == 2 * count
    plain = list(unpack(f"<{count}H", value)) if packed else _plain(value)
    if len(plain) != count:
        raise TransformError("pixels-undescribed", "a descriptor of a lookup table")
    return tuple(int(each) & 0xFFFF for each in plain)


def _packed(words: Sequence[int]) -> bytes:
    return pack(f"<{len(words)}H", *words)


def _plain(value: Any) -> list[int]:
    if value is None or isinstance(value, (bytes, str)):
        return []
    return [int(each) & 0xFFFF for each in (value if isinstance(value, Iterable) else (value,))]


def _number(item: Dataset, keyword: str) -> float | None:
    """The first value of a DS; None where there is none, or it is no number."""
    value = item.get(keyword)
    first = value[0] if isinstance(value, Sequence) and not isinstance(value, str) and len(value) else value
    try:
        number = float(first)
    except (TypeError, ValueError):
        return None
    return number if isfinite(number) else None


def _refers(references: Iterable[Dataset], sop_instance: str, frame: int) -> bool:
    """Whether one of the references is to that frame of that image."""
    for each in references:
        if str(each.get("ReferencedSOPInstanceUID") or "") == sop_instance:
            frames = each.get("ReferencedFrameNumber")
            if frames is None or frame in _plain(frames):
                return True
    return False


def _of(item: Dataset, sop_instance: str, frame: int) -> bool:
    """Whether an item is of that frame: it names nothing, or that."""
    references = item.get("ReferencedImageSequence") or ()
    return not references or _refers(references, sop_instance, frame)


def _graphics(state: Dataset, sop_instance: str, frame: int) -> Iterator[Graphic]:
    """What is drawn in pixels of the image. Raises TransformError above a sum of points."""
    left = _MOST_POINTS
    for annotation in state.get("GraphicAnnotationSequence") or ():
        if not _of(annotation, sop_instance, frame):
            continue
        for item in annotation.get("GraphicObjectSequence") or ():
            values = item.get("GraphicData")
            kind = str(item.get("GraphicType") or "")
            if str(item.get("GraphicAnnotationUnits") or "") != "PIXEL" or not isinstance(values, Sequence):
                continue
            numbers = [float(each) for each in values]
            points = tuple(zip(numbers[::2], numbers[1::2], strict=False))
            left -= len(points)
            if left < 0:
                raise TransformError("pixels-unsupported", "graphics of more points than are drawn")
            if len(points) >= {"CIRCLE": 2, "ELLIPSE": 4}.get(kind, 1) and all(map(isfinite, numbers)):
                yield Graphic(kind, points)
