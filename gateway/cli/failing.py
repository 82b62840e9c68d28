"""How a command that cannot be carried out ends. It stands apart from common.py, so that who fails needs no Typer."""

from __future__ import annotations

import sys
from typing import NoReturn


def fail(message: str) -> NoReturn:
    """Say why the command cannot be carried out; exit 2."""
    print(f"dicom-gateway: {message}", file=sys.stderr)
    sys.exit(2)
