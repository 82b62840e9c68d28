"""The command `dicom-gateway`: one file a command, each mounted here.

Only the module of the command that is called is imported: `deid` on one file is not to wait for the server's code.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Final

import typer

from gateway import __version__

# command -> module in gateway.cli, and what of it: a function, or a Typer of sub-commands called `app`
COMMANDS: Final = {
    "serve": ("serve", "serve"),
    "check": ("check", "check"),
    "test": ("cases", "run_cases"),
    "explain": ("explain", "explain"),
    "diff": ("diff", "diff"),
    "deid": ("deid", "deid"),
    "convert": ("convert", "convert"),
    "render": ("render", "render"),
    "send": ("send", "send"),
    "echo": ("echo", "echo"),
    "status": ("status", "status"),
    "held": ("held", "app"),
    "pixels": ("pixels", "app"),
    "audit": ("audit", "app"),
    "manifest": ("manifest", "app"),
    "media": ("media", "app"),
    "reidentify": ("reidentify", "reidentify"),
    "sign": ("sign", "sign"),
    "verify": ("sign", "verify"),
    "patients": ("patients", "app"),
    "certs": ("certs", "app"),
}


def command_line(called: str = "") -> typer.Typer:
    """The application; only with the command that is called, where that is one of ours."""
    app = typer.Typer(
        help="A TLS-terminating DICOM gateway: receive, route, de-identify (PS3.15), forward, and audit all of it.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,  # a traceback's locals may hold a patient
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(lambda: None)  # a single command stays a sub-command
    for name in [called] if called in COMMANDS else COMMANDS:
        module, attribute = COMMANDS[name]
        found = getattr(import_module(f"gateway.cli.{module}"), attribute)
        if attribute == "app":
            app.add_typer(found, name=name)
        else:
            app.command(name)(found)
    app.command()(version)
    return app


def version() -> None:
    """Print the version."""
    print(__version__)


def run() -> None:
    """Entry point of the console script."""
    command_line(sys.argv[1] if len(sys.argv) > 1 else "")()
