"""ICC profiles without words: littlecms (in Pillow) finds the same colours; mutated ones raise or lose their words."""

from __future__ import annotations

import io
import random

import pytest
from PIL import Image, ImageCms

from tests.unit.documents.planting import CANARY, profile
from transforms.documents import icc
from transforms.errors import TransformError


def opened(raw: bytes) -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(io.BytesIO(raw))


def lab(raw: bytes) -> bytes:
    gradient = Image.merge("RGB", [Image.radial_gradient("L").rotate(90 * turn) for turn in range(3)])
    transform = ImageCms.buildTransform(opened(raw), ImageCms.createProfile("LAB"), "RGB", "LAB")
    return ImageCms.applyTransform(gradient, transform).tobytes()  # type: ignore[union-attr]


@pytest.mark.parametrize("raw", [profile(), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()])
def test_colours_stay_and_words_go(raw: bytes) -> None:
    fresh = icc.wordless(raw)
    assert lab(fresh) == lab(raw)
    assert ImageCms.getProfileDescription(opened(fresh)).strip() == "de-identified"
    assert CANARY not in fresh and CANARY.decode().encode("utf-16-be") not in fresh and CANARY[:4] not in fresh
    assert icc.wordless(fresh) == fresh, "clean is clean"


def test_ours_is_srgb() -> None:
    ours, theirs = lab(icc.srgb()), lab(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    assert (
        max(min(abs(a - b), 256 - abs(a - b)) for a, b in zip(ours, theirs, strict=True)) <= 12
    )  # gamma 2.2 for the curve with a foot


@pytest.mark.parametrize("seed", range(4))
def test_mutated_profiles_raise_or_lose_their_words(seed: int) -> None:
    chosen = random.Random(seed)
    whole = profile()
    done = 0
    for _ in range(2000):
        raw = bytearray(whole)
        for _ in range(chosen.randint(1, 6)):
            raw[chosen.randrange(len(raw))] = chosen.randrange(256)
        if chosen.random() < 0.3:
            raw = raw[: chosen.randrange(len(raw))]
        try:
            fresh = icc.wordless(bytes(raw))
        except TransformError as error:
            assert error.reason == "icc-malformed"
        else:
            done += 1
            assert CANARY not in fresh and len(fresh) <= len(raw) + 400
    assert done > 100
