"""multipart/related (RFC 2387, RFC 2046 5.1) as a stream: bytes in, parts out, nothing held.

Rules of this file
* The tokenizer is python-multipart's; limits, strictness and the end of the message are ours.
* Every limit is known before anything is kept: length of the boundary, parts, header bytes of a part, bytes after the
  end. What a part holds is handed on as it comes and never gathered.
* A part has come whole only when the delimiter after it has: a body that ends within a part never ends that part.
"""

from __future__ import annotations

import logging
import re
from typing import Protocol

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser

logging.getLogger("python_multipart.multipart").disabled = True  # it quotes what it does not like

BOUNDARY = 200  # characters; RFC 2046 5.1.1 allows 70, and Orthanc sends 73
HEADERS = 32  # of one part
EPILOGUE = 64 << 10  # bytes after the end that are read past
_BOUNDARY = re.compile(rf"[0-9A-Za-z'()+_,./:=? -]{{0,{BOUNDARY - 1}}}[0-9A-Za-z'()+_,./:=?-]")


class BadMultipart(Exception):
    """The body is not multipart/related, or goes beyond a limit. `reason` is a code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Handler(Protocol):
    """Takes the parts of one body, in order."""

    def head(self, headers: dict[str, str]) -> None:
        """A part begins; names in lower case."""
        ...

    def data(self, view: memoryview) -> None:
        """More of its bytes; the view is valid only during the call."""
        ...

    def ended(self) -> None:
        """It has come whole."""
        ...


class Related:
    """Parses one body."""

    def __init__(self, boundary: str, handler: Handler, *, parts: int, part_head: int) -> None:
        """`parts`: how many there may be; `part_head`: bytes of one part's headers. Raises BadMultipart."""
        if not _BOUNDARY.fullmatch(boundary):
            raise BadMultipart("boundary-malformed")
        self._handler = handler
        self._most_parts = parts
        self._most_head = part_head
        self.parts = 0  # begun
        self._headers: dict[str, str] = {}
        self._name = bytearray()
        self._value = bytearray()
        self._head_bytes = 0
        self._ended = False
        self._after = 0
        self._parser = MultipartParser(
            boundary.encode(),
            {
                "on_part_begin": self._begin,
                "on_header_field": self._field,
                "on_header_value": self._content,
                "on_header_end": self._header,
                "on_headers_finished": self._finished,
                "on_part_data": self._data,
                "on_part_end": handler.ended,
                "on_end": self._end,
            },
            max_header_count=HEADERS,
            max_header_size=part_head,
        )

    def feed(self, data: bytes | bytearray) -> None:
        """More of the body, which does not change meanwhile. Raises BadMultipart, and whatever the handler raises."""
        if self._ended:
            self._after += len(data)
            if self._after > EPILOGUE:
                raise BadMultipart("multipart-epilogue")
            return
        try:
            self._parser.write(data)  # type: ignore[arg-type] # a bytearray has all that it asks of bytes
        except MultipartParseError as error:
            raise BadMultipart("multipart-malformed") from error

    def end(self) -> None:
        """The body is over. Raises BadMultipart where the message is not."""
        if not self._ended:
            raise BadMultipart("multipart-truncated")
        if not self.parts:
            raise BadMultipart("multipart-empty")

    def close(self) -> None:
        """Give back what it holds: nothing, here."""

    def _begin(self) -> None:
        self.parts += 1
        if self.parts > self._most_parts:
            raise BadMultipart("too-many-parts")
        self._headers = {}
        self._head_bytes = 0
        self._name.clear()
        self._value.clear()

    def _grown(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self._most_head:
            raise BadMultipart("part-head-too-long")

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._grown(end - start)
        self._name += data[start:end]

    def _content(self, data: bytes, start: int, end: int) -> None:
        self._grown(end - start)
        self._value += data[start:end]

    def _header(self) -> None:
        try:
            name, value = self._name.decode("ascii").lower(), self._value.decode("ascii").strip()
        except UnicodeDecodeError as error:
            raise BadMultipart("part-head-malformed") from error
        if name in self._headers:
            raise BadMultipart("part-head-malformed")
        self._headers[name] = value
        self._name.clear()
        self._value.clear()

    def _finished(self) -> None:
        self._handler.head(self._headers)

    def _data(self, data: bytes, start: int, end: int) -> None:
        if end > start:
            self._handler.data(memoryview(data)[start:end])

    def _end(self) -> None:
        self._ended = True
