"""What happens to each element of an object, for people and for programs: the trace of transforms/deidentify.

* Values are shown only where they are asked for, shortened, and with what a terminal must not get taken out.
* It decides nothing and writes nothing.
"""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from transforms.deidentify.engine import Deidentified, Traced
from transforms.deidentify.rules import Action

_VERBS = {
    Action.KEEP: "keep",
    Action.REMOVE: "remove",
    Action.EMPTY: "empty",
    Action.DUMMY: "dummy",
    Action.UID: "new UID",
    Action.CLEAN: "clean",
}
_STYLES = {
    Action.KEEP: "",
    Action.REMOVE: "red",
    Action.EMPTY: "yellow",
    Action.DUMMY: "yellow",
    Action.UID: "cyan",
    Action.CLEAN: "green",
}
_SHOWN = 60  # bytes of a value
_TEXT = frozenset(
    {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"}
)


def as_table(done: Deidentified, *, values: bool = False) -> Table:
    """One row per element: path, tag, action, the row of Table E.1-1 or rule, reason; the old value where asked."""
    codes = ", ".join(done.codes) or "none"
    table = Table(title=f"{', '.join(done.steps)}; method codes: {codes}", title_justify="left")
    for heading in ("element", "tag", "action", "rule", "reason", *(("value before",) if values else ())):
        table.add_column(heading, overflow="fold")
    for each in done.elements:
        cells = [each.path, _tag(each.tag), _VERBS[each.action], each.source, each.reason]
        if values:
            cells.append(_value(done, each))
        table.add_row(*(Text(cell) for cell in cells), style=_STYLES[each.action])
    return table


def as_json(done: Deidentified, *, values: bool = False) -> list[dict[str, Any]]:
    """The same as plain data."""
    out = []
    for each in done.elements:
        line: dict[str, Any] = {
            "path": each.path,
            "tag": _tag(each.tag),
            "vr": each.vr,
            "action": each.action.value,
            "verb": _VERBS[each.action],
            "rule": each.source,
            "reason": each.reason,
        }
        if values:
            line["value"] = _value(done, each)
        out.append(line)
    return out


def _tag(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _value(done: Deidentified, each: Traced) -> str:
    """The old value as text; numbers and bytes as hex, sequences as nothing. No control character gets through."""
    if each.length <= 0 or each.vr == "SQ":
        return ""
    raw = done.plan.source.pread(each.offset, min(each.length, _SHOWN))
    more = "…" if each.length > _SHOWN else ""
    text = raw.rstrip(b" \0").decode("latin-1")
    if each.vr in _TEXT or (not each.vr and text.isprintable()):
        return "".join(char if char.isprintable() else "�" for char in text) + more
    return raw.hex(" ", -4) + more
