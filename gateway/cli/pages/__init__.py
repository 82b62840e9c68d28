"""Pages for people who would rather look than read a terminal: one self-contained HTML file each.

* Templates stand beside this file; everything put into them is escaped. No script, no font and no picture is fetched.
* A page shows what its command shows: no value of a data set unless the command was asked for values.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from gateway.errors import GatewayError


def write(path: Path, template: str, **values: Any) -> None:
    """Render a template into a new file, 0600. Raises GatewayError: page-exists, page-not-written."""
    environment = Environment(
        loader=PackageLoader("gateway.cli", "pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    text = environment.get_template(template).render(values)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise GatewayError("page-exists", f"{path} exists already") from None
    except OSError as error:
        raise GatewayError("page-not-written", f"{path}: {os.strerror(error.errno or 5)}") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
