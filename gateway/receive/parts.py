"""One Part 10 file on its way in, a part of a Store request: its head is read, the rest is spooled.

Rules of this file
* The file's meta information is read and made anew; of the data set every byte is kept (PS3.10 7.1).
* Nothing of the data set is held in memory; of the meta information no more than `HEAD` bytes.
* What the file says of itself is a claim: pipeline.py holds it against the data set.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import unpack_from

from gateway.dimse.messages import is_uid
from gateway.dimse.negotiation import AcceptancePolicy
from gateway.dimse.uids import VERIFICATION
from gateway.errors import RefuseObject
from gateway.pipeline import Claim
from gateway.store.spool import Incoming
from gateway.web.answers import CLASS_NOT_SUPPORTED, NOT_UNDERSTOOD, OUT_OF_RESOURCES, SYNTAX_NOT_SUPPORTED
from transforms.dataset import part10
from transforms.errors import TransformError
from transforms.source import BytesSource

HEAD = 64 << 10  # bytes of preamble, prefix and meta information
_LENGTH_AT = part10.PREAMBLE + len(part10.PREFIX)  # the group length (0002,0000) comes first: PS3.10 Table 7.1-1
_BODY_AT = _LENGTH_AT + 12

Begin = Callable[[Claim], Incoming]  # raises StorageFailed


class Part:
    """One file. Ends with `whole` or `abort`."""

    def __init__(self, begin: Begin, policy: AcceptancePolicy, study: str, most: int) -> None:
        """`study` that it must belong to, "" for any; `most` bytes that its data set may have."""
        self._begin = begin
        self._policy = policy
        self._study = study
        self._most = most
        self._head = bytearray()
        self._size = 0  # bytes of the data set
        self.octets = 0  # bytes of the file
        self.claim: Claim | None = None
        self._incoming: Incoming | None = None

    def write(self, view: memoryview) -> None:
        """More of it. Raises RefuseObject, StorageFailed: abort it then, what follows of it is of no use."""
        self.octets += len(view)
        if self._incoming is None:
            self._head += view[: HEAD - len(self._head)]
            taken = self._claimed()
            if not taken:
                return
            view = view[len(view) - (self.octets - taken) :]
        self._size += len(view)
        if self._size > self._most:
            raise RefuseObject("object-too-large", OUT_OF_RESOURCES, "object is larger than is taken here")
        if len(view):
            assert self._incoming is not None
            self._incoming.write(view)

    def whole(self) -> tuple[Incoming, Claim]:
        """It has come to its end. Raises RefuseObject where that is too early."""
        if self._incoming is None or self.claim is None:
            raise RefuseObject("not-part10", NOT_UNDERSTOOD, "a DICOM file begins with its meta information")
        return self._incoming, self.claim

    def abort(self) -> None:
        """Leave nothing of it."""
        if self._incoming is not None:
            self._incoming.abort()

    def _claimed(self) -> int:
        """Where the data set begins, once its meta information is whole; 0 before. Opens the spooled file."""
        head = self._head
        prefix = bytes(head[part10.PREAMBLE : _LENGTH_AT])
        if not part10.PREFIX.startswith(prefix[: len(part10.PREFIX)]):
            raise RefuseObject("not-part10", NOT_UNDERSTOOD, "a DICOM file begins with its meta information")
        if len(head) < _BODY_AT:
            return 0
        if head[_LENGTH_AT : _LENGTH_AT + 8] != b"\x02\x00\x00\x00UL\x04\x00":
            raise RefuseObject("meta-length", NOT_UNDERSTOOD, "the meta information does not begin with its length")
        size = _BODY_AT + int(unpack_from("<I", head, _LENGTH_AT + 8)[0])
        if size > HEAD:
            raise RefuseObject("meta-too-long", NOT_UNDERSTOOD, "the meta information is longer than is read here")
        if len(head) < size:
            return 0
        try:
            said = part10.split(BytesSource(bytes(head[:size])))
        except TransformError as error:
            raise RefuseObject(error.reason, NOT_UNDERSTOOD, "the meta information cannot be read") from error
        claim = Claim(said.sop_class, said.sop_instance, said.syntax, self._study)
        if is_uid(claim.sop_class) and is_uid(claim.sop_instance):
            self.claim = claim  # an answer may name it
        judge(claim, self._policy)
        self._incoming = self._begin(claim)
        return size


def judge(claim: Claim, policy: AcceptancePolicy) -> None:
    """What is not taken at all, before a byte of the data set is kept. Raises RefuseObject."""
    if not is_uid(claim.sop_class) or not is_uid(claim.sop_instance):
        raise RefuseObject("uid-malformed", NOT_UNDERSTOOD, "no SOP class or no SOP instance is named")
    if claim.sop_class == VERIFICATION or not policy.takes(claim.sop_class):
        raise RefuseObject("sop-class-not-supported", CLASS_NOT_SUPPORTED, "this SOP class is not taken here")
    if claim.syntax not in policy.storable:
        raise RefuseObject("syntax-not-supported", SYNTAX_NOT_SUPPORTED, "this transfer syntax is not taken here")
