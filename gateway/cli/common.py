"""What commands share: where the configuration is, and how a failure is told and which exit status it has.

Exit statuses: 0 done, 1 a check failed, 2 the command cannot be carried out as asked, 3 done but for what is held.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from gateway.audit.text import safe
from gateway.cli.failing import fail
from gateway.errors import ConfigRefused

if TYPE_CHECKING:
    from gateway.config.schema import Config

ConfigOption = Annotated[
    Path,
    typer.Option(
        "--config", "-c", envvar="DICOM_GATEWAY_CONFIG", help="The rule file; it says where the state directory is."
    ),
]
__all__ = ["DEFAULT_CONFIG", "ConfigOption", "columns", "fail", "loaded", "refused"]
DEFAULT_CONFIG = Path("gateway.yaml")


def loaded(file: Path) -> Config:
    """The configuration, or exit 2 with every problem of the file."""
    # Here, and not above: half of the commands need no rule file, and should not wait for what reads it
    from gateway.config.load import load
    from gateway.decide.check import problems as rule_problems

    try:
        return load(file, also=(rule_problems,))
    except ConfigRefused as error:
        refused(error)


def columns(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table that is never cut: UIDs must be copied from it. The last column may be as long as it is."""
    lines = [tuple(map(safe, line)) for line in (head, *rows)]
    widths = [max(len(line[number]) for line in lines) for number in range(len(head))]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def refused(error: ConfigRefused) -> NoReturn:
    """Print every problem of a configuration; exit 2."""
    for problem in error.problems:
        print(problem, file=sys.stderr)
    raise typer.Exit(2)
