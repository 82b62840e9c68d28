"""De-identification of one object (PS3.15 Annex E): from bytes, a compiled profile and a key to a finished edit plan.

* `deidentify` gives a plan only when the walk has come to the end of the object without an error; there is nothing
  to clean up otherwise, and nothing of a half-made object exists.
* Markers and method codes (PS3.15 E.1.1, CID 7050) say what ran on this object, not what was configured. What ran
  before the walk (options.OUTSIDE) is told in `ran`; what is chosen and not told is not claimed.
* Marks of an earlier de-identification are replaced by ours: we cannot vouch for another's.
* The caller has converted the bytes to little endian and inflated them, and writes preamble and File Meta anew
  (transforms/dataset/part10.py).

Reasons it adds: syntax-not-walkable, missing-sop-class, private-sop-class, unknown-sop-class, missing-sop-instance,
overlay-in-pixels; and those of patient.py.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from transforms.dataset import framing
from transforms.dataset import syntax as syntaxes
from transforms.dataset.elements import dictionary_vr
from transforms.dataset.index import Entry, Index
from transforms.deidentify import dummies
from transforms.deidentify.actions import NOTED_BYTES, PATIENT_ID, REMOVED, TEMPORAL, Traced
from transforms.deidentify.cleaning import Cleaning
from transforms.deidentify.context import Context
from transforms.deidentify.options import ALL, FULL_DATES, MARKS, OUTSIDE
from transforms.deidentify.patient import CHARSET, ISSUER, InItems, OtherPatients, Pseudonym, chosen, patient_of
from transforms.deidentify.profile import PATIENT_NAME, ActionTable
from transforms.deidentify.rules import Action
from transforms.deidentify.text import Remover, cleaner_for, identities
from transforms.deidentify.uids import STORAGE_CLASSES
from transforms.deidentify.walk import Walk
from transforms.errors import TransformError
from transforms.source import ByteSource, EditPlan

__all__ = ["Context", "Deidentified", "Pseudonym", "Traced", "deidentify"]

_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES = 0x00080016, 0x00080018, 0x0020000D, 0x0020000E
_METHOD, _METHOD_CODES = 0x00120063, 0x00120064
_DICOM_ROOT: Final = "1.2.840.10008."
_PADDING: Final = b"\0 "
_EARLY: Final = frozenset({CHARSET, _SOP_CLASS, PATIENT_ID, ISSUER})  # what cleaning hangs on


class Deidentified:
    """A finished plan over the source, and who the object is now."""

    __slots__ = (
        "codes", "elements", "patient_id", "plan", "references", "series", "sop_class", "sop_instance", "steps",
        "study",
    )  # fmt: skip

    def __init__(
        self,
        plan: EditPlan,
        sop_class: str,
        sop_instance: str,
        study: str,  # "" where the IOD has none
        series: str,
        patient_id: str,  # the pseudonym
        steps: tuple[str, ...],  # what ran to its end
        codes: tuple[str, ...],  # CID 7050, scheme DCM
        references: frozenset[str] = frozenset(),  # SOP Instance UIDs it refers to, as they are now
        elements: tuple[Traced, ...] = (),  # only where `trace` was asked for
    ) -> None:
        self.plan = plan
        self.sop_class = sop_class
        self.sop_instance = sop_instance
        self.study = study
        self.series = series
        self.patient_id = patient_id
        self.steps = steps
        self.codes = codes
        self.references = references
        self.elements = elements

    def after(self, step: str, plan: EditPlan | None = None) -> Deidentified:
        """The same when one more step has run, which may have changed the plan."""
        return Deidentified(
            plan or self.plan, self.sop_class, self.sop_instance, self.study, self.series, self.patient_id,
            (*self.steps, step), self.codes, self.references, self.elements,
        )  # fmt: skip


def deidentify(
    source: ByteSource,
    syntax_uid: str,
    table: ActionTable,
    context: Context,
    *,
    index: Index | None = None,
    patient: Pseudonym | None = None,
    ran: frozenset[str] = frozenset(),
    document: bytes | None = None,
    remover: Remover | None = None,
    trace: bool = False,
) -> Deidentified:
    """De-identify one data set in a little-endian syntax. `trace` tells of every element and costs more.

    `index` is what framing has found in this source; without it, it is framed here.
    `patient` is written to Patient ID and Patient's Name; without it, what the key makes. `ran` names the options of
    options.OUTSIDE whose steps came to their end on this very object. `document` is its encapsulated document as it was
    cleaned; without it the smallest of its kind stands there. `remover` finds more in text that is cleaned; a table
    that is used with one was compiled to say so (`named`).

    Raises OtherPatients where items name patients that `patient` says no pseudonym of: the caller looks them up and
    comes again. Raises TransformError (this module's reasons and those of actions.py), BadFraming or BudgetExceeded.
    """
    syntax = syntaxes.lookup(syntax_uid)
    if not syntax.little_endian or syntax.deflated:
        raise TransformError("syntax-not-walkable", syntax.name)
    options = tuple(name for name in table.options if name not in OUTSIDE or name in ran)
    marked = tuple(MARKS[name] for name in options if name in MARKS)
    walk = Walk(
        source, table, context, "",
        explicit=syntax.explicit, encapsulated=syntax.encapsulated, trace=trace, marked=marked,
    )  # fmt: skip
    walk.given = document
    index = index or framing.check(source, syntax_uid)
    walk.open(index)
    early = {tag: walk.value(entry[2], entry[3]) for tag in _EARLY if (entry := _short(index, tag))}
    walk.sop_class = _storage_class(early.get(_SOP_CLASS, b""))
    walk.whose = lambda: InItems(patient_of(early), context, patient)
    pseudonym = ""
    if table.cleans:
        pseudonym = chosen(patient_of(early), context, patient)
        cleaner = cleaner_for(identities(source, index), remover) if table.cleans_text else None
        walk.cleaning = Cleaning(context, context.shift(pseudonym), cleaner)
    walk.run()
    if walk.in_items is not None and walk.in_items.asked:
        raise OtherPatients(frozenset(walk.in_items.asked))
    if any(walk.overlays.values()):
        raise TransformError("overlay-in-pixels", "an overlay in unused bits of the pixels cannot be removed here")
    noted = walk.noted
    instance = noted.get(_SOP_INSTANCE, b"").strip(_PADDING)
    if not instance:
        raise TransformError("missing-sop-instance")
    pseudonym = pseudonym or chosen(patient_of(noted), context, patient)
    _fill(walk, pseudonym)
    # With site exceptions that let something through, neither profile nor options were applied as the standard has them
    applied = () if walk.loosened else _applied(table, options)
    edit = walk.edit
    walk.markers(source.size, 0xFFFFFFFF)  # what did not find its place before stands at the end
    edit.fill(
        walk.places[REMOVED],
        _identity_removed(table.profile.name, table.profile.edition, applied, len(walk.loosened), walk.explicit),
    )
    edit.fill(walk.places[TEMPORAL], _temporal(walk))
    for tag in marked:
        edit.fill(walk.places[tag], dummies.element(tag, "CS", b"NO", walk.explicit))
    return Deidentified(
        plan=EditPlan(source, edit.finish(source.size)),
        sop_class=walk.sop_class,
        sop_instance=_fresh(walk, _SOP_INSTANCE),
        study=_fresh(walk, _STUDY),
        series=_fresh(walk, _SERIES),
        patient_id=pseudonym,
        steps=(f"deidentify:{'+'.join((table.profile.name, *options))}",),
        codes=tuple(value for value, _ in applied),
        references=frozenset(walk.references),
        elements=tuple(walk.trace),
    )


def _short(index: Index, tag: int) -> Entry | None:
    """Where a value lies that is short enough to be what its tag says."""
    entry = index.entries.get(tag)
    return entry if entry is not None and 0 <= entry[3] <= NOTED_BYTES else None


def _storage_class(raw: bytes) -> str:
    """The SOP Class UID. PS3.15 E.1.1 defines no de-identification of private SOP classes."""
    uid = raw.strip(_PADDING).decode("ascii", "replace")
    if not uid:
        raise TransformError("missing-sop-class")
    if uid in STORAGE_CLASSES:
        return uid
    if uid.startswith(_DICOM_ROOT):
        raise TransformError("unknown-sop-class", "not a storage SOP class of PS3.6")
    raise TransformError("private-sop-class", "PS3.15 defines no de-identification of private SOP classes")


def _fresh(walk: Walk, tag: int) -> str:
    """The replacement of a UID of the top level."""
    old = walk.noted.get(tag, b"").strip(_PADDING)
    if not old:
        return ""
    return (walk.uid(old) or old).rstrip(b"\0").decode("ascii", "replace")


def _fill(walk: Walk, patient: str) -> None:
    """Write what could not be known when its place went by."""
    places, edit, explicit = walk.places, walk.edit, walk.explicit
    for tag, vr in ((PATIENT_ID, "LO"), (PATIENT_NAME, "PN")):
        if tag in places:
            raw = patient.encode("ascii")
            edit.fill(places[tag], dummies.element(tag, vr, raw + b" " * (len(raw) & 1), explicit))
    if dummies.ENCAPSULATED_DOCUMENT in places:
        tag = dummies.ENCAPSULATED_DOCUMENT
        document = walk.document()
        edit.fill(places[tag], dummies.element(tag, "OB", document + b"\0" * (len(document) & 1), explicit))


def _applied(table: ActionTable, options: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Code and meaning (CID 7050) of the profile and of each option, as E.1.1 asks for."""
    return ((table.profile.code, table.profile.meaning), *(ALL[name][:2] for name in options))


@lru_cache(maxsize=64)
def _identity_removed(
    profile: str, edition: str, applied: tuple[tuple[str, str], ...], exceptions: int, explicit: bool
) -> bytes:
    """(0012,0062) to (0012,0064). With site exceptions the profile was not applied whole: no code is claimed."""
    method = f"dicom-gateway: PS3.15 {edition}, {profile} profile"
    if exceptions:
        method += f", {exceptions} site exceptions"
    raw = method.encode("ascii")
    out = dummies.element(REMOVED, "CS", b"YES ", explicit)
    out += dummies.element(_METHOD, "LO", raw + b" " * (len(raw) & 1), explicit)
    if applied:
        items = dummies.items(tuple(dummies.code(value, "DCM", meaning) for value, meaning in applied), explicit)
        out += dummies.element(_METHOD_CODES, "SQ", items, explicit)
    return out


def _temporal(walk: Walk) -> bytes:
    """(0028,0303): REMOVED, or what an option on dates says; UNMODIFIED where a site exception let a date through."""
    kept = any(
        f"override {number}" in walk.loosened and dictionary_vr(tag) in ("DA", "DT", "TM")
        for number, tag, action in walk.table.overrides
        if action == Action.KEEP
    )
    word = b"REMOVED "
    if kept or FULL_DATES in walk.table.options:
        word = b"UNMODIFIED"
    elif walk.table.shifts:
        word = b"MODIFIED"
    return dummies.element(TEMPORAL, "CS", word, walk.explicit)
