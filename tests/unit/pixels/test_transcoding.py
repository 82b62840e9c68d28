"""Transcoding: the same pixels in every syntax that is written here, attributes that keep telling the truth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.config.schema import Step
from gateway.errors import HoldObject
from gateway.hosted import frames as hosted
from gateway.hosted.frames import Done, Frames, Task
from gateway.pixels import transcoding
from gateway.pixels.transcoding import TARGETS, transcoded
from gateway.steps.contract import Passing
from tests.unit.pixels.building import anatomy, data_set, drawn, jpeg, opened
from transforms.dataset import convert, framing, part10, syntax
from transforms.dataset.framing import check
from transforms.dataset.values import read
from transforms.errors import TransformError
from transforms.pixels import forms
from transforms.source import BytesSource

PICTURE, COLOUR = drawn(anatomy(45, 67)), drawn(anatomy(45, 67, colour=True))
KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "grey": (PICTURE, {}),
    "12 bit": (PICTURE.astype(np.uint16) * 16, {"stored": 12}),
    "signed": (PICTURE.astype(np.int16) * 8 - 1000, {"stored": 16}),
    "colour": (COLOUR, {}),
    "by plane": (COLOUR, {"planar": 1}),
}


class Here(Frames):
    """The worker in this process."""

    def do(self, task: Task, data: bytes) -> tuple[Done, bytes]:
        return hosted._did(task, data)


def scratch(data: Iterable[bytes]) -> BytesSource:
    return BytesSource(b"".join(data))


def to(source: Any, uid: str, target: str) -> transcoding.Transcoded:
    return transcoded(source, uid, target, scratch, Here())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", TARGETS)
def test_there_and_back(target: str, kind: str) -> None:
    array, more = KINDS[kind]
    arrays = [array, np.roll(array, 5, axis=0)]
    source, uid = data_set(arrays, **more)
    there = to(source, uid, target)
    assert there.syntax == TARGETS[target]
    if target != "explicit-le":
        assert there.step.startswith(f"transcode:{target}")
    _, _, found = opened(there.source, there.syntax)
    assert all(np.array_equal(a, b) for a, b in zip(arrays, found, strict=True))
    back = to(there.source, there.syntax, "explicit-le")
    first, last = check(source, uid), check(back.source, back.syntax)
    _, _, again = opened(back.source, back.syntax)
    assert all(np.array_equal(a, b) for a, b in zip(arrays, again, strict=True))
    changed = {0x00280006} if kind == "by plane" else set()
    for tag in first.entries.keys() - {0x7FE00010} - changed:
        assert first.value_bytes(source, tag) == last.value_bytes(back.source, tag)
    if kind != "by plane":
        assert first.value_bytes(source, 0x7FE00010) == last.value_bytes(back.source, 0x7FE00010)
    assert target == "implicit-le" or (last.entries[0x7FE00010][0] == "OW") == (array.dtype.itemsize > 1)


def test_what_was_lossy_says_so() -> None:
    source, uid = data_set(COLOUR, forms.BASELINE, photometric="YBR_FULL_422", encoded=[jpeg(COLOUR)])
    done = to(source, uid, "explicit-le")
    index, image, (now,) = opened(done.source, done.syntax)
    assert image.photometric == "RGB" and np.abs(now.astype(int) - COLOUR).mean() < 8
    assert read(done.source, index, 0x00282110) == ("01",)
    assert read(done.source, index, 0x00282114) == ("ISO_10918_1",)
    assert float((read(done.source, index, 0x00282112) or ("0",))[0]) > 2


def test_what_it_says_of_its_past_stays() -> None:
    source, uid = data_set(
        PICTURE, forms.BASELINE, encoded=[jpeg(PICTURE)], LossyImageCompression="01", LossyImageCompressionRatio="40"
    )
    done = to(source, uid, "jpeg-ls")
    index = check(done.source, done.syntax)
    assert read(done.source, index, 0x00282112) == ("40",)


def test_objects_without_pixels_stay_uncompressed() -> None:
    source, uid = data_set(PICTURE)
    index = check(source, uid)
    bare = BytesSource(source.pread(0, index.entries[0x7FE00010][1]))
    assert to(bare, uid, "jpeg-ls") == (bare, uid, "")


def test_the_corpus_decompresses_and_packs_again(corpus_files: list[Path]) -> None:
    """Every lossless file through native pixels, RLE and native pixels again: the same bytes."""
    done = 0
    for path in corpus_files:
        whole = BytesSource(path.read_bytes())
        try:
            found = part10.split(whole, tolerant=True)
            known = syntax.lookup(found.syntax)
            if not known.encapsulated or known.lossless is False or path.stat().st_size > 1_000_000:
                continue
            source = BytesSource(whole.pread(found.offset, whole.size - found.offset))
            framing.check(source, found.syntax)
            plain = to(source, found.syntax, "explicit-le")
        except TransformError:
            continue
        packed = to(plain.source, plain.syntax, "rle")
        again = to(packed.source, packed.syntax, "explicit-le")
        assert convert.canonical_sha256(plain.source, plain.syntax) == convert.canonical_sha256(
            again.source, again.syntax
        )
        done += 1
    assert done > 15


def test_a_corrupt_frame_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway.steps import table

    monkeypatch.setattr(transcoding, "frames", Here)
    source, uid = data_set(PICTURE, forms.RLE, encoded=[b"\x01\0\0\0" + bytes(80)])
    passing = Passing(source, uid, None)  # type: ignore[arg-type]
    around = type("Around", (), {"scratch": staticmethod(scratch), "trace": False})()
    with pytest.raises(HoldObject, match="frame-undecodable"):
        table.run(passing, Step(transcode="explicit-le"), around)
    sound = replace(passing, source=data_set(PICTURE, forms.RLE)[0])
    done = table.run(sound, Step(transcode="explicit-le"), around)
    assert done.syntax == syntax.EXPLICIT_LE and done.done == ("transcode:explicit-le:1",)
