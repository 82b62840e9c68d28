"""The ten actions: whether one answer of the key was followed by one output.

Rules of this file
* True: followed, False: not, None: nobody could tell (MIDI-B's Blank, which counts as not followed).
* An output that is not there follows what asks for removal and fails what asks to keep.
* `uid_consistent` and `patid_consistent` pass where the element is not there; only `tag_retained` asks for it.
* Burned-in text is hidden where its box is of one colour; else tesseract reads it, where it is installed.

What it does not do: MIDI-B reads boxes with EasyOCR and a person looks at them; partial scores are not kept.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.answers.index import Index, same
from benchmarks.answers.key import KEEPING, Answer
from benchmarks.answers.words import compare

Maps = Mapping[str, Set[str]]
_TESSERACT: Final = shutil.which("tesseract")


def judge(answer: Answer, out: Index | None, uids: Maps, patients: Maps) -> bool | None:
    """Whether `answer` was followed; `out` is None where there is no output."""
    if out is None:
        return answer.action not in KEEPING
    if answer.action == "pixels_retained":
        pixels = out.pixels()
        return pixels is not None and hashlib.md5(pixels).hexdigest() == answer.text
    if answer.action == "pixels_hidden":
        return _hidden(answer.text, out)
    value = out.text(same(answer.place))
    match answer.action:
        case "tag_retained":
            return value is not None
        case "text_notnull":
            return bool(value) or (value is not None and _bulk(out, same(answer.place)))
        case "text_retained":
            return bool(value) and compare(value or "", answer.text, keep=True)
        case "text_removed":
            return True if value is None else compare(value, answer.text, keep=False)
        case "date_shifted" | "uid_changed":
            return value is None or _folded(answer.value) not in _folded(value)
        case "uid_consistent":
            return value is None or value in uids.get(answer.value, frozenset())
        case "patid_consistent":
            return value is None or value in patients.get(answer.value, frozenset())
    raise ValueError(answer.action)


def _folded(text: str) -> str:
    return text.replace("<", "").replace(">", "").replace("\\", "")


def _bulk(out: Index, place: str) -> bool:
    element = out.elements.get(place)
    return element is not None and bool(element.value)


def _hidden(text: str, out: Index) -> bool | None:
    try:
        told = json.loads(text)
        (left, top), (right, bottom) = ((int(n) for n in told[corner]) for corner in ("top_left", "bottom_right"))
        pixels = out.data.pixel_array
        if int(out.data.get("NumberOfFrames", 1) or 1) == 1:
            pixels = pixels[np.newaxis]
        box = pixels[:, top:bottom, left:right]
        burned = re.sub(r"\[[A-Za-z]\]", "", str(told["text"]).replace("\n", " ").replace("DOB:", ""))
    except Exception:  # no pixels, a box that is none, a decoder that is not there
        return None
    if not box.size:
        return None
    if all(len(np.unique(frame.reshape(frame.shape[0] * frame.shape[1], -1), axis=0)) == 1 for frame in box):
        return True
    found = [_read(frame) for frame in box]
    if any(each is None for each in found):
        return None
    return all(compare(each or "", burned, keep=False) is True for each in found)


def _read(box: np.ndarray) -> str | None:
    """What tesseract reads; None where it is not installed."""
    if _TESSERACT is None:
        return None
    from PIL import Image

    scaled = (255 * (box / max(1, int(box.max())))).astype("u1") if box.dtype.itemsize > 1 else box.astype("u1")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "box.png"
        Image.fromarray(scaled).resize((box.shape[1] * 3, box.shape[0] * 3)).save(path)
        done = subprocess.run(
            [_TESSERACT, str(path), "-", "--psm", "6"], capture_output=True, text=True, check=False, timeout=60
        )
    return done.stdout if done.returncode == 0 else None
