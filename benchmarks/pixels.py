"""`python -m benchmarks.pixels`: a banner blanked in ultrasound loops of 512x512, beside pydicom/deid, as ratios.

Rules of this file
* Both get the same rectangle: ours from a catalogue entry that vouches, deid's from a recipe. No text detector runs.
* Ours de-identifies the header, too, and checks what leaves; deid's cleaner does the pixels only.
* A figure is of a whole command over all objects less the same command over one: starting is not counted.
* Every output is read: the banner is of one colour, every pixel below it is the input's. Else there is no figure.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from benchmarks import peers, works
from benchmarks.report import spread
from benchmarks.works import timed
from examples import study

GATEWAY = Path(sys.executable).parent / "dicom-gateway"
SIDE, BANNER = 512, 40  # pixels
US_MULTIFRAME = "1.2.840.10008.5.1.4.1.1.3.1"
DEVICES = f"""devices:
  - name: bench
    match: {{manufacturer: ACME, model: BENCH, rows: {SIDE}, columns: {SIDE}}}
    boxes: [{{left: 0, top: 0, width: {SIDE}, height: {BANNER}}}]
    text: none
    why: a benchmark
"""
RECIPE = f"""FORMAT dicom

%filter dangerouscookie

LABEL banner
  contains Modality US
  coordinates 0,0,{SIDE},{BANNER}
"""


def loops(folder: Path, objects: int, frames: int) -> None:
    """Ultrasound loops in RGB, native, each with other pixels."""
    folder.mkdir()
    data: Dataset = study.screen(1, 1)
    study.fill(
        data, SOPClassUID=US_MULTIFRAME, Modality="US", Manufacturer="ACME", ManufacturerModelName="BENCH",
        Rows=SIDE, Columns=SIDE, NumberOfFrames=frames, SamplesPerPixel=3, PhotometricInterpretation="RGB",
        PlanarConfiguration=0, BitsAllocated=8, BitsStored=8, HighBit=7, PixelRepresentation=0,
    )  # fmt: skip
    data.file_meta.MediaStorageSOPClassUID = US_MULTIFRAME
    for number in range(objects):
        pixels = np.random.default_rng(number).integers(1, 256, frames * SIDE * SIDE * 3, np.uint8)
        data.PixelData = pixels.tobytes()
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = study.uid(1, "bench", number)
        data.InstanceNumber = number + 1
        study.write(data, folder / f"{number:05d}.dcm")


def ours(given: Path, out: Path, work: Path) -> tuple[float, int]:
    """Seconds and peak bytes of `deid --option clean-pixel-data`."""
    made = timed(
        [GATEWAY, "deid", "--option", "clean-pixel-data", "--devices", work / "devices.yaml", "--key", work / "key",
         "--processes", "1", "--out", out, given], out.parent,
    )  # fmt: skip
    return made.seconds, made.resident


def theirs(given: Path, out: Path, work: Path) -> tuple[float, int]:
    """The same of deid's DicomCleaner."""
    out.mkdir()
    script = Path(__file__).with_name("deid_pixels.py")
    made = timed([peers.python(), script, work / "recipe", given, out], out.parent)
    return made.seconds, made.resident


def wrong(given: Path, out: Path) -> str:
    """What is not as it has to be, or nothing."""
    files = [path for path in out.rglob("*.dcm") if path.is_file()]
    if len(files) != len(list(given.iterdir())):
        return f"{len(files)} outputs"
    for path in files:
        data = pydicom.dcmread(path)
        before = pydicom.dcmread(given / f"{int(data.InstanceNumber) - 1:05d}.dcm").pixel_array
        after = data.pixel_array
        if len(np.unique(after[:, :BANNER])) != 1 or not np.array_equal(after[:, BANNER:], before[:, BANNER:]):
            return "pixels are not as they should be"
    return ""


def main() -> int:
    """All rounds, one table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pixels", description="Masks beside pydicom/deid.")
    parser.add_argument("--objects", type=int, default=10)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    systems = {"gateway": ours}
    if why := peers.missing():
        print(f"deid is not run: {why}", file=sys.stderr)
    else:
        systems["deid"] = theirs
    took: dict[str, list[float]] = {name: [] for name in systems}
    with works.removed(works.root() / "pixels") as folder:
        loops(folder / "one", 1, asked.frames)
        loops(folder / "all", asked.objects, asked.frames)
        (folder / "devices.yaml").write_text(DEVICES)
        (folder / "recipe").write_text(RECIPE)
        (folder / "key").write_bytes(bytes(range(32)))
        (folder / "key").chmod(0o600)
        for number in range(asked.rounds):
            for name, run in list(systems.items())[:: 1 if number % 2 else -1]:
                with works.fresh(folder / f"{name}-{number}") as own:
                    whole, peak = run(folder / "all", own / "all", folder)
                    start, _ = run(folder / "one", own / "one", folder)
                    if fault := wrong(folder / "all", own / "all"):
                        print(f"NO FIGURE: {name}: {fault}", file=sys.stderr)
                        return 1
                took[name].append((whole - start) / (asked.objects - 1))
                print(
                    f"round {number + 1} {name}: {took[name][-1] * 1000:.0f} ms an object, {peak >> 20} MiB",
                    file=sys.stderr,
                )
    print(f"masks, {asked.objects} ultrasound loops of {asked.frames} frames 512x512 RGB, {asked.rounds} rounds\n")
    print("| system | ms an object | gateway / it |\n|---|---|---|")
    for name, each in took.items():
        ratios = [other / mine for other, mine in zip(each, took["gateway"], strict=True)]
        times = spread(ratios, 1) if name != "gateway" else ""
        print(f"| {name} | {statistics.median(each) * 1000:.0f} | {times} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
