"""`dicom-gateway convert --to aim|sr` of AIM and SR: bytes in, bytes and a loss report out.

Rules of this file
* The loss report is not kept by hand. The result is converted back, and whatever of the source does not come back is
  reported: a field that no code thought of is in it too (canonical.py).
* A document that lost something gets a UID of its own, made of the source's, and names its source. One that lost
  nothing keeps the UID: it is the same document (PS3.21 A.6.1.1.11). One that says more than its source, since images
  were at hand, gets one made of what it says: with other images at hand it is another document.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, TypeVar

from profiles.aim import concepts
from profiles.aim.names import V3
from transforms.aim import canonical, lift, lift_sr, tree
from transforms.aim.from_sr import from_sr as collection_of
from transforms.aim.model.annotation import AnnotationCollection, ImageAnnotationCollection
from transforms.aim.model.datatypes import St, Uid
from transforms.aim.options import Options, Resolver, options
from transforms.aim.read import from_xml, parse
from transforms.aim.to_sr import to_sr as document_of
from transforms.aim.uids import derived
from transforms.aim.write import to_version, write
from transforms.conversion import Converted, Given, nothing
from transforms.errors import TransformError
from transforms.loss import Losses, LossReport
from transforms.source import BytesSource
from transforms.sr.context import settled
from transforms.sr.model import Document
from transforms.sr.read import read_file
from transforms.sr.values import UidRef
from transforms.sr.write import write_file

Made = TypeVar("Made")
_FIXED: Final = (concepts.LANGUAGE, concepts.PROCEDURE_REPORTED)  # PS3.21 A.6.1.2, whatever the AIM is of


def load(data: bytes) -> AnnotationCollection:
    """An AIM document of v4, or of v3 lifted to v4. Raises TransformError."""
    root = parse(data)
    return lift.lifted(root) if str(root.tag).startswith(f"{{{V3}}}") else from_xml(root)


def aim_to_sr(data: bytes, given: Given) -> Converted:
    """An AIM document as a DICOM file, TID 1500."""
    site = options(given.options)
    document, losses = document_with_losses(load(data), site, given.image)
    return Converted(write_file(document), LossReport("aim", "sr", losses.lines))


def sr_to_aim(data: bytes, given: Given) -> Converted:
    """A DICOM file of TID 1500, or an SR of the AIM 3 toolkit, as AIM v4."""
    site = options(given.options)
    collection, losses = collection_with_losses(read_file(BytesSource(data)), site, given.image)
    return Converted(write(collection), LossReport("sr", "aim", losses.lines))


def aim_to_aim(data: bytes, given: Given) -> Converted:
    """An AIM document, of v3 too, as AIM v4 of the version that the site wants."""
    losses = Losses()
    collection = load(data)
    written = to_version(collection, options(given.options).version)
    canonical.compare(canonical.of_aim(collection), canonical.of_aim(written), losses)
    return Converted(write(written), LossReport("aim", "aim", losses.lines))


def document_with_losses(
    collection: AnnotationCollection, site: Options, resolver: Resolver
) -> tuple[Document, Losses]:
    """The SR of a collection, and what it does not say of it."""
    document = document_of(collection, site, resolver)
    aided = resolver is not nothing and document != _or_none(document_of, collection, site)
    losses = Losses()
    back = collection_of(document, site, resolver)
    canonical.compare(canonical.of_aim(collection), canonical.of_aim(back), losses)
    if losses.lines or aided:
        own = hashlib.sha256(write_file(document)).hexdigest() if aided else ""
        document = _named(document, collection.unique_identifier, own)
    for item in tree.named(document.root.children, *_FIXED):
        losses.defaulted(tree.place(item), tree.told(item))
    return document, losses


def _named(document: Document, source: str, own: str) -> Document:
    """The document under a UID of its own, with its source. `own`: what it says beside it, by images at hand."""
    item = tree.item(tree.OBSERVATION, concepts.SOURCE_DOCUMENT, UidRef(source))
    root = settled(replace(document.root, children=(*document.root.children, item)))
    return replace(document, sop_instance=derived(source, "sr", *((own,) if own else ())), root=root)


def collection_with_losses(
    document: Document, site: Options, resolver: Resolver
) -> tuple[ImageAnnotationCollection, Losses]:
    """The AIM of a document, and what it does not say of it."""
    losses = Losses()
    aided = False
    if lift_sr.is_aim_3(document):
        collection = lift_sr.lifted(document, losses)
    else:
        collection = collection_of(document, site, resolver)
        aided = resolver is not nothing and collection != _or_none(collection_of, document, site)
        back = document_of(collection, site, resolver)
        canonical.compare(canonical.of_sr(document), canonical.of_sr(back), losses)
    for other in document.others:
        losses.left_out(other.path, "attribute")
    whole, collection = collection, _versioned(collection, site)
    if site.version == "4.0":
        canonical.compare(canonical.of_aim(whole), canonical.of_aim(collection), losses)
    if losses.lines or aided:
        own = (hashlib.sha256(write(collection)).hexdigest(),) if aided else ()
        said = collection.description or ""
        words = f"Converted from DICOM SR {document.sop_instance}"
        collection = replace(
            collection,
            unique_identifier=Uid(derived(document.sop_instance, "aim", *own)),
            description=St(f"{said} ({words})" if said else words),
        )
    return collection, losses


def _or_none(make: Callable[[Any, Options, Resolver], Made], given: Any, site: Options) -> Made | None:
    """What would have come of it without any image at hand; None where nothing would."""
    try:
        return make(given, site, nothing)
    except TransformError:
        return None


def _versioned(collection: ImageAnnotationCollection, site: Options) -> ImageAnnotationCollection:
    made = to_version(collection, site.version)
    assert isinstance(made, ImageAnnotationCollection)
    return made
