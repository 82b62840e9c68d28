"""`dicom-gateway explain`: which route an object takes and why, and what happens to each of its elements."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from gateway.cli import pages
from gateway.cli.common import fail, loaded
from gateway.cli.explain_elements import as_json as elements_json
from gateway.cli.explain_elements import as_table
from gateway.cli.status import when
from gateway.config.load import rules_hash
from gateway.config.schema import State
from gateway.decide.explain import explain as explain_routes
from gateway.decide.facts import ObjectFacts
from gateway.egress import Egress
from gateway.errors import GatewayError
from gateway.model import Decision, Identity, Origin
from gateway.rulebook import compile_ruleset
from gateway.steps.contract import Around, Passing
from gateway.steps.table import run
from gateway.steps.table import told as words
from gateway.store.reading import read_only, told_of
from transforms.dataset import framing, part10
from transforms.deidentify.engine import Deidentified
from transforms.errors import TransformError
from transforms.source import ByteSource, BytesSource


def explain(
    file: Annotated[Path, typer.Argument(help="The rule file, gateway.yaml.")],
    dicom: Annotated[Path, typer.Argument(metavar="OBJECT", help="A Part 10 file.")],
    listener: Annotated[str, typer.Option(help="Pretend it came through this listener; default: the first.")] = "",
    called_ae: Annotated[str, typer.Option("--called", help="Pretend this called AE title.")] = "",
    calling_ae: Annotated[str, typer.Option("--calling", help="Pretend this calling AE title.")] = "",
    values: Annotated[bool, typer.Option("--values", help="Show values. They may identify a patient.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document, for programs.")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page to look at, too.")] = None,
) -> None:
    """Say what would happen to OBJECT, and why: the route, why the others not, and per element the action and its rule.

    Nothing is sent or stored. No value is shown unless you ask with --values.
    """
    config = loaded(file)
    names = [each.id for each in config.listeners]
    if listener and listener not in names:
        fail(f"no listener {listener!r}; there are: {', '.join(names)}")
    try:
        ruleset = compile_ruleset(config, rules_hash(config))
        source, uid = _read(dicom)
        index = framing.check(source, uid)
    except (GatewayError, TransformError) as error:
        fail(str(error))
    chosen = next(each for each in config.listeners if each.id == (listener or names[0]))
    origin = Origin(chosen.id, "", "", calling_ae, called_ae or chosen.called)
    told = explain_routes(ruleset.rules, ObjectFacts(origin, source, index), values=values)
    around = Around(
        ruleset, Egress(), lambda data: BytesSource(b"".join(data)), trial=True, trace=True, listener=chosen.id
    )
    made = Passing(source, uid, Identity("", ""))
    steps: list[tuple[str, Deidentified | str | None, str]] = []  # its words, what it did, why it holds
    for step in told.route_steps:
        try:
            made = run(made, step, around)
            steps.append((words(step), made.told, ""))
        except GatewayError as error:
            steps.append((words(step), None, str(error)))
            break  # nothing comes to the next one
    waiting = _waiting(config.state, told.decision)
    document = {
        "routes": told.as_json() | {"waiting": waiting},
        "steps": [_plain(*each, values=values) for each in steps],
    }
    if html is not None:
        try:
            pages.write(html, "explain.html.j2", **document, values=values)
        except GatewayError as error:
            fail(str(error))
    if as_json:
        json.dump(document, sys.stdout, indent=2)
        print()
        return
    console = Console()
    console.print(told.as_text(), markup=False, highlight=False)
    for line in waiting:
        console.print(line, markup=False, highlight=False)
    for name, done, held in steps:
        if isinstance(done, Deidentified):
            console.print(f"{name}:", markup=False)
            console.print(as_table(done, values=values))
        else:
            console.print(f"{name}: {f'held, {held}' if held else done or 'done'}", markup=False, highlight=False)


def _waiting(state: State, decision: Decision) -> list[str]:
    """What the groups of the object's study or series wait for now, where the gateway's ledger is there to say so."""
    if decision.group is None:
        return []
    try:
        with read_only(state) as ledger:
            groups = [each for each in ledger.groups(decision.group.uid) if each.route == decision.route]
    except GatewayError:
        return []
    return [f"now: {told_of(each)}, waits ({each.reason}) {when(each.until)}" for each in groups]


def _plain(name: str, done: Deidentified | str | None, held: str, *, values: bool) -> dict[str, Any]:
    """One step for programs and pages."""
    if held:
        return {"step": name, "held": held}
    if isinstance(done, Deidentified):
        return {"step": name, "elements": elements_json(done, values=values)}
    return {"step": name, "told": done or ""}


def _read(path: Path) -> tuple[ByteSource, str]:
    """The data set of a Part 10 file and its transfer syntax."""
    try:
        data = path.read_bytes()
    except OSError as error:
        fail(f"{path}: {os.strerror(error.errno or 5)}")
    found = part10.split(BytesSource(data))
    return BytesSource(data[found.offset :]), found.syntax
