"""The configuration as it was when an object was decided: kept as `state/rules/HASH.json`.

A decision pins the hash of the rules; every process, and a retry after a reload, uses this file and not whatever
gateway.yaml says by then. It names secrets, as gateway.yaml does, and never holds one.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from gateway.config.load import normal_form, rules_hash
from gateway.config.schema import Config
from gateway.folders import made


def keep(config: Config) -> str:
    """Write it durably under its hash, which is returned. Writing the same again changes nothing."""
    digest = rules_hash(config)
    folder = config.state.dir / "rules"
    made(folder)
    path = folder / f"{digest}.json"
    if not path.exists():
        fresh = folder / f".{digest}.{os.getpid()}"
        with os.fdopen(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as out:
            out.write(normal_form(config))
            out.flush()
            os.fsync(out.fileno())
        fresh.rename(path)
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return digest


def kept(state: Path, digest: str) -> Config:
    """The configuration of that hash. Raises OSError or ValueError where it is gone or was changed."""
    config = Config.model_validate(json.loads((state / "rules" / f"{digest}.json").read_bytes()))
    if rules_hash(config) != digest:
        raise ValueError("a kept configuration does not have the hash it is kept by")
    return config
