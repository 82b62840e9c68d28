"""A process of our own that reads frames: decoders and text detectors meet hostile bytes there, not in a worker.

Rules of this file
* One child, started when it is first needed, kept for many frames; under a limit of memory, and of time for each frame.
  A thread of its own starts it: a child dies with the thread that started it (launch.py), and lanes come and go.
* One that dies, is late or answers nonsense costs the frame it had, not the next one: another child is started.
* It gets pixels and how to read them. No name, no key, no path; it says boxes, frames, or a reason.
* Safe to use from many threads: one frame at a time.

Reasons: frame-too-costly, and those of transforms/pixels.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import IO, Literal

import msgspec

from gateway.hosted.process import Bounds, started, stopped
from gateway.hosted.waiting import ready
from transforms.errors import TransformError
from transforms.pixels.boxes import Box
from transforms.pixels.image import Image
from transforms.pixels.rendering import Rendering

BOUNDS = Bounds(timeout=120.0, memory=4 << 30, output=0)  # a frame; the models of the detector need address space
_FRAMES_OF_ONE = 2000  # then the child is replaced: what it leaks ends
_LONGEST = 1 << 31  # bytes of an answer
_LONGEST_HEAD = 16 << 20  # bytes of what it says beside them
_IDLE_CPU = 3600.0  # seconds of the processor for all of a child's frames


class Task(msgspec.Struct, frozen=True):
    """What is to be done to one frame, whose bytes follow."""

    do: Literal["blank", "transcode", "find", "preview", "draw"]
    image: Image
    syntax: str
    boxes: tuple[Box, ...] = ()
    to: str = ""
    how: Rendering | None = None  # draw


class Done(msgspec.Struct):
    """What came of it; the frame's or picture's bytes follow."""

    boxes: tuple[Box, ...] = ()
    photometric: str = ""
    sha256: str = ""
    reason: str = ""
    detail: str = ""


@dataclass(slots=True)
class _Child:
    process: subprocess.Popen[bytes]
    given: int
    said: int
    left: int = _FRAMES_OF_ONE


class Frames:
    """The child, as its users see it."""

    def __init__(self, bounds: Bounds = BOUNDS) -> None:
        self._bounds = bounds
        self._lock = Lock()
        self._child: _Child | None = None
        self._starter = ThreadPoolExecutor(1, "frames")

    def do(self, task: Task, data: bytes) -> tuple[Done, bytes]:
        """One task. Raises TransformError with the child's reason, or frame-too-costly."""
        with self._lock:
            child, self._child = self._child, None  # until it has answered
            if child is not None and child.process.poll() is not None:
                _end(child)  # it has died since: no fault of this frame
                child = None
            child = child or self._starter.submit(self._start).result()
            try:
                done, out = _asked(child, task, data, time.monotonic() + self._bounds.timeout)
            except (OSError, EOFError, TimeoutError, msgspec.DecodeError):
                _end(child)
                raise TransformError("frame-too-costly", "its decoder died, or went past a limit") from None
            child.left -= 1
            if child.left > 0:
                self._child = child
            else:
                _end(child)
        if done.reason:
            raise TransformError(done.reason, done.detail)
        return done, out

    def close(self) -> None:
        """End the child."""
        with self._lock:
            child, self._child = self._child, None
        if child is not None:
            _end(child)

    def _start(self) -> _Child:
        in_child, given = os.pipe()
        said, out_child = os.pipe()
        try:
            bounds = Bounds(_IDLE_CPU, self._bounds.memory, self._bounds.output)
            with os.fdopen(in_child, "rb") as stdin, os.fdopen(out_child, "wb") as stdout:
                process = started((sys.executable, "-m", __name__), _nowhere(), bounds, stdin=stdin, stdout=stdout)
        except BaseException:
            os.close(given)
            os.close(said)
            raise
        os.set_blocking(given, False)
        return _Child(process, given, said)


@cache
def _nowhere() -> Path:
    """An empty folder: the child's own, nothing is written there."""
    folder = Path(tempfile.mkdtemp(prefix="dicom-gateway-"))
    import atexit

    atexit.register(lambda: _gone(folder))
    return folder


def _gone(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def _end(child: _Child) -> None:
    stopped(child.process)
    os.close(child.given)
    os.close(child.said)


def _asked(child: _Child, task: Task, data: bytes, deadline: float) -> tuple[Done, bytes]:
    """Say a task and hear what came of it, before the deadline."""
    head = msgspec.json.encode(task)
    view = memoryview(len(head).to_bytes(4, "big") + len(data).to_bytes(8, "big") + head + data)
    while view:
        if not ready((), (child.given,), deadline - time.monotonic())[1]:
            raise TimeoutError
        with suppress(BlockingIOError):
            view = view[os.write(child.given, view[: 1 << 20]) :]
    sizes = _heard(child.said, 12, deadline)
    said, size = int.from_bytes(sizes[:4], "big"), int.from_bytes(sizes[4:], "big")
    if said > _LONGEST_HEAD or size > _LONGEST:
        raise EOFError
    done = msgspec.json.decode(_heard(child.said, said, deadline), type=Done)
    return done, _heard(child.said, size, deadline)


def _heard(descriptor: int, size: int, deadline: float) -> bytes:
    parts = []
    while size:
        if not ready((descriptor,), (), deadline - time.monotonic())[0]:
            raise TimeoutError
        part = os.read(descriptor, min(size, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def main() -> None:
    """The child: tasks on standard input until it ends, answers on standard output."""
    given, said = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    while True:
        sizes = given.read(12)
        if len(sizes) < 12:
            return
        task = msgspec.json.decode(given.read(int.from_bytes(sizes[:4], "big")), type=Task)
        data = given.read(int.from_bytes(sizes[4:], "big"))
        try:
            done, out = _did(task, data)
        except TransformError as error:
            done, out = Done(reason=error.reason, detail=error.detail), b""
        except MemoryError:
            done, out = Done(reason="frame-too-costly", detail="memory"), b""
        _say(said, done, out)


def _did(task: Task, data: bytes) -> tuple[Done, bytes]:
    from transforms.pixels import working

    if task.do == "blank":
        return Done(), working.blanked(data, task.image, task.syntax, task.boxes)
    if task.do == "transcode":
        made = working.transcoded(data, task.image, task.syntax, task.to)
        return Done(photometric=made.photometric, sha256=made.sha256), made.data
    if task.do == "draw":
        from transforms.pixels.drawing import drawn

        return Done(), drawn(data, task.image, task.syntax, task.how)
    if task.do == "preview":
        return Done(), working.preview(data, task.image, task.syntax)
    from gateway.hosted import text

    return Done(boxes=working.found(data, task.image, task.syntax, text.look, text.second())), b""


def _say(said: IO[bytes], done: Done, out: bytes) -> None:
    head = msgspec.json.encode(done)
    said.write(len(head).to_bytes(4, "big") + len(out).to_bytes(8, "big") + head + out)
    said.flush()


@cache
def frames() -> Frames:
    """The one of this process."""
    return Frames()


if __name__ == "__main__":
    main()
