"""Held images by device and form: what one decision of the operator is about, with a picture to decide by.

`state/pixels/GROUP.json` and `GROUP.png`, made when the first image of a group is held. The picture shows a patient:
folder and files are the gateway's alone (0700, 0600), and both go when the group is decided, or nothing is held for it
any more (gateway/store/previews.py).
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import msgspec

from gateway.errors import GatewayError
from gateway.folders import made
from gateway.store.previews import FOLDER
from transforms.pixels.risk import Shape


class Group(msgspec.Struct, frozen=True):
    """One group, as it waits."""

    name: str
    shape: Shape
    why: str  # of its first image


class Groups:
    """The groups of one state directory."""

    def __init__(self, state: Path) -> None:
        self.folder = state / FOLDER

    def known(self, name: str) -> bool:
        """Whether the group waits already."""
        return (self.folder / f"{name}.json").exists()

    def add(self, shape: Shape, why: str, picture: bytes) -> None:
        """Keep a group; `picture` is a PNG, or empty where none could be made. Failing to is no fault of the object."""
        with suppress(OSError):
            made(self.folder)
            if picture:
                self._write(f"{shape.group}.png", picture)
            self._write(f"{shape.group}.json", msgspec.json.encode({"shape": asdict(shape), "why": why}))

    def get(self, name: str) -> Group:
        """A group. Raises GatewayError('group-unknown')."""
        try:
            if not name.isalnum():
                raise ValueError
            told = msgspec.json.decode((self.folder / f"{name}.json").read_bytes(), type=dict[str, object])
            return Group(name, msgspec.convert(told["shape"], Shape), str(told["why"]))
        except (OSError, ValueError, KeyError, msgspec.MsgspecError):
            raise GatewayError("group-unknown", "no such group waits: look with `pixels list`") from None

    def all(self) -> list[Group]:
        """Every group that waits."""
        try:
            names = sorted(each.stem for each in self.folder.glob("*.json"))
        except OSError:
            return []
        return [self.get(each) for each in names]

    def picture(self, name: str) -> Path | None:
        """Where its picture lies."""
        path = self.folder / f"{name}.png"
        return path if path.exists() else None

    def decided(self, name: str) -> None:
        """Forget a group and its picture."""
        for kind in ("png", "json"):
            with suppress(OSError):
                (self.folder / f"{name}.{kind}").unlink()

    def _write(self, name: str, data: bytes) -> None:
        fresh = self.folder / f".{name}.{os.getpid()}"
        descriptor = os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(data)
        fresh.replace(self.folder / name)
