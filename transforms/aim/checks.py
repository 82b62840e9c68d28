"""What a UID and a point in time look like in AIM."""

from __future__ import annotations

import re
from typing import Final

_UID: Final = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*")
_CLOCK = r"[0-9]{2}(:?[0-9]{2}(:?[0-9]{2}([.,][0-9]{1,9})?)?)?"
_STAMP: Final = re.compile(rf"[0-9]{{4}}(-?[0-9]{{2}}(-?[0-9]{{2}})?)?([T ]?{_CLOCK})?(Z|[+-][0-9]{{2}}:?[0-9]{{2}})?")
_TIME: Final = re.compile(rf"\+?{_CLOCK}")


def is_uid(text: str) -> bool:
    """Whether it is a UID (PS3.5 9.1). Leading zeros of a component, which old toolkits wrote, are refused."""
    return len(text) <= 64 and _UID.fullmatch(text) is not None


def is_stamp(text: str) -> bool:
    """Whether it is a point in time, or a time of day alone, basic or with separators."""
    return _STAMP.fullmatch(text) is not None or _TIME.fullmatch(text) is not None


def digits(stamp: str) -> str:
    """The same without separators, as DICOM's DT has it: 20170201180043.250+0100."""
    text = stamp.strip().replace(",", ".").removeprefix("+")
    zone = re.search(r"(Z|[+-][0-9]{2}:?[0-9]{2})$", text[10:]) if len(text) > 10 else None
    head, tail = (text[: 10 + zone.start()], zone.group()) if zone else (text, "")
    tail = "+0000" if tail == "Z" else tail.replace(":", "")
    return re.sub(r"[-:T ]", "", head) + tail
