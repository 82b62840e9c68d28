"""The seeded corpus: CT slices by study, large multi-frames, reports. Made once per size, kept in benchmarks/out/.

Each object names its invented patient in some twenty places (examples/study.py), so that a leak is seen.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "examples"))

import study  # noqa: E402
from pydicom.dataset import Dataset  # noqa: E402

SLICES = 50  # of a study
FORMAT = 2  # of what lies on disk; one more makes it anew


class Sizes(NamedTuple):
    """How much of each kind."""

    ct: int = 1000
    frames: int = 20  # objects
    frame_bytes: int = 50_000_000  # of each
    reports: int = 2000

    def of(self, kind: str) -> int:
        """Objects of a kind."""
        return {"ct": self.ct, "multiframe": self.frames, "sr": self.reports}[kind]


FULL = Sizes()
QUICK = Sizes(ct=200, frames=4, frame_bytes=10_000_000, reports=100)
KINDS = ("ct", "multiframe", "sr")


class Piece(NamedTuple):
    """One object of the corpus."""

    file: str  # relative to the corpus
    study: str
    size: int  # bytes of the file
    pixels: str  # SHA-256 of Pixel Data; "" where there is none


class Corpus(NamedTuple):
    """A folder of one kind."""

    folder: Path
    pieces: tuple[Piece, ...]

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(piece.size for piece in self.pieces)

    def studies(self) -> list[list[Piece]]:
        """The objects by study, in order."""
        found: dict[str, list[Piece]] = {}
        for piece in self.pieces:
            found.setdefault(piece.study, []).append(piece)
        return list(found.values())


def objects(kind: str, sizes: Sizes, seed: int) -> Iterator[Dataset]:
    """The objects of a kind, in the order in which they are sent."""
    if kind == "ct":
        for number in range(sizes.ct):
            yield study.ct(seed + number // SLICES, number % SLICES + 1)
    elif kind == "multiframe":
        frames = max(2, sizes.frame_bytes // (240 * 320 * 3))
        for number in range(sizes.frames):
            data = study.screen(seed + 1000 + number // 5, number % 5 + 1, frames=frames)
            data.BurnedInAnnotation = "NO"  # the work is to move it
            # Each frame differs, as in life: nothing is won by finding equal blocks.
            data.PixelData = scrambled(data.PixelData, seed + number)
            yield data
    elif kind == "sr":
        image = study.reference_only(study.ct(seed, 1, rows=8))
        for number in range(sizes.reports):
            of_study = seed + 2000 + number // 50
            if number % 4 == 3:
                yield study.key_object(of_study, [image], number + 1)
            else:
                yield study.report(of_study, [image], number + 1, findings=8 + number % 80)
    else:
        raise ValueError(f"no kind of corpus: {kind}")


def scrambled(pixels: bytes, seed: int) -> bytes:
    """As many bytes of seeded noise."""
    import numpy as np

    return np.random.default_rng(seed).bytes(len(pixels))


def corpus(out: Path, kind: str, sizes: Sizes, seed: int = 42) -> Corpus:
    """The corpus of that kind; made if it is not there."""
    name = f"{kind}-{sizes.of(kind)}" + (f"x{sizes.frame_bytes}" if kind == "multiframe" else "")
    folder = out / "corpus" / f"{name}-seed{seed}-v{FORMAT}"
    index = folder / "index.json"
    if not index.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        pieces = []
        for number, data in enumerate(objects(kind, sizes, seed)):
            path = folder / f"{number:06d}.dcm"
            study.write(data, path)
            pixels = data.get("PixelData")
            digest = hashlib.sha256(pixels).hexdigest() if pixels is not None else ""
            pieces.append(Piece(path.name, data.StudyInstanceUID, path.stat().st_size, digest))
        index.write_text(json.dumps(pieces))
    return Corpus(folder, tuple(Piece(*line) for line in json.loads(index.read_text())))


def warm(found: Corpus) -> None:
    """Read it once, so that every system finds it in the page cache."""
    for piece in found.pieces:
        (found.folder / piece.file).read_bytes()
