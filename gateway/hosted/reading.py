"""Reads one PDF in a process of its own: the document on standard input, its pages or a reason on standard output.

* The child may be taken over by what it reads: it holds this document and nothing else, no key, no name, and what it
  says is checked like any other input.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import msgspec

from gateway.errors import HoldObject
from gateway.hosted.process import Bounds, run
from transforms.documents.pdf import Page, read
from transforms.errors import TransformError

BOUNDS = Bounds(timeout=30.0, memory=1 << 30, output=64 << 20)


class _Answer(msgspec.Struct):
    """What the child says: pages, or why not."""

    pages: tuple[Page, ...] = ()
    reason: str = ""


def pages(document: bytes, bounds: Bounds = BOUNDS) -> tuple[Page, ...]:
    """Every page of a PDF. Raises TransformError with a reason of transforms/documents/pdf.py."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
        given.write(document)
        given.seek(0)
        try:
            run((sys.executable, "-m", __name__), Path("/"), bounds, stdin=given, stdout=said)
        except HoldObject as error:
            raise TransformError("pdf-too-large", error.reason) from None
        said.seek(0)
        try:
            answer = msgspec.json.decode(said.read(), type=_Answer)
        except msgspec.DecodeError:
            raise TransformError("pdf-malformed", "its reader failed") from None
    if answer.reason:
        raise TransformError(answer.reason)
    return answer.pages


def main() -> None:
    """The child."""
    try:
        answer = _Answer(pages=read(sys.stdin.buffer.read()))
    except TransformError as error:
        answer = _Answer(reason=error.reason)
    sys.stdout.buffer.write(msgspec.json.encode(answer))


if __name__ == "__main__":
    main()
