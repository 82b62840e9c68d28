"""`python -m benchmarks.ocr`: what looking for burned-in text costs: seconds of one core, a frame.

Rules of this file
* Processor time is counted, of the detectors and of tesseract that they start: a busy machine makes no figure larger.
* Frames are drawn: speckle in a sector, two texts, each frame another one; the first is not counted (models are read).
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys

import numpy as np
from PIL import Image as Pictures
from PIL import ImageDraw, ImageFilter, ImageFont

from gateway.config.pixels import detector
from gateway.hosted import text
from transforms.dataset.syntax import EXPLICIT_LE
from transforms.pixels import working
from transforms.pixels.image import Image

SIZES = ((240, 320), (480, 640), (768, 1024), (1200, 1600))  # rows, columns


def frame(rows: int, columns: int, seed: int) -> bytes:
    """A grey frame of 8 bits."""
    rng = np.random.default_rng(seed)
    noise = Pictures.fromarray(rng.integers(0, 256, (rows, columns), np.uint8)).filter(ImageFilter.GaussianBlur(2))
    down, across = np.mgrid[0:rows, 0:columns]
    sector = np.abs(across - columns / 2) < (down - rows * 0.05)
    picture = Pictures.fromarray(np.where(sector, np.asarray(noise), 0).astype(np.uint8))
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(16)
    for at in ((8, 8), (columns // 2, rows * 2 // 3)):
        pen.text(at, f"DOE^JANE {seed:07d} 1950-01-31", font=font, fill=255)
    return picture.tobytes()


def spent() -> float:
    """Seconds of the processor so far, of this process and of those that it has waited for."""
    return sum(os.times()[:4])


def main() -> int:
    """One table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ocr", description="Seconds of a core a frame.")
    parser.add_argument("--frames", type=int, default=5, help="of each size")
    asked = parser.parse_args()
    if not detector():
        print("the extra `ocr` is not installed", file=sys.stderr)
        return 2
    second = text.second()
    before = spent()
    image = Image(*SIZES[0], 1, 8, 8, False, "MONOCHROME2", False, 1)
    working.found(frame(*SIZES[0], 0), image, EXPLICIT_LE, text.look, second)
    print(f"start, with a first frame: {spent() - before:.1f} s of a core; tesseract: {'yes' if second else 'no'}\n")
    print("| rows x columns | seconds of a core a frame | boxes |\n|---|---|---|")
    for rows, columns in SIZES:
        image = Image(rows, columns, 1, 8, 8, False, "MONOCHROME2", False, 1)
        took, boxes = [], []
        for seed in range(1, asked.frames + 1):
            data, before = frame(rows, columns, seed), spent()
            boxes.append(len(working.found(data, image, EXPLICIT_LE, text.look, second)))
            took.append(spent() - before)
        times = f"{statistics.median(took):.1f} ({min(took):.1f}-{max(took):.1f})"
        print(f"| {rows} x {columns} | {times} | {min(boxes)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
