"""Clean Recognizable Visual Features (PS3.15 E.3.2) by a program of the site's: an image goes out and comes back.

    folder/in/0001.dcm   what the program gets    ->    folder/out/0001.dcm   what it must have written

Rules of this file
* It gets pixels and geometry: no name, no number, no date, no text. Its files are Explicit VR little endian, native.
* Of what it gives back only Pixel Data is taken, of the same length; every other byte is ours. Another file, a missing
  one, a link, other Rows: `plugin-answer`, and the object is held.
* The option is said to have run where the program ended well and its answer was taken (docs/plugins.md).

Reasons: plugin-answer, those of gateway/hosted/process.py and transcoding.py.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from gateway.config.schema import Plugin
from gateway.errors import HoldObject
from gateway.folders import made
from gateway.hosted.process import Bounds, run
from gateway.pixels.transcoding import transcoded
from transforms.dataset import framing, part10
from transforms.dataset.elements import PIXEL_DATA
from transforms.dataset.syntax import EXPLICIT_LE
from transforms.errors import TransformError
from transforms.pixels.image import ROWS, describe
from transforms.pixels.rebuilding import Joined, edited
from transforms.source import ByteSource, Copy, EditPlan, chunks

_NAME = "0001.dcm"
_GROUPS = (0x0020, 0x0028, 0x5200, 0x7FE0)
# Image Type, SOP Class, Modality; part examined, slice thickness, spacing, position
_OTHERS = frozenset({0x00080008, 0x00080016, 0x00080060, 0x00180015, 0x00180050, 0x00180088, 0x00185100})
_TEXTS = frozenset({0x00200010, 0x00204000, 0x00281300, 0x00284000})  # Study ID, comments
_ROOM = 1 << 20  # bytes an answer may be longer than the question: its own header
Scratch = Callable[[Iterable[bytes]], ByteSource]


def featureless(
    source: ByteSource, uid: str, plugin: Plugin, folder: Path | None, scratch: Scratch
) -> ByteSource | None:
    """The data set in Explicit VR little endian with the program's pixels; None where there are none to clean.

    `folder` is where the files lie meanwhile. Raises HoldObject, TransformError.
    """
    if PIXEL_DATA not in framing.check(source, uid):
        return None
    plain = transcoded(source, uid, "explicit-le", scratch).source
    index = framing.check(plain, EXPLICIT_LE)
    describe(plain, index)
    given = EditPlan(plain, (Copy(each.header, each.end - each.header) for each in index if _given(each.tag)))
    if folder is not None:
        made(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix="plugin-") as name:
        work = Path(name)
        (work / "in").mkdir()
        (work / "out").mkdir()
        with (work / "in" / _NAME).open("wb") as file:
            file.write(part10.meta("1.2.840.10008.5.1.4.1.1.7", "2.25.1", EXPLICIT_LE))
            for chunk in chunks(given):
                file.write(chunk)
        run(plugin.command, work, Bounds(plugin.timeout, plugin.memory))
        answer = scratch(_answer(work / "out", given.size + _ROOM))
    return _taken(plain, index, answer)


def _given(tag: int) -> bool:
    return (tag >> 16 in _GROUPS or tag in _OTHERS) and tag not in _TEXTS


def _answer(folder: Path, most: int) -> Iterator[bytes]:
    """The bytes of the one file it must have written."""
    if sorted(os.listdir(folder)) != [_NAME]:  # noqa: PTH208 - names only
        raise HoldObject("plugin-answer", "it has not written exactly the files it got")
    try:
        descriptor = os.open(folder / _NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        raise HoldObject("plugin-answer", "what it has written cannot be read") from None
    with os.fdopen(descriptor, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise HoldObject("plugin-answer", "it has written more than it got")
        while chunk := file.read(1 << 18):
            yield chunk


def _taken(plain: ByteSource, index: framing.Index, answer: ByteSource) -> ByteSource:
    """Our data set with the answer's Pixel Data."""
    mine = index.get(PIXEL_DATA)
    assert mine is not None
    try:
        found = part10.split(answer, tolerant=True)
        theirs = _Part(answer, found.offset)
        other = framing.check(theirs, found.syntax)
        pixels = other.get(PIXEL_DATA)
        same = found.syntax == EXPLICIT_LE and pixels is not None and pixels.length == mine.length
        same = same and all(
            other.value_bytes(theirs, tag) == index.value_bytes(plain, tag) for tag in (ROWS, ROWS + 1, 0x00280100)
        )
    except TransformError:
        same, pixels = False, None
    if not same or pixels is None:
        raise HoldObject("plugin-answer", "what it has written is not the same image with other pixels")
    at = plain.size + found.offset + pixels.value
    pieces = (Copy(mine.header, mine.value - mine.header), Copy(at, mine.length))
    return edited(Joined(plain, answer), index, {}, pieces)


class _Part:
    """A source from a byte on."""

    __slots__ = ("_from", "_source", "size")

    def __init__(self, source: ByteSource, begin: int) -> None:
        self._source = source
        self._from = begin
        self.size = source.size - begin

    def pread(self, offset: int, length: int) -> bytes:
        """As the source, counted from there."""
        return self._source.pread(self._from + offset, length)
