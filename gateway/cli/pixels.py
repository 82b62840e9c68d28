"""`dicom-gateway pixels`: images held for burned-in text, by device and form, and what releases a group."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from gateway.audit.text import safe
from gateway.cli.common import DEFAULT_CONFIG, ConfigOption, columns, fail, loaded
from gateway.config.schema import Config
from gateway.errors import GatewayError
from gateway.pixels import catalogue
from gateway.pixels.groups import Group, Groups
from gateway.store import previews
from gateway.store.reading import read_only
from gateway.writer.client import operator
from gateway.writer.messages import Release
from transforms.deidentify.options import PIXELS
from transforms.pixels.boxes import Box, within

app = typer.Typer(
    help="Images held for burned-in text, grouped by device and form: one decision releases a group.",
    no_args_is_help=True,
)
GroupName = Annotated[str, typer.Argument(metavar="GROUP", help="A name from `pixels list`.")]


@app.command("list")
def list_groups(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """One line for each group that waits: how many objects are held, of which device, and why."""
    settings = loaded(config)
    groups = Groups(settings.state.dir).all()
    if not groups:
        print("no group waits")
        return
    columns(
        ("group", "held", "manufacturer", "model", "modality", "size", "why"),
        (
            (
                each.name, str(len(_held(settings, each.name))), each.shape.manufacturer, each.shape.model,
                each.shape.modality, f"{each.shape.columns}x{each.shape.rows}", each.why,
            )
            for each in groups
        ),
    )  # fmt: skip


@app.command()
def show(group: GroupName, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """What the group's images have in common, and where a picture of its first one lies. It shows a patient."""
    settings = loaded(config)
    groups = Groups(settings.state.dir)
    found = _group(groups, group)
    for key, value in asdict(found.shape).items():
        print(f"{key:13} {safe(str(value)) or '(empty)'}")
    print(f"{'held':13} {len(_held(settings, group))}")
    print(f"{'why':13} {safe(found.why)}")
    print(f"{'picture':13} {groups.picture(group) or '(none could be made)'}")


@app.command()
def decide(
    group: GroupName,
    why: Annotated[str, typer.Option(help="Why; it stands in the catalogue. Name no patient.")],
    box: Annotated[
        list[str] | None,
        typer.Option(metavar="LEFT,TOP,WIDTH,HEIGHT", help="Blank this, in pixels of the image; may be repeated."),
    ] = None,
    no_text: Annotated[bool, typer.Option("--no-text", help="These images hold no text at all.")] = False,
    deidentify: Annotated[
        str, typer.Option(metavar="NAME", help="Whose catalogue, where several blocks have one.")
    ] = "",
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Vouch for the images of a group: what is in the boxes is all the text they have. Releases what is held of it.

    The decision is written to the catalogue that `pixels: {devices: FILE}` names and holds for every image to come of
    this device, software, kind and size. Look at more than the one picture before you vouch.
    """
    settings = loaded(config)
    groups = Groups(settings.state.dir)
    found = _group(groups, group)
    if bool(box) == no_text:
        fail("say what is to be blanked, --box LEFT,TOP,WIDTH,HEIGHT, or --no-text")
    boxes = [_box(each, found) for each in box or ()]
    try:
        catalogue.add(_file(settings, deidentify), f"group-{group}", asdict(found.shape), boxes, why)
        held = _held(settings, group)
        if held:
            with operator(settings) as ask:
                for number in held:
                    ask(Release(number, None, getpass.getuser()))
    except GatewayError as error:
        fail(f"{error.reason}: {error.detail}")
    groups.decided(group)
    print(f"group {group}: {len(boxes)} boxes, {len(held)} released")


def _group(groups: Groups, name: str) -> Group:
    try:
        return groups.get(name)
    except GatewayError as error:
        fail(f"{error.reason}: {error.detail}")


def _box(text: str, group: Group) -> Box:
    """A box of the command line. Exits where it is none of this image."""
    try:
        left, top, width, height = (int(each) for each in text.split(","))
        wanted = Box(left, top, left + width, top + height)
        (inside,) = within((wanted,), group.shape.columns, group.shape.rows)
    except ValueError:
        fail(f"--box {text}: four whole numbers LEFT,TOP,WIDTH,HEIGHT within {group.shape.columns}x{group.shape.rows}")
    return inside


def _held(settings: Config, group: str) -> list[int]:
    """The held instances of a group."""
    try:
        with read_only(settings.state) as ledger:
            rows = ledger.held()
    except GatewayError:
        return []  # nothing was received yet
    unknown = (row for row in rows if row.reason == previews.UNKNOWN)
    return sorted({row.instance_id for row in unknown if group in previews.groups([row.detail])})


def _file(settings: Config, name: str) -> Path:
    """The catalogue to write to. Exits where there is none, or more than one."""
    blocks = {
        key: block.pixels.devices
        for key, block in settings.deidentify.items()
        if PIXELS in block.options and block.pixels.devices is not None and name in ("", key)
    }
    files = {path for path in blocks.values() if path is not None}
    if not files:
        fail("no deidentify block names a catalogue: write `pixels: {devices: devices.yaml}` there")
    if len(files) > 1:
        fail(f"several catalogues: name a block with --deidentify; there are: {', '.join(blocks)}")
    return files.pop()
