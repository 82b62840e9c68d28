"""`dicom-gateway groups`: studies and series that wait until they are complete, and closing one by hand."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from gateway.cli.asking import Ask, each
from gateway.cli.common import DEFAULT_CONFIG, ConfigOption, loaded
from gateway.cli.status import show_groups
from gateway.writer.messages import CloseGroup, Ok

app = typer.Typer(
    help="List groups, or close one whose missing objects will not come. That is audited with your login name.",
    no_args_is_help=True,
)


@app.command("list")
def list_groups(
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document, for programs.")] = False,
    limit: Annotated[int, typer.Option(help="Rows at most.", min=1)] = 1000,
) -> None:
    """Open and closed groups, the newest first; the same as `status --groups`."""
    show_groups(loaded(config).state, limit, as_json=as_json)


@app.command()
def close(
    groups: Annotated[list[int], typer.Argument(help="Numbers from `groups list`.")],
    reason: Annotated[str, typer.Option(help="Why; it goes into the audit trail. Name no patient.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Let go what has come of a group, whatever is missing. What comes later follows it, as after any other end."""

    def decide(ask: Ask, number: int) -> str:
        answer = ask(CloseGroup(number, reason, getpass.getuser()))
        assert isinstance(answer, Ok)
        return f"closed {number}: {answer.count} objects had come"

    each(loaded(config), groups, decide)
