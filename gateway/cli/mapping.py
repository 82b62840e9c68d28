"""What `deid --mapping DIR` writes: who became whom, as MIDI-B's two tables `id_old,id_new`.

    DIR/patient_id.csv    Patient ID -> pseudonym
    DIR/uid.csv           every replaced UID -> its replacement

Rules of this file
* Only on request, 0600, in a folder of 0700, never over an existing file, and said to be identifying.
* Only objects that were written count. A Patient ID that two issuers share has two lines.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from gateway.errors import GatewayError

FILES = ("patient_id.csv", "uid.csv")
HEAD = ("id_old", "id_new")


class Pairs(NamedTuple):
    """Of one object: (old, new) of its patient and of each UID that was replaced, at any depth."""

    patient: tuple[str, str]
    uids: tuple[tuple[str, str], ...]

    def __repr__(self) -> str:
        return f"Pairs({len(self.uids)} uids)"


class Mapping:
    """Gathers pairs and writes them at the end. Raises GatewayError where the folder cannot take them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._patients: dict[tuple[str, str], None] = {}
        self._uids: dict[tuple[str, str], None] = {}
        for name in FILES:
            if os.path.lexists(folder / name):
                raise GatewayError("mapping-exists", f"{folder / name}: exists already")
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise GatewayError("mapping-not-written", f"{folder}: {os.strerror(error.errno or 5)}") from None

    def add(self, pairs: Pairs | None) -> None:
        """Those of one object, if it was written."""
        if pairs is not None:
            self._patients[pairs.patient] = None
            self._uids.update(dict.fromkeys(pairs.uids))

    def write(self) -> tuple[int, int]:
        """Both files; how many patients and UIDs are in them."""
        for name, rows in zip(FILES, (self._patients, self._uids), strict=True):
            _table(self._folder / name, rows)
        return len(self._patients), len(self._uids)


def _table(path: Path, rows: Iterable[tuple[str, str]]) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow(HEAD)
            out.writerows(sorted(rows))
    except OSError as error:
        raise GatewayError("mapping-not-written", f"{path}: {os.strerror(error.errno or 5)}") from None
