"""gateway.yaml -> a frozen `Config`, or every problem of the file at once.

Rules of this file
* `problems_of` never raises; `load` raises ConfigRefused with all errors. Warnings refuse nothing.
* Blocks are checked by schema.py, what needs two blocks by references.py, both on one reading of the file.
* The language of `match` belongs to gateway/decide, which stands above this package: pass its checker as `also`
  (gateway.decide.check.problems) to have its problems told together with these.
* No secret is resolved here, and none can get into the normal form or its hash.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gateway.config import document
from gateway.config.document import Positions
from gateway.config.problems import Problem, errors, ordered
from gateway.config.references import problems as references
from gateway.config.schema import Config
from gateway.config.shape import told
from gateway.errors import ConfigRefused

Checker = Callable[[Any, Positions], list[Problem]]  # the file's plain data, and where it stands


def load(path: Path, also: tuple[Checker, ...] = ()) -> Config:
    """The configuration of a file. Raises ConfigRefused with every error that was found in it."""
    config, problems = examine(path, also)
    wrong = errors(problems)
    if config is None or wrong:
        raise ConfigRefused(wrong)
    return config


def examine(path: Path, also: tuple[Checker, ...] = ()) -> tuple[Config | None, tuple[Problem, ...]]:
    """The configuration, or None where its shape is wrong, and all problems in the order of the file."""
    try:
        with path.open("rb") as file:
            data = file.read(document.MAX_BYTES + 1)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else "cannot be read"
        return None, (Problem(str(path), 1, 1, f"the file cannot be read: {why}"),)
    return examine_bytes(data, str(path), path.absolute().parent, also)


def examine_bytes(
    data: bytes, name: str, base: Path, also: tuple[Checker, ...] = ()
) -> tuple[Config | None, tuple[Problem, ...]]:
    """As `examine`, over bytes; relative paths count from `base`."""
    value, places, problems = document.parse(data, name)
    if problems and value is None:
        return None, ordered(problems)
    if not isinstance(value, dict):
        return None, ordered([*problems, places.at_value((), "a rule file is a map that begins with 'version: 1'")])
    config = None
    try:
        config = Config.model_validate(value, context={"base": base})
        config._places = places
    except ValidationError as error:
        problems += told(error, value, places)
    for check in (references, *also):
        problems += check(value, places)
    return config, ordered(problems)


def normal_form(config: Config) -> bytes:
    """The configuration as canonical JSON: keys sorted, defaults written out, secrets only by name."""
    plain = config.model_dump(mode="json", by_alias=True)
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def rules_hash(config: Config) -> str:
    """SHA-256 of the normal form, 64 hex digits. The order of maps does not change it; the order of routes does."""
    return hashlib.sha256(normal_form(config)).hexdigest()
