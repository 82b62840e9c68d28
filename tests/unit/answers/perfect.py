"""What a perfect de-identifier would give, made from the key alone with pydicom: nothing but what must stay.

It shows that a key can be followed, without the product; and single faults are put into it.
"""

from __future__ import annotations

import copy
import csv
import hashlib
import io
import re
from pathlib import Path

import pydicom
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from benchmarks.answers.key import Answer, Instance
from benchmarks.answers.plant import Made

_STEP = re.compile(r"<\(([0-9a-f]{4}),([0-9a-f]{4})\)>(?:\[<(\d+)>\])?")
_DUMMIES = {"DA": "19000101", "TM": "000000", "DT": "19000101000000", "OB": b"\0\0", "CS": "X", "PN": "X", "LO": "X"}
_ORDER = ("tag_retained", "text_notnull", "text_retained", "uid_consistent", "patid_consistent")


def fresh(uid: str) -> str:
    """A UID for a UID."""
    return f"2.25.{int(hashlib.sha256(uid.encode()).hexdigest()[:30], 16)}"


def pseudonym(patient: str) -> str:
    """A Patient ID for a Patient ID, without digits."""
    digest = hashlib.sha256(patient.encode()).hexdigest()[:10]
    return "SUBJ" + digest.translate(str.maketrans("0123456789", "ghijklmnop")).upper()


def steps(place: str) -> list[tuple[int, int | None]]:
    """(tag, number of the item) from the top down; the last has no item."""
    return [(int(g + e, 16), int(n) if n else None) for g, e, n in _STEP.findall(place)]


def find(data: Dataset, place: str, *, make: bool = False) -> tuple[Dataset, int]:
    """The data set in which the last element of a path stands, and that element's tag."""
    *above, (last, _) = steps(place)
    for tag, number in above:
        assert number is not None
        if make and tag not in data:
            data.add_new(tag, "SQ", Sequence([]))
        items = data[tag].value
        while make and len(items) <= number:
            items.append(Dataset())
        data = items[number]
    return data, last


def perfect(made: Made) -> Dataset:
    """The output for one object."""
    source = pydicom.dcmread(io.BytesIO(made.content))
    out = Dataset()
    out.file_meta = FileMetaDataset()
    out.file_meta.TransferSyntaxUID = source.file_meta.TransferSyntaxUID
    out.file_meta.MediaStorageSOPClassUID = source.SOPClassUID
    out.file_meta.MediaStorageSOPInstanceUID = fresh(source.SOPInstanceUID)
    for action in _ORDER:
        for answer in made.row.answers:
            if answer.action == action:
                _follow(answer, made.row, source, out)
    if any(a.action == "pixels_retained" for a in made.row.answers):
        size = source.Rows * source.Columns * source.SamplesPerPixel * source.BitsAllocated // 8
        out.PixelData = source.PixelData[: size * int(source.get("NumberOfFrames", 1))]
        out["PixelData"].VR = "OW"
    return out


def _follow(answer: Answer, row: Instance, source: Dataset, out: Dataset) -> None:
    parent, tag = find(out, answer.place, make=True)
    vr = dictionary_VR(tag)
    if answer.action == "tag_retained":
        parent.add_new(tag, vr, None)
    elif answer.action == "text_notnull":
        parent.add_new(tag, vr, _DUMMIES.get(vr, "1.2.3"))
    elif answer.action == "text_retained":
        if answer.leak in ("kept: descriptor", "marking"):
            parent.add_new(tag, vr, answer.text)
        else:
            there, _ = find(source, answer.place)
            parent[Tag(tag)] = copy.deepcopy(there[tag])
    elif answer.action == "uid_consistent":
        parent.add_new(tag, vr, fresh(answer.value))
    else:
        parent.add_new(tag, vr, pseudonym(row.patient))


def save(data: Dataset, folder: Path) -> Path:
    """Under a name that says nothing."""
    path = folder / f"{data.SOPInstanceUID}.dcm"
    data.save_as(path, enforce_file_format=True)
    return path


def tables(folder: Path, rows: list[Instance], *, same: bool = False) -> None:
    """uid.csv and patient_id.csv; `same`: everybody became himself."""
    folder.mkdir(exist_ok=True)
    uids = {answer.value for row in rows for answer in row.answers if answer.action.startswith("uid_")}
    pairs = {
        "uid.csv": [(uid, uid if same else fresh(uid)) for uid in sorted(uids)],
        "patient_id.csv": [(p, p if same else pseudonym(p)) for p in sorted({row.patient for row in rows})],
    }
    for name, lines in pairs.items():
        with (folder / name).open("w", newline="") as file:
            csv.writer(file).writerows([("id_old", "id_new"), *lines])
