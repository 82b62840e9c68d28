"""The data dictionary (PS3.6): attributes by tag, keywords, registered UIDs. The one place that reads pydicom's tables.

* The tables are pydicom's, so that an update of the standard is an update of pydicom.
* They are read without pydicom itself, which would load numpy, Pillow and its codecs into every process: 0.15 s and
  20 MB for a command that looks up a keyword.
* It decides nothing: which of several VRs is meant, and what an unknown tag is, stands in dataset/elements.py.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Final

Row = tuple[str, str, str, str, str]  # VR, VM, name, "Retired" or "", keyword


def _table(name: str) -> ModuleType:
    """A module of pydicom's that imports nothing, by itself; pydicom will find it loaded."""
    full = f"pydicom.{name}"
    if full in sys.modules:
        return sys.modules[full]
    package = find_spec("pydicom")
    spec = PathFinder.find_spec(full, package.submodule_search_locations) if package else None
    if spec is None or spec.loader is None:
        raise ImportError(f"{full} is missing")
    module = sys.modules[full] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


DicomDictionary: Final[dict[int, Row]] = _table("_dicom_dict").DicomDictionary
RepeatersDictionary: Final[dict[str, Row]] = _table("_dicom_dict").RepeatersDictionary
UID_dictionary: Final[dict[str, tuple[str, str, str, str, str]]] = _table("_uid_dict").UID_dictionary


def _repeaters() -> tuple[tuple[int, int, Row], ...]:
    """Tags with `x` in them, as mask and value."""
    found = []
    for pattern, row in RepeatersDictionary.items():
        mask = int("".join("0" if digit == "x" else "F" for digit in pattern), 16)
        found.append((mask, int(pattern.replace("x", "0"), 16), row))
    return tuple(found)


_REPEATERS: Final = _repeaters()
_REPEATING: Final = frozenset(value >> 24 for _, value, _ in _REPEATERS)


def row_of(tag: int) -> Row | None:
    """What PS3.6 says of a tag, also of one in a repeating group (50xx, 60xx); None where it does not know it."""
    found = DicomDictionary.get(tag)
    if found is None and tag >> 24 in _REPEATING and not tag & 0x10000:  # an odd group is private
        for mask, value, row in _REPEATERS:
            if tag & mask == value:
                return row
    return found


def keyword_for_tag(tag: int) -> str:
    """The keyword; "" for a tag that the dictionary does not have."""
    row = row_of(tag)
    return row[4] if row is not None else ""


def tag_for_keyword(keyword: str) -> int | None:
    """The tag; None where no attribute has that keyword."""
    return _tags().get(keyword)


@lru_cache(maxsize=1)
def _tags() -> dict[str, int]:
    return {row[4]: tag for tag, row in DicomDictionary.items() if row[4]}


def private_vr(creator: str, group: int, low: int) -> str:
    """The VR of a maker's attribute (gggg,xxee) in pydicom's list; "" where that does not have it."""
    found = _table("_private_dict").private_dictionaries.get(creator, {}).get(f"{group:04X}xx{low:02X}")
    return str(found[0]) if found else ""
