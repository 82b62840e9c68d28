"""A person's decisions about several things by their numbers, each asked of the writer of a serving gateway."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NoReturn, TypeAlias

import typer

from gateway.cli.common import fail
from gateway.config.schema import Config
from gateway.errors import GatewayError
from gateway.writer.client import operator
from gateway.writer.messages import AnyReply, AnyRequest

Ask: TypeAlias = Callable[[AnyRequest], AnyReply]


def each(settings: Config, numbers: Iterable[int], decide: Callable[[Ask, int], str]) -> NoReturn:
    """`decide` each number and print what it returns; one that is refused is told and does not stop the others.

    Exits: 0, all done; 3, some refused; 2, no gateway serves.
    """
    refused = False
    try:
        with operator(settings) as ask:
            for number in numbers:
                try:
                    print(decide(ask, number))
                except GatewayError as error:
                    refused = True
                    print(f"{number}: {error.reason}: {error.detail}")
    except GatewayError as error:
        fail(f"{error.reason}: {error.detail}")
    raise typer.Exit(3 if refused else 0)
