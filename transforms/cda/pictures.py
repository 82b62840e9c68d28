"""A key image as a small picture (10.3): one frame as the image, or a presentation state of it, says it is shown.

Rules of this file
* How it is shown is transforms/pixels/rendering.py; what reads the pixels is given (`Draw`): the shell has a process
  under limits for it.
* An image that cannot be shown is no picture, and it is told why: the document then has its reference and link only.
  Nothing is guessed: a state that is at hand and cannot be applied means no picture; one that is not at hand is told.
* At most LONGEST bytes of a frame are read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from transforms.cda.making import Pictures
from transforms.cda.options import Picture
from transforms.dataset.convert import to_explicit_le
from transforms.dataset.framing import check
from transforms.dataset.index import Index
from transforms.dataset.part10 import split
from transforms.dataset.syntax import EXPLICIT_LE, lookup
from transforms.errors import TransformError
from transforms.pixels.frames import frames_of, read
from transforms.pixels.image import Image, describe
from transforms.pixels.rendering import Rendering, instance_of, of_image, of_state
from transforms.source import ByteSource, Copy, EditPlan
from transforms.sr.values import Image as ImageValue

LONGEST: Final = 64 << 20  # bytes of a frame
Draw = Callable[[bytes, Image, str, "Rendering | None"], bytes]


def _here(data: bytes, image: Image, syntax: str, how: Rendering | None) -> bytes:
    """Drawn in this process: what only passes reports on need not load what draws."""
    from transforms.pixels.drawing import drawn

    return drawn(data, image, syntax, how)


def pictures(at_hand: Callable[[str], ByteSource | None], draw: Draw = _here) -> Pictures:
    """What asks for the pictures of IMAGE items: DICOM files by their SOP Instance UID, where they are at hand."""

    def ask(image: ImageValue) -> Picture | str:
        state = image.presentation_state
        try:
            file = at_hand(image.reference.sop_instance)
            if file is None:
                return "the image is not at hand"
            said = at_hand(state.sop_instance) if state is not None else None
            made = picture(file, image.frames[0] if image.frames else 1, said, draw)
            missing = state is not None and said is None
            return replace(made, without="its presentation state, which is not at hand") if missing else made
        except TransformError as error:
            return f"the image cannot be shown: {error.reason}"

    return ask


def picture(file: ByteSource, frame: int = 1, state: ByteSource | None = None, draw: Draw = _here) -> Picture:
    """The picture of a frame (from 1) of a DICOM file, under a presentation state. Raises TransformError."""
    source, index, uid = _framed(file)
    image = describe(source, index)
    frames = frames_of(source, index, image)
    if not 1 <= frame <= len(frames):
        raise TransformError("pixels-undescribed", "a frame that is not there")
    if sum(place.length for place in frames[frame - 1]) > LONGEST:
        raise TransformError("pixels-unsupported", "a frame of more bytes than are read for a picture")
    if state is None:
        how = of_image(source, index, image, frame)
    else:
        other, there, _ = _framed(state)
        how = of_state(other, there, image, instance_of(source, index), frame)
    return Picture("image/jpeg", draw(read(source, frames[frame - 1]), image, uid, how))


def _framed(file: ByteSource) -> tuple[ByteSource, Index, str]:
    """A file's data set in little endian, its index, and the syntax of its pixels."""
    found = split(file, tolerant=True)
    body: ByteSource = EditPlan(file, (Copy(found.offset, file.size - found.offset),))
    known = lookup(found.syntax)
    if known.deflated or not known.little_endian:
        body = to_explicit_le(body, found.syntax)
        return body, check(body, EXPLICIT_LE), EXPLICIT_LE
    return body, check(body, found.syntax), found.syntax
