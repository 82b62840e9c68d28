"""A program of the site's that finds names in texts: what it finds is taken out, too (docs/plugins.md).

    standard input    "Seen with Ms Ambrose"\n      one text a line, as a JSON string
    standard output   [[10, 20]]\n                  its places, as JSON: [start, end) in characters

Rules of this file
* It can only add removals: what the cleaner knows goes whatever it says, and nothing it says is written anywhere.
* One child, started when it is first needed, kept for many texts, under a limit of memory and of time for each text.
  A thread of its own starts it: a child dies with the thread that started it (launch.py).
* Where it dies it is started anew, once for a text. Where it fails, is late or answers anything else, the object is
  held: text that it has not seen does not leave.
* What it answered is remembered in memory: an image of a series brings the texts of the last one.

Reasons: plugin-answer, hosted-timeout, hosted-failed, hosted-missing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock

from gateway.config.schema import Plugin
from gateway.errors import HoldObject
from gateway.hosted.process import MISSING, Bounds, started, stopped
from gateway.hosted.waiting import ready

_REMEMBERED = 20_000  # texts
_LONG = 1 << 12  # characters of a text that is remembered
_TEXTS_OF_ONE = 100_000  # then the child is replaced: what it leaks ends
_CPU = 3600.0  # seconds of the processor for all of a child's texts
_PLACES = 64  # bytes of an answer for each character of the text: more is no answer

Places = tuple[tuple[int, int], ...]


@dataclass(slots=True)
class _Child:
    process: subprocess.Popen[bytes]
    given: int
    said: int
    folder: Path  # its own, private
    left: int = _TEXTS_OF_ONE


class Names:
    """The program, as the cleaner sees it (transforms/deidentify/text/cleaner.py, Remover). Safe to share."""

    def __init__(self, plugin: Plugin) -> None:
        self._plugin = plugin
        self._lock = Lock()
        self._child: _Child | None = None
        self._starter = ThreadPoolExecutor(1, "names")
        self._known: dict[str, Places] = {}

    def spans(self, text: str) -> Iterable[tuple[int, int]]:
        """The places of names. Raises HoldObject."""
        with self._lock:
            found = self._known.get(text)
            if found is None:
                found = self._asked(text)
                if len(text) <= _LONG:
                    if len(self._known) >= _REMEMBERED:
                        self._known.clear()
                    self._known[text] = found
            return found

    def close(self) -> None:
        """End the child."""
        with self._lock:
            self._ended()

    def _ended(self) -> None:
        if self._child is not None:
            _end(self._child)
            self._child = None

    def _asked(self, text: str) -> Places:
        fresh = self._child is None
        try:
            return self._once(text)
        except _Died as died:
            if fresh:
                raise HoldObject(died.reason, died.detail) from None
        try:
            return self._once(text)  # it died while nothing was asked, or of the last text: another one
        except _Died as died:
            raise HoldObject(died.reason, died.detail) from None

    def _once(self, text: str) -> Places:
        child, self._child = self._child or self._starter.submit(self._start).result(), None  # until it has answered
        line = b""
        try:
            line = _said(child, text, time.monotonic() + self._plugin.timeout)
        except TimeoutError:
            raise HoldObject("hosted-timeout", f"no answer after {self._plugin.timeout:g} s") from None
        except (OSError, EOFError):
            raise _died(child) from None
        finally:
            child.left -= 1
            if line and child.left > 0:
                self._child = child
            else:
                _end(child)
        try:
            return _places(json.loads(line), len(text))
        except (ValueError, TypeError, RecursionError):
            self._ended()
            self._known.clear()  # its last answers may have been those to other texts
            raise HoldObject("plugin-answer", "what it says of a text is no list of places in it") from None

    def _start(self) -> _Child:
        in_child, given = os.pipe()
        said, out_child = os.pipe()
        try:
            bounds = Bounds(_CPU, self._plugin.memory)
            folder = Path(tempfile.mkdtemp(prefix="dicom-gateway-"))
            with os.fdopen(in_child, "rb") as stdin, os.fdopen(out_child, "wb") as stdout:
                process = started(self._plugin.command, folder, bounds, stdin=stdin, stdout=stdout)
        except BaseException:
            os.close(given)
            os.close(said)
            raise
        os.set_blocking(given, False)
        return _Child(process, given, said, folder)


@cache
def names_of(plugin: Plugin) -> Names:
    """One a program and process, so that reloads start no other."""
    return Names(plugin)


class _Died(Exception):
    """The child is gone."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


def _died(child: _Child) -> _Died:
    with suppress(subprocess.TimeoutExpired):
        child.process.wait(1.0)
    if child.process.poll() == MISSING:
        return _Died("hosted-missing", "the program that finds names cannot be run")
    return _Died("hosted-failed", "the program that finds names ended")


def _end(child: _Child) -> None:
    stopped(child.process)
    shutil.rmtree(child.folder, ignore_errors=True)
    os.close(child.given)
    os.close(child.said)


def _said(child: _Child, text: str, deadline: float) -> bytes:
    """One text said, one line heard. Raises TimeoutError, EOFError, OSError."""
    if ready((child.said,), (), 0)[0]:  # its end; or words that would pass for the answer to this text
        if os.read(child.said, 1):
            return b"unasked\n"
        raise EOFError
    view = memoryview(json.dumps(text).encode("ascii") + b"\n")
    most = _PLACES * (len(text) + 1)
    line = b""
    while view or b"\n" not in line:
        left = deadline - time.monotonic()
        readable, writable = ready((child.said,), (child.given,) if view else (), left)
        if not readable and not writable:
            raise TimeoutError
        if writable:
            with suppress(BlockingIOError):
                view = view[os.write(child.given, view[: 1 << 16]) :]
        if readable:
            part = os.read(child.said, 1 << 16)
            if not part:
                raise EOFError
            line += part
            if len(line) > most:
                return b"too long\n"
    return line


def _places(answer: object, length: int) -> Places:
    """The places of an answer. Raises ValueError, TypeError."""
    if not isinstance(answer, list):
        raise TypeError
    found = []
    for each in answer:
        start, end = each
        if type(start) is not int or type(end) is not int or not 0 <= start < end <= length:
            raise ValueError
        found.append((start, end))
    return tuple(found)
