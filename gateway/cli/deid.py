"""`dicom-gateway deid`: de-identify files and folders (PS3.15 Annex E), without a gateway running.

Rules of this file
* It changes no input. Each object is written whole or held; deid_file.py says how.
* Inputs are numbered in the order they are found and told of by number: a file's name may hold a patient's.
* Nothing here waits for Typer: a plain command line is read without it (deid_line.py).
* Exit 0: all done; 3: some are held; 2: the command cannot be carried out as asked.
"""

from __future__ import annotations

import gc
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from gateway.cli.deid_file import FileResult, Settings, compiled, egress, patient_map, read_profile, run
from gateway.cli.deid_look import Look, Studies, Told, look
from gateway.cli.failing import fail
from gateway.config.secrets import resolve
from gateway.errors import GatewayError
from gateway.overrides import Tables
from transforms.deidentify.context import Context
from transforms.deidentify.options import PIXELS, VISUAL_FEATURES
from transforms.deidentify.patient import issuer_of
from transforms.errors import TransformError

_ALONE = 16  # inputs that one process does sooner than others start
_CHUNK = 32  # inputs that a process is given at a time
_RARELY = 20_000  # things made before what goes in circles is looked for: an object leaves next to none
_SHOWN = 50  # held inputs told on the terminal; the report has all

Task = tuple[Path, bool]  # an input, and whether it was found in a folder
Briefed = tuple[list[Task], list[Told], dict[str, tuple[bytes, ...]]]
Documents = Literal["remove", "clean", "clean-or-hold", "hold"]

_ready: tuple[Settings, Tables, Context] | None = None  # of this worker process


class Asked(NamedTuple):
    """A command line, read; deid_command.py says what each is."""

    inputs: tuple[Path, ...]
    key_file: Path
    out: Path
    profile: str = "basic"
    option: tuple[str, ...] = ()
    project: str = "deid"
    documents: Documents | None = None
    devices: Path | None = None
    report: Path | None = None
    names: bool = False
    patients: Path | None = None
    allow_merge: bool = False
    mapping: Path | None = None
    manifest: Path | None = None
    sign: tuple[Path, Path] | None = None
    recipient: tuple[Path, ...] = ()
    issuer: str = ""
    processes: int = 0


def deidentify_files(asked: Asked) -> int:
    """Do it; the exit status. Exits with 2 where it cannot be carried out."""
    out, report = asked.out, asked.report
    try:
        settings = Settings(
            read_profile(asked.profile, asked.option, asked.documents),
            resolve(f"file:{asked.key_file}"),
            asked.project,
            out,
            report is not None,
            asked.patients,
            asked.allow_merge,
            asked.mapping is not None,
            asked.manifest is not None,
            asked.devices,
            asked.recipient,
            _assigner(asked.issuer),
        )
        _pixels(settings)
        write_manifest = _signing(asked.manifest, asked.sign)
        compiled(settings)
        patient_map(settings)
        if asked.recipient:
            from gateway.security.reidentification import read_recipients  # what few ask for

            read_recipients(asked.recipient)
    except (GatewayError, TransformError) as error:
        fail(str(error))
    except ValueError as error:
        fail(str(error))
    tasks = list(_found(asked.inputs))
    if not tasks:
        fail("no input: the folders hold no file")
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        fail(f"{out}: {os.strerror(error.errno or 5)}")
    if report is not None and report.exists():
        fail(f"{report}: exists already")
    results = _mapped(_run(tasks, settings, asked.processes or os.cpu_count() or 1), asked.mapping)
    if report is not None:
        _write_report(report, settings, tasks if asked.names else None, results)
    write_manifest(results)
    _tell(results, report)
    return 3 if any(each.outcome == "held" for each in results) else 0


def _assigner(issuer: str) -> str:
    """`--issuer` as it is compared. Raises ValueError."""
    if not issuer:
        return ""
    from gateway.config.units import assigner  # what few ask for

    return assigner(issuer)


def _pixels(settings: Settings) -> None:
    """Refuse what could not be done to any image. Raises GatewayError with every problem of the devices' file."""
    if VISUAL_FEATURES in settings.profile.options:
        raise GatewayError("option-unsupported", f"{VISUAL_FEATURES} needs a program, which a rule file names")
    if PIXELS not in settings.profile.options:
        if settings.devices is not None:
            raise GatewayError("devices-refused", f"--devices does nothing without --option {PIXELS}")
        return
    from gateway.config.pixels import detector
    from gateway.pixels.catalogue import entries

    entries(settings.devices)
    if not detector() and settings.devices is None:
        raise GatewayError(
            "codec-missing",
            "text in images is found by the extra `ocr`: pip install 'dicom-gateway[ocr]'; or --devices",
        )


def _signing(path: Path | None, sign: tuple[Path, Path] | None) -> Callable[[list[FileResult]], None]:
    """What writes the manifest at the end. Exits where it could not be signed or written, before anything is done."""
    if (path is None) != (sign is None):
        fail("--manifest and --sign belong together: what nobody signed shows nothing")
    if path is None or sign is None:
        return lambda _: None
    from gateway.cli import deid_manifest  # what reads and writes CMS

    by = deid_manifest.ready(path, sign)

    def write(results: list[FileResult]) -> None:
        entries = [each.entry for each in results if each.entry is not None]
        held, skipped = (Counter(each.reason for each in results if each.outcome == how) for how in ("held", "skipped"))
        try:
            deid_manifest.write(path, by, entries, held, skipped, datetime.now(UTC))
        except GatewayError as error:
            fail(str(error))

    return write


def _found(inputs: Iterable[Path]) -> Iterator[tuple[Path, bool]]:
    """(file, whether it was found in a folder), in a fixed order. Links are not followed within folders."""
    for path in inputs:
        if path.is_dir():
            try:
                yield from ((found, True) for found in _within(path))
            except OSError as error:  # which of them is not told: its name may be a patient's
                fail(f"{path}: not all of it can be read: {os.strerror(error.errno or 5)}")
        elif path.exists():
            yield path, False
        else:
            fail(f"{path}: no such file or folder")


def _within(folder: Path) -> Iterator[Path]:
    """The files of a folder, then those of the folders in it. Raises OSError."""
    with os.scandir(folder) as each:
        entries = sorted(each, key=lambda entry: entry.name)
    yield from (folder / entry.name for entry in entries if entry.is_file(follow_symlinks=False))
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _within(folder / entry.name)


def _mapped(results: Iterator[FileResult], folder: Path | None) -> list[FileResult]:
    """All results; on request the tables of who became whom, which then are nowhere else."""
    if folder is None:
        return list(results)
    from gateway.cli.mapping import Mapping  # what few ask for

    try:
        mapping = Mapping(folder)
        done = []
        for each in results:
            mapping.add(each.pairs)
            done.append(each._replace(pairs=None))
        patients, uids = mapping.write()
    except GatewayError as error:
        fail(str(error))
    print(
        f"{folder}: {patients} patients and {uids} UIDs. These tables identify patients: they are not for who gets "
        "the objects.",
        file=sys.stderr,
    )
    return done


def _run(tasks: list[tuple[Path, bool]], settings: Settings, processes: int) -> Iterator[FileResult]:
    """The results in the order of the tasks, with a progress bar where a person looks on."""
    each = _results(tasks, settings, min(processes, len(tasks)))
    if not sys.stderr.isatty():
        yield from each
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("de-identify"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=len(tasks))
        for result in each:
            progress.advance(bar)
            yield result


def _results(tasks: list[tuple[Path, bool]], settings: Settings, processes: int) -> Iterator[FileResult]:
    studies = Studies(issuer_of(settings.issuer))
    if processes < 2 or len(tasks) <= _ALONE:
        tables, context = _settled(settings)
        egress.cache_clear()  # numbers of another run's inputs mean nothing in this one
        for number, (path, _) in enumerate(tasks):
            studies.add(look(number, path, egress()))
        for number, (path, in_folder) in enumerate(tasks):
            told = studies.told(number)
            records = studies.records(told.study)
            yield run(path, in_folder, settings, tables, context, told, records)
        return
    gc.enable()  # in this process, which only gathers
    import multiprocessing  # what one process alone does not need
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    done = 0
    size = max(1, min(_CHUNK, len(tasks) // (processes * 4)))
    spawn = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(processes, spawn, _start, (settings,)) as pool:
            for looks in pool.map(_look_at, _chunks(tasks, size)):
                for each in looks:
                    studies.add(each)
            for results in pool.map(_done, _with(studies, _chunks(tasks, size))):
                done += len(results)
                yield from results
    except BrokenProcessPool:
        for _ in tasks[done:]:
            yield FileResult("held", "process-died", "a process died; this input may not have been looked at")


def _start(settings: Settings) -> None:
    global _ready
    _ready = (settings, *_settled(settings))


def _settled(settings: Settings) -> tuple[Tables, Context]:
    """The table and the key, and what is alive by then out of the collector's sight: a third of the time goes there."""
    found = compiled(settings)
    gc.freeze()
    gc.set_threshold(_RARELY)
    gc.enable()  # a plain command line does not collect before here (main.py)
    return found


def _chunks(tasks: list[Task], size: int) -> Iterator[tuple[int, list[Task]]]:
    """Neighbours, which often are of one study; with the number of the first."""
    for at in range(0, len(tasks), size):
        yield at, tasks[at : at + size]


def _with(studies: Studies, chunks: Iterable[tuple[int, list[Task]]]) -> Iterator[Briefed]:
    """Each chunk with what its inputs are to know."""
    for first, tasks in chunks:
        told = [studies.told(first + number) for number in range(len(tasks))]
        yield tasks, told, {each.study: studies.records(each.study) for each in told}


def _look_at(chunk: tuple[int, list[Task]]) -> list[Look]:
    first, tasks = chunk
    return [look(first + number, path, egress()) for number, (path, _) in enumerate(tasks)]


def _done(chunk: Briefed) -> list[FileResult]:
    assert _ready is not None
    settings, tables, context = _ready
    return [
        run(path, in_folder, settings, tables, context, told, chunk[2][told.study])
        for (path, in_folder), told in zip(chunk[0], chunk[1], strict=True)
    ]


def _write_report(
    path: Path, settings: Settings, tasks: list[tuple[Path, bool]] | None, results: list[FileResult]
) -> None:
    """The report: no value of a data set, and paths only where they were asked for."""
    table = compiled(settings)[0].plain
    lines: list[dict[str, Any]] = []
    for number, each in enumerate(results, 1):
        line: dict[str, Any] = {"input": number, "outcome": each.outcome}
        if tasks is not None:
            line["path"] = str(tasks[number - 1][0])
        if each.reason:
            line |= {"reason": each.reason, "detail": each.detail}
        if each.outcome == "done":
            line |= {"output": each.output, "methods": list(each.codes), "actions": dict(each.actions)}
            line |= {"document": each.document} if each.document else {}
            line |= {"pixels": each.pixels} if each.pixels else {}
        lines.append(line)
    document = {
        "profile": table.profile.name,
        "options": list(table.options),
        "edition": table.profile.edition,
        "named_entities": settings.profile.names is not None,
        "generation": table.generation,
        "project": settings.project,
        "outcomes": dict(sorted(Counter(each.outcome for each in results).items())),
        "references_elsewhere": elsewhere(results),
        "inputs": lines,
    }
    import json  # what few ask for

    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)  # with paths it may name patients
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
            file.write("\n")
    except OSError as error:
        fail(f"{path}: {os.strerror(error.errno or 5)}")


def elsewhere(results: list[FileResult]) -> list[str]:
    """SOP Instance UIDs, as they are now, that outputs refer to and that are no output: priors, and what was held.

    They are mapped like all others, so that they fit if the objects come later.
    """
    here = {each.output.removesuffix(".dcm") for each in results if each.outcome == "done"}
    return sorted({uid for each in results for uid in each.references} - here)


def _tell(results: list[FileResult], report: Path | None) -> None:
    counts = Counter(each.outcome for each in results)
    print(", ".join(f"{counts[outcome]} {outcome}" for outcome in ("done", "held", "skipped") if counts[outcome]))
    if missing := elsewhere(results):
        print(f"{len(missing)} references lead to objects that are not among the outputs", file=sys.stderr)
    held = [(number, each) for number, each in enumerate(results, 1) if each.outcome == "held"]
    for number, each in held[:_SHOWN]:
        detail = f": {each.detail}" if each.detail else ""
        print(f"input {number}: held, {each.reason}{detail}", file=sys.stderr)
    if len(held) > _SHOWN:
        where = f"; see {report}" if report else "; --report lists all"
        print(f"and {len(held) - _SHOWN} more{where}", file=sys.stderr)
