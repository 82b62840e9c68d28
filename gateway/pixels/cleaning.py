"""Clean Pixel Data over one object (PS3.15 E.3.1): from the data set as received to one without burned-in text.

    risky, or in the catalogue?  ->  boxes of the catalogue  ->  boxes of the text detector  ->  blanked

Rules of this file
* It says that the option ran only where every frame was looked at for text, or where somebody vouches for the device's
  images. An image that is not risky is left alone, and nothing is claimed for it.
* What text is found in one frame is blanked in every frame: it stands still while the picture moves.
* What cannot be looked at, and what no decoder reads like the next one, is held; nothing is blanked on a guess.
* Native pixels are blanked while they are read. Of encapsulated ones only the frames with a box are made anew.

Reasons: burned-in-unknown, pixels-video, devices-refused, and those of transforms/pixels and gateway/hosted/frames.py.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from gateway.config.pixels import detector
from gateway.errors import GatewayError, HoldObject
from gateway.hosted.frames import Frames, Task, frames
from gateway.pixels.catalogue import entries
from gateway.pixels.groups import Groups
from gateway.store import previews
from transforms.dataset import framing
from transforms.dataset import syntax as syntaxes
from transforms.dataset.elements import PIXEL_DATA
from transforms.dataset.index import Index
from transforms.deidentify.options import PIXELS
from transforms.errors import TransformError
from transforms.pixels.boxes import Box, of_frame, within
from transforms.pixels.devices import Entry, boxes_of, matching
from transforms.pixels.forms import DECODED
from transforms.pixels.frames import Frame, Place, frames_of, read
from transforms.pixels.image import PHOTOMETRIC, Image, describe, has_pixels
from transforms.pixels.native import Blanked
from transforms.pixels.rebuilding import Joined, Value, edited, encapsulated
from transforms.pixels.risk import Facts, facts_of, risk
from transforms.source import ByteSource

_EXTREMES = (0x00280106, 0x00280107)  # Smallest and Largest Image Pixel Value: of pixels that are not all there now
_REMEMBERED = 4096  # frames whose boxes are kept in memory
_KNOWN: OrderedDict[tuple[bytes, str, Image], tuple[Box, ...]] = OrderedDict()
_LOCK = Lock()
Scratch = Callable[[Iterable[bytes]], ByteSource]


@dataclass(frozen=True, slots=True)
class How:
    """The `pixels:` of a deidentify block."""

    devices: Path | None = None  # the site's catalogue
    look: bool = True  # a text detector looks at risky images
    every: bool = False  # and at all others
    most: int = 200  # different frames of one object that are looked at


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The object as it goes on; `ran` names the option where it came to its end."""

    source: ByteSource
    ran: frozenset[str] = frozenset()
    steps: tuple[str, ...] = ()


def cleaned(
    source: ByteSource,
    uid: str,
    how: How,
    scratch: Scratch,
    groups: Groups | None = None,
    worker: Frames | None = None,
) -> Cleaned:
    """Clean a framed data set in a little-endian syntax. Raises HoldObject, TransformError.

    `scratch` keeps new frames while they are read; `groups` remembers what a person has to decide.
    """
    index = framing.check(source, uid)
    if not has_pixels(index):
        return Cleaned(source)
    facts = facts_of(source, index)
    try:
        known = matching(entries(how.devices), facts.shape)
    except GatewayError as error:
        raise HoldObject(error.reason, error.detail) from None
    why = risk(facts) or ("every image is looked at" if how.every else "")
    if not why and not known:
        return Cleaned(source, steps=("pixels:not-risky",))
    work = _Work(source, uid, index, facts, how, worker or frames())
    boxes = work.boxes(known, why, groups)
    told = "+".join(["device"] * bool(known) + ["text"] * (not _vouched(known)))
    return Cleaned(work.without(boxes, scratch), frozenset({PIXELS}), (f"pixels:{told}:{len(boxes)}",))


def _vouched(known: tuple[Entry, ...]) -> bool:
    return any(each.vouched for each in known)


class _Work:
    """One object."""

    def __init__(self, source: ByteSource, uid: str, index: Index, facts: Facts, how: How, worker: Frames) -> None:
        if uid not in DECODED and syntaxes.lookup(uid).encapsulated:
            raise HoldObject("pixels-video", f"{syntaxes.lookup(uid).name}: its frames cannot be looked at here")
        self.source = source
        self.uid = uid
        self.index = index
        self.facts = facts
        self.how = how
        self.worker = worker
        self.image: Image = describe(source, index)
        self.frames: list[Frame] = frames_of(source, index, self.image)

    def boxes(self, known: tuple[Entry, ...], why: str, groups: Groups | None) -> tuple[Box, ...]:
        """All that is to be blanked. Raises HoldObject where nobody can say."""
        shape = self.facts.shape
        found = [box for each in known for box in boxes_of(each, shape, self.source, self.index)]
        if not _vouched(known):
            if not self.how.look or not detector():
                raise self._unknown(f"{why}, and no text detector runs", groups)
            found += self._text(groups)
        return _plain(within(found, self.image.columns, self.image.rows))

    def _text(self, groups: Groups | None) -> list[Box]:
        """What the detector finds in any frame. Frames that are the same bytes are looked at once."""
        found: set[Box] = set()
        seen: set[bytes] = set()
        for frame in self.frames:
            data = read(self.source, frame)
            digest = hashlib.sha256(data).digest()
            if digest in seen:
                continue
            if len(seen) == self.how.most:
                raise self._unknown(f"more than {self.how.most} different frames", groups)
            seen.add(digest)
            found.update(self._found(digest, data))
        return sorted(found)

    def _found(self, digest: bytes, data: bytes) -> tuple[Box, ...]:
        """The boxes of one frame. An object goes to several destinations, or is tried again: it is looked at once."""
        key = (digest, self.uid, self.image)
        with _LOCK:
            known = _KNOWN.get(key)
        if known is None:
            known = self.worker.do(Task("find", self.image, self.uid), data)[0].boxes
            with _LOCK:
                _KNOWN[key] = known
                while len(_KNOWN) > _REMEMBERED:
                    _KNOWN.popitem(last=False)
        return known

    def _unknown(self, why: str, groups: Groups | None) -> HoldObject:
        """A hold that a decision about this device's images ends."""
        shape = self.facts.shape
        if groups is not None and not groups.known(shape.group):
            try:
                _, picture = self.worker.do(Task("preview", self.image, self.uid), read(self.source, self.frames[0]))
            except TransformError:
                picture = b""
            groups.add(shape, why, picture)
        return HoldObject(previews.UNKNOWN, previews.detail(shape.group, why))

    def without(self, boxes: tuple[Box, ...], scratch: Scratch) -> ByteSource:
        """The data set with the boxes blanked."""
        if not boxes:
            return self.source
        values: dict[int, Value] = {tag: None for tag in _EXTREMES if tag in self.index}
        if not self.index.syntax.encapsulated:
            element = self.index.get(PIXEL_DATA)
            assert element is not None
            blank = Blanked(self.source, element.value, self.image, boxes)
            return edited(blank, self.index, values) if values else blank
        whole = self.image.photometric == "YBR_ICT"  # made anew, a frame is YBR_RCT: then all of them are
        chosen = [of_frame(boxes, number) for number in range(1, len(self.frames) + 1)]
        lengths: list[int] = []
        fresh = scratch(self._made(chosen, whole, lengths))
        places: list[Frame] = []
        at = self.source.size
        sizes = iter(lengths)
        for frame, some in zip(self.frames, chosen, strict=True):
            if some or whole:
                places.append((Place(at, length := next(sizes)),))
                at += length
            else:
                places.append(frame)
        if whole:
            values[PHOTOMETRIC] = ("CS", b"YBR_RCT ")
        pieces, tables = encapsulated(places)
        values |= {tag: value for tag, value in tables.items() if value is not None or tag in self.index}
        return edited(Joined(self.source, fresh), self.index, values, pieces)

    def _made(self, chosen: list[tuple[Box, ...]], whole: bool, lengths: list[int]) -> Iterator[bytes]:
        """Every frame that has a box, made anew."""
        for frame, boxes in zip(self.frames, chosen, strict=True):
            if boxes or whole:
                task = Task("blank", self.image, self.uid, boxes)
                _, data = self.worker.do(task, read(self.source, frame))
                lengths.append(len(data))
                yield data


def _plain(boxes: tuple[Box, ...]) -> tuple[Box, ...]:
    """Without those that lie in another one."""
    kept: list[Box] = []
    for each in sorted(boxes, key=lambda box: (box.top - box.bottom) * (box.right - box.left)):
        inside = any(
            not other.frames
            and other.left <= each.left and other.top <= each.top
            and each.right <= other.right and each.bottom <= other.bottom
            for other in kept
        )  # fmt: skip
        if not inside:
            kept.append(each)
    return tuple(sorted(kept))
