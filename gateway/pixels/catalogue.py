"""The files of the device catalogue: the known devices (profiles/devices.py) and a site's own.

Rules of this file
* Read strictly, every problem of a file at once, as file:line:column. An entry with boxes names rows and columns: what
  fits one size hides nothing in another.
* A site's file is read again when it has changed, so that one decision releases what is held without a restart. It may
  be missing: no decision was made yet.
* Entries are only ever added by us, at the end, and the file is replaced whole.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gateway.config import document
from gateway.errors import GatewayError
from profiles.devices import KNOWN
from transforms.pixels.boxes import Box
from transforms.pixels.devices import NUMBERS, WORDS, Entry


class _Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class _Rectangle(_Block):
    left: int = Field(ge=0)
    top: int = Field(ge=0)
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    frames: tuple[int, ...] = ()  # from 1; none: every frame


class _Match(_Block):
    manufacturer: str | None = None
    model: str | None = None
    software: str | None = None
    modality: str | None = None
    sop_class: str | None = None
    image_type: str | None = None
    photometric: str | None = None
    rows: int | None = None
    columns: int | None = None


class _Device(_Block):
    name: str
    match: _Match
    boxes: tuple[_Rectangle, ...] = ()
    outside: Literal["ultrasound-regions"] | None = None
    text: Literal["look", "none"] = "look"
    why: str = Field(min_length=3)

    @model_validator(mode="after")
    def _sized(self) -> Self:
        if (self.boxes or self.text == "none") and None in (self.match.rows, self.match.columns):
            raise ValueError("boxes, and `text: none`, are for images of one size: match rows and columns")
        if not self.match.manufacturer and not self.match.model and self.text == "none":
            raise ValueError("`text: none` is for one device: match its manufacturer or model")
        return self


class _File(_Block):
    devices: tuple[_Device, ...] = ()


def entries(site: Path | None) -> tuple[Entry, ...]:
    """Known devices and the site's. Raises GatewayError('devices-refused') with every problem of the file."""
    found = _known()
    if site is not None:
        try:
            status = site.stat()
        except FileNotFoundError:
            return found
        except OSError as error:
            raise GatewayError("devices-refused", f"{site}: {os.strerror(error.errno or 5)}") from None
        found += _read(site, status.st_mtime_ns, status.st_size, status.st_ino)
    return found


@lru_cache(maxsize=1)
def _known() -> tuple[Entry, ...]:
    return tuple(_entry(each) for each in _File.model_validate(KNOWN).devices)


@lru_cache(maxsize=16)
def _read(path: Path, *version: int) -> tuple[Entry, ...]:
    """The entries of one file as it was at that time."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise GatewayError("devices-refused", f"{path}: {os.strerror(error.errno or 5)}") from None
    return tuple(_entry(each) for each in _checked(data, path).devices)


def _checked(data: bytes, path: Path) -> _File:
    """The file's content. Raises GatewayError with every problem."""
    value, places, problems = document.parse(data, str(path))
    if not problems:
        try:
            return _File.model_validate(value or {})
        except ValidationError as error:
            for each in error.errors(include_url=False, include_input=False):
                problems.append(
                    places.at_value(
                        places.known(each["loc"]), f"{'.'.join(str(at) for at in each['loc'][-1:])}: {each['msg']}"
                    )
                )
    raise GatewayError("devices-refused", "\n".join(str(each) for each in problems))


def _entry(device: _Device) -> Entry:
    asked = device.match.model_dump(exclude_none=True)
    return Entry(
        name=device.name,
        match=tuple((key, str(asked[key])) for key in (*WORDS, *NUMBERS) if key in asked),
        boxes=tuple(
            Box(each.left, each.top, each.left + each.width, each.top + each.height, each.frames)
            for each in device.boxes
        ),
        why=device.why,
        vouched=device.text == "none",
        outside=device.outside or "",
    )


def add(site: Path, name: str, match: dict[str, str | int], boxes: Sequence[Box], why: str) -> None:
    """Append an entry that vouches, durably. Raises GatewayError: devices-refused, devices-not-written."""
    quoted = {key: value.replace("*", "?") if isinstance(value, str) else value for key, value in match.items()}
    if quoted != match:
        raise GatewayError("devices-refused", "a `*` in a device's name cannot be matched exactly: write it by hand")
    lines = [f"  - name: {json.dumps(name)}", f"    match: {json.dumps(match, ensure_ascii=False)}", "    boxes:"]
    for each in boxes:
        size = {"left": each.left, "top": each.top, "width": each.right - each.left, "height": each.bottom - each.top}
        lines.append(f"      - {json.dumps(size)}")
    if not boxes:
        lines[-1] = "    boxes: []"
    lines += ["    text: none", f"    why: {json.dumps(why, ensure_ascii=False)}", ""]
    try:
        before = site.read_text("utf-8") if site.exists() else ""
        head = before if before.strip() else "devices:\n"
        data = head + ("" if head.endswith("\n") else "\n") + "\n".join(lines)
        _checked(data.encode(), site)  # what could not be read again is not written
        fresh = site.with_name(f".{site.name}.{os.getpid()}")
        with fresh.open("w", encoding="utf-8") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(site)
    except OSError as error:
        raise GatewayError("devices-not-written", f"{site}: {os.strerror(error.errno or 5)}") from None
