"""Logging of the process tree: one line an event, key=value, to standard error.

Rules of this file
* A log line names codes, counts and our own ids (listener, destination, association, spool name). Never a value
  out of a data set, never a UID of one: those are in the ledger and in the audit trail, which are 0600.
* Control characters cannot break a line: everything a peer could choose (an AE title) is escaped.
* What a library says is a message of its own making and may quote a value (pydicom quotes what it cannot read): of
  its lines and of Python's warnings stand there only who and where.
* A command at a terminal says no more than a log: neither in a warning of a library nor where it breaks off.
* A value cannot pass for two: what is more than one plain word stands in quotes, and its quotes are escaped.
"""

from __future__ import annotations

import logging
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, TextIO

_OURS: Final = str(Path(__file__).parents[1])
_PARTS: Final = ("gateway", "transforms", "profiles")  # of it: an environment may lie in the same directory
_UNSAFE = re.compile(r"[^\x20-\x7e]")
_WORD = re.compile(r"[^\s\"=\\]+")
_QUOTED = re.compile(r"[\"\\]")


class _Words(logging.Formatter):
    """`stored listener=hospital`, as a command says it."""

    def format(self, record: logging.LogRecord) -> str:
        text = _UNSAFE.sub(lambda m: f"\\x{ord(m[0]):02x}", record.getMessage()) if _ours(record) else _said(record)
        if record.exc_info and record.exc_info[1] is not None:
            text += f" {_fault(record.exc_info[1])}"
        return text


class _KeyValue(_Words):
    """`2026-11-23T18:44:01.123Z info worker-1 stored listener=hospital`."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}"
        return f"{stamp} {record.levelname.lower()} {record.name} {super().format(record)}"


def _fault(error: BaseException) -> str:
    """A traceback's last line may quote a value; the place and the class are enough to find the fault."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = _place(trace.tb_frame.f_code.co_filename, trace.tb_lineno) if trace else "?"
    return f"error={type(error).__name__} at={place}"


def _ours(record: logging.LogRecord) -> bool:
    return record.pathname.startswith(tuple(f"{_OURS}/{part}/" for part in _PARTS))


def _said(record: logging.LogRecord) -> str:
    return fields("library-message", at=_place(record.pathname, record.lineno))


def _place(path: str, line: int) -> str:
    return f"{path.rsplit('/', 2)[-1]}:{line}"


def _warn(once: bool) -> Callable[..., None]:
    """What stands in for `warnings.showwarning`; `once`: for each place."""
    warned = set[tuple[str, int]]()

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if once and (filename, lineno) in warned:
            return
        warned.add((filename, lineno))
        place = _place(filename, lineno)
        logging.getLogger("python").warning(fields("library-warning", kind=category.__name__, at=place))

    return show


def _escaped(found: re.Match[str]) -> str:
    return "\\" + found[0]


def configure(level: str = "INFO") -> None:
    """Send every logger of this process to standard error in our form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_KeyValue())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    warnings.showwarning = _warn(once=False)


def terminal() -> None:
    """What a command says where nobody has configured logs: the same, without the time; each place warns once."""
    if isinstance(logging.lastResort, logging.Handler):
        logging.lastResort.setFormatter(_Words())
    warnings.showwarning = _warn(once=True)
    sys.excepthook = _failed


def _failed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    logging.getLogger("command").critical("internal-error", exc_info=(kind, error, trace))


def fields(event: str, **values: object) -> str:
    """`fields("stored", listener="a b")` -> `stored listener="a b"`."""
    parts = [event]
    for key, value in values.items():
        text = str(value)
        parts.append(f"{key}={text}" if _WORD.fullmatch(text) else f'{key}="{_QUOTED.sub(_escaped, text)}"')
    return " ".join(parts)
