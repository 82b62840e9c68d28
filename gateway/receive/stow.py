"""One Store request (PS3.18 10.5) without HTTP: the parts of its body go to the spool, and each gets its result.

    head, data, ended   the parts as gateway/web/multipart.py finds them; each whole part is committed at once
    finish              waits for every commit; the results, in the order of the parts
    abort               the peer is gone: what has not come whole leaves nothing

Rules of this file
* An instance counts as stored only after the writer has committed it: the promise is that of C-STORE.
* What is wrong with one part is that part's failure; the others go on. A failure is a code of PS3.18 Annex I.2.2.
* An instance has failed until the writer has said that it is stored (committing.py).
* All methods but `finish` and `abort` are called one after another, from one thread at a time; they may block.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Executor
from typing import NamedTuple
from uuid import uuid4

from gateway.audit.events import Party, PeerRefused
from gateway.config.schema import Listener
from gateway.dimse.negotiation import AcceptancePolicy
from gateway.errors import GatewayError, RefuseObject, StorageFailed
from gateway.logs import fields
from gateway.model import Origin
from gateway.pipeline import Claim, examine
from gateway.receive.committing import Committing
from gateway.receive.parts import Part
from gateway.rulebook import Ruleset
from gateway.store.spool import Incoming, Spool
from gateway.web import media
from gateway.web.answers import NOT_UNDERSTOOD, OUT_OF_RESOURCES, PROCESSING_FAILURE, Result
from gateway.writer.client import WriterClient
from gateway.writer.messages import Closed, Opened
from transforms.dataset import part10

log = logging.getLogger("receive")

_PLAIN = frozenset({"", "binary", "8bit", "7bit"})  # Content-Transfer-Encodings that change no byte (RFC 2045 6.2)


class Here(NamedTuple):
    """What a request is stored with."""

    listener: Listener
    ruleset: Ruleset
    spool: Spool
    writer: WriterClient
    commits: Executor
    clock: Callable[[], float]


class Caller(NamedTuple):
    """Who asks, as far as TLS and a token can tell."""

    address: str
    subject: str = ""


class Storing:
    """The parts of one request."""

    def __init__(self, here: Here, caller: Caller, study: str = "") -> None:
        """`study`: the one that the URL names, "" for none."""
        assert here.listener.stow is not None
        self._here = here
        self._stow = here.listener.stow
        self.policy = AcceptancePolicy(self._stow.accept, frozenset(self._stow.extra_sop_classes))
        self.study = study
        self.most = self._stow.limits.parts  # instances of one request
        self.origin = Origin(here.listener.id, uuid4().hex, caller.address, subject=caller.subject)
        self._opened = False
        self._part: Part | None = None
        self._expected: int | None = None  # bytes, where the part says so
        self._failed = False  # the part under way
        self._results: list[Result] = []
        self._committing = Committing(here.commits, here.writer, self._told)

    def head(self, headers: dict[str, str]) -> None:
        """A part begins."""
        self._failed = False
        self._part = Part(self.begin, self.policy, self.study, self._stow.limits.object_size)
        try:
            self._expected = length_of(headers)
            kind = media.parse(headers.get("content-type", media.DICOM)).name
        except ValueError:
            self._fail(RefuseObject("part-head-malformed", NOT_UNDERSTOOD))
            return
        if kind != media.DICOM:
            self._fail(RefuseObject("part-not-dicom", NOT_UNDERSTOOD))

    def data(self, view: memoryview) -> None:
        """More of its bytes."""
        if self._failed:
            return
        assert self._part is not None
        try:
            self._part.write(view)
        except (RefuseObject, StorageFailed) as error:
            self._fail(error)

    def ended(self) -> None:
        """It has come whole."""
        if self._failed or self._part is None:
            return
        try:
            if self._expected is not None and self._expected != self._part.octets:
                raise RefuseObject("part-length", NOT_UNDERSTOOD, "the part is not as long as it says")
            self.commit(*self._part.whole())
            self._part = None
        except RefuseObject as error:
            self._fail(error)

    def commit(self, incoming: Incoming, claim: Claim) -> None:
        """Make one whole object durable, beside others."""
        here, listener = self._here, self._here.listener
        at = len(self._results)
        self._results.append(Result(claim.sop_class, claim.sop_instance, PROCESSING_FAILURE))
        try:
            found = examine(incoming, claim, self.origin, here.ruleset, listener.on_bad_framing, listener.on_conflict)
        except Exception as error:
            incoming.abort()
            self._refused(at, error)
            return
        self._committing.add(at, found)

    def failed(self, claim: Claim | None, error: GatewayError) -> None:
        """One instance, or a part in which none was found, is not stored."""
        status = error.status if isinstance(error, RefuseObject) else OUT_OF_RESOURCES
        uids = (claim.sop_class, claim.sop_instance) if claim is not None else ("", "")
        self._results.append(Result(*uids, status))
        log.info(fields("instance-refused", listener=self.origin.listener, reason=error.reason))

    def finish(self, *, understood: bool) -> list[Result]:
        """Every result. `understood`: the body was well-formed to its end."""
        if self._part is not None:  # it did not come whole
            self._part.abort()
            self._part = None
        self._committing.finish()
        self._close(orderly=understood)
        return self._results

    def abort(self) -> None:
        """The peer is gone. What had come whole is stored or not; nobody is told."""
        self.finish(understood=False)

    def begin(self, claim: Claim) -> Incoming:
        """A spooled file for an object that comes. Raises StorageFailed."""
        here = self._here
        here.writer.check()
        if not self._opened:
            self._opened = True
            caller = Party("", self.origin.address, self.origin.subject)
            here.writer.opened(Opened(self.origin.association, "in", caller, Party("", "")))
        return here.spool.create(part10.meta(claim.sop_class, claim.sop_instance, claim.syntax))

    def _fail(self, error: GatewayError) -> None:
        assert self._part is not None
        self._failed = True
        self._part.abort()
        self.failed(self._part.claim, error)

    def _told(self, at: int, error: Exception | None) -> None:
        """What became of one. Runs beside others."""
        if error is None:
            self._results[at] = self._results[at]._replace(failure=0)
        else:
            self._refused(at, error)

    def _refused(self, at: int, error: Exception) -> None:
        status, reason = PROCESSING_FAILURE, type(error).__name__
        if isinstance(error, RefuseObject):
            status, reason = error.status, error.reason
        elif isinstance(error, StorageFailed):
            status, reason = OUT_OF_RESOURCES, error.reason
        log.warning(fields("instance-refused", listener=self.origin.listener, reason=reason))
        self._results[at] = self._results[at]._replace(failure=status)

    def _close(self, *, orderly: bool) -> None:
        if self._opened:
            self._opened = False
            self._here.writer.closed(Closed(self.origin.association, orderly))


def length_of(headers: dict[str, str]) -> int | None:
    """The Content-Length of a part, where it has one. Raises ValueError for what is none, and for an encoded part."""
    coded = headers.get("content-transfer-encoding", "").lower() not in _PLAIN
    if coded or headers.get("content-encoding", "identity").lower() != "identity":
        raise ValueError("an encoded part")
    text = headers.get("content-length")
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ValueError("no length")
    return int(text)


def alert(here: Here, caller: Caller, reason: str) -> None:
    """A Security Alert about a peer (PS3.15 A.5.3.11)."""
    here.writer.note(
        PeerRefused(
            when=here.clock(),
            listener=here.listener.id,
            address=caller.address,
            reason=reason,
            subject=caller.subject,
        )
    )
