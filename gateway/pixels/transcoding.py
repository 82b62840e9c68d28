"""One object in another transfer syntax, pixel for pixel (PS3.5 Annex A; PS3.5 10.1 for those who take no compression).

Rules of this file
* Only lossless forms are written. What was lossy says so ever after: (0028,2110), (0028,2112) and (0028,2114) are
  filled in where they are missing (PS3.3 C.7.6.1.1.5).
* What an encoder made is decoded again and compared before it goes on (transforms/pixels/codecs.py).
* Objects without pixels, and those with float pixels, keep an uncompressed syntax.
* JPEG colours become RGB, JPEG 2000 colour transforms are undone; colour is by pixel afterwards.

Reasons: those of transforms/pixels and gateway/hosted/frames.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from gateway.hosted.frames import Frames, Task, frames
from transforms.dataset import convert, framing, syntax
from transforms.dataset.elements import PIXEL_DATA
from transforms.dataset.index import Index
from transforms.errors import TransformError
from transforms.pixels import forms
from transforms.pixels.frames import EXTENDED, EXTENDED_LENGTHS, Frame, Place, frames_of, read
from transforms.pixels.image import PHOTOMETRIC, PLANAR, Image, describe
from transforms.pixels.rebuilding import Joined, Value, edited, encapsulated, native
from transforms.source import ByteSource

# The words of `transcode:` -> transfer syntax
TARGETS: Final[dict[str, str]] = {
    "explicit-le": syntax.EXPLICIT_LE,
    "implicit-le": syntax.IMPLICIT_LE,
    "rle": forms.RLE,
    "jpeg-lossless": forms.LOSSLESS_SV1,
    "jpeg-ls": forms.LS,
    "jpeg-2000": forms.J2K,
    "htj2k": forms.HT,
}
_METHODS: Final = {  # PS3.3 C.7.6.1.1.5.1
    **dict.fromkeys((forms.BASELINE, forms.EXTENDED), b"ISO_10918_1 "),
    forms.LS_NEAR: b"ISO_14495_1 ",
}
_LOSSY, _RATIO, _METHOD = 0x00282110, 0x00282112, 0x00282114
_LONGEST: Final = 0xFFFFFFFE


class Transcoded(NamedTuple):
    """The object as it goes on; `step` is "" where it was in that syntax already."""

    source: ByteSource
    syntax: str
    step: str = ""


def transcoded(
    source: ByteSource,
    uid: str,
    to: str,
    scratch: Callable[[Iterable[bytes]], ByteSource],
    worker: Frames | None = None,
) -> Transcoded:
    """A data set of any syntax in that of TARGETS[to]. Raises TransformError."""
    target, known = TARGETS[to], syntax.lookup(uid)
    if uid == target:
        return Transcoded(source, uid)
    if known.deflated:
        source, known = scratch(convert.inflate(source)), syntax.lookup(syntax.EXPLICIT_LE)
    if known.uncompressed and not syntax.lookup(target).encapsulated:
        return Transcoded(_uncompressed(source, known.uid, target), target, f"transcode:{to}")
    source = source if known.encapsulated else convert.to_explicit_le(source, known.uid)
    uid = known.uid if known.encapsulated else syntax.EXPLICIT_LE
    index = framing.check(source, uid)
    if PIXEL_DATA not in index:
        if not known.encapsulated:
            return Transcoded(source, uid)
        return Transcoded(_uncompressed(source, syntax.EXPLICIT_LE, target), target, f"transcode:{to}")
    image = describe(source, index)
    encoded = target if syntax.lookup(target).encapsulated else syntax.EXPLICIT_LE
    done = _pixels(source, uid, index, image, encoded, scratch, worker or frames())
    if target == syntax.IMPLICIT_LE:
        done = convert.to_implicit_le(done, encoded)
    return Transcoded(done, target, f"transcode:{to}:{image.frames}")


def _uncompressed(source: ByteSource, uid: str, target: str) -> ByteSource:
    made = convert.to_explicit_le if target == syntax.EXPLICIT_LE else convert.to_implicit_le
    return made(source, uid)


def _pixels(
    source: ByteSource,
    uid: str,
    index: Index,
    image: Image,
    target: str,
    scratch: Callable[[Iterable[bytes]], ByteSource],
    worker: Frames,
) -> ByteSource:
    """The data set with every frame in the target's form."""
    lengths: list[int] = []
    photometric: set[str] = set()
    places = frames_of(source, index, image)

    def made() -> Iterator[bytes]:
        for frame in places:
            done, data = worker.do(Task("transcode", image, uid, to=target), read(source, frame))
            lengths.append(len(data))
            photometric.add(done.photometric)
            yield data

    fresh = scratch(made())
    if len(photometric) != 1:
        raise TransformError("pixels-undescribed", "frames of different colour spaces")
    values = _values(index, image, photometric.pop(), uid, places, sum(lengths))
    if syntax.lookup(target).encapsulated:
        at = source.size
        frames_now: list[Frame] = []
        for length in lengths:
            frames_now.append((Place(at, length),))
            at += length
        pixels, tables = encapsulated(frames_now)
        values |= {tag: value for tag, value in tables.items() if value is not None or tag in index}
    else:
        if fresh.size > _LONGEST:
            raise TransformError("pixels-unsupported", "more than 4 GiB of native pixels")
        pixels = native(source.size, fresh.size, wide=image.allocated > 8)
        values |= {tag: None for tag in (EXTENDED, EXTENDED_LENGTHS) if tag in index}
    return edited(Joined(source, fresh), index, values, pixels)


def _values(index: Index, image: Image, photometric: str, uid: str, places: list[Frame], now: int) -> dict[int, Value]:
    """What the attributes say afterwards."""
    values: dict[int, Value] = {}
    if photometric != image.photometric:
        raw = photometric.encode("ascii")
        values[PHOTOMETRIC] = ("CS", raw + b" " * (len(raw) & 1))
    if image.samples == 3:
        values[PLANAR] = ("US", b"\0\0")
    if syntax.lookup(uid).lossless is False:
        before = sum(length for frame in places for _, length in frame)
        ratio = f"{image.rows * image.columns * image.samples * (image.stored + 7) // 8 * image.frames / before:.4g}"
        told = {_LOSSY: ("CS", b"01"), _RATIO: ("DS", ratio.encode()), _METHOD: ("CS", _METHODS.get(uid, b""))}
        for tag, (vr, raw) in told.items():
            if raw and (tag not in index or not index.entries[tag][3]):
                values[tag] = (vr, raw + b" " * (len(raw) & 1))
    return values
