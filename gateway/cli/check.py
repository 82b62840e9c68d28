"""`dicom-gateway check`: every problem of a rule file, of the files it names, and of this platform for it."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.check_web import problems as web_problems
from gateway.config.document import Positions
from gateway.config.load import examine, rules_hash
from gateway.config.mail import MailDestination
from gateway.config.problems import Loc, Problem, ordered
from gateway.config.schema import Config, Deidentify, KeyPair, MediaDestination, MediaListener, Route, Step, Tls
from gateway.config.secrets import resolve
from gateway.decide.check import problems as rule_problems
from gateway.errors import GatewayError
from gateway.patients.check import issuers
from gateway.patients.check import problems as patient_problems
from gateway.security import tls
from gateway.security.credentials import utcnow
from gateway.steps.table import told
from transforms.deidentify.profile import compile_profile
from transforms.errors import TransformError


def check(
    file: Annotated[Path, typer.Argument(help="The rule file, gateway.yaml.")] = Path("gateway.yaml"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document, for programs.")] = False,
) -> None:
    """Tell every problem of FILE at once, each as file:line:column with the nearest right word. Changes nothing.

    Certificates, keys and secrets that it names are read, too: they must be there, valid and fit each other. Exit 0
    where the gateway can run with it (warnings are only told), 1 where it cannot.
    """
    config, found = examine(file, (rule_problems,))
    if config is not None:
        found = ordered([*found, *outside(config)])
    refused = config is None or any(each.severity == "error" for each in found)
    if as_json:
        document = {
            "file": str(file),
            "usable": not refused,
            "rules_hash": rules_hash(config) if config and not refused else None,
            "problems": [{key: value for key, value in asdict(each).items() if value} for each in found],
            "routes": [summary(each) for each in config.routes] if config else [],
        }
        json.dump(document, sys.stdout, indent=2)
        print()
    else:
        for each in found:
            print(each)
        errors = sum(each.severity == "error" for each in found)
        if config is not None and not refused:
            for route in config.routes:
                print(summary(route))
            print(f"{file}: usable, {_count(len(found), 'warning')}, rules {rules_hash(config)[:12]}")
        else:
            print(f"{file}: not usable, {_count(errors, 'error')}, {_count(len(found) - errors, 'warning')}")
    raise typer.Exit(1 if refused else 0)


def summary(route: Route) -> str:
    """One route on one line."""
    steps = "".join(f", {told(step)}" for step in route.steps)
    steps += f", when the {route.group.by} is complete" if route.group else ""
    steps += f", committed {route.commit}" if route.commit else ""
    if route.otherwise:
        return f"route {route.id}: what no other takes -> {route.otherwise} ({route.reason or 'no-route'})"
    if route.deliver:
        on = "; later routes are asked too" if route.mode == "all" else ""
        return f"route {route.id}: -> {', '.join(route.deliver)}{steps}{on}"
    return f"route {route.id}: -> {'hold' if route.hold else 'drop'} ({route.hold or route.drop})"


def outside(config: Config) -> list[Problem]:
    """Problems of what the file names: certificates, keys, secrets, the state folder, and this platform's TLS."""
    places = config.places
    found: list[Problem] = []
    for number, listener in enumerate(config.listeners):
        if listener.tls:
            found += _tls(config, listener.tls, ("listeners", number, "tls"), server=True)
        if listener.media:
            found += _media(listener.media, ("listeners", number, "media"), places)
    for name, destination in config.destinations.items():
        if destination.tls:
            found += _tls(config, destination.tls, ("destinations", name, "tls"), server=False)
        if destination.media:
            found += _media(destination.media, ("destinations", name, "media"), places)
        if destination.mail:
            found += _mail(destination.mail, ("destinations", name, "mail"), places)
    found += web_problems(config)
    if config.manifest:
        from gateway.security import signers  # what reads and writes CMS

        pair = config.manifest.sign
        found += [places.at_value(("manifest", "sign"), text) for text in signers.problems(pair)]
    for name, block in config.deidentify.items():
        loc: Loc = ("deidentify", name, "key")
        try:
            resolve(block.key)
        except GatewayError as error:
            found.append(places.at_value(loc, str(error)))
        found += patient_problems(block, loc[:2], places)
        found += _recipients(block, loc[:2], places)
        try:
            table = compile_profile(
                block.profile, block.options, block.override, media=block.media, documents=block.documents
            )
        except TransformError as error:
            found.append(places.at_key(loc[:2], str(error)))
            continue
        text = "keeps more than the profile: where it does, the object claims no method codes"
        found += [places.warn((*loc[:2], "override", number - 1), text) for number in table.looser]
    found += issuers(config)
    for at, route in enumerate(config.routes):
        for number, step in enumerate(route.steps):
            found += _signatures(step, ("routes", at, "steps", number), places)
    for number, case in enumerate(config.cases):
        if case.given.file and not case.given.file.is_file():
            found.append(places.warn(("cases", number, "given", "file"), "there is no such file"))
    return [*found, *_folders(config)]


def _tls(config: Config, block: Tls, loc: Loc, *, server: bool) -> list[Problem]:
    identity: KeyPair | None = block.identity or config.identity
    return [config.places.at_value(loc, text) for text in tls.problems(block, identity, server=server)]


def _media(block: MediaDestination | MediaListener, loc: Loc, places: Positions) -> list[Problem]:
    from gateway.deliver.media import ordered  # what reads and writes CMS
    from gateway.receive.media import readers

    try:
        if isinstance(block, MediaListener):
            readers(block)
        else:
            ordered(block)
    except GatewayError as error:
        return [places.at_value(loc, str(error))]
    return []


def _mail(block: MailDestination, loc: Loc, places: Positions) -> list[Problem]:
    """Who can read it, who signs it, and how we log in."""
    from gateway.deliver.mail import ordered  # what reads and writes CMS

    found = []
    try:
        ordered(block)
    except GatewayError as error:
        found.append(places.at_value(loc, str(error)))
    if block.login is not None:
        try:
            resolve(block.login.password, least=1)
        except GatewayError as error:
            found.append(places.at_value((*loc, "login", "password"), str(error)))
    return found


def _recipients(block: Deidentify, loc: Loc, places: Positions) -> list[Problem]:
    """Who may open encrypted attributes: certificates that are there, valid and for it."""
    if block.encrypted_attributes is None:
        return []
    from gateway.security.reidentification import problems  # what reads and writes CMS

    here = (*loc, "encrypted_attributes", "recipients")
    listed = enumerate(block.encrypted_attributes.recipients)
    return [places.at_value((*here, number), text) for number, file in listed for text in problems(file, utcnow())]


def _signatures(step: Step, loc: Loc, places: Positions) -> list[Problem]:
    """Who signs, and who is believed: files that are there and can be used."""
    if step.sign is None and step.verify is None:
        return []
    from gateway.security import signers  # what reads and writes CMS
    from gateway.steps.verify import trusted

    if step.sign is not None:
        texts = signers.problems(step.sign, rsa_only=True)
        return [places.at_value((*loc, "sign"), text) for text in texts]
    assert step.verify is not None
    try:
        trusted(step.verify)
    except GatewayError as error:
        return [places.at_value((*loc, "verify"), error.detail)]
    return []


def _folders(config: Config) -> list[Problem]:
    wanted: dict[Loc, Path] = {("state", "dir"): config.state.dir}
    for name, destination in config.destinations.items():
        if destination.folder:
            wanted["destinations", name, "folder", "dir"] = destination.folder.dir
        if destination.media:
            wanted["destinations", name, "media", "dir"] = destination.media.dir
    for number, listener in enumerate(config.listeners):
        if listener.folder:
            wanted["listeners", number, "folder", "dir"] = listener.folder.dir
        if listener.media:
            wanted["listeners", number, "media", "dir"] = listener.media.dir
    if config.manifest:
        wanted["manifest", "dir"] = config.manifest.dir
    found = []
    for loc, folder in wanted.items():
        there = folder
        while not there.exists() and there != there.parent:
            there = there.parent
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            found.append(config.places.at_value(loc, f"cannot be written: {there}"))
        elif loc[0] == "listeners":
            found += _ends(folder, loc, config.places)
    return found


def _ends(folder: Path, loc: Loc, places: Positions) -> list[Problem]:
    """Where what was taken of a watched folder goes, by a rename."""
    from gateway.receive.folder import FAILED, PROCESSED, elsewhere_ends

    try:
        elsewhere_ends(folder, {end: folder / end for end in (PROCESSED, FAILED) if (folder / end).exists()})
    except FileNotFoundError:  # it is made when the gateway starts
        return []
    except GatewayError as error:
        return [places.at_value(loc, error.detail)]
    return []


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
