"""One uncompressed transfer syntax into another, as an edit plan: headers are made anew, values are copied.

* The source is framed first: nothing is converted that `framing.check` refuses. Encapsulated data sets are never
  converted: that is transcoding.
* Sequences and items keep the kind of their length (PS3.5 7.5); a defined one is computed anew, and becomes undefined
  only where it would no longer fit into 32 bits.
* Implicit to explicit takes VRs from the data dictionary, and PS3.5 Annex A where PS3.6 leaves a choice; what the
  dictionary does not know becomes UN, and so does what is too long for a short VR (PS3.5 6.2.2).
* Explicit to implicit refuses what the dictionary would make another reader read differently.
* UN of undefined length holds Implicit VR little endian in every syntax (PS3.5 6.2.2, CP 246): it is copied whole.
* Group lengths (gggg,0000) would be wrong afterwards and are left out (PS3.5 7.2, retired).
* Big endian numbers are turned while they are read (swapped.py); nothing large is ever in memory. Native pixels of
  more than 16 bits as OW are refused: programs turn 2 bytes (dcmtk) or 4 (others), and a dose must not be guessed.
* Inverse laws: implicit -> explicit -> implicit gives the same bytes, but for group lengths.
"""

from __future__ import annotations

import hashlib

from transforms.dataset.framing import check
from transforms.dataset.index import Limits
from transforms.dataset.inflating import inflate, inflated
from transforms.dataset.rewriting import Rewriting
from transforms.dataset.swapped import SwappedSource
from transforms.dataset.syntax import EXPLICIT_LE, IMPLICIT_LE, lookup
from transforms.errors import TransformError
from transforms.source import ByteSource, EditPlan, chunks

__all__ = ["canonical_sha256", "explicit", "inflate", "to_explicit_le", "to_implicit_le"]


def to_explicit_le(source: ByteSource, uid: str, limits: Limits = Limits()) -> ByteSource:
    """The same data set in Explicit VR little endian; the source itself where it is that already.

    Raises TransformError('cannot-convert'), BadFraming, BudgetExceeded.
    """
    return _converted(source, uid, EXPLICIT_LE, limits)


def to_implicit_le(source: ByteSource, uid: str, limits: Limits = Limits()) -> ByteSource:
    """The same data set in Implicit VR little endian; the source itself where it is that already. Raises as above."""
    return _converted(source, uid, IMPLICIT_LE, limits)


def explicit(source: ByteSource, uid: str, limits: Limits = Limits()) -> tuple[ByteSource, str]:
    """The data set in Explicit VR little endian, compressed or not, and its transfer syntax then. Raises as above."""
    known = lookup(uid)
    if known.explicit and known.little_endian and not known.deflated:
        return source, uid
    return to_explicit_le(source, uid, limits), EXPLICIT_LE


def canonical_sha256(source: ByteSource, uid: str, limits: Limits = Limits()) -> str:
    """64 hex digits, equal for the same content in any uncompressed syntax, however its lengths are written.

    The digest is of the Implicit VR form without group lengths, all sequences of undefined length. What has no one
    reading raises, as in `to_implicit_le`: such objects are not to be called equal.
    """
    digest = hashlib.sha256()
    for chunk in chunks(_converted(source, uid, IMPLICIT_LE, limits, canonical=True)):
        digest.update(chunk)
    return digest.hexdigest()


def _converted(source: ByteSource, uid: str, target: str, limits: Limits, *, canonical: bool = False) -> ByteSource:
    known = lookup(uid)
    if not known.uncompressed:
        raise TransformError("cannot-convert", "a compressed data set keeps its transfer syntax")
    if known.deflated:
        source, known = inflated(source, limits), lookup(EXPLICIT_LE)
    if known.uid == target and not canonical:
        return source
    work = Rewriting(source, known, check(source, known.uid, limits), limits, target == EXPLICIT_LE, canonical)
    pieces = work.pieces()
    return EditPlan(SwappedSource(source, work.swaps) if work.swaps else source, pieces)
