"""The first look of `deid` at its inputs: what each study says of its patient, before any object of it is written.

    look(file) of every input  ->  Studies.add  ->  Studies.told(input) goes with it when it is de-identified

Rules of this file
* Every object is checked for the identifiers of all objects of its study among the inputs, and gets its study's issuer:
  in whatever order they come, and in however many processes.
* What cannot be read here is not told here: it is held when its turn comes.
* Of a study of one object nothing is kept. It identifies patients: it is in memory only, and nothing of it is shown.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from gateway.egress import Egress
from gateway.errors import GatewayError
from gateway.store.files import FileSource
from transforms.dataset import convert, part10
from transforms.dataset import syntax as syntaxes
from transforms.deidentify.patient import CHARSET, ISSUER, PATIENT_ID, patient_of
from transforms.errors import TransformError
from transforms.source import ByteSource, BytesSource

_WANTED: Final = {
    (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little"): tag
    for tag in (CHARSET, PATIENT_ID, ISSUER)
}
_INFLATED: Final = 64 << 20  # bytes; a longer one is looked at when its turn comes


class Look(NamedTuple):
    """What one input says; empty where it says nothing, or cannot be read."""

    study: str = ""  # Study Instance UID
    patient_id: bytes = b""
    issuer: bytes = b""  # as the object names it
    records: bytes = b""  # identifiers that this process has not told of the study yet


class Told(NamedTuple):
    """What goes with an input: whose it is, as far as others of its study say."""

    number: int = -1  # of the input; what this process has harvested is not harvested again
    study: str = ""
    issuers: tuple[bytes, ...] = ()  # of its Patient ID in its study, where it does not name the only one


NOTHING: Final = Told()


class Studies:
    """What all inputs say of their studies."""

    def __init__(self, issuer: bytes) -> None:
        """`issuer`: whose the Patient IDs are of objects that name nobody; b"" where that was not said."""
        self._issuer = issuer
        self._patients: list[tuple[str, bytes, bytes]] = []  # of each input: study, Patient ID, issuer
        self._issuers: dict[tuple[str, bytes], tuple[bytes, ...]] = {}
        self._counts: dict[str, int] = {}
        self._records: dict[str, tuple[bytes, ...]] = {}

    def add(self, look: Look) -> None:
        """Of the next input."""
        issuer = look.issuer or self._issuer
        self._patients.append((look.study, look.patient_id, look.issuer))
        if not look.study:
            return
        self._counts[look.study] = self._counts.get(look.study, 0) + 1
        if look.records:
            self._records[look.study] = (*self._records.get(look.study, ()), look.records)
        if issuer:
            known = self._issuers.setdefault((look.study, look.patient_id), (issuer,))
            if issuer not in known:
                self._issuers[look.study, look.patient_id] = tuple(sorted((*known, issuer)))

    def told(self, number: int) -> Told:
        """What the input of this number is to know."""
        study, patient_id, issuer = self._patients[number]
        issuers = self._issuers.get((study, patient_id), ()) if study else ()
        return Told(number, study, () if issuers == (issuer,) else issuers)

    def records(self, study: str) -> tuple[bytes, ...]:
        """The identifiers of a study, for who checks its objects; of one object it needs none."""
        return self._records.get(study, ()) if self._counts.get(study, 0) > 1 else ()


def look(number: int, path: Path, egress: Egress) -> Look:
    """At one file. Raises nothing that a single object can cause."""
    with suppress(OSError, TransformError, GatewayError, ValueError):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
        with FileSource(descriptor, 0, os.fstat(descriptor).st_size) as file:
            found = part10.split(file, tolerant=True)
            return _look(number, *_little_endian(file.after(found.offset), found.syntax), egress)
    return Look()


def _look(number: int, source: ByteSource, syntax: str, egress: Egress) -> Look:
    seen = egress.look(number, source, syntax)
    if not seen.study:
        return Look()
    records = _packed(seen.records)
    try:
        patient = patient_of({_WANTED[tag]: value for tag, value in seen.values.items() if tag in _WANTED})
    except TransformError:
        return Look(seen.study, records=records)
    return Look(seen.study, patient.patient_id, patient.issuer, records)


def _little_endian(data: ByteSource, syntax: str) -> tuple[ByteSource, str]:
    known = syntaxes.lookup(syntax)
    if known.deflated:
        held, size = [], 0
        for chunk in convert.inflate(data):
            held.append(chunk)
            size += len(chunk)
            if size > _INFLATED:
                raise TransformError("egress-unreadable", "too long to be looked at twice")
        return BytesSource(b"".join(held)), syntaxes.EXPLICIT_LE
    if not known.little_endian:
        return convert.to_explicit_le(data, syntax), syntaxes.EXPLICIT_LE
    return data, syntax


def _packed(records: frozenset[tuple[str, str]]) -> bytes:
    return json.dumps(sorted(records)).encode("ascii") if records else b""


def unpacked(records: Iterable[bytes]) -> list[tuple[str, str]]:
    """(class, text) of what `look` has packed."""
    return [(name, text) for packed in records for name, text in json.loads(packed)]
