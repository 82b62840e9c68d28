"""What an acknowledgement says (HL7 2.5.1 chapter 2.9, 2.14.8): MSA and ERR of an answer, read strictly.

* Only the fields that decide something are read. Texts of the other side are not kept: they may hold a patient.
* An answer that is no acknowledgement, or two, raises: it says nothing about any message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from transforms.errors import TransformError

CODES: Final = ("AA", "AE", "AR", "CA", "CE", "CR")  # HL70008
_CONDITION: Final = re.compile(r"[0-9]{1,3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """One answer."""

    code: str  # MSA-1
    control: str  # MSA-2: MSH-10 of the message it answers
    condition: str = ""  # ERR-3.1 (HL70357), or MSA-6.1 of older versions: "207"; "" where missing or no number


def of(data: bytes) -> Acknowledgement:
    """The acknowledgement in one message. Raises TransformError('ack-malformed')."""
    text = data.decode("utf-8", "replace")
    segments = [each for each in text.replace("\n", "\r").split("\r") if each]
    if not segments or not segments[0].startswith("MSH") or len(segments[0]) < 8:
        raise TransformError("ack-malformed", "the answer does not begin with MSH")
    delimiter, component = segments[0][3], segments[0][4]
    if delimiter.isalnum() or component.isalnum() or delimiter == component:
        raise TransformError("ack-malformed", "the answer's delimiters are none")
    found = [each.split(delimiter) for each in segments if each.startswith("MSA" + delimiter)]
    if len(found) != 1:
        raise TransformError("ack-malformed", f"the answer has {len(found)} MSA segments, not one")
    msa = found[0] + [""] * 7
    code, control = msa[1].strip(), msa[2].strip()
    if code not in CODES:
        raise TransformError("ack-malformed", "the answer's acknowledgement code is unknown")
    error = next((each.split(delimiter) for each in segments[1:] if each.startswith("ERR" + delimiter)), [])
    said = (error + [""] * 4)[3] or msa[6]
    condition = said.split(component)[0].strip()
    return Acknowledgement(code, control, condition if _CONDITION.fullmatch(condition) else "")
