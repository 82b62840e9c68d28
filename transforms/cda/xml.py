"""A writer of XML that cannot write markup by accident: names are ours, values are always escaped.

Rules of this file
* Every value goes through `_escaped`: what a parser reads is the text that was given, line breaks and tabs included.
* A character that XML 1.0 has no place for (2.2: C0 controls, U+FFFE, U+FFFF, lone surrogates) becomes U+FFFD and is
  counted in `replaced`, so that a loss report can tell of it.
* What is written is bytes at once, by pieces: a report of 20,000 items is never in memory as text or tree.
* Attributes and elements of None or absent values are the caller's business: nothing here knows CDA.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import TracebackType
from typing import Final, TypeAlias

Attributes: TypeAlias = Mapping[str, str]

_LEGAL: Final = "\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff"
_ILLEGAL: Final = re.compile(f"[^{_LEGAL}]")
_IN_TEXT: Final = re.compile(f"[<>&\r]|[^{_LEGAL}]")
_IN_VALUE: Final = re.compile(f'[<>&"\t\n\r]|[^{_LEGAL}]')
_AS: Final = {"<": "&lt;", ">": "&gt;", "&": "&amp;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
_PIECES: Final = 512  # strings kept before they become bytes
NOTHING: Final[Attributes] = {}


class Writer:
    """One document. `with writer.element(...)` closes what it opened."""

    def __init__(self) -> None:
        self.replaced = 0  # characters so far that XML has no place for
        self._pieces: list[str] = []
        self._chunks: list[bytes] = []
        self._open: list[str] = []

    def element(self, name: str, attributes: Attributes = NOTHING) -> Writer:
        """Open an element; leaving the `with` closes it."""
        self._pieces.append(f"<{name}{self._attributes(attributes)}>")
        self._open.append(name)
        return self

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._pieces.append(f"</{self._open.pop()}>")
        if len(self._pieces) > _PIECES:
            self._flush()

    def leaf(self, name: str, attributes: Attributes = NOTHING, text: str = "") -> None:
        """An element with text or with nothing in it."""
        start = f"<{name}{self._attributes(attributes)}"
        self._pieces.append(f"{start}>{self._escaped(text, _IN_TEXT)}</{name}>" if text else f"{start}/>")

    def text(self, text: str) -> None:
        """Text in the open element."""
        self._pieces.append(self._escaped(text, _IN_TEXT))

    def lines(self, text: str) -> None:
        """Text whose line breaks a reader shall see: each is followed by <br/>, and stays what it was."""
        for number, line in enumerate(text.split("\n")):
            if number:
                self._pieces.append("\n<br/>")
            self.text(line)

    def done(self) -> tuple[bytes, ...]:
        """All that was written since the last time, in pieces. Every element has been closed."""
        assert not self._open
        self._flush()
        chunks, self._chunks = tuple(self._chunks), []
        return chunks

    def _flush(self) -> None:
        self._chunks.append("".join(self._pieces).encode())
        self._pieces.clear()

    def _attributes(self, attributes: Attributes) -> str:
        special = _IN_VALUE.search
        return "".join(
            [
                f' {name}="{self._escaped(value, _IN_VALUE) if special(value) else value}"'
                for name, value in attributes.items()
            ]
        )

    def _escaped(self, text: str, special: re.Pattern[str]) -> str:
        if not special.search(text):
            return text
        self.replaced += len(_ILLEGAL.findall(text))
        return special.sub(_entity, text)


def _entity(found: re.Match[str]) -> str:
    return _AS.get(found[0], "\ufffd")
