"""Reads what `strace -f -y -o FILE` wrote: one `Call` for each system call, in the order in which they were entered.

Rules of this file
* A call has two moments: the line it was entered at and the line it returned at. What overlaps has no order.
* A call that never returned (its process was killed) has failed, and ended never.
* Fail closed: a line that is not understood, or a string that strace cut short, is an error, never skipped. A judge of
  what is durable must have seen every byte.
* It knows the words of strace, and nothing of the gateway.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

NEVER = sys.maxsize
TRACED = (
    "openat,creat,write,pwrite64,writev,pwritev,pwritev2,sendto,sendmsg,sendfile,splice,copy_file_range,"
    "fsync,fdatasync,sync_file_range,msync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,"
    "truncate,ftruncate,fallocate"
)
LONGEST = 1 << 20  # bytes of a string that strace writes out


class NotUnderstood(ValueError):
    """A line of a trace that this reader has no meaning for."""


@dataclass(frozen=True, slots=True)
class Call:
    """One system call. `path` and `target` are absolute; what is not a path (a socket) is strace's word for it."""

    pid: int
    name: str
    begun: int  # line it was entered at
    ended: int  # line it returned at; NEVER where it did not
    result: int  # -1 where it failed or never returned
    error: str  # "ENOSPC", ...; "" where it went well
    path: str  # of the descriptor, or of the first name
    target: str = ""  # of the second name: rename, link
    data: bytes = b""  # that was written or sent: as many as the result says
    offset: int | None = None  # pwrite64; also the length of truncate and ftruncate
    flags: str = ""  # of openat

    @property
    def well(self) -> bool:
        """Whether it returned, and without an error."""
        return self.result >= 0


def command(out: str, *argv: str, more: Iterable[str] = ()) -> list[str]:
    """The strace command that writes such a file. `more`: further options, as for injected faults."""
    return [
        "strace",
        "-f",
        "--seccomp-bpf",
        "-y",
        "-q",
        "-s",
        str(LONGEST),
        "-e",
        f"trace={TRACED}",
        *more,
        "-o",
        out,
        *argv,
    ]


_LINE = re.compile(r"(\d+) +(.*)", re.DOTALL)
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)", re.DOTALL)
_NAME = re.compile(r"(\w+)\(")
_TOKEN = re.compile(
    r'"[^"\\]*(?:\\.[^"\\]*)*"(?:\.\.\.)?|<[^>]*>(?:\(deleted\))?|[\[\]{}()]|, |[^"\[\]{}()<,]+|[<,]', re.DOTALL
)
_RESULT = re.compile(r"\s*= (-?\d+|\?|0x[0-9a-f]+)(?:<[^>]*>)?(?:\(deleted\))?(?: ([A-Z]\w+))?")
_DESCRIPTOR = re.compile(r"(AT_FDCWD|-?\d+)(?:<(.*)>(\(deleted\))?)?", re.DOTALL)


def read(lines: Iterable[str]) -> list[Call]:
    """Every call of a trace, by its first moment. Raises NotUnderstood."""
    return sorted(_calls(lines), key=lambda call: call.begun)


def _calls(lines: Iterable[str]) -> Iterator[Call]:
    halves: dict[int, tuple[int, str]] = {}
    for at, line in enumerate(lines):
        found = _LINE.match(line.rstrip("\n"))
        if found is None:
            raise NotUnderstood(f"line {at}: no process id")
        pid, text = int(found[1]), found[2]
        if text.startswith(("+++", "---", "strace:", "???")):  # ???: it was gone before strace could ask which call
            if text.startswith("+++") and pid in halves:
                begun, half = halves.pop(pid)
                yield _never(pid, begun, half)
            continue
        resumed = _RESUMED.match(text)
        if resumed is not None:
            if pid not in halves:
                raise NotUnderstood(f"line {at}: resumed, but never entered")
            begun, half = halves.pop(pid)
            yield _call(pid, begun, at, half + resumed[2])
        elif text.endswith("<unfinished ...>"):
            if pid in halves:  # the same process cannot be in two calls: the first was cut off by execve of a sibling
                yield _never(pid, *halves.pop(pid))
            halves[pid] = (at, text[: -len("<unfinished ...>")].rstrip(" "))
        else:
            yield _call(pid, at, at, text)
    for pid, (begun, half) in halves.items():
        yield _never(pid, begun, half)


def _never(pid: int, begun: int, half: str) -> Call:
    return _call(pid, begun, NEVER, half.rstrip(", ") + ") = ?")


def _call(pid: int, begun: int, ended: int, text: str) -> Call:
    named = _NAME.match(text)
    if named is None:
        raise NotUnderstood(f"line {begun}: no call")
    name = named[1]
    arguments, rest = _split(text, named.end(), begun)
    result = _RESULT.match(rest)
    if result is None or name not in _SHAPES:
        raise NotUnderstood(f"line {begun}: {name} has no result, or no meaning here")
    value = -1 if result[1] == "?" else int(result[1], 0)
    error = "" if value >= 0 else (result[2] or "UNFINISHED")
    try:
        parts = _SHAPES[name](arguments)
    except (IndexError, ValueError, SyntaxError) as problem:
        if ended is NEVER:  # who died while it was being entered has told us only half of it, and has done nothing
            return Call(pid, name, begun, ended, -1, error, "")
        raise NotUnderstood(f"line {begun}: {name}: {problem}") from None
    data = parts.pop("data", b"")
    assert isinstance(data, bytes)
    if value >= 0 and name in _WRITES:
        if len(data) < value:
            raise NotUnderstood(f"line {begun}: {name} wrote {value} bytes and {len(data)} are in the trace")
        data = data[:value]
    return Call(pid, name, begun, ended, value, error, data=data, **parts)  # type: ignore[arg-type]


def _split(text: str, at: int, line: int) -> tuple[list[str], str]:
    """The arguments of a call that opens at `at`, and what stands behind its closing bracket."""
    found: list[str] = []
    current: list[str] = []
    depth = 0
    for token in _TOKEN.finditer(text, at):
        word = token[0]
        if word == ")" and depth == 0:
            return [*found, "".join(current)], text[token.end() :]
        if word in ("[", "{", "("):
            depth += 1
        elif word in ("]", "}", ")"):
            depth -= 1
        if word == ", " and depth == 0:
            found.append("".join(current))
            current = []
        else:
            current.append(word)
    raise NotUnderstood(f"line {line}: the call is not closed")


_QUOTED = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"(\.\.\.)?', re.DOTALL)


def _bytes(argument: str) -> bytes:
    """All quoted strings of an argument, one behind the other. Raises ValueError where strace cut one short."""
    found = []
    for text, cut in _QUOTED.findall(argument):
        if cut:
            raise ValueError("a string was cut short")
        found.append(ast.literal_eval(f'b"{text}"'))
    return b"".join(found)


def _iov(argument: str) -> bytes:
    return _bytes(argument.partition("msg_iov=")[2].partition("msg_control")[0])


def _descriptor(argument: str) -> str:
    found = _DESCRIPTOR.fullmatch(argument)
    if found is None:
        raise ValueError("no descriptor")
    return (found[2] or "") + (found[3] or "")


def _below(folder: str, name: str) -> str:
    found = _bytes(name).decode()
    return os.path.normpath(found if found.startswith("/") else f"{_descriptor(folder)}/{found}")


def _plain(name: str) -> str:
    return os.path.normpath(_bytes(name).decode())  # where it is relative, no rule here speaks of it


_WRITES = {"write", "pwrite64", "writev", "pwritev", "pwritev2", "sendto", "sendmsg"}
_SHAPES = {
    "openat": lambda a: {"path": _below(a[0], a[1]), "flags": a[2]},
    "creat": lambda a: {"path": _plain(a[0]), "flags": "O_CREAT|O_WRONLY|O_TRUNC"},
    "write": lambda a: {"path": _descriptor(a[0]), "data": _bytes(a[1])},
    "sendto": lambda a: {"path": _descriptor(a[0]), "data": _bytes(a[1])},
    "pwrite64": lambda a: {"path": _descriptor(a[0]), "data": _bytes(a[1]), "offset": int(a[3])},
    "writev": lambda a: {"path": _descriptor(a[0]), "data": _bytes(a[1])},
    "pwritev": lambda a: {"path": _descriptor(a[0]), "data": _bytes(a[1]), "offset": int(a[3])},
    "pwritev2": lambda a: {"path": _descriptor(a[0]), "data": _bytes(a[1]), "offset": int(a[3])},
    "sendmsg": lambda a: {"path": _descriptor(a[0]), "data": _iov(a[1])},
    "sendfile": lambda a: {"path": _descriptor(a[0])},
    "splice": lambda a: {"path": _descriptor(a[2])},
    "copy_file_range": lambda a: {"path": _descriptor(a[2])},
    "fsync": lambda a: {"path": _descriptor(a[0])},
    "fdatasync": lambda a: {"path": _descriptor(a[0])},
    "sync_file_range": lambda a: {"path": _descriptor(a[0])},
    "msync": lambda a: {"path": ""},
    "rename": lambda a: {"path": _plain(a[0]), "target": _plain(a[1])},
    "renameat": lambda a: {"path": _below(a[0], a[1]), "target": _below(a[2], a[3])},
    "renameat2": lambda a: {"path": _below(a[0], a[1]), "target": _below(a[2], a[3])},
    "link": lambda a: {"path": _plain(a[0]), "target": _plain(a[1])},
    "linkat": lambda a: {"path": _below(a[0], a[1]), "target": _below(a[2], a[3])},
    "unlink": lambda a: {"path": _plain(a[0])},
    "unlinkat": lambda a: {"path": _below(a[0], a[1])},
    "mkdir": lambda a: {"path": _plain(a[0])},
    "mkdirat": lambda a: {"path": _below(a[0], a[1])},
    "truncate": lambda a: {"path": _plain(a[0]), "offset": int(a[1])},
    "ftruncate": lambda a: {"path": _descriptor(a[0]), "offset": int(a[1])},
    "fallocate": lambda a: {"path": _descriptor(a[0])},
}
