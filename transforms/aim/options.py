"""What a site may say of its conversions between AIM and SR, and what a conversion is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from transforms.errors import TransformError
from transforms.source import ByteSource

_PREFIX: Final = "aim_"
_CHOICES: Final[dict[str, dict[object, object]]] = {
    "version": {"4.0": "4.0", "4.2": "4.2", 4.0: "4.0", 4.2: "4.2"},
    "fields": {True: True, False: False},
    "pixel_origin": {"corner": "corner", "center": "center"},
}


@dataclass(frozen=True, slots=True)
class Options:
    """Defaults are PS3.21's, but for `fields`."""

    version: str = "4.2"  # aim_version: of the AIM that is written
    fields: bool = True  # aim_fields: whether an SR also says what TID 1500 has no row for (fields.py)
    pixel_origin: str = "corner"  # aim_pixel_origin: what (0, 0) is in the AIM of this site, of the first pixel

    @property
    def to_scoord(self) -> Decimal:
        """What is added to a 2D coordinate of AIM to make it one of SCOORD, whose (0, 0) is the corner."""
        return Decimal("0.5") if self.pixel_origin == "center" else Decimal(0)


def options(given: object) -> Options:
    """Those of a mapping whose keys begin with `aim_`; others are other conversions'. Raises TransformError."""
    found = {}
    for key, value in dict(given).items():  # type: ignore[call-overload]
        name = str(key).removeprefix(_PREFIX)
        if not str(key).startswith(_PREFIX):
            continue
        choices = _CHOICES.get(name)
        if choices is None:
            raise TransformError(
                "conversion-options", f"{key}: there are {', '.join(_PREFIX + each for each in _CHOICES)}"
            )
        if isinstance(value, list | dict) or value not in choices:
            said = ", ".join(dict.fromkeys(str(each).lower() for each in choices.values()))
            raise TransformError("conversion-options", f"{key}: write one of {said}")
        found[name] = choices[value]
    return Options(**found)  # type: ignore[arg-type]


Resolver = Callable[[str], ByteSource | None]  # a DICOM file by its SOP Instance UID, where it is at hand
