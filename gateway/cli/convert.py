"""`dicom-gateway convert`: a report or an annotation in another form, without a gateway running.

Rules of this file
* It changes no input and never overwrites a file. The result is whole or not there, and its owner's only.
* Nothing of the document is printed. What was lost is counted; --loss-report has it line by line, without values.
* Exit 0: done; 2: it cannot be carried out as asked; 3: the document cannot be converted, and why.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli import conversions
from gateway.cli.common import fail
from transforms.conversion import Converted, Given
from transforms.dataset.part10 import split
from transforms.errors import TransformError
from transforms.loss import Fate
from transforms.source import ByteSource, BytesSource

_LONGEST = 256 << 20  # bytes of an input: a report, not a study


def convert(
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="A DICOM file (SR, Encapsulated CDA), CDA or AIM XML.")
    ],
    to: Annotated[str, typer.Option("--to", metavar="|".join(conversions.targets()), help="What to make of it.")],
    out: Annotated[Path, typer.Option("--out", metavar="PATH", help="The file to write; it must not exist.")],
    loss_report: Annotated[
        Path | None,
        typer.Option("--loss-report", metavar="FILE", help="Write what was lost or defaulted: FILE.json, else text."),
    ] = None,
    options: Annotated[
        Path | None,
        typer.Option(
            "--options", metavar="FILE.yaml", help="Facts of your site that the document lacks (docs/reports.md)."
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            "--images", metavar="DIR", help="DICOM files that the document refers to, where they are at hand."
        ),
    ] = None,
) -> None:
    """Convert a report or an annotation: SR, CDA, HL7 v2 MDM, Encapsulated CDA, AIM.

    What the new form has no place for is counted, and told line by line with --loss-report.
    """
    if to not in conversions.targets():
        fail(f"--to {to}: there are {', '.join(conversions.targets())}")
    for path in (out, loss_report):
        if path is not None and path.exists():
            fail(f"{path}: exists already")
    given = Given(datetime.now(UTC), _options(options))
    if images is not None:
        given = replace(given, image=_Images(_folder(images)))
    try:
        converted = conversions.run(_read(source), to, given)
    except TransformError as error:
        print(f"not converted: {error}", file=sys.stderr)
        raise typer.Exit(3) from error
    _write(out, converted.data)
    if loss_report is not None:
        report = converted.losses
        _write(loss_report, (report.as_json() if loss_report.suffix == ".json" else report.as_text()).encode())
    _tell(converted, loss_report)


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LONGEST:
            fail(f"{path}: more than {_LONGEST >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        fail(f"{path}: {os.strerror(error.errno or 5)}")


def _options(path: Path | None) -> Mapping[str, Any]:
    if path is None:
        return {}
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        found = YAML(typ="safe").load(_read(path))
    except YAMLError as error:
        fail(f"{path}: {error}")
    if not isinstance(found, dict):
        fail(f"{path}: write `key: value` lines")
    return found


class _Images:
    """The DICOM files of a folder by their SOP Instance UID; read when they are asked for."""

    def __init__(self, folder: Path) -> None:
        self._paths: dict[str, Path] = {}
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                with path.open("rb") as file:
                    head = file.read(1 << 12)
                try:
                    self._paths.setdefault(split(BytesSource(head)).sop_instance, path)
                except TransformError:
                    continue  # a folder holds other files too

    def __call__(self, sop_instance: str) -> ByteSource | None:
        path = self._paths.get(sop_instance)
        return None if path is None else BytesSource(_read(path))


def _folder(path: Path) -> Path:
    if not path.is_dir():
        fail(f"{path}: no such folder")
    return path


def _write(path: Path, data: bytes) -> None:
    """The file, whole or not at all: a name appears when its bytes are there."""
    part = path.with_name(f".{path.name}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
                file.write(data)
            os.link(part, path)
        finally:
            part.unlink()
    except OSError as error:
        fail(f"{path}: {os.strerror(error.errno or 5)}")


def _tell(converted: Converted, loss_report: Path | None) -> None:
    counts: Counter[Fate] = Counter()
    for report in converted.losses.all:
        counts.update(line.fate for line in report.lines)
    told = ", ".join(f"{counts[fate]} {fate.value}" for fate in Fate if counts[fate] and fate is not Fate.CARRIED)
    print(told or "nothing lost, nothing defaulted")
    if told and loss_report is None:
        print("--loss-report FILE tells each", file=sys.stderr)
