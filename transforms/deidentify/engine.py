"""De-identification of one object (PS3.15 Annex E): from bytes, a compiled profile and a key to a finished edit plan.

* `deidentify` gives a plan only when the walk has come to the end of the object without an error; there is nothing
  to clean up otherwise, and nothing of a half-made object exists.
* Markers and method codes (PS3.15 E.1.1, CID 7050) say what ran on this object, not what was configured.
* Marks of an earlier de-identification are replaced by ours: we cannot vouch for another's.
* The caller has framed the bytes (transforms/dataset/framing.py), converted them to little endian and inflated them,
  and writes preamble and File Meta anew (transforms/dataset/part10.py).

Reasons it adds: syntax-not-walkable, missing-sop-class, private-sop-class, unknown-sop-class, missing-sop-instance,
empty-patient-id, charset-undecodable, overlay-in-pixels.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from pydicom.charset import python_encoding
from pydicom.datadict import dictionary_VR

from profiles.confidentiality import Profile
from transforms.dataset import syntax as syntaxes
from transforms.deidentify import dummies
from transforms.deidentify.actions import MIME_TYPE, PATIENT_ID, PATIENT_NAME, Traced
from transforms.deidentify.context import Context
from transforms.deidentify.profile import ActionTable
from transforms.deidentify.rules import Action
from transforms.deidentify.uids import STORAGE_CLASSES
from transforms.deidentify.walk import Walk
from transforms.errors import TransformError
from transforms.source import ByteSource, EditPlan

__all__ = ["Context", "Deidentified", "Traced", "deidentify"]

_CHARSET, _SOP_CLASS, _SOP_INSTANCE = 0x00080005, 0x00080016, 0x00080018
_STUDY, _SERIES, _ISSUER = 0x0020000D, 0x0020000E, 0x00100021
_REMOVED, _METHOD, _METHOD_CODES, _TEMPORAL = 0x00120062, 0x00120063, 0x00120064, 0x00280303
_DICOM_ROOT: Final = "1.2.840.10008."
_PADDING: Final = b"\0 "


@dataclass(frozen=True, slots=True)
class Deidentified:
    """A finished plan over the source, and who the object is now."""

    plan: EditPlan
    sop_class: str
    sop_instance: str
    study: str  # "" where the IOD has none
    series: str
    patient_id: str  # the pseudonym
    steps: tuple[str, ...]  # what ran to its end
    codes: tuple[str, ...]  # CID 7050, scheme DCM
    elements: tuple[Traced, ...] = field(default=(), repr=False)  # only where `trace` was asked for


def deidentify(
    source: ByteSource, syntax_uid: str, table: ActionTable, context: Context, *, trace: bool = False
) -> Deidentified:
    """De-identify one framed data set in a little-endian syntax. `trace` tells of every element and costs more.

    Raises TransformError (this module's reasons and those of actions.py), BadFraming or BudgetExceeded.
    """
    syntax = syntaxes.lookup(syntax_uid)
    if not syntax.little_endian or syntax.deflated:
        raise TransformError("syntax-not-walkable", syntax.name)
    walk = Walk(source, table, context, "", explicit=syntax.explicit, encapsulated=syntax.encapsulated, trace=trace)
    walk.open()
    walk.sop_class = _storage_class(walk.find(_SOP_CLASS))
    walk.run()
    if any(walk.overlays.values()):
        raise TransformError("overlay-in-pixels", "an overlay in unused bits of the pixels cannot be removed here")
    noted = walk.noted
    instance = noted.get(_SOP_INSTANCE, b"").strip(_PADDING)
    if not instance:
        raise TransformError("missing-sop-instance")
    patient = _patient(noted, context)
    _fill(walk, patient)
    codes = () if walk.loosened else (table.profile.code,)
    edit = walk.edit
    walk.markers(source.size, 0xFFFFFFFF)  # what did not find its place before stands at the end
    edit.fill(walk.places[_REMOVED], _identity_removed(table.profile, len(walk.loosened), walk.explicit))
    edit.fill(walk.places[_TEMPORAL], _temporal(walk))
    return Deidentified(
        plan=EditPlan(source, edit.finish(source.size)),
        sop_class=walk.sop_class,
        sop_instance=_fresh(walk, _SOP_INSTANCE),
        study=_fresh(walk, _STUDY),
        series=_fresh(walk, _SERIES),
        patient_id=patient,
        steps=(f"deidentify:{table.profile.name}",),
        codes=codes,
        elements=tuple(walk.trace),
    )


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


def _patient(noted: dict[int, bytes], context: Context) -> str:
    """The patient's pseudonym: the same for one Patient ID and issuer, wherever and whenever it is made."""
    parts = [noted.get(tag, b"").strip(_PADDING) for tag in (PATIENT_ID, _ISSUER)]
    if not parts[0]:
        raise TransformError("empty-patient-id", "no pseudonym without a Patient ID")
    charset = noted.get(_CHARSET, b"").strip(_PADDING).decode("ascii", "replace")
    return context.pseudonym(dummies.IDENTIFIERS[PATIENT_ID], *(_plain(part, charset) for part in parts if part))


def _plain(value: bytes, charset: str) -> bytes:
    """A value as UTF-8, so that two systems with two character sets mean the same patient (PS3.3 C.12.1.1.2)."""
    if value.isascii() and b"\x1b" not in value:
        return value
    if "\\" in charset or charset.startswith("ISO 2022"):
        return value  # code extensions: the same system writes the same bytes
    codec = python_encoding.get(charset)
    if codec is None:
        raise TransformError("charset-undecodable", "the Specific Character Set is not known")
    try:
        return unicodedata.normalize("NFC", value.decode(codec)).encode()
    except (UnicodeDecodeError, LookupError):
        raise TransformError("charset-undecodable", "an identifier is not in the declared character set") from None


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
            edit.fill(places[tag], dummies.element(tag, vr, patient.encode("ascii"), explicit))
    if dummies.ENCAPSULATED_DOCUMENT in places:
        document = dummies.document(walk.noted.get(MIME_TYPE, b""))
        tag = dummies.ENCAPSULATED_DOCUMENT
        edit.fill(places[tag], dummies.element(tag, "OB", document, explicit))


@lru_cache(maxsize=64)
def _identity_removed(profile: Profile, exceptions: int, explicit: bool) -> bytes:
    """(0012,0062) to (0012,0064). With site exceptions the profile was not applied whole: its code is not claimed."""
    method = f"dicom-gateway: PS3.15 {profile.edition}, {profile.name} profile"
    if exceptions:
        method += f", {exceptions} site exceptions"
    raw = method.encode("ascii")
    out = dummies.element(_REMOVED, "CS", b"YES ", explicit)
    out += dummies.element(_METHOD, "LO", raw + b" " * (len(raw) & 1), explicit)
    if not exceptions:
        items = dummies.items((dummies.code(profile.code, "DCM", profile.meaning),), explicit)
        out += dummies.element(_METHOD_CODES, "SQ", items, explicit)
    return out


def _temporal(walk: Walk) -> bytes:
    """(0028,0303): dates are removed, unless a site exception let one through on this object."""
    kept = any(
        f"override {number}" in walk.loosened and dictionary_VR(tag) in ("DA", "DT", "TM")
        for number, tag, action in walk.table.overrides
        if action == Action.KEEP
    )
    return dummies.element(_TEMPORAL, "CS", b"UNMODIFIED" if kept else b"REMOVED ", walk.explicit)
