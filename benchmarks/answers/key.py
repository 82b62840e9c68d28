"""The answer key: MIDI-B's table `answer_data` in SQLite, and a table of ours with the bytes that were planted.

    answer_data   one row an instance: Modality, SOPClassUID, PatientID, StudyInstanceUID, SeriesInstanceUID,
                  SOPInstanceUID, AnswerData. AnswerData is JSON {number: {tag, tag_ds, tag_name, value, action,
                  action_text, answer_category, answer_category_v2}}; text stands in <>.
    planted_data  ours: SOPInstanceUID, leak, place, depth, encoding, vr, hex. No other reader looks at it.
    made_with     ours: name, value; the seed and the options for which the key holds.

Rules of this file
* A key that is not of this form is refused; a message names a row and a column, never a value.
* Where MIDI-B's key has a column `scope`, it is read; a key of ours speaks of instances only.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

ACTIONS: Final = (
    "tag_retained", "text_notnull", "text_retained", "pixels_retained", "uid_consistent", "patid_consistent",
    "text_removed", "date_shifted", "uid_changed", "pixels_hidden",
)  # fmt: skip
KEEPING: Final = frozenset(ACTIONS[:6])
REMOVING: Final = frozenset(ACTIONS[6:])
COLUMNS: Final = (
    "Modality", "SOPClassUID", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID",
)  # fmt: skip
SCOPES: Final = ("Instance", "Series", "Study", "Patient")
# Category of an action in MIDI-B's report; the others have theirs from the key
CATEGORY: Final = {
    "date_shifted": "HIPAA-C",
    "uid_changed": "HIPAA-R",
    "pixels_hidden": "HIPAA-A",
    "patid_consistent": "DICOM-P15-BASIC-C",
    "uid_consistent": "DICOM-P15-BASIC-U",
    "pixels_retained": "TCIA-P15-PIX-K",
}
_ORDER: Final = {
    "tag_retained": ("dicom_iod",),
    "text_notnull": ("dicom_iod",),
    "text_removed": ("hipaa_m", "hipaa_z", "tcia_p15", "tcia_ptkb", "tcia_rev"),
    "text_retained": ("tcia_p15", "tcia_ptkb", "tcia_rev"),
}


class BadKey(ValueError):
    """The key is not of MIDI-B's form. No value is in the message."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What must become of one attribute. Texts without their <>; `place` keeps the key's own form."""

    action: str  # of ACTIONS
    place: str  # "<(0040,0275)>[<0000>]<(0040,0007)>", "" for pixels
    name: str = ""
    value: str = field(default="", repr=False)
    text: str = field(default="", repr=False)
    leak: str = ""  # ours, in answer_category: class of leak, or what is kept
    categories: tuple[tuple[str, str], ...] = ()  # of answer_category_v2

    @property
    def category(self) -> str:
        """The category that MIDI-B's report counts this answer under."""
        if self.action in CATEGORY:
            return CATEGORY[self.action]
        named = dict(self.categories)
        return next((named[each] for each in _ORDER.get(self.action, ()) if named.get(each)), "unknown")


@dataclass(frozen=True, slots=True)
class Planted:
    """Bytes that no output may hold, anywhere."""

    leak: str
    place: str
    depth: int
    encoding: str
    vr: str
    pattern: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Instance:
    """One row: who the input was, what must become of it. `ids` in the order of COLUMNS."""

    ids: tuple[str, ...] = field(repr=False)
    answers: tuple[Answer, ...]
    planted: tuple[Planted, ...] = ()
    scope: str = "Instance"

    @property
    def modality(self) -> str:
        """Of the input."""
        return self.ids[0]

    @property
    def patient(self) -> str:
        """Patient ID of the input."""
        return self.ids[2]

    @property
    def instance(self) -> str:
        """SOP Instance UID of the input."""
        return self.ids[5]


def bare(text: object) -> str:
    """A text of the key without its <>."""
    if text is None:
        return ""
    if not isinstance(text, str):
        raise BadKey("a text of the key is none")
    return text[1:-1] if len(text) > 1 and text[0] == "<" and text[-1] == ">" else text


def write(path: Path, instances: Iterable[Instance], made_with: dict[str, str]) -> None:
    """A new key at `path`. Raises FileExistsError."""
    if path.exists():
        raise FileExistsError("there is a key already")
    with closing(sqlite3.connect(path)) as base, base:
        base.execute(f"CREATE TABLE answer_data ({', '.join(f'{c} TEXT' for c in COLUMNS)}, AnswerData TEXT)")
        base.execute(
            "CREATE TABLE planted_data "
            "(SOPInstanceUID TEXT, leak TEXT, place TEXT, depth INTEGER, encoding TEXT, vr TEXT, hex TEXT)"
        )
        base.execute("CREATE INDEX planted_by_instance ON planted_data (SOPInstanceUID)")
        base.execute("CREATE TABLE made_with (name TEXT, value TEXT)")
        base.executemany("INSERT INTO made_with VALUES (?, ?)", sorted(made_with.items()))
        for each in instances:
            told = {str(n): _told(answer) for n, answer in enumerate(each.answers)}
            base.execute("INSERT INTO answer_data VALUES (?, ?, ?, ?, ?, ?, ?)", (*each.ids, json.dumps(told)))
            base.executemany(
                "INSERT INTO planted_data VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(each.instance, p.leak, p.place, p.depth, p.encoding, p.vr, p.pattern.hex()) for p in each.planted],
            )


def read(path: Path) -> Iterator[Instance]:
    """Every row, in order. Raises BadKey."""
    if not path.is_file():
        raise BadKey("there is no such key")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as base:
            names = {row[1] for row in base.execute("PRAGMA table_info(answer_data)")}
            if missing := [each for each in (*COLUMNS, "AnswerData") if each not in names]:
                raise BadKey(f"table answer_data has no {', '.join(missing)}")
            ours = bool(base.execute("PRAGMA table_info(planted_data)").fetchall())
            wanted = [*COLUMNS, "AnswerData", *(["scope"] if "scope" in names else [])]
            rows = base.execute(f"SELECT {', '.join(wanted)} FROM answer_data ORDER BY rowid")
            for number, row in enumerate(rows, 1):
                found = _instance(number, row)
                yield replace(found, planted=_planted(base, found.instance)) if ours else found
    except sqlite3.Error:
        raise BadKey("not an SQLite key") from None


def made_with(path: Path) -> dict[str, str]:
    """What a key of ours was made with; empty for others."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as base:
        if not base.execute("PRAGMA table_info(made_with)").fetchall():
            return {}
        return dict(base.execute("SELECT name, value FROM made_with"))


def _told(answer: Answer) -> dict[str, object]:
    return {
        "tag": answer.place.rpartition("]")[2],
        "tag_ds": answer.place,
        "tag_name": f"<{answer.name}>",
        "value": f"<{answer.value}>",
        "action": f"<{answer.action}>",
        "action_text": f"<{answer.text}>",
        "answer_category": answer.leak,
        "answer_category_v2": dict(answer.categories),
    }


def _planted(base: sqlite3.Connection, instance: str) -> tuple[Planted, ...]:
    rows = base.execute(
        "SELECT leak, place, depth, encoding, vr, hex FROM planted_data WHERE SOPInstanceUID = ? ORDER BY rowid",
        (instance,),
    )
    try:
        return tuple(Planted(*row[:5], bytes.fromhex(row[5])) for row in rows)
    except (TypeError, ValueError):
        raise BadKey("planted_data holds what is no hex") from None


def _instance(number: int, row: tuple[Any, ...]) -> Instance:
    if not all(isinstance(each, str) for each in row[: len(COLUMNS)]):
        raise BadKey(f"row {number}: an identifier is no text")
    ids = tuple(bare(each) for each in row[: len(COLUMNS)])
    scope = bare(row[len(COLUMNS) + 1]) if len(row) > len(COLUMNS) + 1 else "Instance"
    if scope not in SCOPES:
        raise BadKey(f"row {number}: an unknown scope")
    try:
        told = json.loads(row[len(COLUMNS)])
        answers = tuple(_answer(each) for each in (told.values() if isinstance(told, dict) else told))
    except (TypeError, AttributeError, ValueError, KeyError):
        raise BadKey(f"row {number}: AnswerData is not of MIDI-B's form") from None
    return Instance(ids, answers, scope=scope)


def _answer(told: dict[str, Any]) -> Answer:
    action = bare(told["action"])
    if action not in ACTIONS:
        raise BadKey("unknown action")
    named = told.get("answer_category_v2")
    categories = tuple((str(k), str(v)) for k, v in named.items() if v) if isinstance(named, dict) else ()
    ours = told.get("answer_category")
    return Answer(
        action,
        str(told.get("tag_ds") or ""),
        bare(told.get("tag_name")),
        bare(told.get("value")),
        bare(told.get("action_text")),
        ours if isinstance(ours, str) else "",
        categories,
    )
