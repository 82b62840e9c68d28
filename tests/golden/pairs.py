"""Writes the golden pairs: `python -m tests.golden.pairs` after a change that is meant to change them; read the diff.

A pair is a text: one line for each element whose output differs from the Basic Profile's, with the value before, under
the profile alone, and with the option. The objects are made (examples/study.py), the key is fixed, pydicom reads.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.conftest import ROOT
from tests.unit.deidentify.building import parsed, run
from transforms.dataset import part10
from transforms.deidentify.options import OPTIONS
from transforms.deidentify.profile import compile_profile
from transforms.source import BytesSource

sys.path.insert(0, str(ROOT / "examples"))
import study

HERE = Path(__file__).parent / "options"
ABSENT = "-"


def annotated(data: Dataset) -> None:
    """What graphics, devices and vendors add, so that every option finds something of its own."""
    text = study.fill(Dataset(), UnformattedTextValue="Mustermann: lesion 12 mm", BoundingBoxAnnotationUnits="PIXEL")
    shape = study.fill(Dataset(), GraphicAnnotationUnits="PIXEL", GraphicDimensions=2, GraphicData=[1.0, 2.0])
    graphic = study.fill(
        Dataset(), GraphicLayer="LAYER1", TextObjectSequence=Sequence([text]), GraphicObjectSequence=Sequence([shape])
    )
    data.GraphicAnnotationSequence = Sequence([graphic])
    data.StationAETitle = "CT1"
    data.DeviceUID = "1.2.3.4.5"
    data.PatientAge = "093Y"
    data.PatientSex = "F"
    data.Allergies = "Penicillin, says Mrs. Mustermann"
    data.TimezoneOffsetFromUTC = "+0200"
    data.ContrastBolusAgent = "Ultravist 370"
    block = data.private_block(0x0019, "GEMS_ACQU_01", create=True)
    block.add_new(0x23, "DS", "1.25")
    block.add_new(0x9E, "LO", "PULSE of Mustermann")
    block.add_new(0xEE, "LO", "not in the table")


def objects() -> Iterator[tuple[str, bytes]]:
    """Name and bytes of the data sets (Explicit VR little endian)."""
    image = study.ct(7, 1, rows=4)
    annotated(image)
    for name, data in (("ct", image), ("report", study.report(7, [image])), ("keys", study.key_object(7, [image]))):
        out = io.BytesIO()
        data.save_as(out, enforce_file_format=True)
        content = out.getvalue()
        yield name, content[part10.split(BytesSource(content)).offset :]


def flat(data: Dataset, path: str = "") -> dict[str, str]:
    """Path -> value as text; a sequence is its items."""
    found: dict[str, str] = {}
    for element in data:
        if element.tag == 0x7FE00010:
            continue
        name = path + (element.keyword or f"({element.tag.group:04X},{element.tag.element:04X})")
        if element.VR == "SQ":
            found[name] = f"{len(element.value)} items"
            for number, item in enumerate(element.value, 1):
                found |= flat(item, f"{name}[{number}].")
        else:
            found[name] = repr(str(element.value) if not isinstance(element.value, bytes) else element.value)
    return found


def pair(option: str) -> str:
    """The text of one option's golden pair."""
    lines = [f"# {option}: element, before -> basic profile -> with the option"]
    for name, data in objects():
        before = flat(parsed(data))
        basic, with_option = (
            flat(parsed(b"".join(run(data, table=compile_profile("basic", chosen)).plan.chunks())))
            for chosen in ((), (option,))
        )
        lines.append(f"\n## {name}")
        for path in sorted({*basic, *with_option}):
            values = [side.get(path, ABSENT) for side in (before, basic, with_option)]
            values = [values[0], *(told(value, values[0]) for value in values[1:])]
            if values[1] != values[2]:
                lines.append(f"{path}: {' -> '.join(values)}")
    return "\n".join(lines) + "\n"


def told(value: str, before: str) -> str:
    """A replaced UID is told as such: another generation of the table has other ones."""
    return re.sub(r"2\.25\.[0-9]+", lambda uid: uid[0] if uid[0] in before else "new", value)


def main() -> None:
    """Write them all."""
    HERE.mkdir(exist_ok=True)
    for option in OPTIONS:
        (HERE / f"{option}.txt").write_text(pair(option), encoding="utf-8")


if __name__ == "__main__":
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    main()
