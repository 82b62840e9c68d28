"""The process that reads frames outlives what it reads, or another one takes its place; a frame is held, no more."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from unittest.mock import Mock

import numpy as np
import pytest

from gateway.hosted.frames import Frames, Task, _asked
from gateway.hosted.process import Bounds
from tests.files import many_files
from tests.unit.pixels.building import anatomy, drawn, jpeg
from transforms.errors import TransformError
from transforms.pixels import codecs, forms
from transforms.pixels.boxes import Box
from transforms.pixels.image import Image

ROWS, COLUMNS = 64, 80
IMAGE = Image(ROWS, COLUMNS, 1, 8, 8, False, "MONOCHROME2", False, 1)
PICTURE = drawn(anatomy(ROWS, COLUMNS), "DOE", size=12)
NATIVE = "1.2.840.10008.1.2.1"
SYNTAXES = {
    "RLE": forms.RLE, "JPEG baseline": forms.BASELINE, "JPEG lossless": forms.LOSSLESS_SV1, "JPEG-LS": forms.LS,
    "JPEG 2000": forms.J2K, "HTJ2K": forms.HT,
}  # fmt: skip


@pytest.fixture(scope="module")
def worker() -> Iterator[Frames]:
    found = Frames(Bounds(timeout=15.0, memory=3 << 30, output=0))
    yield found
    found.close()


def stream(uid: str) -> bytes:
    return jpeg(PICTURE) if uid == forms.BASELINE else codecs.encode(PICTURE, IMAGE, uid)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_two_hundred_mutated_streams(syntax: str, worker: Frames) -> None:
    """Each is done or held with a reason; the sound one after it is done as ever."""
    uid = SYNTAXES[syntax]
    sound = stream(uid)
    task = Task("blank", IMAGE, uid, (Box(0, 0, 40, 12),))
    wanted = worker.do(task, sound)
    chance = random.Random(syntax)
    held = 0
    for _ in range(200):
        broken = bytearray(sound)
        for _ in range(chance.randint(1, 8)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        if chance.random() < 0.2:
            del broken[chance.randrange(len(broken)) :]
        try:
            worker.do(task, bytes(broken))
        except TransformError as error:
            held += 1
            assert error.reason in (
                "frame-undecodable", "decoders-disagree", "jpeg-corrupt", "jpeg-unsupported", "pixels-size",
                "frame-too-costly", "codec-missing", "pixels-changed",
            )  # fmt: skip
    assert held > 20
    assert worker.do(task, sound) == wanted


def test_a_child_that_died_costs_no_frame() -> None:
    worker = Frames()
    task = Task("preview", IMAGE, NATIVE)
    try:
        done, picture = worker.do(task, PICTURE.tobytes())
        assert picture.startswith(b"\x89PNG") and not done.reason
        assert worker._child is not None
        os.kill(worker._child.process.pid, signal.SIGKILL)
        worker._child.process.wait()
        assert worker.do(task, PICTURE.tobytes())[1] == picture
    finally:
        worker.close()


def test_it_outlives_the_thread_that_needed_it_first() -> None:
    worker = Frames()
    task = Task("preview", IMAGE, NATIVE)
    try:
        first = threading.Thread(target=worker.do, args=(task, PICTURE.tobytes()))
        first.start()
        first.join()
        time.sleep(0.5)
        assert worker._child is not None and worker._child.process.poll() is None
        assert worker.do(task, PICTURE.tobytes())[1].startswith(b"\x89PNG")
    finally:
        worker.close()


@pytest.mark.parametrize("bounds", [Bounds(0.2, 3 << 30, 0), Bounds(20.0, 100 << 20, 0)], ids=["time", "memory"])
def test_limits(bounds: Bounds) -> None:
    large = Image(6000, 6000, 1, 16, 16, False, "MONOCHROME2", False, 1)
    worker = Frames(bounds)
    try:
        with pytest.raises(TransformError, match="frame-too-costly"):
            worker.do(Task("transcode", large, NATIVE, to=forms.J2K), bytes(large.frame_length))
    finally:
        worker.close()


def test_transcoding_tells_the_pixels_hash(worker: Frames) -> None:
    to, data = worker.do(Task("transcode", IMAGE, NATIVE, to=forms.LS), PICTURE.tobytes())
    back, raw = worker.do(Task("transcode", IMAGE, forms.LS, to=NATIVE), data)
    assert to.sha256 == back.sha256 and raw == PICTURE.tobytes()


def test_text_is_found() -> None:
    worker = Frames()
    picture = drawn(anatomy(240, 320), size=18)
    image = Image(240, 320, 1, 8, 8, False, "MONOCHROME2", False, 1)
    try:
        boxes = worker.do(Task("find", image, NATIVE), picture.tobytes())[0].boxes
    finally:
        worker.close()
    hidden = np.zeros((240, 320), bool)
    for box in boxes:
        hidden[box.top : box.bottom, box.left : box.right] = True
    assert hidden[picture == 255].all()


def test_a_child_that_says_too_much_is_not_listened_to() -> None:
    """It may have been taken over by what it read: what it says is bounded like what strangers say."""
    given, ours = os.pipe()
    child = Mock(given=os.open(os.devnull, os.O_WRONLY), said=given)
    for sizes in ((0xFFFFFFFF, 0), (1, 1 << 40)):
        os.write(ours, sizes[0].to_bytes(4, "big") + sizes[1].to_bytes(8, "big"))
        with pytest.raises(EOFError):
            _asked(child, Task("preview", IMAGE, NATIVE), b"", time.monotonic() + 2)
    for descriptor in (given, ours, child.given):
        os.close(descriptor)


def test_a_process_of_many_files_asks_as_well() -> None:
    worker = Frames()
    try:
        with many_files():
            _, data = worker.do(Task("transcode", IMAGE, NATIVE, to=forms.LS), PICTURE.tobytes())
        assert data
    finally:
        worker.close()
