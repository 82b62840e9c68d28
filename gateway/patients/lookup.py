"""One object -> the pseudonym it leaves under; or a reason to hold it (HoldObject), or to wait (WaitObject).

    read the patient  ->  key | map | service  ->  remembered, the same as before?  ->  in the escrow table?
                      ->  the same as the study's?  ->  use it

Rules of this file
* Before the transform, outside of every lock of the hot path.
* An object that names no issuer is of its listener's (`issuer`), else of the one its study has for this Patient ID,
  else of none; docs/adr/0013. What a study has left under is remembered, and what contradicts it is held.
* A pseudonym is used only after it is durable: first in given.py, then in the escrow table.
* Patient IDs in items are looked up, too, once the engine has asked for them (`with_others`).
* What was given before is given again. A service is asked anew after `recheck`; while it is silent the answer of
  before holds, and another answer holds the object (`patient-map-changed`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from gateway.config.schema import Deidentify
from gateway.errors import HoldObject, WaitObject
from gateway.patients.csvmap import CsvMap, load
from gateway.patients.escrow import Escrow
from gateway.patients.given import Given
from gateway.patients.service import MapService
from transforms.dataset import framing
from transforms.dataset.index import Index
from transforms.deidentify.context import Context
from transforms.deidentify.patient import Patient, Pseudonym, issued, issuer_of, keyed, read_patient
from transforms.source import ByteSource

_REMEMBERED = 100_000  # patients, and studies, kept in memory
_STUDY = 0x0020000D


class Patients:
    """The patients of one `deidentify` block."""

    def __init__(
        self, block: Deidentify, context: Context, given: Given, clock: Callable[[], float] = time.time
    ) -> None:
        wanted = block.patients
        self._context = context
        self._given = given
        self._clock = clock
        self._merge = wanted.allow_merge is not None
        self._recheck = wanted.recheck
        self._map: CsvMap | None = None
        self._service: MapService | None = None
        if wanted.by == "csv":
            assert wanted.map is not None  # config/patients.py
            self._map = load(wanted.map, merge=self._merge)
        elif wanted.by == "service":
            self._service = MapService(wanted, context.project)
        self._escrow = Escrow(block.escrow.to, block.escrow.file, given) if block.escrow else None
        self._domain = context.pseudonym("patient-domain")
        self._known: dict[Patient, tuple[str, float]] = {}  # -> pseudonym, until when
        # By key and unwatched, the engine makes those of others itself
        self._asks: dict[Patient, str] | None = None if wanted.by == "key" and self._escrow is None else {}
        self._studies: dict[str, str] = {}  # -> pseudonym of those whose issuer is known

    def pseudonym(self, source: ByteSource, syntax_uid: str, issuer: str = "", index: Index | None = None) -> Pseudonym:
        """For a framed object. Raises HoldObject, WaitObject, TransformError.

        `issuer`: whose it is where it names none; "" where nobody said. `index`: what framing has found in it.
        """
        index = index or framing.check(source, syntax_uid)
        own = read_patient(source, syntax_uid, index)
        patient = issued(own, issuer_of(issuer))
        uid = (index.value_bytes(source, _STUDY) or b"").strip(b"\0 ")
        return Pseudonym(self._left(patient, uid, declared=bool(issuer)), own, patient.issuer, self._asks)

    def _left(self, patient: Patient, uid: bytes, *, declared: bool) -> str:
        """What an object of this study leaves under. `declared`: its listener says whose its Patient IDs are."""
        if not uid:
            return self._of(patient)
        study = self._context.pseudonym("patient-study", uid, patient.patient_id)
        if not patient.issuer:
            return self._unissued(patient, study)
        found = self._of(patient)
        if self._studies.get(study) != found:
            self._given.settle(self._domain, study, found, issued=True, declared=declared)
            if len(self._studies) >= _REMEMBERED:
                self._studies.clear()
            self._studies[study] = found
        return found

    def _unissued(self, patient: Patient, study: str) -> str:
        """Of an object whose issuer nobody says: its study's, else that of a patient of no issuer."""
        known, unknown = self._given.of_study(self._domain, study)
        if known is None:
            found = self._of(patient)
            if found == unknown:
                return found
            known = self._given.settle(self._domain, study, found, issued=False, declared=False)
        if self._escrow is not None:
            self._escrow.put(self._domain, self._who(patient), patient, self._context.project, known)
        return known

    def with_others(self, pseudonym: Pseudonym, others: Iterable[Patient], *, preview: bool = False) -> Pseudonym:
        """The same, with those of other patients whom its items name. Raises HoldObject, WaitObject."""
        find = self._previewed if preview else self._of
        try:
            return pseudonym.knowing({each: find(each) for each in others})
        except HoldObject as error:
            raise HoldObject(error.reason, f"of a Patient ID in an item: {error.detail}") from None

    def _of(self, patient: Patient) -> str:
        found, until = self._known.get(patient, ("", 0.0))
        if not found or until <= self._clock():
            found, until = self._found(patient)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[patient] = found, until
        return found

    def preview(self, source: ByteSource, syntax_uid: str, issuer: str = "", index: Index | None = None) -> Pseudonym:
        """As `pseudonym`, for `explain`: asks no service, remembers nothing. Raises HoldObject, TransformError."""
        own = read_patient(source, syntax_uid, index)
        patient = issued(own, issuer_of(issuer))
        return Pseudonym(self._previewed(patient), own, patient.issuer, self._asks)

    def _previewed(self, patient: Patient) -> str:
        return self._map.find(patient)[1] if self._map else keyed(patient, self._context)

    def _found(self, patient: Patient) -> tuple[str, float]:
        """The pseudonym, durable and escrowed, and until when it need not be asked for again."""
        if self._map is not None:
            mapped, pseudonym = self._map.find(patient)
            self._given.put(self._domain, self._who(mapped), pseudonym, self._clock(), merge=self._merge)
            until = float("inf")
        elif self._service is not None:
            mapped = patient
            pseudonym, until = self._asked(patient, self._service)
        else:
            mapped, pseudonym, until = patient, keyed(patient, self._context), float("inf")
        if self._escrow is not None:
            self._escrow.put(self._domain, self._who(mapped), mapped, self._context.project, pseudonym)
        return pseudonym, until

    def _asked(self, patient: Patient, service: MapService) -> tuple[str, float]:
        who, now = self._who(patient), self._clock()
        before = self._given.get(self._domain, who)
        if before is not None and 0 <= now - before.asked < self._recheck:
            return before.pseudonym, before.asked + self._recheck
        try:
            pseudonym = service.find(patient)
        except WaitObject:
            if before is None:
                raise
            return before.pseudonym, now + min(self._recheck, 60.0)
        self._given.put(self._domain, who, pseudonym, now, merge=self._merge)
        return pseudonym, now + self._recheck

    def _who(self, patient: Patient) -> str:
        """A patient as given.py knows him: nothing without the key."""
        return self._context.pseudonym("patient-asked", patient.patient_id, patient.issuer)


def store(state: Path) -> Given:
    """The memory of a state directory, made at its first use."""
    return Given(state / "patients.sqlite")
