"""Objects of the spool that a report refers to, for the steps that draw images or read their geometry.

Rules of this file
* A rule names the listeners whose images its steps may see (`images`). An image is seen only if it came by one of them,
  is of the patient that the report is of by Patient ID, and is delivered or on its way: what is held, dropped, or in
  conflict with another of its UID is not at hand. A report that names no patient sees none.
* One look a UID for all of one run of a step: what is deleted meanwhile is not at hand, or is read to its end.
* Few files are open at a time, and they are closed with the run. What has lain for long is read whole and compared.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from gateway.errors import HoldObject, StorageFailed, WaitObject
from gateway.logs import fields
from gateway.model import Instance
from gateway.store.files import FileSource
from gateway.store.spool import Spool

log = logging.getLogger("at-hand")

Seek = Callable[[Sequence[str]], Sequence[Instance]]  # what of these UIDs has its bytes in the spool

FRESH = 60.0  # seconds; what has lain longer is read whole and compared before it is used (spool rot)
_OPEN = 64  # files of one run at a time


class AtHand:
    """What one run of a step of one object may see. `patient`: Patient ID of what refers to the images. Close it."""

    def __init__(self, patient: str, listeners: Sequence[str], seek: Seek, spool: Spool) -> None:
        self._patient = patient
        self._listeners = frozenset(listeners)
        self._seek = seek
        self._spool = spool
        self._known: dict[str, Instance | None] = {}
        self._open: OrderedDict[str, FileSource] = OrderedDict()

    def __enter__(self) -> AtHand:
        return self

    def __exit__(self, *_: object) -> None:
        with ExitStack() as stack:
            for source in self._open.values():
                stack.callback(source.close)
        self._open.clear()

    def __call__(self, sop_instance: str) -> FileSource | None:
        """The Part 10 file of that image; None where it is not at hand. Raises WaitObject where nobody can say."""
        if sop_instance in self._open:
            self._open.move_to_end(sop_instance)
            return self._open[sop_instance]
        if sop_instance not in self._known:
            self._known[sop_instance] = self._visible(sop_instance)
        instance = self._known[sop_instance]
        if instance is None:
            return None
        try:
            source = self._spool.open_file(instance.stored)
        except HoldObject:
            self._known[sop_instance] = None
            return None
        self._open[sop_instance] = source
        if len(self._open) > _OPEN:
            self._open.popitem(last=False)[1].close()
        return source

    @property
    def told(self) -> str:
        """How many of those asked for were at hand, in the words of ledger and manifest; "" where none was."""
        seen = sum(each is not None for each in self._known.values())
        return f"images:{seen}-of-{len(self._known)}" if self._known else ""

    @property
    def missing(self) -> int:
        """How many were asked for and not at hand."""
        return sum(each is None for each in self._known.values())

    def _visible(self, sop_instance: str) -> Instance | None:
        if not self._patient:
            return None
        try:
            found = list(self._seek([sop_instance]))
        except StorageFailed as error:
            raise WaitObject(error.reason, error.detail) from error
        if len({each.stored.sha256 for each in found}) != 1:
            return None
        chosen = next((each for each in found if self._may(each)), None)
        if chosen is not None and time.time() - chosen.received > FRESH:
            try:
                self._spool.verify(chosen.stored)
            except HoldObject as error:  # gone by now, or rotten: then it is not at hand either
                log.warning(fields("not-at-hand", reason=error.reason))
                return None
        return chosen

    def _may(self, image: Instance) -> bool:
        return image.origin.listener in self._listeners and image.identity.patient_id == self._patient
