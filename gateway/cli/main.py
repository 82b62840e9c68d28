"""The command `dicom-gateway`: one file a command, each mounted here.

Only the module of the command that is called is imported: `deid` on one file is not to wait for the server's code, nor
a plain `deid` for Typer's.
"""

from __future__ import annotations

import gc
import os
import sys
import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from gateway import __version__

if TYPE_CHECKING:
    from types import TracebackType

    import typer

# command -> module in gateway.cli, and what of it: a function, or a Typer of sub-commands called `app`
COMMANDS: Final = {
    "serve": ("serve", "serve"),
    "check": ("check", "check"),
    "test": ("cases", "run_cases"),
    "explain": ("explain", "explain"),
    "diff": ("diff", "diff"),
    "deid": ("deid_command", "deid"),
    "convert": ("convert", "convert"),
    "render": ("render", "render"),
    "send": ("send", "send"),
    "echo": ("echo", "echo"),
    "status": ("status", "status"),
    "groups": ("groups", "app"),
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
    import typer  # not for a plain `deid`

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
    warnings.showwarning = _warned
    sys.excepthook = _broken_off
    called = sys.argv[1] if len(sys.argv) > 1 else ""
    if called == "deid":
        _plain_deid(sys.argv[2:])
    _terminal()
    try:
        command_line(called)()
    except Exception as error:  # Typer has a hook of its own by now, which quotes it
        _broken_off(type(error), error, error.__traceback__)
        sys.exit(1)


def _terminal() -> None:
    """What libraries say, in words that quote no value; a plain `deid` waits for them only where somebody speaks."""
    from gateway import logs

    logs.terminal()


def _warned(*what: Any, **more: Any) -> None:
    _terminal()
    warnings.showwarning(*what, **more)


def _broken_off(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    _terminal()
    sys.excepthook(kind, error, trace)


def _plain_deid(words: list[str]) -> None:
    """Carry out `deid` where its command line is plain, and exit; else come back."""
    gc.disable()  # nothing that is imported goes away again: looking for it takes a tenth of the start
    from gateway.cli import deid_line
    from gateway.cli.deid import deidentify_files

    asked = deid_line.read(words)
    if asked is None:
        gc.enable()
        return
    try:
        sys.exit(deidentify_files(asked))
    except KeyboardInterrupt:
        sys.exit(130)  # as Typer does
    except BrokenPipeError:
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123  nobody reads on: what is left is lost
        sys.exit(1)
