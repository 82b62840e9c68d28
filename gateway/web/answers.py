"""The Store Instances Response Module (PS3.18 Table 10.5.3-1 and Annex I.2): made for callers, read from servers.

Rules of this file
* An answer names instances and codes, never a value of a data set and never a reason that tells of another object.
* Reading is strict: what is not an answer of this form counts for no instance at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from lxml import etree  # type: ignore[import-untyped]

from gateway.web import media

# PS3.18 Annex I.2.2; the same values as PS3.4 Table B.2-1 and PS3.7 Annex C
OUT_OF_RESOURCES = 0xA700
MISMATCH = 0xA900
NOT_UNDERSTOOD = 0xC000
SYNTAX_NOT_SUPPORTED = 0xC122
PROCESSING_FAILURE = 0x0110
CLASS_NOT_SUPPORTED = 0x0122

_NATIVE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
_KEYWORDS = {
    "00081150": ("UI", "ReferencedSOPClassUID"),
    "00081155": ("UI", "ReferencedSOPInstanceUID"),
    "00081190": ("UR", "RetrieveURL"),
    "00081197": ("US", "FailureReason"),
    "00081198": ("SQ", "FailedSOPSequence"),
    "00081199": ("SQ", "ReferencedSOPSequence"),
    "0008119A": ("SQ", "OtherFailuresSequence"),
}
Item = dict[str, Any]  # tag -> value, or list of items; None: present and empty


class Result(NamedTuple):
    """What came of one instance; without UIDs, of a part in which none could be found."""

    sop_class: str
    sop_instance: str
    failure: int = 0  # Failure Reason (0008,1197); 0: it is stored


def status_of(results: Iterable[Result], *, understood: bool) -> int:
    """The status of a Store answer (PS3.18 Table 10.5.3-1). `understood`: the body was well-formed to its end."""
    failures = [each.failure for each in results]
    if not failures:
        return 400
    stored = failures.count(0)
    if stored == len(failures):
        return 200 if understood else 202
    if stored:
        return 202
    if all(0xA700 <= failure <= 0xA7FF for failure in failures):
        return 503
    return 409 if understood else 400


def written(results: Iterable[Result], kind: str, *, understood: bool) -> bytes:
    """The module as JSON (PS3.18 Annex F) or XML (PS3.19 A.1), as `kind` says."""
    found = list(results)
    item: Item = {"00081190": None}
    failed = [_failed(each) for each in found if each.failure and each.sop_instance]
    stored = [_named(each) | {"00081190": None} for each in found if not each.failure]
    other = [{"00081197": each.failure} for each in found if each.failure and not each.sop_instance]
    if not understood:
        other.append({"00081197": NOT_UNDERSTOOD})
    for tag, items in (("00081198", failed), ("00081199", stored), ("0008119A", other)):
        if items:
            item[tag] = items
    if kind == media.XML:
        root = etree.Element(f"{{{_NATIVE}}}NativeDicomModel", nsmap={None: _NATIVE})
        _to_xml(root, item)
        return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))
    return json.dumps(_to_json(item), separators=(",", ":")).encode()


def _named(result: Result) -> Item:
    return {"00081150": result.sop_class, "00081155": result.sop_instance}


def _failed(result: Result) -> Item:
    return _named(result) | {"00081197": result.failure}


def _to_json(item: Item) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for tag, value in item.items():
        made[tag] = {"vr": _KEYWORDS[tag][0]}
        if isinstance(value, list):
            made[tag]["Value"] = [_to_json(each) for each in value]
        elif value is not None:
            made[tag]["Value"] = [value]
    return made


def _to_xml(parent: etree._Element, item: Item) -> None:
    for tag, value in item.items():
        vr, keyword = _KEYWORDS[tag]
        element = etree.SubElement(parent, f"{{{_NATIVE}}}DicomAttribute", tag=tag, vr=vr, keyword=keyword)
        if isinstance(value, list):
            for number, each in enumerate(value, 1):
                _to_xml(etree.SubElement(element, f"{{{_NATIVE}}}Item", number=str(number)), each)
        elif value is not None:
            etree.SubElement(element, f"{{{_NATIVE}}}Value", number="1").text = str(value)


@dataclass(frozen=True, slots=True)
class Told:
    """What a server said of instances, by SOP Instance UID."""

    stored: dict[str, int]  # -> Warning Reason, 0 where there is none
    failed: dict[str, int]  # -> Failure Reason


def read(body: bytes) -> Told | None:
    """A Store answer in JSON; None where it is none. An instance that stands twice, or on both sides, has failed."""
    try:
        item = json.loads(body)
        if isinstance(item, list) and len(item) == 1:  # some servers answer with an array of one
            item = item[0]
        failed = _sequence(item, "00081198", "00081197", needed=True)
        stored = _sequence(item, "00081199", "00081196", needed=False)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        return None
    for uid in stored.keys() & failed.keys():
        del stored[uid]
    return Told(stored, failed)


def _sequence(item: Any, tag: str, reason: str, *, needed: bool) -> dict[str, int]:
    """SOP Instance UID -> reason of one sequence. Raises ValueError and its like where it is not of the form."""
    found: dict[str, int] = {}
    for each in item.get(tag, {}).get("Value") or []:
        (uid,) = each["00081155"]["Value"]
        value = each.get(reason, {}).get("Value") or ([0x0110] if needed else [0])
        code = value[0]
        if not isinstance(uid, str) or isinstance(code, bool) or not isinstance(code, int) or uid in found:
            raise ValueError("not a Store answer")
        found[uid] = code
    return found
