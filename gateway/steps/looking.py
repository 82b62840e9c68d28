"""Images of the spool for a step that asks for them (gateway/at_hand.py), and why it gets none.

* After a de-identification it gets none: an image as it was received may show whom it is of, in its pixels and in its
  header, and what leaves of it is another object under another UID.
* Outside of a serving gateway (`explain`, cases) there is no spool to look at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from gateway.at_hand import AtHand
from gateway.hosted.frames import Task, frames
from gateway.steps.contract import Around, Passing
from transforms.loss import Losses
from transforms.pixels.image import Image
from transforms.pixels.rendering import Rendering


class Looking(NamedTuple):
    """What a step may see; `images` None: nothing, and `why` not, "" where its rules do not ask for any."""

    images: AtHand | None
    why: str = ""

    def tell(self, losses: Losses) -> tuple[str, ...]:
        """What was not seen, into a loss report; what was asked for, in the words of ledger and manifest."""
        if self.why:
            losses.left_out("images", self.why)
        if self.images is not None and self.images.missing:
            losses.left_out("images", f"{self.images.missing} of the images were not at hand")
        return (self.images.told,) if self.images is not None and self.images.told else ()


@contextmanager
def looking(passing: Passing, around: Around, listeners: Sequence[str]) -> Iterator[Looking]:
    """For one run of a step; `listeners` are those whose images its rules let it see."""
    if not listeners:
        yield Looking(None)
    elif passing.anonymized or passing.egress is not None:
        yield Looking(None, "the document is de-identified, the images of the spool are not")
    elif around.look is None or around.instance is None:
        yield Looking(None, "only a gateway that serves looks at the images of its spool")
    else:
        with around.look(around.instance.identity.patient_id, listeners) as images:
            yield Looking(images)


def drawn(data: bytes, image: Image, uid: str, how: Rendering | None) -> bytes:
    """The JPEG of a frame, made in a process under limits. Raises TransformError."""
    return frames().do(Task("draw", image, uid, how=how), data)[1]
