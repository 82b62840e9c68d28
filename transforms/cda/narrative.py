"""section/text: every content item below a section, in words, each in a `content` with an ID (PS3.20 C.4.2, 9.1.1).

Rules of this file
* Texts are paragraphs, as in C.5; other items and short texts that follow each other are rows of a table; what belongs
  to an item is a list below it. Nothing of the tree is left out here, not even what has no entry.
* The ID of the item at position 1.8.1 is i1.8.1: entries point there.
* Only elements that the narrative block schema allows at the place (Td holds no table, paragraph holds no list).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from transforms.cda import display
from transforms.cda.display import where
from transforms.cda.making import Making
from transforms.sr.model import Item
from transforms.sr.values import Axis, ByReference, Composite, Container, Image, SopReference, Table, Text, Waveform

_ROW: Final = 80  # characters of a text that may be a row
_NMTOKEN: Final = re.compile(r"[A-Za-z0-9._:-]+\Z")  # what `content/@language` may hold


def identified(item: Item) -> str:
    """The XML ID of an item."""
    return f"i{where(item)}"


def blocks(making: Making, items: Sequence[Item]) -> None:
    """The items of a section, in their order."""
    rows: list[Item] = []
    for item in items:
        if isinstance(item.value, (Table, Container)) or (isinstance(item.value, Text) and _is_long(item.value.text)):
            _rows(making, rows)
            rows = []
            _block(making, item)
        else:
            rows.append(item)
    _rows(making, rows)


def _is_long(text: str) -> bool:
    """Whether a text is a paragraph of its own, rather than a row among others."""
    return len(text) > _ROW or "\n" in text or "\r" in text


def _block(making: Making, item: Item) -> None:
    if isinstance(item.value, Text):
        _paragraph(making, item)
        _below(making, item.children)
    else:
        _below(making, (item,))


def _paragraph(making: Making, item: Item) -> None:
    with making.writer.element("paragraph"):
        _caption(making, item)
        _content(making, item)


def _rows(making: Making, rows: Sequence[Item]) -> None:
    if not rows:
        return
    if len(rows) == 1:
        _paragraph(making, rows[0])
        _below(making, rows[0].children)
        return
    writer = making.writer
    with writer.element("table"), writer.element("tbody"):
        for item in rows:
            with writer.element("tr"):
                writer.leaf("th", {"align": "left"}, display.heading(item))
                with writer.element("td"):
                    _content(making, item)
                    _below(making, item.children)


def _below(making: Making, items: Iterable[Item]) -> None:
    """What belongs to an item, as a list."""
    items = tuple(items)
    if not items:
        return
    writer = making.writer
    with writer.element("list"):
        for item in items:
            is_group = isinstance(item.value, Container)
            with writer.element("item", {"ID": identified(item)} if is_group else {}):
                _caption(making, item)
                if isinstance(item.value, Table):
                    _content(making, item)
                    _table(making, item.value)
                elif not is_group:
                    _content(making, item)
                _below(making, item.children)


def _caption(making: Making, item: Item) -> None:
    if heading := display.heading(item):
        making.writer.leaf("caption", text=heading)


def _content(making: Making, item: Item) -> None:
    """The item in its `content`."""
    writer, before = making.writer, making.writer.replaced
    attributes = {"ID": identified(item)}
    language = item.language
    if language is not None and language != making.document.language and _NMTOKEN.match(language.value):
        attributes["language"] = language.value
    with writer.element("content", attributes):
        if isinstance(item.value, ByReference):
            target = making.document.follow(item)
            href = f"#{identified(target)}"
            writer.leaf("linkHtml", {"href": href}, f"{display.heading(target)}: {display.value(target)}".strip(": "))
        elif reference := _reference(item):
            frames = item.value.frames if isinstance(item.value, Image) else ()
            if link := making.links.to(reference, frames):
                writer.leaf("linkHtml", {"href": link}, display.value(item))
            else:
                writer.text(display.value(item))
            if making.picture(item) is not None:
                writer.leaf("renderMultiMedia", {"referencedObject": f"m{where(item)}"})
        else:
            writer.lines(display.value(item))
    if writer.replaced != before:
        making.losses.changed(where(item), "characters that XML has no place for became U+FFFD")


def _reference(item: Item) -> SopReference | None:
    return item.value.reference if isinstance(item.value, (Image, Composite, Waveform)) else None


def _table(making: Making, given: Table) -> None:
    """A TABLE: its cells, with the names of rows and columns where it has them; a sparse one cell by cell."""
    cells = _cells(given)
    row_axes = {axis.number: axis for axis in given.row_axis}
    column_axes = {axis.number: axis for axis in given.column_axis}
    rows = sorted({*row_axes, *(row for row, _ in cells)})
    columns = sorted({*column_axes, *(column for _, column in cells)})
    writer = making.writer
    with writer.element("table"), writer.element("tbody"):
        if len(rows) * len(columns) > 4 * len(cells) + 64:
            for (row, column), text in sorted(cells.items()):
                with writer.element("tr"):
                    writer.leaf("th", text=_axis(row_axes.get(row), row))
                    writer.leaf("th", text=_axis(column_axes.get(column), column))
                    writer.leaf("td", text=text)
            for number in (*sorted(row_axes), *sorted(column_axes)):
                with writer.element("tr"):
                    writer.leaf("th", text=_axis(row_axes.get(number) or column_axes.get(number), number))
            return
        with writer.element("tr", {"styleCode": "Bold"}):
            writer.leaf("th")
            for column in columns:
                writer.leaf("th", text=_axis(column_axes.get(column), column))
        for row in rows:
            with writer.element("tr"):
                writer.leaf("th", text=_axis(row_axes.get(row), row))
                for column in columns:
                    writer.leaf("td", text=cells.get((row, column), ""))


def _cells(given: Table) -> dict[tuple[int, int], str]:
    """(row, column) -> text, from 1. A whole row or column (C.18.10) has one value a cell."""
    found: dict[tuple[int, int], str] = {}
    for cell in given.cells:
        if cell.row and cell.column:
            found[cell.row, cell.column] = display.cell(cell)
            continue
        several = [replace(cell, values=(each,), codes=()) for each in cell.values]
        several += [replace(cell, values=(), codes=(each,)) for each in cell.codes]
        for number, one in enumerate(several or [cell], 1):
            at = (cell.row, number) if cell.row else (number, cell.column)
            found[at] = ", ".join(part for part in (found.get(at, ""), display.cell(one)) if part)
    return found


def _axis(axis: Axis | None, number: int) -> str:
    if axis is None:
        return str(number)
    return display.meaning(axis.name) + (f" ({display.meaning(axis.unit)})" if axis.unit is not None else "")
