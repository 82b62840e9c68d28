"""What every conversion of a document is given and gives: SR, CDA, AIM, HL7 v2 and what is to come.

* A conversion is a pure function (data, given) -> Converted. The time, the images and the site's facts are given to it.
* It raises TransformError, and then there is no result: half a document is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from transforms.loss import LossReport
from transforms.source import ByteSource


def nothing(_: str) -> None:
    """What has no image at hand."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a conversion may need beside its input."""

    now: datetime  # with its offset from UTC
    options: Mapping[str, Any] = field(default_factory=dict)  # of the site; each conversion says which it takes
    image: Callable[[str], ByteSource | None] = nothing  # a DICOM file by its SOP Instance UID, where it is at hand
    source: tuple[str, str] | None = None  # SOP Class and Instance UID of the SR at the beginning, where there was one


@dataclass(frozen=True, slots=True)
class Converted:
    """The result, whole, and what it does not say."""

    data: bytes
    losses: LossReport


Convert: TypeAlias = Callable[[bytes, Given], Converted]
