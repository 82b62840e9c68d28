"""The codecs: lossless round trips of every kind of pixel, two decoders that agree, and doubt that is not passed on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.pixels.building import anatomy, opened
from transforms.dataset import framing, part10
from transforms.dataset import syntax as syntaxes
from transforms.errors import TransformError
from transforms.pixels import codecs, forms, frames
from transforms.pixels.image import Image, describe, has_pixels
from transforms.source import BytesSource

RNG = np.random.default_rng(3)
KINDS: dict[str, tuple[Any, int]] = {
    "8 bit": (RNG.integers(0, 256, (33, 47), np.uint8), 8),
    "12 of 16": (RNG.integers(0, 4096, (33, 47), np.uint16), 12),
    "16 bit": (RNG.integers(0, 65536, (33, 47), np.uint16), 16),
    "signed 16": (RNG.integers(-32768, 32768, (33, 47), np.int16), 16),
    "signed 12 of 16": (RNG.integers(-2048, 2048, (33, 47), np.int16), 12),
    "colour": (RNG.integers(0, 256, (33, 47, 3), np.uint8), 8),
}
WRITTEN = {
    "RLE": forms.RLE, "JPEG lossless": forms.LOSSLESS, "JPEG lossless SV1": forms.LOSSLESS_SV1, "JPEG-LS": forms.LS,
    "JPEG 2000": forms.J2K, "HTJ2K": forms.HT,
}  # fmt: skip


def image(array: Any, stored: int) -> Image:
    return Image(
        *array.shape[:2], 3 if array.ndim == 3 else 1, array.dtype.itemsize * 8, stored, array.dtype.kind == "i",
        "RGB" if array.ndim == 3 else "MONOCHROME2", False, 1,
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("syntax", WRITTEN)
def test_what_is_encoded_comes_back(syntax: str, kind: str) -> None:
    array, stored = KINDS[kind]
    what = image(array, stored)
    data = codecs.encode(array, what, WRITTEN[syntax])
    done = codecs.decode(data, what, WRITTEN[syntax])
    assert np.array_equal(done.array, array) and done.array.dtype == array.dtype


def test_every_lossless_file_of_the_corpus(corpus_files: list[Path]) -> None:
    """Both decoders agree on each, frame by frame; what none of them decodes is not counted."""
    agreed = 0
    for path in corpus_files:
        whole = BytesSource(path.read_bytes())
        try:
            found = part10.split(whole, tolerant=True)
            known = syntaxes.lookup(found.syntax)
            source = BytesSource(whole.pread(found.offset, whole.size - found.offset))
            if not known.encapsulated or known.lossless is False or known.uid not in forms.DECODED:
                continue
            index = framing.check(source, found.syntax)
            if not has_pixels(index):
                continue
            what = describe(source, index)
            places = frames.frames_of(source, index, what)
        except TransformError:
            continue
        for place in places[:20]:
            try:
                codecs.decode(frames.read(source, place), what, found.syntax)
            except TransformError as error:
                assert error.reason == "frame-undecodable", path
                assert "sequence-delimiter" in path.name, path
            else:
                agreed += len(codecs.DECODERS[found.syntax]) > 1
    assert agreed > 30


def test_decoders_that_disagree(monkeypatch: pytest.MonkeyPatch) -> None:
    array, stored = KINDS["8 bit"]
    what = image(array, stored)
    data = codecs.encode(array, what, forms.RLE)

    def other(data: bytes, image: Image, uid: str) -> codecs.Decoded:
        wrong = array.copy()
        wrong[5, 5] ^= 1
        return codecs.Decoded(wrong, image.photometric)

    first, _ = codecs.DECODERS[forms.RLE]
    monkeypatch.setitem(codecs.DECODERS, forms.RLE, (first, ("other", other)))
    with pytest.raises(TransformError, match="decoders-disagree"):
        codecs.decode(data, what, forms.RLE)


def test_an_encoder_that_loses_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    array, stored = KINDS["8 bit"]
    monkeypatch.setitem(codecs.ENCODERS, forms.RLE, ("rle", lambda a, i, u: codecs._encode_rle(a ^ 1, i, u)))
    with pytest.raises(TransformError, match="codec-failed"):
        codecs.encode(array, image(array, stored), forms.RLE)


def test_other_rows_than_the_stream_has() -> None:
    array, stored = KINDS["8 bit"]
    for uid in WRITTEN.values():
        data = codecs.encode(array, image(array, stored), uid)
        with pytest.raises(TransformError, match=r"frame-undecodable|decoders-disagree"):
            codecs.decode(data, replace(image(array, stored), rows=34), uid)


def test_shared_colours_are_doubled() -> None:
    what = Image(1, 3, 3, 8, 8, False, "YBR_FULL_422", False, 1)
    assert codecs.from_native(bytes([1, 2, 30, 40, 3, 4, 50, 60]), what).tolist() == [
        [[1, 30, 40], [2, 30, 40], [3, 50, 60]]
    ]


def test_the_building_of_tests() -> None:
    from tests.unit.pixels.building import data_set

    picture = anatomy(40, 50)
    for uid in WRITTEN.values():
        _, _, found = opened(*data_set([picture, picture], uid))
        assert len(found) == 2 and np.array_equal(found[1], picture)
