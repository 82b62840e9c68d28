"""`dicom-gateway test`: run the cases that a rule file carries."""

from __future__ import annotations

import os
import warnings
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any

import pydicom
import typer
from pydicom.dataset import Dataset
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.cli.common import fail, refused
from gateway.config import kinds
from gateway.config.kinds import Kind
from gateway.config.load import load, rules_hash
from gateway.config.schema import Case, Config, Route
from gateway.decide.cases import Effects, Outcome
from gateway.decide.cases import run as run_each
from gateway.decide.check import problems as rule_problems
from gateway.decide.facts import DictFacts, Facts, ObjectFacts
from gateway.decide.paths import parse
from gateway.egress import Egress
from gateway.errors import ConfigRefused, GatewayError
from gateway.model import Identity, Origin
from gateway.rulebook import Ruleset, compile_ruleset
from gateway.steps.contract import Around, Passing
from gateway.steps.table import named, run
from transforms.dataset import framing, part10, values
from transforms.errors import TransformError
from transforms.source import ByteSource, BytesSource

PIXEL_DATA = (0x7FE00008, 0x7FE00009, 0x7FE00010)  # Float, Double Float and Pixel Data (PS3.3 C.7.6.24, C.7.6.3)
_KEY = b"a key for the cases of rule files only"  # cases ask what changed, never into what


def run_cases(
    file: Annotated[Path, typer.Argument(help="The rule file, gateway.yaml.")] = Path("gateway.yaml"),
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only what failed.")] = False,
) -> None:
    """Run the `cases:` of FILE: which route each object takes, and what its steps make of it. Sends nothing.

    No key of the file is read: the steps run under a throw-away one. Exit 0 where all pass, 1 where one fails, 2 where
    the file cannot be used.
    """
    try:
        config = load(file, (rule_problems,))
        ruleset = compile_ruleset(config, rules_hash(config), key=_KEY)
    except ConfigRefused as error:
        refused(error)
    except GatewayError as error:
        fail(str(error))
    outcomes = run_each(
        config,
        ruleset.rules,
        lambda case: facts_of(config, case),
        lambda case, route: effects(ruleset, case, route),
    )
    failed = [each for each in outcomes if not each.passed]
    if not quiet and outcomes:
        Console().print(_table(outcomes))
    for each in failed:
        for problem in each.failures:
            print(f"{problem}  [{each.name}]")
    print(f"{file}: {len(outcomes) - len(failed)} of {len(outcomes)} cases pass")
    raise typer.Exit(1 if failed else 0)


def _table(outcomes: tuple[Outcome, ...]) -> Table:
    table = Table("case", "line", "route", "verdict", "result")
    for each in outcomes:
        decision = each.decision
        verdict = "-" if decision is None else f"{decision.verdict} {decision.reason}".strip()
        route = decision.route if decision else ""
        table.add_row(
            escape(each.name), str(each.line), escape(route or "-"), escape(verdict), "pass" if each.passed else "FAIL"
        )
    return table


def facts_of(config: Config, case: Case) -> Facts:
    """The facts of a case: its file's, and over them what `set` says."""
    given = case.given
    listener = next((each for each in config.listeners if each.id == given.listener), config.listeners[0])
    called = given.called_ae or listener.called
    beneath: Facts | None = None
    if given.file:
        source, uid = _read(given.file)
        try:
            index = framing.check(source, uid)
        except TransformError as error:
            raise GatewayError(error.reason, f"{given.file.name} does not frame") from error
        origin = Origin(listener.id, "", "", given.calling_ae, called, given.subject)
        beneath = ObjectFacts(origin, source, index)
    over = {parse(name).text: found for name, found in given.set.items()}
    return DictFacts(over, listener.id, called, given.calling_ae, given.subject, beneath)


def effects(ruleset: Ruleset, case: Case, route: Route) -> Effects:
    """Run the steps of a route over the file of a case. Raises GatewayError where one of them holds it."""
    assert case.given.file is not None  # references.py asks for it
    listener = case.given.listener or ruleset.config.listeners[0].id
    source, uid = _read(case.given.file)
    if case.given.set:
        source = _with(case.given.file, case.given.set)
    try:
        around = Around(ruleset, Egress(), lambda data: BytesSource(b"".join(data)), trial=True, listener=listener)
        made = Passing(source, uid, Identity("", ""))
        for step in route.steps:
            if kinds.STEPS[named(step)].produces is not Kind.DICOM:
                break  # a case asks for attributes: what is made of the data set after that has none
            made = run(made, step, around)
        first, last = framing.check(source, uid), framing.check(made.source, made.syntax)
        return Effects(
            before=lambda path: values.read_path(source, first, parse(path).text),
            after=lambda path: values.read_path(made.source, last, parse(path).text),
            pixels_identical=_pixels(source, first) == _pixels(made.source, last),
        )
    except TransformError as error:
        raise GatewayError(error.reason, error.detail) from error


def _pixels(source: ByteSource, index: framing.Index) -> list[bytes]:
    found = [index.get(tag) for tag in PIXEL_DATA]
    return [source.pread(each.value, each.end - each.value) for each in found if each]


def _read(path: Path) -> tuple[ByteSource, str]:
    """The data set of a Part 10 file and its transfer syntax."""
    try:
        data = BytesSource(path.read_bytes())
        found = part10.split(data)
    except OSError as error:
        raise GatewayError("case-file", f"{path}: {os.strerror(error.errno or 5)}") from None
    except TransformError as error:
        raise GatewayError(error.reason, f"{path} is no Part 10 file") from None
    return BytesSource(data.pread(found.offset, data.size - found.offset)), found.syntax


def _with(path: Path, wanted: dict[str, tuple[str, ...]]) -> ByteSource:
    """The data set of a file with the attributes of `set` in it. Values are written as they are, valid or not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        strictness = pydicom.config.settings.reading_validation_mode, pydicom.config.settings.writing_validation_mode
        pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
        pydicom.config.settings.writing_validation_mode = pydicom.config.IGNORE
        try:
            whole = pydicom.dcmread(path, force=True)
            for name, texts in wanted.items():
                _put(whole, name, list(texts))
            out = BytesIO()
            whole.save_as(out, enforce_file_format=True)
        except (KeyError, IndexError, ValueError, TypeError, AttributeError, NotImplementedError) as error:
            raise GatewayError("case-set", f"{path.name}: `set` cannot be applied ({type(error).__name__})") from None
        finally:
            (
                pydicom.config.settings.reading_validation_mode,
                pydicom.config.settings.writing_validation_mode,
            ) = strictness
    data = BytesSource(out.getvalue())
    offset = part10.split(data).offset
    return BytesSource(data.pread(offset, data.size - offset))


def _put(target: Dataset, path: str, texts: list[str]) -> None:
    """Set one attribute: Keyword, (gggg,eeee), or either inside Sequence[n]."""
    *above, name = path.split(".")
    for each in above:
        sequence, _, number = each.partition("[")
        target = target[_tag(sequence)].value[int(number.rstrip("]"))]
    tag = _tag(name)
    vr = pydicom.datadict.dictionary_VR(tag) if not tag.is_private else "LO"
    value: Any = texts[0] if len(texts) == 1 else texts or None
    if vr in ("US", "SS", "UL", "SL", "UV", "SV", "US or SS"):
        value = [int(each) for each in texts]
    elif vr in ("FL", "FD"):
        value = [float(each) for each in texts]
    target.add_new(tag, "US" if vr == "US or SS" else vr, value)


def _tag(name: str) -> pydicom.tag.BaseTag:
    if name.startswith("("):
        group, _, element = name.strip("()").partition(",")
        return pydicom.tag.Tag(int(group, 16), int(element, 16))
    return pydicom.tag.Tag(name)
