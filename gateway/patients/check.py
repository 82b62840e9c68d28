"""What `dicom-gateway check` says of one block's patients: the map line by line, the service's files, the escrow table.

Nothing is asked of a service and nothing is written.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from gateway.config.document import Positions
from gateway.config.problems import Loc, Problem
from gateway.config.schema import Config, Deidentify
from gateway.config.secrets import open_to_others
from gateway.errors import ConfigRefused, GatewayError
from gateway.patients import csvmap
from gateway.patients.escrow import officer
from gateway.patients.service import MapService
from transforms.deidentify.patient import issuer_of


def problems(block: Deidentify, loc: Loc, places: Positions) -> list[Problem]:
    """Every problem of what `patients` and `escrow` name. Those of a map are told with its own file and lines."""
    found: list[Problem] = []
    wanted = block.patients
    here: Loc = (*loc, "patients")
    if wanted.by == "csv" and wanted.map is not None:
        found += csvmap.read(wanted.map, merge=wanted.allow_merge is not None)[1]
        if why := open_to_others(wanted.map):
            found.append(places.warn((*here, "map"), why))
    if wanted.by == "service" and wanted.url is not None and wanted.tls is not None:
        try:
            MapService(wanted, "check")
        except ConfigRefused as error:
            found += [places.at_value((*here, "tls"), str(each)) for each in error.problems]
        except GatewayError as error:
            found.append(places.at_value((*here, "token"), str(error)))
    if wanted.allow_merge is not None:
        found.append(places.warn((*here, "allow_merge"), "two patients may leave under one pseudonym"))
    if block.escrow is not None:
        found += _escrow(block.escrow.to, block.escrow.file, (*loc, "escrow"), places)
    return found


def issuers(config: Config) -> list[Problem]:
    """Listeners through which an object that names no issuer would be another patient than was meant, or held."""
    listeners = list(enumerate(config.listeners))
    silent = [each for each in listeners if each[1].issuer is None]
    found: list[Problem] = []
    if config.deidentify and len(silent) < len(listeners):
        text = "has no `issuer`, others have: what names none is another patient when it comes this way"
        found += [config.places.warn(("listeners", number, "id"), text) for number, _ in silent]
    for name, block in config.deidentify.items():
        if block.patients.by != "csv" or block.patients.map is None:
            continue
        table = csvmap.read(block.patients.map, merge=block.patients.allow_merge is not None)[0]
        if table is None:
            continue  # told by `problems`
        for number, listener in listeners:
            if listener.issuer is not None and not table.has_issuer(issuer_of(listener.issuer)):
                text = f"the map of {name!r} has no patient of this issuer: what names none is held there"
                found.append(config.places.warn(("listeners", number, "issuer"), text))
        if silent and table.ambiguous:
            text = (
                f"{table.ambiguous} Patient IDs of several issuers: what names none is held, but where its listener has"
            )
            found.append(config.places.warn(("deidentify", name, "patients", "map"), f"{text} an `issuer`"))
    return found


def _escrow(to: Path, file: Path, loc: Loc, places: Positions) -> list[Problem]:
    found: list[Problem] = []
    try:
        until = officer(to).not_valid_after_utc
        if until < datetime.now(UTC):
            found.append(places.warn((*loc, "to"), f"the officer's certificate expired on {until:%Y-%m-%d}"))
    except GatewayError as error:
        found.append(places.at_value((*loc, "to"), str(error)))
    if not file.parent.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
        found.append(places.at_value((*loc, "file"), f"cannot be written: {file}"))
    if why := open_to_others(file):
        found.append(places.warn((*loc, "file"), why))
    return found
