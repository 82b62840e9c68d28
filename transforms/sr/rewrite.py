"""An SR read and written anew: Explicit VR little endian, UTF-8, without what the model has no field for.

It shows what every conversion from SR reads, and names what none of them sees.
"""

from __future__ import annotations

from transforms.conversion import Converted, Given
from transforms.loss import Losses, LossReport
from transforms.source import BytesSource
from transforms.sr.level import dotted
from transforms.sr.read import read_file
from transforms.sr.values import Image
from transforms.sr.write import write_file


def convert(data: bytes, given: Given) -> Converted:
    """The same document, same SOP Instance UID. Raises as read_file and write_file do."""
    document = read_file(BytesSource(data))
    losses = Losses()
    for other in document.others:
        losses.left_out(other.path, "an attribute that no conversion reads")
    for item in document.root.walk():
        if isinstance(item.value, Image) and item.value.icon:
            losses.left_out(dotted(item.position), "the icon of an image")
    return Converted(write_file(document), LossReport("sr", "sr", losses.lines))
