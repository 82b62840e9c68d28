"""The key: MIDI-B's form written and read, anything else refused without a value in the message."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from benchmarks.answers import key
from benchmarks.answers.plant import Made

UID = "1.2.3.4711"
ROW = ("CT", "1.2.840.10008.5.1.4.1.1.2", "CANARYPATIENT", "1.2.1", "1.2.2", UID)


def foreign(path: Path, told: Any, *, scope: str | None = None, drop: str = "") -> Path:
    """A key as another program writes it."""
    names = [name for name in (*key.COLUMNS, "AnswerData", *(["scope"] if scope else [])) if name != drop]
    values = dict(zip(key.COLUMNS, ROW, strict=True)) | {"AnswerData": told, "scope": scope}
    with closing(sqlite3.connect(path)) as base, base:
        base.execute(f"CREATE TABLE answer_data ({', '.join(names)})")
        marks = ", ".join("?" * len(names))
        base.execute(f"INSERT INTO answer_data VALUES ({marks})", [values[name] for name in names])
    return path


def answer(**more: object) -> dict[str, object]:
    return {
        "tag": "<(0008,103E)>",
        "tag_ds": "<(0008,103E)>",
        "tag_name": "<Series Description>",
        "value": "<CT of CANARYPATIENT>",
        "action": "<text_removed>",
        "action_text": "<CANARYPATIENT>",
        "answer_category_v2": {"hipaa_z": "HIPAA-A", "hipaa_m": None},
    } | more


def test_what_is_written_is_read(tmp_path: Path, basic: list[Made]) -> None:
    path = tmp_path / "key.sqlite"
    rows = [made.row for made in basic[:10]]
    key.write(path, rows, {"seed": "42"})
    assert list(key.read(path)) == rows and key.made_with(path) == {"seed": "42"}
    with pytest.raises(FileExistsError):
        key.write(path, rows, {})


def test_the_written_form_is_the_one_that_others_read(tmp_path: Path, basic: list[Made]) -> None:
    """Column names, JSON by number, <> around text, paths: read back with nothing of ours."""
    path = tmp_path / "key.sqlite"
    key.write(path, [basic[0].row], {})
    with closing(sqlite3.connect(path)) as base:
        base.row_factory = sqlite3.Row
        (row,) = base.execute("SELECT * FROM answer_data").fetchall()
    assert set(row.keys()) == {*key.COLUMNS, "AnswerData"}
    told = json.loads(row["AnswerData"])
    assert list(told) == [str(n) for n in range(len(told))]
    for each in told.values():
        assert {"tag", "tag_ds", "tag_name", "value", "action", "action_text", "answer_category_v2"} <= each.keys()
        assert all(each[n][0] == "<" and each[n][-1] == ">" for n in ("tag_name", "value", "action", "action_text"))
        assert each["action"].strip("<>") in key.ACTIONS


def test_planted_bytes_that_are_no_hex_are_refused(tmp_path: Path, basic: list[Made]) -> None:
    path = tmp_path / "key.sqlite"
    key.write(path, [basic[0].row], {})
    with closing(sqlite3.connect(path)) as base, base:
        base.execute("UPDATE planted_data SET hex = 'CANARY' WHERE rowid = 3")
    with pytest.raises(key.BadKey, match="no hex"):
        list(key.read(path))


def test_a_key_of_others(tmp_path: Path) -> None:
    (row,) = key.read(foreign(tmp_path / "a", json.dumps({"0": answer()})))
    (found,) = row.answers
    assert (row.instance, row.scope, row.planted) == (UID, "Instance", ())
    assert (found.text, found.category, found.place) == ("CANARYPATIENT", "HIPAA-A", "<(0008,103E)>")
    (row,) = key.read(foreign(tmp_path / "b", json.dumps({"0": answer()}), scope="<Series>"))
    assert row.scope == "Series" and key.made_with(tmp_path / "b") == {}


@pytest.mark.parametrize(
    "told", ["no json CANARYPATIENT", json.dumps({"0": answer(action="<text_burned>")}), json.dumps({"0": 3}), None,
             json.dumps({"0": answer(value=["CANARYPATIENT"])}), json.dumps(7)],
)  # fmt: skip
def test_what_is_no_answer_is_refused(told: str | None, tmp_path: Path) -> None:
    with pytest.raises(key.BadKey) as caught:
        list(key.read(foreign(tmp_path / "key", told)))
    assert "CANARYPATIENT" not in str(caught.value) and "row 1" in str(caught.value)


@pytest.mark.parametrize("drop", [*key.COLUMNS, "AnswerData"])
def test_a_missing_column_is_refused(drop: str, tmp_path: Path) -> None:
    with pytest.raises(key.BadKey, match=drop):
        list(key.read(foreign(tmp_path / "key", "{}", drop=drop)))


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"not SQLite" * 100)
    for path in (tmp_path / "key", tmp_path / "none"):
        with pytest.raises(key.BadKey):
            list(key.read(path))
    with pytest.raises(key.BadKey, match="scope"):
        list(key.read(foreign(tmp_path / "scope", "{}", scope="<Galaxy>")))
