"""Burned-in text to clean, and two engines that judge whether anybody can still read it.

The judges recognise: rapidocr's whole chain, and tesseract; each on what the finder is shown, and on what looks like
ink alone, which the finder is not shown.

* They read where the text was drawn, with a margin, and nothing else: what is read out of speckle elsewhere cannot be
  of the text, and three letters come out of speckle by chance.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image as Pictures
from PIL import ImageDraw, ImageFont

from tests.unit.pixels.building import anatomy, data_set, jpeg, opened
from transforms.dataset.syntax import EXPLICIT_LE
from transforms.pixels import forms, pictures
from transforms.source import BytesSource

LINES = ("DOE^JANE M", "ID 4711220", "1950-01-31", "ST MARY HOSP")
TOKENS = ("DOE", "JANE", "4711", "1122", "1950", "0131", "MARY", "HOSP")
SYNTAXES = {
    "native": EXPLICIT_LE, "RLE": forms.RLE, "JPEG": forms.BASELINE, "JPEG lossless": forms.LOSSLESS_SV1,
    "JPEG-LS": forms.LS, "JPEG 2000": forms.J2K,
}  # fmt: skip
BRIGHT = 225  # of 255
FONTS = ("", "DejaVuSans.ttf", "DejaVuSansMono.ttf", "DejaVuSerif.ttf")


@dataclass(frozen=True)
class Case:
    """One image: how its text looks and how it is stored."""

    font: str
    size: int
    ink: int
    turned: bool
    form: str  # grey8, grey12, grey16, inverse, colour, ybr, palette
    syntax: str
    frames: int
    rows: int
    columns: int


def cases(count: int, seed: int = 1) -> list[Case]:
    """A sample of all combinations, each value in its turn."""
    chance = random.Random(seed)
    found = []
    for number in range(count):
        form = ("grey8", "grey12", "grey16", "inverse", "colour", "ybr", "palette")[number % 7]
        syntax = list(SYNTAXES)[number % len(SYNTAXES)]
        if syntax == "JPEG" and form not in ("grey8", "inverse", "ybr"):
            syntax = "native"
        rows, columns = ((480, 640), (512, 512), (768, 1024), (240, 320))[(number // 3) % 4]
        found.append(
            Case(
                FONTS[number % len(FONTS)], chance.choice((11, 14, 18, 26)), chance.choice((255, 255, 200, 110)),
                chance.random() < 0.3, form, syntax, 2 if number % 5 == 4 else 1, rows, columns,
            )
        )  # fmt: skip
    return found


def drawn(case: Case) -> np.ndarray:
    """The picture with four lines in a corner, and the same text somewhere in the image."""
    picture = anatomy(case.rows, case.columns, case.size, colour=case.form in ("colour", "ybr"))
    canvas = Pictures.fromarray(picture)
    ink: Any = case.ink if picture.ndim == 2 else (case.ink,) * 3
    for place in places(case):
        canvas.paste(ink, place, _block(case))
    return np.asarray(canvas)


def _block(case: Case) -> Pictures.Image:
    """The four lines, white on black."""
    font = ImageFont.load_default(case.size)
    if case.font:
        with contextlib.suppress(OSError):  # Pillow knows where fonts lie; without it the built-in one is drawn
            font = ImageFont.truetype(case.font, case.size)  # type: ignore[assignment]
    height = case.size * 3 // 2
    block = Pictures.new("L", (int(max(font.getlength(line) for line in LINES)) + 4, height * len(LINES)))
    for number, line in enumerate(LINES):
        ImageDraw.Draw(block).text((2, number * height), line, font=font, fill=255)
    return block.rotate(90, expand=True) if case.turned else block


def share(case: Case) -> float:
    """How much of the picture the lines take."""
    covered = np.zeros((case.rows, case.columns), bool)
    width, height = _block(case).size
    for left, top in places(case):
        covered[top : top + height, left : left + width] = True
    return float(covered.mean())


def places(case: Case) -> tuple[tuple[int, int], ...]:
    """Where the text begins: column and row."""
    return (6, 5), (case.columns * 5 // 8, case.rows * 5 // 8)


def strokes(case: Case) -> Iterator[np.ndarray]:
    """Where each line has ink, at each place: (rows, columns) of bool."""
    block = np.rot90(np.asarray(_block(case)), 3 * case.turned) > 100
    height = case.size * 3 // 2
    for number in range(len(LINES)):
        line = np.zeros_like(block)
        line[number * height : (number + 1) * height] = block[number * height : (number + 1) * height]
        line = np.rot90(line, case.turned)
        for left, top in places(case):
            found = np.zeros((case.rows, case.columns), bool)
            part = found[top : top + line.shape[0], left : left + line.shape[1]]
            part[:] = line[: part.shape[0], : part.shape[1]]
            if found.any():
                yield found


def made(case: Case) -> tuple[BytesSource, str]:
    """The data set of a case."""
    picture, more = drawn(case), {}
    uid = SYNTAXES[case.syntax]
    array: Any = picture
    if case.form == "grey12":
        array, more = picture.astype(np.uint16) * 16, {"stored": 12}
    elif case.form == "grey16":
        array = picture.astype(np.uint16) * 200 + 1000
    elif case.form == "inverse":
        array, more = 255 - picture, {"photometric": "MONOCHROME1"}
    elif case.form == "palette":
        ramp = (np.arange(256, dtype="<u2") * 257).tobytes()
        more = {"photometric": "PALETTE COLOR"}
        for colour in ("Red", "Green", "Blue"):
            more[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
            more[f"{colour}PaletteColorLookupTableData"] = ramp
    elif case.form == "ybr":
        array = np.asarray(Pictures.fromarray(picture).convert("YCbCr"))
        more = {"photometric": "YBR_FULL"}
    if uid == forms.BASELINE:
        shown = picture if case.form == "ybr" else array
        return data_set(array, uid, encoded=[jpeg(shown)] * case.frames, **more)
    return data_set([array] * case.frames, uid, **more)


def readable(source: Any, uid: str, case: Case) -> list[str]:
    """What of the text either engine reads in any frame."""
    _, image, frames = opened(source, uid)
    photometric = "RGB" if uid == forms.BASELINE and image.samples == 3 else image.photometric
    found = set()
    for frame in {each.tobytes(): each for each in frames}.values():
        shown = pictures.shown(frame, image, photometric)
        for picture in [*shown, _ink(shown[0].max(axis=2))]:
            read = letters(np.rot90(_where_drawn(picture, case), 3 * case.turned))
            found.update(token for token in TOKENS if token in read)
    return sorted(found)


def _ink(plain: np.ndarray) -> np.ndarray:
    """What is brightest, and what is flat but no background: strokes are drawn with one value, speckle has none."""
    around = np.pad(plain, 1, mode="edge")
    across = (around[1:-1, :-2] == plain) & (plain == around[1:-1, 2:])
    down = (around[:-2, 1:-1] == plain) & (plain == around[2:, 1:-1])
    background = np.bincount(plain.ravel(), minlength=256).argmax()
    ink = (plain >= BRIGHT) | ((across | down) & (plain != background))
    return np.repeat((ink * np.uint8(255))[..., np.newaxis], 3, axis=2)


def _where_drawn(picture: np.ndarray, case: Case) -> np.ndarray:
    """Both places, side by side: all four lines, whichever way they are turned, and what is around them."""
    around, side = case.size, 12 * case.size
    out = np.zeros((side, 2 * side, 3), np.uint8)
    for number, (left, top) in enumerate(places(case)):
        part = picture[max(0, top - around) :, max(0, left - around) :][:side, :side]
        out[: part.shape[0], number * side : number * side + part.shape[1]] = part
    return out


def letters(picture: np.ndarray) -> str:
    """All that the engines read, letters and digits only."""
    return " ".join(by_both(picture))


def by_both(picture: np.ndarray) -> tuple[str, str]:
    """What each of the two reads."""
    picture = np.ascontiguousarray(picture)
    large = np.repeat(np.repeat(picture, 2, axis=0), 2, axis=1) if max(picture.shape) < 700 else picture
    return _plain(_rapid(picture)), _plain(_tesseract(picture) + " " + _tesseract(large))


def _plain(text: str) -> str:
    return "".join(each for each in text.upper() if each.isalnum() or each.isspace())


@cache
def _engine() -> Any:
    from rapidocr import RapidOCR

    return RapidOCR(params={"Global.log_level": "critical", "EngineConfig.onnxruntime.intra_op_num_threads": 1})


def _rapid(picture: np.ndarray) -> str:
    told = _engine()(picture[..., ::-1])
    return " ".join(told.txts or ())


def _tesseract(picture: np.ndarray) -> str:
    program = shutil.which("tesseract")
    assert program is not None
    data = BytesIO()
    Pictures.fromarray(picture).save(data, "PNG")
    command = [program, "stdin", "stdout", "--psm", "11"]
    return subprocess.run(command, input=data.getvalue(), capture_output=True, check=True).stdout.decode()
