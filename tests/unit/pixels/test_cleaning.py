"""Clean Pixel Data over whole objects, with a detector that says what the test wants it to say."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.errors import HoldObject
from gateway.hosted import frames as hosted
from gateway.hosted.frames import Done, Frames, Task
from gateway.pixels import cleaning
from gateway.pixels.cleaning import How, cleaned
from gateway.pixels.groups import Groups
from tests.unit.pixels.building import SC, anatomy, data_set, drawn, jpeg, opened
from transforms.dataset.framing import check
from transforms.dataset.syntax import EXPLICIT_LE, IMPLICIT_LE
from transforms.deidentify.options import PIXELS
from transforms.pixels import forms
from transforms.pixels.boxes import Box
from transforms.pixels.frames import frames_of, read
from transforms.source import BytesSource

CT = "1.2.840.10008.5.1.4.1.1.2"
BOX = Box(8, 6, 120, 30)
PICTURE = drawn(anatomy(96, 160))
COLOUR = drawn(anatomy(96, 160, colour=True))
RAN = frozenset({PIXELS})


class Saying(Frames):
    """A worker in this process; its detector finds what it is told, by the frame's turn."""

    def __init__(self, *boxes: tuple[Box, ...]) -> None:
        super().__init__()
        self.boxes = boxes
        self.looked = 0

    def do(self, task: Task, data: bytes) -> tuple[Done, bytes]:
        if task.do == "find":
            self.looked += 1
            return Done(boxes=self.boxes[min(self.looked, len(self.boxes)) - 1]), b""
        return hosted._did(task, data)


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    cleaning._KNOWN.clear()


def scratch(data: Iterable[bytes]) -> BytesSource:
    return BytesSource(b"".join(data))


def clean(made: tuple[BytesSource, str], worker: Frames, how: How = How(), groups: Groups | None = None) -> Any:
    return cleaned(*made, how, scratch, groups, worker)


def hidden(rows: int = 96, columns: int = 160, box: Box = BOX) -> np.ndarray:
    found = np.zeros((rows, columns), bool)
    found[box.top : box.bottom, box.left : box.right] = True
    return found


LOSSLESS = {
    "native": EXPLICIT_LE, "implicit": IMPLICIT_LE, "RLE": forms.RLE, "JPEG lossless": forms.LOSSLESS_SV1,
    "JPEG-LS": forms.LS, "JPEG 2000": forms.J2K, "JPEG 2000, lossy syntax": forms.J2K_LOSSY, "HTJ2K": forms.HT,
}  # fmt: skip
KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "grey": (PICTURE, {}),
    "inverse": (255 - PICTURE, {"photometric": "MONOCHROME1"}),
    "12 bit": (PICTURE.astype(np.uint16) * 16, {"stored": 12}),
    "16 bit": (PICTURE.astype(np.uint16) * 257, {}),
    "signed": (PICTURE.astype(np.int16) * 8 - 1000, {"stored": 12}),
    "colour": (COLOUR, {}),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("syntax", LOSSLESS)
def test_pixels_outside_of_boxes_stay(syntax: str, kind: str) -> None:
    array, more = KINDS[kind]
    other = np.roll(array, 3, axis=0)
    before = data_set([array, other], LOSSLESS[syntax], SmallestImagePixelValue=0, **more)
    done = clean(before, Saying((BOX,), ()))
    assert done.ran == RAN and done.steps == ("pixels:text:1",)
    index, _, found = opened(done.source, before[1])
    for was, now in zip((array, other), found, strict=True):
        assert np.array_equal(was[~hidden()], now[~hidden()])
        assert len(np.unique(now[hidden()])) == 1, "one colour"
    assert 0x00280106 not in index and 0x00280010 in index


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_native_colour_by_plane(photometric: str, planar: int) -> None:
    done = clean(data_set(COLOUR, photometric=photometric, planar=planar), Saying((BOX,)))
    _, _, (now,) = opened(done.source, EXPLICIT_LE)
    assert np.array_equal(now[~hidden()], COLOUR[~hidden()])
    assert now[hidden()].tolist() == [[0, 0, 0] if photometric == "RGB" else [0, 128, 128]] * hidden().sum()


def test_lossy_jpeg_stays_jpeg() -> None:
    """Blocks outside keep their bits: no second compression. Frames without a box keep their bytes."""
    streams = [jpeg(np.roll(COLOUR, n, axis=0), subsampling=0) for n in range(3)]
    before = data_set(COLOUR, forms.BASELINE, photometric="YBR_FULL", encoded=streams)
    done = clean(before, Saying((BOX._replace(frames=(2,)),)))
    _, _, old = opened(*before)
    index, image, now = opened(done.source, forms.BASELINE)
    assert np.array_equal(old[0], now[0]) and np.array_equal(old[2], now[2])
    blocks = hidden(box=Box(8, 0, 120, 32))
    assert np.array_equal(old[1][~blocks], now[1][~blocks]) and now[1][blocks].max() == 0
    places = frames_of(done.source, index, image)
    assert [read(done.source, each).rstrip(b"\0") for each in (places[0], places[2])] == [streams[0], streams[2]]


def test_what_is_plain_is_left_alone() -> None:
    worker = Saying((BOX,))
    made = data_set(PICTURE, Modality="CT", SOPClassUID=CT)
    done = clean(made, worker)
    assert done.source is made[0] and not done.ran and not worker.looked
    assert clean(made, worker, How(every=True)).ran == RAN


@pytest.mark.parametrize("change", [
    {"Modality": "US"}, {"Modality": ""}, {"BurnedInAnnotation": "YES"}, {"SOPClassUID": SC}, {"ConversionType": "WSD"},
    {"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, {"ImageType": ["DERIVED", "PRIMARY", "DOSE REPORT"]},
    {"Modality": "SM", "ImageType": ["ORIGINAL", "PRIMARY", "LABEL", "NONE"]},
    {"Modality": "US", "BurnedInAnnotation": "NO"}, {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7.4"},
])  # fmt: skip
def test_what_is_risky(change: dict[str, Any]) -> None:
    plain = {"Modality": "CT", "SOPClassUID": CT}
    assert clean(data_set(PICTURE, **(plain | change)), Saying(())).ran == RAN
    assert clean(data_set(COLOUR, **plain), Saying(())).ran == RAN, "a CT in colours"


def test_no_text_found_is_an_answer_too() -> None:
    made = data_set(PICTURE)
    done = clean(made, Saying(()))
    assert done.source is made[0] and done.ran == RAN and done.steps == ("pixels:text:0",)


def test_without_a_detector_a_group_is_held_with_a_picture(tmp_path: Path) -> None:
    groups = Groups(tmp_path)
    with pytest.raises(HoldObject, match="burned-in-unknown: group") as told:
        clean(data_set(PICTURE), Saying((BOX,)), How(look=False), groups)
    (group,) = groups.all()
    assert group.name in told.value.detail and group.shape.model == "SONO 1"
    picture = groups.picture(group.name)
    assert picture is not None and picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_mode & 0o777 == 0o600 and groups.folder.stat().st_mode & 0o777 == 0o700
    groups.decided(group.name)
    assert not list(groups.folder.iterdir())


SITE = """devices:
  - name: ours
    match: {manufacturer: ACME, model: 'SONO*', rows: 96, columns: 160}
    boxes: [{left: 8, top: 6, width: 112, height: 24}]
    text: none
    why: looked at twenty exams
"""


def test_a_known_device_needs_no_detector(tmp_path: Path) -> None:
    site = tmp_path / "devices.yaml"
    site.write_text(SITE)
    worker = Saying((Box(0, 0, 160, 96),))
    done = clean(data_set(PICTURE), worker, How(site, look=False))
    _, _, (now,) = opened(done.source, EXPLICIT_LE)
    assert np.array_equal(now[~hidden()], PICTURE[~hidden()]) and now[hidden()].max() == 0
    assert done.steps == ("pixels:device:1",) and not worker.looked
    with pytest.raises(HoldObject, match="burned-in-unknown"):
        clean(data_set(anatomy(97, 160)), worker, How(site, look=False))  # another size


def test_too_many_frames_are_held() -> None:
    pictures = [np.roll(PICTURE, n, axis=1) for n in range(5)]
    with pytest.raises(HoldObject, match="more than 4 different frames"):
        clean(data_set(pictures), Saying(()), How(most=4))
    cleaning._KNOWN.clear()
    same = Saying(())
    clean(data_set([PICTURE] * 5), same, How(most=1))
    assert same.looked == 1


def test_a_frame_is_looked_at_once_for_all_destinations() -> None:
    worker = Saying((BOX,))
    for _ in range(3):
        clean(data_set(PICTURE), worker)
    assert worker.looked == 1


def test_video_is_held() -> None:
    made, _ = data_set(PICTURE, forms.BASELINE, encoded=[jpeg(PICTURE)])
    with pytest.raises(HoldObject, match="pixels-video"):
        clean((made, "1.2.840.10008.1.2.4.102"), Saying(()))


def test_all_but_the_ultrasound_regions(tmp_path: Path) -> None:
    from pydicom.dataset import Dataset

    region = Dataset()
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 20, 40
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 99, 89
    site = tmp_path / "devices.yaml"
    site.write_text(
        "devices:\n- {name: u, match: {manufacturer: ACME, rows: 96, columns: 160}, outside: ultrasound-regions,"
        " text: none, why: seen}\n"
    )
    made = data_set(PICTURE + 1, SequenceOfUltrasoundRegions=[region])
    _, _, (now,) = opened(clean(made, Saying(()), How(site)).source, EXPLICIT_LE)
    kept = hidden(box=Box(20, 40, 100, 90))
    assert np.array_equal(now[kept], (PICTURE + 1)[kept]) and now[~kept].max() == 0


def test_nothing_else_of_the_data_set_changes() -> None:
    source, uid = data_set(PICTURE, forms.RLE)
    done = clean((source, uid), Saying((BOX,)))
    before, after = check(source, uid), check(done.source, uid)
    assert list(before.entries) == list(after.entries)
    for tag in before.entries:
        if tag != 0x7FE00010:
            assert before.value_bytes(source, tag) == after.value_bytes(done.source, tag)
