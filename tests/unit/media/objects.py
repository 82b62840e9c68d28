"""Objects for the media tests: a small study with an invented patient, and one of each kind of directory record."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import study
from pydicom.dataset import Dataset

from transforms.dataset import convert, framing, part10, syntax
from transforms.dataset.index import Index
from transforms.source import ByteSource, BytesSource

ARC = "1.2.840.10008.5.1.4.1.1."
Change = Callable[[Dataset], None]


def files(folder: Path, count: int = 3, change: Change | None = None, *, seed: int = 42) -> list[Path]:
    """`count` CT slices, a report and a key object as files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    slices = [study.ct(seed, number, 16) for number in range(1, count + 1)]
    others = [study.report(seed, slices), study.key_object(seed, slices)]
    for number, data in enumerate((*slices, *others)):
        if change is not None:
            change(data)
        path = folder / f"{number:04d}.dcm"
        study.write(data, path)
        written.append(path)
    return written


def parsed(data: Dataset, *, as_is: bool = False) -> tuple[ByteSource, Index]:
    """A data set as bytes, framed; in Explicit VR little endian unless `as_is`."""
    buffer = BytesIO()
    data.save_as(buffer, enforce_file_format=True)
    raw = buffer.getvalue()
    found = part10.split(BytesSource(raw))
    source: ByteSource = BytesSource(raw[found.offset :])
    if as_is:
        return source, framing.check(source, found.syntax)
    source = convert.to_explicit_le(source, found.syntax)
    return source, framing.check(source, syntax.EXPLICIT_LE)


def of(sop_class: str, **values: object) -> Dataset:
    """An object of a class, with what every composite object has."""
    data = study.begin(7, sop_class, str(values.pop("Modality", "OT")), 1, 1)
    return study.fill(data, **values)
