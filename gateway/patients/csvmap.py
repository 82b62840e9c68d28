"""A map of patients as a CSV file: `issuer,patient_id,pseudonym`, the first column only where it is needed.

Rules of this file
* The file is read whole, strictly, at each (re)load; with one mistake in it none of it is used. Every mistake is told
  with its line, and no message repeats a value.
* Values are compared as the de-identifier compares them (transforms/deidentify/patient.py): without padding, UTF-8,
  form NFC, case counts.
* Without the column `issuer` its author says that Patient IDs are unique whatever their issuer. With it, each line has
  one, and an object that names none is looked up by its Patient ID alone where that is not ambiguous.
* A pseudonym that is somebody's Patient ID in the same file is refused: it would lead back.

Reasons: patient-unmapped, patient-ambiguous, charset-undecodable.
"""

from __future__ import annotations

import csv
import os
import unicodedata
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

from gateway.config.problems import Problem, nearest
from gateway.errors import GatewayError, HoldObject
from transforms.deidentify.patient import LONGEST, Patient, problem

MAX_BYTES = 64 << 20
MAX_PROBLEMS = 100  # told of one file; a wrong file is wrong in every line
COLUMNS = ("issuer", "patient_id", "pseudonym")
_CONTROLS = ("Cc", "Cs", "Zl", "Zp")  # controls, surrogates, separators of lines and paragraphs


class CsvMap:
    """A map, ready to be asked. Made by `read` only."""

    def __init__(self, rows: dict[tuple[bytes, bytes], str], *, issuers: bool) -> None:
        self._rows = rows
        self._issuers = issuers
        self._alone: dict[bytes, bytes | None] = {}  # Patient ID -> its only issuer, None where it has several
        for patient_id, issuer in rows:
            self._alone[patient_id] = None if patient_id in self._alone else issuer

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"CsvMap({len(self._rows)} patients)"

    @property
    def ambiguous(self) -> int:
        """How many Patient IDs it has under several issuers."""
        return sum(issuer is None for issuer in self._alone.values())

    def has_issuer(self, issuer: bytes) -> bool:
        """Whether a patient of this issuer can be found."""
        return not self._issuers or any(each == issuer for _, each in self._rows)

    def find(self, patient: Patient) -> tuple[Patient, str]:
        """The patient as the map knows him, and his pseudonym. Raises HoldObject."""
        if not patient.text:
            raise HoldObject("charset-undecodable", "a map cannot be asked for an identifier with code extensions")
        issuer: bytes | None = patient.issuer if self._issuers else b""
        if self._issuers and not issuer:
            issuer = self._alone.get(patient.patient_id, b"")
            if issuer is None:
                raise HoldObject("patient-ambiguous", "the map has this Patient ID under several issuers")
        found = self._rows.get((patient.patient_id, issuer or b""))
        if found is None:
            raise HoldObject("patient-unmapped", "the map does not have this patient")
        return Patient(patient.patient_id, issuer or b""), found


def load(path: Path, *, merge: bool) -> CsvMap:
    """The map of a file. Raises GatewayError with every mistake."""
    found, problems = read(path, merge=merge)
    if found is None:
        raise GatewayError("patient-map-refused", "\n".join(str(each) for each in problems))
    return found


def read(path: Path, *, merge: bool) -> tuple[CsvMap | None, list[Problem]]:
    """The map, or None and what is wrong with the file. `merge`: two patients may have one pseudonym."""
    reader = _Reader(str(path), merge)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        reader.wrong(1, f"the map cannot be read: {os.strerror(error.errno or 5)}")
        return None, reader.problems
    reader.take(data)
    if reader.problems:
        return None, reader.problems
    return CsvMap(reader.rows, issuers=reader.issuers), []


class _Reader:
    """One reading of one file."""

    def __init__(self, name: str, merge: bool) -> None:
        self._name = name
        self._merge = merge
        self.rows: dict[tuple[bytes, bytes], str] = {}
        self.issuers = False
        self.problems: list[Problem] = []
        self._owners: dict[str, int] = {}  # pseudonym -> line
        self._lines: dict[tuple[bytes, bytes], int] = {}

    def wrong(self, line: int, message: str, suggestion: str = "") -> None:
        """One mistake."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(self._name, line, 1, message, suggestion))

    def take(self, data: bytes) -> None:
        """Read the file's bytes."""
        if len(data) > MAX_BYTES:
            return self.wrong(1, f"a map has at most {MAX_BYTES >> 20} MiB")
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            return self.wrong(data.count(b"\n", 0, error.start) + 1, "a map is UTF-8, and this line is not")
        lines = _lines(csv.reader(StringIO(text, newline=""), strict=True), self)
        place = self._header(next(lines, (1, [])))
        if place is None:
            return None
        for line, cells in lines:
            self._row(line, cells, place)
        if not self.rows and not self.problems:
            self.wrong(1, "the map has no patient")
        ids = {patient_id for patient_id, _ in self.rows}
        for pseudonym, line in self._owners.items():
            if pseudonym.encode() in ids:
                self.wrong(line, "this pseudonym is a Patient ID of the map: it would lead back to a patient")
        return None

    def _header(self, first: tuple[int, list[str]]) -> dict[str, int] | None:
        line, cells = first
        names = [cell.strip() for cell in cells]
        told = len(self.problems)
        for name in names:
            if name not in COLUMNS:
                shown = "" if len(name) > 32 or not name.isidentifier() else nearest(name, COLUMNS)
                self.wrong(line, "the first line names the columns: issuer,patient_id,pseudonym", shown)
                return None  # it may be a patient's line: nothing of it is shown
        for name in COLUMNS:
            if names.count(name) > 1:
                self.wrong(line, f"two columns are called {name}")
            elif name not in names and name != "issuer":
                self.wrong(line, f"there is no column {name}")
        self.issuers = "issuer" in names
        return {name: at for at, name in enumerate(names)} if len(self.problems) == told else None

    def _row(self, line: int, cells: list[str], place: dict[str, int]) -> None:
        if not cells:
            return None  # an empty line
        if len(cells) != len(place):
            return self.wrong(line, f"{len(cells)} values, and {len(place)} columns")
        values = {name: unicodedata.normalize("NFC", cells[at].strip(" ")) for name, at in place.items()}
        told = len(self.problems)
        for name, value in values.items():
            if why := problem(value) if name == "pseudonym" else _identifier(value, name):
                self.wrong(line, why)
        if len(self.problems) > told:
            return None
        key = values["patient_id"].encode(), values.get("issuer", "").encode()
        pseudonym = values["pseudonym"]
        before = self.rows.get(key)
        if before is not None:
            if before != pseudonym:
                self.wrong(line, f"the patient of line {self._lines[key]} again, with another pseudonym")
            return None
        owner = self._owners.setdefault(pseudonym, line)
        if owner != line and not self._merge:
            self.wrong(line, f"the pseudonym of line {owner}, for another patient; `allow_merge: why` would permit it")
            return None
        self.rows[key] = pseudonym
        self._lines[key] = line
        return None


def _lines(reader: Iterator[list[str]], told: _Reader) -> Iterator[tuple[int, list[str]]]:
    """The lines with their numbers; what is no CSV ends them, told."""
    try:
        for cells in reader:
            yield reader.line_num, cells  # type: ignore[attr-defined]
    except csv.Error:
        told.wrong(reader.line_num, "this line is not CSV: quotes or line ends are wrong")  # type: ignore[attr-defined]


def _identifier(value: str, name: str) -> str:
    """Why a value cannot be a Patient ID or its issuer (LO, PS3.5 Table 6.2-1), or ""."""
    if not value:
        return f"{name} is empty"
    if len(value) > LONGEST:
        return f"{name} has more than {LONGEST} characters"
    if "\\" in value or any(unicodedata.category(each) in _CONTROLS for each in value):
        return f"{name} has a backslash or a control character, which an LO cannot have"
    return ""
