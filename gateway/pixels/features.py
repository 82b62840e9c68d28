"""Clean Recognizable Visual Features (PS3.15 E.3.2) by a program of the site's: images go out and come back.

    folder/in/0001.dcm ...   what the program gets    ->    folder/out/0001.dcm ...   what it must have written

Rules of this file
* Where a route groups, the program gets the series as a whole and runs once (series.py); else each object alone.
* It gets pixels and geometry: no name, no number, no date, no text. Its files are Explicit VR little endian, native,
  each under a SOP Instance UID made up for it.
* Of what it gives back only Pixel Data is taken, of the same image and the same length; every other byte is ours.
  Another file, a missing one, a link, other Rows, another UID: `plugin-answer`, and all that it was given is held.
* The option is said to have run where the program ended well and its answer was taken (docs/plugins.md).

Reasons: plugin-answer, plugin-series, those of gateway/hosted/process.py and transcoding.py.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from gateway.config.schema import Plugin
from gateway.errors import HoldObject
from gateway.hosted.process import Bounds, run
from gateway.pixels.series import Series
from gateway.pixels.transcoding import transcoded
from gateway.store.kept_answers import working
from gateway.store.spool import FileSource
from transforms.dataset import framing, part10
from transforms.dataset.elements import PIXEL_DATA
from transforms.dataset.index import Index
from transforms.dataset.syntax import EXPLICIT_LE
from transforms.errors import TransformError
from transforms.pixels.image import ROWS, describe
from transforms.pixels.rebuilding import Joined, edited
from transforms.source import ByteSource, Copy, EditPlan, chunks

_GROUPS = (0x0020, 0x0028, 0x5200, 0x7FE0)
# Image Type, SOP Class, Modality; part examined, slice thickness, spacing, position
_OTHERS = frozenset({0x00080008, 0x00080016, 0x00080060, 0x00180015, 0x00180050, 0x00180088, 0x00185100})
_TEXTS = frozenset({0x00200010, 0x00204000, 0x00281300, 0x00284000})  # Study ID, comments
_SOP_CLASS, _SOP_INSTANCE = 0x00080016, 0x00080018
_SAME = (ROWS, ROWS + 1, 0x00280100, 0x00280008)  # Columns, Bits Allocated, Number of Frames
_ROOM = 1 << 20  # bytes an answer may be longer than the question: its own header
Scratch = Callable[[Iterable[bytes]], ByteSource]


class _Asked(NamedTuple):
    """What the program got as one file."""

    name: str
    uid: str  # made up for it
    size: int
    length: int  # of its Pixel Data
    values: tuple[bytes, ...]  # of _SAME


def featureless(
    source: ByteSource, uid: str, plugin: Plugin, folder: Path | None, scratch: Scratch, series: Series | None = None
) -> ByteSource | None:
    """The data set in Explicit VR little endian with the program's pixels; None where there are none to clean.

    `folder` is where the files lie meanwhile; `series` is what it leaves with, where its route groups.
    Raises HoldObject, WaitObject, TransformError.
    """
    if series is not None and folder is not None:
        # asked first, whatever this object is: when the first of them leaves, all are still here
        with series.pixels(repr(plugin), folder, lambda: _of_all(series, plugin, folder, scratch)) as answer:
            if answer is None:
                return None
            pixels = scratch(chunks(answer))
        plain, index = _plain(source, uid, scratch)
        return _with(plain, index, pixels)
    if PIXEL_DATA not in framing.check(source, uid):
        return None
    plain, index = _plain(source, uid, scratch)
    with _program(folder) as work:
        asked = _put(plain, index, work / "in" / _name(1))
        _run(plugin, work, [asked])
        with _answer(work / "out", asked) as answer:
            pixels = scratch(chunks(answer))
    return _with(plain, index, pixels)


def _of_all(series: Series, plugin: Plugin, folder: Path, scratch: Scratch) -> Iterator[tuple[str, ByteSource | None]]:
    """The program's pixels for every object of the series, by the name it is spooled under."""
    with _program(folder) as work:
        asked: dict[str, _Asked | None] = {}
        for number, member in enumerate(series.members(), 1):
            asked[member.stored.name] = None
            try:
                with series.opened(member) as source:
                    if PIXEL_DATA in framing.check(source, member.syntax):
                        plain, index = _plain(source, member.syntax, scratch)
                        asked[member.stored.name] = _put(plain, index, work / "in" / _name(number))
            except (HoldObject, TransformError) as error:
                raise HoldObject("plugin-series", f"an object of the series cannot be read: {error.reason}") from error
        images = [each for each in asked.values() if each is not None]
        if images:
            _run(plugin, work, images)
        for name, each in asked.items():
            if each is None:
                yield name, None
            else:
                with _answer(work / "out", each) as answer:
                    yield name, answer


@contextmanager
def _program(hosted: Path | None) -> Iterator[Path]:
    """A folder with `in` and `out`; nothing of it is left."""
    with working(hosted) as work:
        (work / "in").mkdir()
        (work / "out").mkdir()
        yield work


def _name(number: int) -> str:
    return f"{number:04d}.dcm"


def _plain(source: ByteSource, uid: str, scratch: Scratch) -> tuple[ByteSource, Index]:
    """The data set uncompressed."""
    plain = transcoded(source, uid, "explicit-le", scratch).source
    index = framing.check(plain, EXPLICIT_LE)
    describe(plain, index)
    return plain, index


def _put(plain: ByteSource, index: Index, path: Path) -> _Asked:
    """The file that the program gets."""
    uid = f"2.25.{secrets.randbits(128)}"
    shown = EditPlan(plain, (Copy(each.header, each.end - each.header) for each in index if _given(each.tag)))
    named = edited(shown, framing.check(shown, EXPLICIT_LE), {_SOP_INSTANCE: ("UI", _padded(uid))})
    kind = (index.value_bytes(plain, _SOP_CLASS) or b"").rstrip(b"\0 ").decode("ascii", "replace")
    with path.open("wb") as file:
        file.write(part10.meta(kind, uid, EXPLICIT_LE))
        for chunk in chunks(named):
            file.write(chunk)
        size = file.tell()
    pixels = index.get(PIXEL_DATA)
    assert pixels is not None
    return _Asked(path.name, uid, size, pixels.length, _values(plain, index))


def _values(source: ByteSource, index: Index) -> tuple[bytes, ...]:
    return tuple(index.value_bytes(source, tag) or b"" for tag in _SAME)


def _padded(uid: str) -> bytes:
    return uid.encode("ascii") + b"\0" * (len(uid) & 1)


def _given(tag: int) -> bool:
    return (tag >> 16 in _GROUPS or tag in _OTHERS) and tag not in _TEXTS


def _run(plugin: Plugin, work: Path, asked: list[_Asked]) -> None:
    """The program over all of them; it must have written as many, under the same names."""
    run(plugin.command, work, Bounds(plugin.timeout, plugin.memory))
    if sorted(os.listdir(work / "out")) != sorted(each.name for each in asked):  # noqa: PTH208 - names only
        raise HoldObject("plugin-answer", "it has not written exactly the files it got")


@contextmanager
def _answer(folder: Path, asked: _Asked) -> Iterator[ByteSource]:
    """The pixels of one file that it has written. Raises HoldObject."""
    try:
        descriptor = os.open(folder / asked.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        raise HoldObject("plugin-answer", "what it has written cannot be read") from None
    with os.fdopen(descriptor, "rb") as file:
        size = os.fstat(descriptor).st_size
        if size > asked.size + _ROOM:
            raise HoldObject("plugin-answer", "it has written more than it got")
        yield _pixels(file.fileno(), size, asked)


def _pixels(file: int, size: int, asked: _Asked) -> ByteSource:
    """Pixel Data of an answer, where it is the image that was asked about."""
    wrong = HoldObject("plugin-answer", "what it has written is not the same image with other pixels")
    try:
        found = part10.split(FileSource(file, 0, size), tolerant=True)
        data = FileSource(file, found.offset, size - found.offset)
        index = framing.check(data, found.syntax)
        pixels = index.get(PIXEL_DATA)
        if found.syntax != EXPLICIT_LE or pixels is None or pixels.length != asked.length:
            raise wrong
        if _values(data, index) != asked.values:
            raise wrong
        if index.value_bytes(data, _SOP_INSTANCE) != _padded(asked.uid):
            raise HoldObject("plugin-answer", "an image has not the SOP Instance UID that it was given with")
    except TransformError:
        raise wrong from None
    return FileSource(file, found.offset + pixels.value, pixels.length)


def _with(plain: ByteSource, index: Index, pixels: ByteSource) -> ByteSource:
    """Our data set with other Pixel Data."""
    mine = index.get(PIXEL_DATA)
    if mine is None or mine.length != pixels.size:
        raise HoldObject("plugin-answer", "what it has written is not the same image with other pixels")
    pieces = (Copy(mine.header, mine.value - mine.header), Copy(plain.size, mine.length))
    return edited(Joined(plain, pixels), index, {}, pieces)
