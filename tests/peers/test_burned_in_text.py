"""Burned-in text of many looks, in every syntax: after clean-pixel-data neither of two engines reads any of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gateway.errors import HoldObject
from gateway.pixels.cleaning import How, cleaned
from tests.peers import burned
from tests.unit.pixels.building import opened
from transforms.dataset import convert, framing, part10, syntax
from transforms.errors import TransformError
from transforms.pixels import forms
from transforms.pixels.image import has_pixels
from transforms.pixels.risk import facts_of, risk
from transforms.source import BytesSource

pytestmark = pytest.mark.peers


def scratch(data: object) -> BytesSource:
    return BytesSource(b"".join(data))  # type: ignore[arg-type]


def check(case: burned.Case) -> None:
    source, uid = burned.made(case)
    done = cleaned(source, uid, How(), scratch)
    assert done.ran, case
    assert burned.readable(done.source, uid, case) == [], case
    if uid == forms.BASELINE:
        return
    boxes = int(done.steps[0].rsplit(":", 1)[1])
    _, _, before = opened(source, uid)
    _, _, after = opened(done.source, uid)
    for was, now in zip(before, after, strict=True):
        changed = (was != now).reshape(*was.shape[:2], -1).any(axis=2)
        assert boxes and 0 < changed.mean() < max(0.6, 1.5 * burned.share(case)), case
        assert len(np.unique(now.reshape(*now.shape[:2], -1)[changed], axis=0)) == 1, "as it was, or black"


@pytest.mark.parametrize(
    "case",
    [
        burned.Case("", 18, 255, False, "grey8", "native", 1, 480, 640),
        burned.Case("", 11, 110, True, "colour", "JPEG-LS", 2, 512, 512),
    ],
    ids=["plain", "small"],
)
def test_the_judges_read_what_was_not_cleaned(case: burned.Case, program: object) -> None:
    """The known-bad twin: of the same image before it is cleaned they read everything, small, pale and turned too."""
    source, uid = burned.made(case)
    assert burned.readable(source, uid, case) == sorted(burned.TOKENS)


@pytest.mark.parametrize("case", burned.cases(4, seed=11), ids=lambda each: f"{each.form}-{each.syntax}-{each.size}")
def test_nobody_reads_it_any_more(case: burned.Case, program: object) -> None:
    check(case)


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", burned.cases(56), ids=lambda each: f"{each.form}-{each.syntax}-{each.size}-{each.rows}"
)
def test_of_all_looks(case: burned.Case, program: object) -> None:
    check(case)


@pytest.mark.slow
def test_the_corpus(corpus_files: list[Path], program: object) -> None:
    """Ultrasound and secondary captures of the corpus: no word of three letters is left that both engines read."""
    looked = held = 0
    for path in corpus_files:
        whole = BytesSource(path.read_bytes())
        try:
            found = part10.split(whole, tolerant=True)
            source = BytesSource(whole.pread(found.offset, whole.size - found.offset))
            known = syntax.lookup(found.syntax)
            uid = found.syntax
            if known.uncompressed and uid != syntax.EXPLICIT_LE:
                source, uid = BytesSource(_all(convert.to_explicit_le(source, uid))), syntax.EXPLICIT_LE
            index = framing.check(source, uid)
        except TransformError:
            continue
        if not has_pixels(index) or not risk(facts_of(source, index)):
            continue
        try:
            done = cleaned(source, uid, How(most=3), scratch)
        except (TransformError, HoldObject):
            held += 1
            continue
        looked += 1
        _, image, frames = opened(done.source, uid)
        del image
        words = set(burned.letters(_picture(frames[0])).split())
        assert not {word for word in words if word.isalpha() and len(word) > 4}, path.name
    assert looked > 10
    print(f"looked at {looked}, held {held}")


def _picture(frame: np.ndarray) -> np.ndarray:
    scaled = (255.0 * (frame - float(frame.min())) / max(1.0, float(frame.max()) - float(frame.min()))).astype(np.uint8)
    return scaled if scaled.ndim == 3 else np.repeat(scaled[..., np.newaxis], 3, axis=2)


def _all(source: object) -> bytes:
    return source.pread(0, source.size)  # type: ignore[attr-defined,no-any-return]
