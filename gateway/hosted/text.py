"""The text detectors, in the process that looks at frames: rapidocr's, whose models are in its wheel (extra `ocr`).

* Only boxes are asked for; nothing is recognised and nothing that was read goes anywhere.
* tesseract, where it is installed, looks too: what one misses the other may see. It gets the picture through a pipe.
"""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from io import BytesIO
from typing import Any, Final

from transforms.pixels.boxes import Box
from transforms.pixels.pictures import Look, Picture

_LONGEST: Final = 60.0  # seconds of one look of tesseract
_LARGEST: Final = 0.1  # of the picture
_SURE: Final = 50.0  # percent: below it, and with fewer than three letters or digits, tesseract sees texture


@cache
def _rapidocr() -> Any:
    from rapidocr import RapidOCR

    return RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.use_cls": False,
            # Shown at the sizes that transforms/pixels/pictures.py chose, not at one of its own.
            "Det.limit_type": "min",
            "Det.limit_side_len": 32,
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )


def look(picture: Picture) -> list[Box]:
    """Boxes of text in a picture of 8-bit colours."""
    found = _rapidocr()(picture[..., ::-1], use_det=True, use_cls=False, use_rec=False)
    return [] if found.boxes is None else [_around(each) for each in found.boxes]


def second() -> Look | None:
    """The other detector, where it is installed."""
    return _tesseract if shutil.which("tesseract") else None


def _around(corners: Any) -> Box:
    across, down = [float(each[0]) for each in corners], [float(each[1]) for each in corners]
    return Box(int(min(across)), int(min(down)), int(max(across)) + 1, int(max(down)) + 1)


def _tesseract(picture: Picture) -> list[Box]:
    program = shutil.which("tesseract") or "tesseract"
    from PIL import Image

    data = BytesIO()
    Image.fromarray(picture).convert("L").save(data, "PNG")
    told = subprocess.run(  # noqa: S603 - a fixed program, the picture through its standard input
        (program, "stdin", "stdout", "--psm", "11", "tsv"), input=data.getvalue(), capture_output=True,
        timeout=_LONGEST, check=True, env={"OMP_THREAD_LIMIT": "1", "LC_ALL": "C.UTF-8"},
    ).stdout.decode("utf-8", "replace")  # fmt: skip
    found = []
    for line in told.splitlines()[1:]:
        cells = line.split("\t")
        if len(cells) == 12 and float(cells[10]) >= _SURE and sum(each.isalnum() for each in cells[11]) > 2:
            left, top, width, height = (int(each) for each in cells[6:10])
            if width * height > _LARGEST * picture.shape[0] * picture.shape[1]:
                continue  # no word: what it makes of lines and edges
            found.append(Box(left, top, left + width, top + height))
    return found
