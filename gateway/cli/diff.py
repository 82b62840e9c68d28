"""`dicom-gateway diff`: what differs between two objects, element by element, without their values.

* Both are read by pydicom, which is not what wrote them: what the gateway says it did can be held against this.
* Items of sequences are compared by their number, values by their bytes; file meta and preamble are not compared.
* Exit 0: nothing differs; 1: something does; 2: one of them cannot be read.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from pydicom import Dataset, config, dcmread
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import RawDataElement
from pydicom.errors import InvalidDicomError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.cli import pages
from gateway.cli.common import fail
from gateway.errors import GatewayError

_SHOWN = 60  # characters of a value
_STYLES = {"removed": "red", "emptied": "yellow", "changed": "cyan", "added": "green", "kept": ""}


@dataclass(frozen=True, slots=True)
class Line:
    """One element of either object."""

    path: str
    tag: str
    vr: str
    what: str  # removed, emptied, changed, added, kept
    before: str = ""
    after: str = ""


def diff(
    before: Annotated[Path, typer.Argument(help="A Part 10 file.")],
    after: Annotated[Path, typer.Argument(help="Another, such as what became of it.")],
    everything: Annotated[bool, typer.Option("--all", help="Tell of what is equal, too.")] = False,
    values: Annotated[bool, typer.Option("--values", help="Show values. They may identify a patient.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document, for programs.")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page, too.")] = None,
) -> None:
    """Say which elements of two objects differ. Exit 0: none; 1: some.

    No value is shown unless you ask with --values.
    """
    lines = list(compared(_read(before), _read(after), values=values))
    counts = dict(sorted(Counter(line.what for line in lines).items()))
    shown = [line for line in lines if everything or line.what != "kept"]
    if html is not None:
        try:
            pages.write(html, "diff.html.j2", lines=shown, counts=counts, values=values)
        except GatewayError as error:
            fail(str(error))
    if as_json:
        json.dump({"counts": counts, "elements": [asdict(line) for line in shown]}, sys.stdout, indent=2)
        print()
    else:
        table = Table(title_justify="left")
        for heading in ("element", "tag", "VR", "", *(("before", "after") if values else ())):
            table.add_column(heading, overflow="fold")
        for line in shown:
            cells = (line.path, line.tag, line.vr, line.what, *((line.before, line.after) if values else ()))
            table.add_row(*(Text(cell) for cell in cells), style=_STYLES[line.what])
        print(", ".join(f"{number} {word}" for word, number in counts.items()))
        if shown:
            Console().print(table)
    if set(counts) - {"kept"}:
        raise typer.Exit(1)


def _read(path: Path) -> Dataset:
    config.convert_wrong_length_to_UN = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return dcmread(path)
    except (OSError, InvalidDicomError, EOFError, ValueError, NotImplementedError) as error:
        fail(f"{path}: {type(error).__name__}: no Part 10 file that can be read")


def compared(before: Dataset, after: Dataset, *, values: bool, path: str = "") -> Iterator[Line]:
    """Every element of both, in the order of tags, sequences with what is in their items."""
    for tag in sorted({*before.keys(), *after.keys()}):
        name = path + (keyword_for_tag(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})")
        old, new = (_items(side, tag) for side in (before, after))
        vr = str((after if tag in after else before).get_item(tag).VR or "")
        if old is not None or new is not None:
            yield Line(name, _tag(tag), "SQ", _word(tag in before, tag in after, bool(old), bool(new), True))
            for number in range(max(len(old or ()), len(new or ()))):
                pair = [side[number] if side and number < len(side) else Dataset() for side in (old, new)]
                yield from compared(*pair, values=values, path=f"{name}[{number + 1}].")
            continue
        first, second = _value(before, tag), _value(after, tag)
        what = _word(tag in before, tag in after, bool(first), bool(second), first == second)
        shown = (_text(first), _text(second)) if values else ("", "")
        yield Line(name, _tag(tag), vr, what, *shown)


def _word(there: bool, still: bool, full: bool, remains: bool, equal: bool) -> str:
    if not still:
        return "removed"
    if not there:
        return "added"
    if full and not remains:
        return "emptied"
    return "kept" if equal else "changed"


def _items(side: Dataset, tag: int) -> list[Dataset] | None:
    """The items of a sequence; None where it is none, or not there."""
    if tag not in side or str(side.get_item(tag).VR) not in ("SQ", "None", "UN"):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        element: Any = side[tag]
    return list(element.value or []) if element.VR == "SQ" else None


def _value(side: Dataset, tag: int) -> bytes:
    """The bytes of a value, as they stand in the file."""
    found: Any = side.get_item(tag) if tag in side else None
    if found is None or found.value is None:
        return b""
    if isinstance(found, RawDataElement) and isinstance(found.value, bytes):
        return found.value.rstrip(b"\0 ")
    return found.value if isinstance(found.value, bytes) else str(found.value).encode()


def _text(value: bytes) -> str:
    text = value[:_SHOWN].decode("latin-1")
    if not text.isprintable():
        text = value[: _SHOWN // 3].hex(" ", -4)
    return text + ("…" if len(value) > _SHOWN else "")


def _tag(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
