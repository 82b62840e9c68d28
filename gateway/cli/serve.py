"""`dicom-gateway serve`: run the gateway in the foreground until a signal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.app.supervisor import Supervisor
from gateway.cli.common import fail, refused
from gateway.errors import ConfigRefused, GatewayError
from gateway.logs import configure


def serve(
    file: Annotated[Path, typer.Argument(help="The rule file, gateway.yaml.")] = Path("gateway.yaml"),
    log_level: Annotated[str, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
) -> None:
    """Receive, route, transform and deliver as FILE says, until SIGTERM or Ctrl-C.

    SIGHUP takes the file anew: all of it, or, where it has a problem, none of it. Log lines go to standard error and
    never name a patient; `dicom-gateway status` and `held` show what waits and why.
    """
    configure(log_level)
    try:
        status = Supervisor(file).run()
    except ConfigRefused as error:
        refused(error)
    except GatewayError as error:
        fail(f"{error.reason}: {error.detail}" if error.detail else error.reason)
    raise typer.Exit(status)
