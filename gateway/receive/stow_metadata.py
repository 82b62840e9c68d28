"""Store requests of metadata with bulk data parts (PS3.18 10.5.2, 8.7.3): each data set is made, then stored like any.

    first     the metadata: one JSON part, or one XML part an instance; held in memory, up to `limits.metadata`
    then      bulk data parts, each with a Content-Location; spooled to one nameless file
    assemble  every instance: Explicit VR little endian around the bulk data, or what its compressed pixels say

Rules of this file
* A BulkDataURI is the Content-Location of a part, letter by letter. It is never fetched, whatever it says.
* Pixels are never decoded: GIF and PNG, which the standard would have us transform, are refused. Compressed pixels are
  one part, and so one frame, but for video.
* A parser makes some hundred bytes of two: not all requests are taken apart at once.
* What is wrong with one instance is its failure; what is wrong with the metadata as a whole is a request's (400).
"""

from __future__ import annotations

from threading import BoundedSemaphore
from typing import NamedTuple

from gateway.dimse.messages import is_uid
from gateway.errors import RefuseObject, StorageFailed
from gateway.pipeline import Claim
from gateway.receive.parts import judge
from gateway.receive.stow import Storing, length_of
from gateway.store.spool import Scratch
from gateway.web import media
from gateway.web.answers import NOT_UNDERSTOOD, OUT_OF_RESOURCES, SYNTAX_NOT_SUPPORTED
from gateway.web.multipart import BadMultipart, Related
from transforms.dataset import syntax
from transforms.dataset.elements import PIXEL_DATA
from transforms.models import json_model, native
from transforms.models.encode import Bulk, pieces
from transforms.models.model import DataSet, MetadataError

_COPY = 1 << 20
_AT_ONCE = BoundedSemaphore(2)  # requests whose metadata is in memory as objects
PREFIX = "1.2.840.10008.1.2."
# PS3.18 Tables 8.7.3-2, -4, -5: media type -> its default transfer syntax, and the others it may name
IMAGES = {
    "image/jpeg": ("4.70", "4.50", "4.51", "4.57"),
    "image/dicom-rle": ("5",),
    "image/x-dicom-rle": ("5",),
    "image/jls": ("4.80", "4.81"),
    "image/jp2": ("4.90", "4.91"),
    "image/jpx": ("4.92", "4.93"),
    "image/jphc": ("4.201", "4.202", "4.203"),
    "image/jxl": ("4.110", "4.111", "4.112"),
}
VIDEOS = {
    "video/mpeg2": ("4.100", "4.101"),
    "video/mp4": ("4.102", "4.103", "4.104", "4.105", "4.106"),
    "video/h265": ("4.107", "4.108"),
}
_TRANSFORMED = frozenset({"image/gif", "image/png"})


class _Part(NamedTuple):
    """A bulk data part, as it lies in the scratch file."""

    offset: int
    size: int
    kind: media.MediaType


class Metadata:
    """The parts of one such request, for gateway/web/multipart.py."""

    def __init__(self, storing: Storing, kind: str, scratch: Scratch, most: int) -> None:
        """`kind` of the metadata; `most` bytes of it. The request ends with `assemble`, and always with `close`."""
        self._storing = storing
        self._kind = kind
        self._scratch = scratch
        self._most = most
        self._documents: list[bytearray] = []
        self._held = 0
        self._bulk: dict[str, _Part] = {}
        self._in: bytearray | None = None  # the metadata part under way
        self._location = ""
        self._begin = 0
        self._media = media.MediaType("")
        self._expected: int | None = None
        self._full = False  # no room for bulk data: every instance fails, none is torn

    def head(self, headers: dict[str, str]) -> None:
        """A part begins. Raises BadMultipart."""
        try:
            self._expected = length_of(headers)
            self._media = media.parse(headers.get("content-type", media.OCTETS))
        except ValueError as error:
            raise BadMultipart("part-head-malformed") from error
        if self._media.name == self._kind:
            if self._bulk or (self._documents and self._kind == media.JSON):
                raise BadMultipart("metadata-order")
            self._in = bytearray()
            self._documents.append(self._in)
            return
        self._in = None
        if not self._documents:
            raise BadMultipart("metadata-order")
        self._location = headers.get("content-location", "")
        if not self._location or self._location in self._bulk:
            raise BadMultipart("content-location")
        self._begin = self._scratch.size

    def data(self, view: memoryview) -> None:
        """More of it. Raises BadMultipart."""
        if self._in is not None:
            self._held += len(view)
            if self._held > self._most:
                raise BadMultipart("metadata-too-long")
            self._in += view
        elif not self._full:
            try:
                self._scratch.write(view)
            except StorageFailed:
                self._full = True

    def ended(self) -> None:
        """It has come whole. Raises BadMultipart."""
        size = len(self._in) if self._in is not None else self._scratch.size - self._begin
        if self._expected is not None and self._expected != size and not self._full:
            raise BadMultipart("part-length")
        if self._in is None:
            self._bulk[self._location] = _Part(self._begin, size, self._media)

    def assemble(self) -> None:
        """Make and store every instance; each has its result then. Raises BadMultipart."""
        with _AT_ONCE:
            try:
                if self._kind == media.JSON:
                    most = self._storing.most
                    found = [each for data in self._documents for each in json_model.read(bytes(data), most)]
                else:
                    found = [native.read(bytes(data)) for data in self._documents]
            except MetadataError as error:
                raise BadMultipart(error.reason) from error
            self._documents.clear()
            for data_set, said in found:
                self._one(data_set, said)

    def close(self) -> None:
        """Nothing of the bulk data stays."""
        self._scratch.close()

    def _one(self, data_set: DataSet, said: str) -> None:
        uids = {each.tag: each.values[0] for each in data_set if each.vr == "UI" and len(each.values) == 1}
        claim = Claim(uids.get(0x00080016, ""), uids.get(0x00080018, ""), "", self._storing.study)
        named = claim if is_uid(claim.sop_class) and is_uid(claim.sop_instance) else None
        try:
            if self._full:
                raise RefuseObject("disk-full", OUT_OF_RESOURCES)
            claim = Claim(claim.sop_class, claim.sop_instance, self._syntax(data_set, said), self._storing.study)
            judge(claim, self._storing.policy)
            self._make(claim, data_set)
        except MetadataError as error:
            self._storing.failed(named, RefuseObject(error.reason, NOT_UNDERSTOOD, error.detail))
        except (RefuseObject, StorageFailed) as error:
            self._storing.failed(named, error)

    def _make(self, claim: Claim, data_set: DataSet) -> None:
        encapsulated = syntax.lookup(claim.syntax).encapsulated

        def find(uri: str) -> Bulk | None:
            part = self._bulk.get(uri)
            if part is None:
                return None
            return Bulk(uri, part.size, encapsulated and part.kind.name in (*IMAGES, *VIDEOS))

        made = pieces(data_set, find)
        incoming = self._storing.begin(claim)
        try:
            for piece in made:
                if isinstance(piece, bytes):
                    incoming.write(piece)
                    continue
                part = self._bulk[piece.key]
                for at in range(0, part.size, _COPY):
                    incoming.write(self._scratch.pread(part.offset + at, min(_COPY, part.size - at)))
        except BaseException:
            incoming.abort()
            raise
        self._storing.commit(incoming, claim)

    def _syntax(self, data_set: DataSet, said: str) -> str:
        """What the pixels say, else what the metadata says, else Explicit VR little endian. Raises RefuseObject."""
        pixels = next((each for each in data_set if each.tag == PIXEL_DATA), None)
        part = self._bulk.get(pixels.bulk) if pixels is not None and pixels.bulk is not None else None
        if part is not None and part.kind.name in _TRANSFORMED:
            raise RefuseObject("pixels-not-decoded", SYNTAX_NOT_SUPPORTED, "no image is decoded here")
        if part is None or part.kind.name not in (*IMAGES, *VIDEOS):
            uid = part.kind.parameters.get("transfer-syntax", "") if part is not None else ""
            if uid not in ("", syntax.EXPLICIT_LE) or (pixels is not None and said not in ("", syntax.EXPLICIT_LE)):
                raise RefuseObject("syntax-not-supported", SYNTAX_NOT_SUPPORTED, "these pixels are not compressed")
            return syntax.EXPLICIT_LE
        known = [PREFIX + each for each in (IMAGES | VIDEOS)[part.kind.name]]
        uid = part.kind.parameters.get("transfer-syntax", said) or known[0]
        if uid not in known:
            raise RefuseObject("syntax-not-supported", SYNTAX_NOT_SUPPORTED, "a syntax that is not of this media type")
        frames = next((each.values for each in data_set if each.tag == 0x00280008), ())
        if part.kind.name in IMAGES and frames not in ((), ("1",)):
            raise RefuseObject("frames-in-one-part", NOT_UNDERSTOOD, "compressed frames come one by one")
        return uid


class MetadataRequest(Related):
    """The whole body."""

    def __init__(self, boundary: str, metadata: Metadata, *, parts: int, part_head: int) -> None:
        super().__init__(boundary, metadata, parts=parts, part_head=part_head)
        self._metadata = metadata

    def end(self) -> None:
        """The body is over: make and store what it says. Raises BadMultipart."""
        super().end()
        self._metadata.assemble()

    def close(self) -> None:
        """The bulk data is of no more use."""
        self._metadata.close()
