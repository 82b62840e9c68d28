"""Makes media: the whole order of work, and the promise that a final name appears for a complete, verified set only.

    survey     every header is read and judged by the application profile      nothing is written yet
    allot      which object goes onto which volume
    stage      files, DICOMDIR, README into a hidden folder beside the final name
    pack       ISO image or ZIP archive, where one was asked for
    reconcile  all of it is read again and compared with what was asked: names, sizes, hashes
    seal       the final name

Rules of this file
* Until `seal` everything lies in a hidden folder beside the final name (sealing.py).
* A missing, extra or changed file stops it; so does a full disk. Then nothing is left but what was there before.
* Sealing is one rename: of a folder, also where it holds several volumes, or of one file. Nothing is overwritten.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import uuid4

from gateway.media import packing
from gateway.media.errors import MediaError
from gateway.media.medium import Medium, mounted
from gateway.media.members import Member
from gateway.media.sealing import free, partial_beside, seal, synced
from gateway.media.staging import Place, Protection, Volume, stage
from gateway.media.survey import Surveyed, survey
from gateway.media.volumes import Overhead, allotted, total
from profiles.media import ApplicationProfile
from profiles.media.application import Format

Progress = Callable[[str, int, int], None]  # stage, done, in all
_SUFFIX: Final = {"zip": ".ZIP", "iso": ".ISO"}


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be made."""

    profile: ApplicationProfile
    format: Format = "folder"
    label: str = "DICOM"  # File-set ID and volume label: A-Z 0-9 _, up to 16
    capacity: int = 0  # bytes of one medium; 0: the profile's own
    index: bool = False
    protection: Protection | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """What was made, for people: counts only."""

    volumes: int
    objects: int
    bytes: int
    repeated: int = 0  # inputs that were the same object twice
    renamed: int = 0  # objects whose patient's name differs from the directory's
    supplied: Counter[str] = field(default_factory=Counter)  # keys that the directory has and the object has not


def make(members: Sequence[Member], order: Order, out: Path, progress: Progress = lambda *_: None) -> Made:
    """Make a medium, or several volumes of one, under the name `out`. Raises MediaError; then `out` does not exist."""
    _possible(order, out)
    surveyed = survey(members, order.profile, lambda done: progress("check", done, len(members)))
    overhead = order.protection.overhead if order.protection else Overhead()
    capacity = order.capacity or order.profile.medium.capacity
    volumes = allotted(surveyed.members, order.capacity, overhead, order.profile.medium)
    if len(volumes) > 1 and _packed(order) and out.suffix.lower() in (".iso", ".zip"):
        hint = f"give --format {order.format} and a folder as --out"
        raise MediaError("media-too-large", f"{len(volumes)} volumes are needed: {hint}")
    _room(out.parent, total(surveyed.members, overhead) * (2 if _packed(order) else 1))
    with partial_beside(out) as partial:
        made = _written(volumes, order, partial, progress, capacity)
        if sum(volume.tree.count for volume in made) + surveyed.repeated != len(members):
            raise MediaError("media-not-reconciled", "there are not as many objects on it as were asked for")
        seal(partial, out, single=out.suffix.lower() in (".iso", ".zip") and _packed(order))
    return Made(
        len(volumes),
        len(surveyed.members),
        sum(written.size for volume in made for written in volume.files.values()),
        surveyed.repeated,
        sum(volume.tree.renamed for volume in made),
        sum((volume.tree.supplied for volume in made), Counter()),
    )


def _possible(order: Order, out: Path) -> None:
    """Raises MediaError for an order that cannot be carried out, before anything is read."""
    profile = order.profile
    if profile.secure != (order.protection is not None):
        want = "needs recipients or a password" if profile.secure else "is not a secure one: choose a -SEC- profile"
        raise MediaError("media-profile", f"{profile.name} {want}")
    if order.format not in (*profile.medium.formats, "folder"):
        raise MediaError("media-profile", f"{profile.name} is for {profile.medium.name}: no {order.format}")
    if profile.secure and order.index:
        raise MediaError("media-profile", "an index page would tell what the encryption hides")
    if not order.label or len(order.label) > 16 or set(order.label) - set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"):
        raise MediaError("media-profile", "a label has 1 to 16 of A-Z, 0-9 and _")
    free(out)


def _packed(order: Order) -> bool:
    return order.format != "folder"


def _written(
    volumes: list[list[Surveyed]], order: Order, partial: Path, progress: Progress, capacity: int
) -> list[Volume]:
    """Every volume staged, packed and reconciled; what is to be sealed is `partial/set`."""
    result = partial / "set"
    result.mkdir(0o700)
    in_all = sum(each.size for members in volumes for each in members)
    done = 0

    def seen(size: int) -> None:
        nonlocal done
        done += size
        progress("write", min(done, in_all), in_all)  # an envelope makes files longer

    made = []
    for number, members in enumerate(volumes, 1):
        place = Place(number, len(volumes), f"2.25.{uuid4().int}", _label(order.label, number, volumes), order.index)
        name = f"VOLUME{number}"
        folder = partial / "stage" if _packed(order) else result / name if len(volumes) > 1 else result
        folder.mkdir(0o700, exist_ok=True)
        volume = stage(folder, members, order.profile, order.protection, place, seen)
        target = folder
        if _packed(order):
            target = result / (name + _SUFFIX[order.format])
            _pack(folder, target, order, place.file_set_id, progress, volume)
            shutil.rmtree(folder)
            if capacity and target.stat().st_size > capacity:
                raise MediaError("media-too-large", "a volume has become larger than its medium")
        synced(target)
        with mounted(target) as medium:
            reconcile(medium, volume, progress)
        made.append(volume)
    return made


def _pack(folder: Path, target: Path, order: Order, label: str, progress: Progress, volume: Volume) -> None:
    size = sum(each.size for each in volume.files.values())

    def seen(done: int) -> None:
        progress("pack", min(done, size), size)

    if order.format == "zip":
        packing.zipped(folder, target, compress=order.protection is None, seen=seen)
    else:
        packing.iso9660(folder, target, label=label, udf=order.profile.medium.udf, seen=seen)
    target.chmod(0o600)


def reconcile(medium: Medium, volume: Volume, progress: Progress = lambda *_: None) -> None:
    """Read a volume again and compare it with what was written. Raises MediaError (media-not-reconciled)."""
    missing = dict(volume.files)
    in_all = sum(each.size for each in missing.values())
    done = 0
    for path, size in medium.files():
        expected = missing.pop(path, None)
        if expected is None:
            raise MediaError("media-not-reconciled", "there is a file more than was written")
        digest = hashlib.sha256()
        for chunk in medium.stream(path):
            digest.update(chunk)
            done += len(chunk)
            progress("verify", min(done, in_all), in_all)
        if size != expected.size or digest.hexdigest() != expected.sha256:
            raise MediaError("media-not-reconciled", "a file is not what was written")
    if missing:
        raise MediaError("media-not-reconciled", f"{len(missing)} files that were written are missing")


def _label(label: str, number: int, volumes: Sequence[object]) -> str:
    if len(volumes) == 1:
        return label
    suffix = f"_{number}"
    return label[: 16 - len(suffix)] + suffix


def _room(folder: Path, needed: int) -> None:
    found = os.statvfs(folder)
    if found.f_bavail * found.f_frsize < needed:
        raise MediaError("media-disk-full", f"about {needed} bytes are needed beside the final name")
