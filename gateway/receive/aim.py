"""AIM documents that come in as files: each becomes the SR of TID 1500 that the gateway routes like any object.

Rules of this file
* What is AIM is told by the root element. What is other XML, or none, is left to whoever asked.
* The SR is made before anything is stored: it is what is durable, matched, de-identified and audited, and a route's
  step `aim` gives the document back (docs/annotations.md). The same document is the same SR again, a duplicate.
* The loss report is given back: nobody else will make it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final, NamedTuple

from gateway.at_hand import AtHand, Seek
from gateway.config.annotations import Annotations
from gateway.errors import RefuseObject, StorageFailed, WaitObject
from gateway.store.spool import Spool
from transforms.aim.convert import document_with_losses, load
from transforms.aim.model.annotation import ImageAnnotationCollection
from transforms.aim.options import Options
from transforms.conversion import nothing
from transforms.errors import TransformError
from transforms.loss import LossReport
from transforms.sr.write import write_file
from transforms.xmltext import root_name

LONGEST: Final = 64 << 20  # bytes of a document
_ROOTS: Final = frozenset({"ImageAnnotationCollection", "AnnotationOfAnnotationCollection", "ImageAnnotation"})
_BLANK: Final = b"\xef\xbb\xbf \t\r\n"


class Taken(NamedTuple):
    """What comes of a file: DICOM in chunks, and what of an AIM document the SR does not say."""

    chunks: Iterable[bytes]
    losses: str = ""


def taken(chunks: Iterable[bytes], how: Annotations, seek: Seek, spool: Spool) -> Taken:
    """The SR of an AIM document; any other file as it is. Raises RefuseObject (aim-*, xml-*), StorageFailed."""
    rest = iter(chunks)
    first = next(rest, b"")
    if not first.lstrip(_BLANK).startswith(b"<"):
        return Taken(chain((first,), rest))
    data = _whole(first, rest)
    try:
        if root_name(data).rpartition("}")[2] not in _ROOTS:
            return Taken((data,))
        collection = load(data)
        person = collection.person if isinstance(collection, ImageAnnotationCollection) else None
        site = Options(fields=how.fields, pixel_origin=how.pixel_origin)
        with AtHand(str(person.id) if person is not None else "", how.images, seek, spool) as images:
            document, losses = document_with_losses(collection, site, images if how.images else nothing)
            if images.missing:
                losses.left_out("images", f"{images.missing} of the images were not at hand")
        return Taken((write_file(document),), LossReport("aim", "sr", losses.lines).as_text())
    except TransformError as error:
        raise RefuseObject(error.reason, 0) from error
    except WaitObject as error:
        raise StorageFailed(error.reason) from error


def _whole(first: bytes, rest: Iterator[bytes]) -> bytes:
    """All of a document. Raises RefuseObject(aim-too-large)."""
    data = bytearray()
    for chunk in chain((first,), rest):
        data += chunk
        if len(data) > LONGEST:
            raise RefuseObject("aim-too-large", 0)
    return bytes(data)
