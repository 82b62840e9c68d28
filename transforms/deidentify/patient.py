"""Who an object is of, in a form that two systems share, and the pseudonym that somebody else chose for him.

Rules of this file
* A patient is Patient ID and Issuer of Patient ID (PS3.3 C.7.1.1) without padding, as UTF-8 in form NFC: the same
  identifier in two character sets is the same patient. Case counts: the standard does not say that it does not.
* Who names no issuer may be given one (`issued`): whom the sender's numbers belong to is not in the object.
* Under code extensions (ISO 2022) the bytes stay as sent, and `text` says so: a map of texts cannot know them.
* A pseudonym carries the patient it was made for. The engine compares: one patient's pseudonym never gets into
  another's object by a mistake of the caller.
* A Patient ID in an item is what it is anywhere: the object's own gets the object's pseudonym. Another one without an
  issuer is of the object's issuer: who sends an object sends its numbers. The key makes its pseudonym, or the caller is
  asked for it (`OtherPatients`).
* Nothing here shows an identifier: not in a representation and not in an error.

Reasons: empty-patient-id, charset-undecodable, pseudonym-invalid, patient-mismatch, patient-in-item.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Final, NamedTuple

from transforms.dataset import framing
from transforms.dataset.index import Index
from transforms.deidentify.context import Context
from transforms.errors import TransformError
from transforms.source import ByteSource

CHARSET: Final = 0x00080005
PATIENT_ID: Final = 0x00100020
ISSUER: Final = 0x00100021
LONGEST: Final = 64  # characters of LO (PS3.5 Table 6.2-1), and of a component group of PN
_USE: Final = "patient"  # keeps patients apart from other identifiers in the key's domain
_PADDING: Final = b"\0 "
_READ: Final = 1 << 12  # bytes of one value; identifiers are shorter


class Patient(NamedTuple):
    """Patient ID and Issuer of Patient ID, normalised. `text`: both are UTF-8."""

    patient_id: bytes
    issuer: bytes = b""
    text: bool = True

    def __repr__(self) -> str:
        return f"Patient(text={self.text})"


class Pseudonym:
    """What is written to Patient ID and Patient's Name instead of what the key makes. Raises TransformError.

    `issuer`: whose the object's Patient IDs are where it does not say. `others`: what other patients, of issuer if they
    name none, are called in items; None where the key makes it, else one that is missing raises OtherPatients.
    """

    __slots__ = ("issuer", "of", "others", "text")

    def __init__(
        self, text: str, of: Patient, issuer: bytes = b"", others: Mapping[Patient, str] | None = None
    ) -> None:
        if why := problem(text):
            raise TransformError("pseudonym-invalid", why)
        self.text = text
        self.of = of
        self.issuer = issuer
        self.others = others

    def __repr__(self) -> str:
        return f"Pseudonym({self.text!r})"

    def knowing(self, others: Mapping[Patient, str]) -> Pseudonym:
        """The same, with what other patients are called."""
        return Pseudonym(self.text, self.of, self.issuer, others)


class OtherPatients(TransformError):
    """Patient IDs in items for which a pseudonym must be looked up: then the work is to be done again."""

    def __init__(self, patients: frozenset[Patient]) -> None:
        super().__init__("patient-in-item", "a Patient ID in an item that no pseudonym was given for")
        self.patients = patients


class InItems:
    """The Patient IDs in the items of one object."""

    __slots__ = ("_context", "_given", "_issuer", "_own", "_text", "asked")

    def __init__(self, own: Patient, context: Context, given: Pseudonym | None) -> None:
        self._own = own
        self._context = context
        self._given = given
        self._text = chosen(own, context, given)
        self._issuer = own.issuer or (given.issuer if given else b"")
        self.asked: set[Patient] = set()

    def pseudonym(self, patient_id: bytes, issuer: bytes, charset: bytes) -> str:
        """What stands for a Patient ID beside which this issuer stands; raw values. Raises TransformError."""
        found = patient_of({PATIENT_ID: patient_id, ISSUER: issuer, CHARSET: charset})
        if found.patient_id == self._own.patient_id and found.issuer in (b"", self._own.issuer, self._issuer):
            return self._text
        found = issued(found, self._issuer)
        others = self._given.others if self._given else None
        if others is None:
            return keyed(found, self._context)
        if found not in others:
            self.asked.add(found)
            return self._text  # which does not leave: the engine raises OtherPatients
        return others[found]

    def own(self, value: bytes, charset: bytes) -> str:
        """The pseudonym where a text is the object's own Patient ID, else ""; it need not be an identifier at all."""
        try:
            same = patient_of({PATIENT_ID: value, CHARSET: charset}).patient_id == self._own.patient_id
        except TransformError:
            return ""
        return self._text if same else ""


def problem(pseudonym: str) -> str:
    """Why a text cannot be a pseudonym, or "". It must be a valid LO and one component of a valid PN in every set."""
    if not pseudonym:
        return "a pseudonym is not empty"
    if len(pseudonym) > LONGEST:
        return f"a pseudonym has at most {LONGEST} characters"
    if not all(0x20 <= ord(each) < 0x7E for each in pseudonym) or set(pseudonym) & set("\\^="):
        return "a pseudonym is of ASCII letters, digits and signs, without backslash, ^, = and ~"
    if pseudonym != pseudonym.strip():
        return "a pseudonym neither begins nor ends with a blank"
    return ""


def patient_of(values: Mapping[int, bytes]) -> Patient:
    """The patient of an object by its raw values (tag -> bytes). Raises TransformError."""
    patient_id, issuer = (values.get(tag, b"").strip(_PADDING) for tag in (PATIENT_ID, ISSUER))
    if not patient_id:
        raise TransformError("empty-patient-id", "no pseudonym without a Patient ID")
    charset = values.get(CHARSET, b"").strip(_PADDING).decode("ascii", "replace")
    first, second = _plain(patient_id, charset), _plain(issuer, charset)
    return Patient(first[0], second[0], first[1] and second[1])


def issuer_of(text: str) -> bytes:
    """An issuer as it is compared: without padding, UTF-8, form NFC."""
    return unicodedata.normalize("NFC", text).encode().strip(_PADDING)


def issued(patient: Patient, issuer: bytes) -> Patient:
    """The patient, of this issuer where the object names none."""
    return patient._replace(issuer=issuer) if issuer and not patient.issuer else patient


def read_patient(source: ByteSource, syntax_uid: str, index: Index | None = None) -> Patient:
    """The patient of a data set, read by the strict framing. Raises TransformError or BadFraming.

    `index` is what framing has found in this source.
    """
    index = index or framing.check(source, syntax_uid)
    values = {tag: index.value_bytes(source, tag) or b"" for tag in (CHARSET, PATIENT_ID, ISSUER)}
    return patient_of({tag: value for tag, value in values.items() if len(value) <= _READ})


def keyed(patient: Patient, context: Context) -> str:
    """The pseudonym that a project's key makes: the same wherever and whenever it is made."""
    return context.pseudonym(_USE, *(part for part in (patient.patient_id, patient.issuer) if part))


def chosen(patient: Patient, context: Context, given: Pseudonym | None) -> str:
    """What is written: the given pseudonym, if it was made for this very patient, else the keyed one."""
    if given is None:
        return keyed(patient, context)
    if given.of != patient:
        raise TransformError("patient-mismatch", "the pseudonym was looked up for another patient")
    return given.text


def _plain(value: bytes, charset: str) -> tuple[bytes, bool]:
    """A value as UTF-8, so that two systems with two character sets mean the same patient (PS3.3 C.12.1.1.2)."""
    if value.isascii() and b"\x1b" not in value:
        return value, True
    if "\\" in charset or charset.startswith("ISO 2022"):
        return value, False  # code extensions: the same system writes the same bytes
    from pydicom.charset import python_encoding  # a third of a command's start, and few identifiers need it

    codec = python_encoding.get(charset)
    if codec is None:
        raise TransformError("charset-undecodable", "the Specific Character Set is not known")
    try:
        return unicodedata.normalize("NFC", value.decode(codec)).encode(), True
    except (UnicodeDecodeError, LookupError):
        raise TransformError("charset-undecodable", "an identifier is not in the declared character set") from None
