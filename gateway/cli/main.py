"""The command `dicom-gateway`: one file a command, each mounted here."""

from __future__ import annotations

import typer

from gateway import __version__
from gateway.cli import audit, cases, certs, check, deid, echo, explain, held, send, serve, status

app = typer.Typer(
    help="A TLS-terminating DICOM gateway: receive, route, de-identify (PS3.15), forward, and audit all of it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a traceback's locals may hold a patient
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(serve.serve)
app.command()(check.check)
app.command("test")(cases.run_cases)
app.command()(explain.explain)
app.command()(deid.deid)
app.command()(send.send)
app.command()(echo.echo)
app.command()(status.status)
app.add_typer(held.app, name="held")
app.add_typer(audit.app, name="audit")
app.add_typer(certs.app, name="certs")


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)


def run() -> None:
    """Entry point of the console script."""
    app()
