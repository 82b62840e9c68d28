"""Burned-in text of many looks, in every syntax: after clean-pixel-data neither of two engines reads any of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gateway.errors import HoldObject
from gateway.hosted import text
from gateway.pixels.cleaning import How, cleaned
from tests.peers import burned
from tests.unit.pixels.building import opened
from transforms.dataset import convert, framing, part10, syntax
from transforms.errors import TransformError
from transforms.pixels import forms, pictures, working
from transforms.pixels.frames import frames_of, read
from transforms.pixels.image import describe, has_pixels
from transforms.pixels.risk import facts_of, risk
from transforms.source import BytesSource

# Patient's Name, ID, Birth Date, Other IDs; Accession Number, Study Date, Institution, Physicians
IDENTIFYING = (0x00100010, 0x00100020, 0x00100030, 0x00101000, 0x00080050, 0x00080020, 0x00080080, 0x00080090)
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


LARGE = (
    burned.Case("", 11, 110, False, "grey8", "native", 1, 1080, 1920),
    burned.Case("DejaVuSans.ttf", 14, 200, True, "grey8", "native", 1, 1200, 1600),
)
# Once missed: a pale name over speckle of its own brightness.
PALE = burned.Case("", 14, 110, False, "inverse", "native", 1, 480, 640)


@pytest.mark.parametrize(
    "case", [*burned.cases(4, seed=11), PALE], ids=lambda each: f"{each.form}-{each.syntax}-{each.size}"
)
def test_nobody_reads_it_any_more(case: burned.Case, program: object) -> None:
    check(case)


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [*burned.cases(56), *LARGE],
    ids=lambda each: f"{each.form}-{each.syntax}-{each.size}-{each.rows}",
)
def test_of_all_looks(case: burned.Case, program: object) -> None:
    check(case)


@pytest.mark.slow
@pytest.mark.parametrize("case", burned.cases(56, seed=2), ids=lambda each: f"{each.form}-{each.syntax}-{each.size}")
def test_every_line_lies_in_a_box(case: burned.Case, program: object) -> None:
    """Of another sample, whether anybody could read it or not."""
    source, uid = burned.made(case)
    _, image, frames = opened(source, uid)
    photometric = "RGB" if uid == forms.BASELINE and image.samples == 3 else image.photometric
    covered = np.zeros((case.rows, case.columns), bool)
    for box in pictures.text_boxes(frames[0], image, photometric, text.look, text.second()):
        covered[box.top : box.bottom, box.left : box.right] = True
    assert min(covered[line].mean() for line in burned.strokes(case)) > 0.97, case
    assert covered.mean() < 0.4 + 1.5 * burned.share(case), "and not the whole picture"


@pytest.mark.slow
def test_the_corpus(corpus_files: list[Path], program: object) -> None:
    """Risky images of the corpus: what leaves has no word that both engines read, and no value of its own header that
    either reads. With -s it says what became of each."""
    left: dict[str, set[str]] = {}
    looked = held = read_before = 0
    for path in corpus_files:
        if (found := _risky(path)) is None:
            continue
        source, uid, names = found
        try:
            before = _read(source, uid, names)
            done = cleaned(source, uid, How(most=3), scratch)
            after = _read(done.source, uid, names)
        except (TransformError, HoldObject) as error:
            held += 1
            print(f"held {error.reason} {path.name}", flush=True)
            continue
        looked += 1
        read_before += bool(before)
        print(f"looked {done.steps[0]} before {len(before)} after {len(after)} {path.name}", flush=True)
        if after:
            left[path.name] = after
    print(f"looked at {looked}, held {held}; words were read in {read_before} before, in {len(left)} after")
    assert looked > 10 and read_before > 5, "the judges read what is there"
    assert not left


def _risky(path: Path) -> tuple[BytesSource, str, set[str]] | None:
    """The data set, its syntax, and what its header says of the patient; None where nobody has to look at it."""
    whole = BytesSource(path.read_bytes())
    try:
        found = part10.split(whole, tolerant=True)
        source, uid = BytesSource(whole.pread(found.offset, whole.size - found.offset)), found.syntax
        if syntax.lookup(uid).uncompressed and uid != syntax.EXPLICIT_LE:
            source, uid = BytesSource(_all(convert.to_explicit_le(source, uid))), syntax.EXPLICIT_LE
        index = framing.check(source, uid)
        if not has_pixels(index) or not risk(facts_of(source, index)):
            return None
    except TransformError:
        return None
    said = b" ".join(index.value_bytes(source, tag) or b"" for tag in IDENTIFYING).decode("ascii", "replace")
    return source, uid, _words(said)


def _read(source: object, uid: str, names: set[str]) -> set[str]:
    """Words that both engines read in a frame, and identifying ones that one reads."""
    index = framing.check(source, uid)  # type: ignore[arg-type]
    image = describe(source, index)  # type: ignore[arg-type]
    found: set[str] = set()
    for place in frames_of(source, index, image)[:3]:  # type: ignore[arg-type]
        frame = working.opened(read(source, place), image, uid)  # type: ignore[arg-type]
        first, second = burned.by_both(pictures.shown(frame.array, image, frame.photometric)[0])
        found |= (_words(first) & _words(second)) | {name for name in names if name in first or name in second}
    return found


def _words(text: str) -> set[str]:
    """Those of four letters or digits and more: shorter ones come out of texture."""
    plain = "".join(each if each.isalnum() else " " for each in text.upper())
    return {word for word in plain.split() if len(word) > 3}


def _all(source: object) -> bytes:
    return source.pread(0, source.size)  # type: ignore[attr-defined,no-any-return]
