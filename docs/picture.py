"""Makes pixels.png: an invented ultrasound image before and after, as `clean-pixel-data` leaves it.

    python docs/picture.py            writes docs/pixels.png

The patient is invented, the image a drawing. It needs the extra `ocr`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image as Pictures

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from gateway.hosted.frames import Frames, Task  # noqa: E402
from tests.unit.pixels.building import anatomy, drawn  # noqa: E402
from transforms.pixels.image import Image  # noqa: E402
from transforms.pixels.native import Blanked  # noqa: E402
from transforms.source import BytesSource  # noqa: E402

ROWS, COLUMNS = 300, 400
LINES = (("MUSTERMANN^ERIKA", (8, 6), 16), ("MRN-4711-0815  1964-08-12", (8, 26), 14), ("ST MARY", (318, 276), 14))


def main() -> None:
    """Draw, look, blank, and put both side by side."""
    picture = anatomy(ROWS, COLUMNS, 7)
    for text, at, size in LINES:
        picture = drawn(picture, text, at=at, size=size, ink=230)
    image = Image(ROWS, COLUMNS, 1, 8, 8, False, "MONOCHROME2", False, 1)
    worker = Frames()
    done, _ = worker.do(Task("find", image, "1.2.840.10008.1.2.1"), picture.tobytes())
    worker.close()
    raw = Blanked(BytesSource(picture.tobytes()), 0, image, done.boxes).pread(0, picture.size)
    after = np.frombuffer(raw, np.uint8).reshape(ROWS, COLUMNS)
    gap = np.full((ROWS, 12), 255, np.uint8)
    Pictures.fromarray(np.hstack((picture, gap, after))).save(HERE / "pixels.png", optimize=True)


if __name__ == "__main__":
    main()
