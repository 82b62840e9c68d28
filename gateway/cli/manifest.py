"""`dicom-gateway manifest`: signed evidence of what was delivered, made and verified (docs/manifests.md).

Exit 0: all is as the manifest says. 3: it is not, or what was asked for cannot be said. 2: the command cannot be
carried out as asked.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.audit.events import ManifestMade
from gateway.audit.text import safe
from gateway.cli.common import DEFAULT_CONFIG, ConfigOption, columns, fail, loaded
from gateway.config.schema import Config
from gateway.config.secrets import resolve
from gateway.config.units import duration
from gateway.errors import GatewayError
from gateway.folders import opaque
from gateway.manifest import judging, keeping, making, model
from gateway.security import signed, signers
from gateway.store.evidence import Group, evidence
from gateway.store.files import FileSource
from gateway.writer.client import operator
from gateway.writer.messages import Note
from transforms.dataset import part10
from transforms.deidentify.context import Context
from transforms.errors import TransformError
from transforms.source import chunks

app = typer.Typer(
    help="Signed manifests: what was done to each object of a study, and what left.", no_args_is_help=True
)
_SHOWN = 200  # findings on the terminal; --json has all


@app.command()
def make(
    config: ConfigOption = DEFAULT_CONFIG,
    study: Annotated[str, typer.Option(metavar="UID", help="A study, by its UID as received or as sent.")] = "",
    quiet: Annotated[
        str, typer.Option(metavar="TIME", help="Instead: every study of which nothing came or left for, say, 10m.")
    ] = "",
    destination: Annotated[str, typer.Option(help="Only for this destination; default: for each.")] = "",
) -> None:
    """Sign what was delivered of a study, a manifest for each destination, into the folder that `manifest:` names.

    Only what a destination has confirmed is listed; what waits or is held is counted. Where there is nothing new to say
    there is no new file, so that a timer may call it with --quiet. The gateway must serve: it is audited.
    """
    settings = loaded(config)
    if settings.manifest is None:
        fail("the rule file has no `manifest:`, which says who signs and where to")
    if bool(study) == bool(quiet):
        fail("give either --study or --quiet")
    if destination and destination not in settings.destinations:
        fail(f"no destination {destination!r}; there are: {', '.join(settings.destinations)}")
    try:
        groups = [each for each in _groups(settings, study, quiet) if destination in ("", each.destination)]
        if not groups:
            print("nothing of it was delivered there" if study else "no study is quiet", file=sys.stderr)
            raise typer.Exit(3 if study else 0)
        with operator(settings) as ask:
            for group in groups:
                _make(settings, group, lambda event: ask(Note(event)))
    except GatewayError as error:
        fail(str(error))


def _groups(settings: Config, study: str, quiet: str) -> list[Group]:
    with evidence(settings.state) as ledger:
        if study:
            return ledger.groups(study)
        try:
            since = datetime.now(UTC) - timedelta(seconds=duration(quiet))
        except ValueError as error:
            fail(f"--quiet: {error}")
        return ledger.quiet(since.timestamp())


def _make(settings: Config, group: Group, tell: Any) -> None:
    """One manifest; a line that says where it is. Raises GatewayError."""
    assert settings.manifest is not None
    by = signers.read_signer(settings.manifest.sign)
    with evidence(settings.state) as ledger:
        made = making.of_study(group, ledger.delivered(group), ledger.open(group))
    content = model.encode(made)
    now = datetime.now(UTC)
    event = ManifestMade(
        when=now.timestamp(),
        study=group.study,
        destination=group.destination,
        objects=made.totals.delivered,
        sha256=hashlib.sha256(content).hexdigest(),
        user=getpass.getuser(),
    )
    name = opaque(_secret(settings), "study", group.study)  # as a folder destination calls the study
    kept = keeping.keep(settings.manifest.dir / group.destination, name, content, by, now, lambda: tell(event))
    print(f"{kept.path}: {_told(made.totals)}{'' if kept.new else '; nothing new'}")


def _secret(settings: Config) -> bytes:
    try:
        return (settings.state.dir / "secret").read_bytes()
    except OSError as error:
        raise GatewayError("no-ledger", "the gateway has not served from this state directory yet") from error


@app.command()
def verify(
    manifest: Annotated[Path, typer.Argument(help="A manifest (.p7m).")],
    objects: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files, and folders of them.")],
    trust: Annotated[Path, typer.Option("--trust", metavar="CA.pem", help="Whose signatures are believed.")],
    data_sets: Annotated[
        bool, typer.Option("--data-sets", help="The files were stored anew: only the data sets in them must fit.")
    ] = False,
    names: Annotated[bool, typer.Option("--names", help="Tell the files' paths. They may identify patients.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document, for programs.")] = False,
) -> None:
    """Find what is not as a manifest says: a changed object, a missing, an added, a swapped one; a changed manifest.

    First the signature: it must be that of a certificate for signing, valid at the signing time, that leads to --trust.
    Then every file is read. Objects are told by the UIDs of the manifest. Exit 0 where all fits, 3 where not.
    """
    try:
        anchors = signers.read_anchors(trust)
    except GatewayError as error:
        fail(str(error))
    if missing := [each for each in objects if not each.exists()]:
        fail(f"{missing[0]}: no such file or folder")
    data = _bytes(manifest)
    document: dict[str, Any] = {"intact": False, "fault": "", "findings": []}
    try:
        said = signed.verify(data, anchors, datetime.now(UTC))
        found = model.decode(said.content)
    except GatewayError as error:
        document["fault"] = str(error)
        _end(document, f"the manifest cannot be believed: {error}", as_json)
    files = judging.found(objects, manifest)
    with _progress(len(files)) as tick:
        report = judging.judge(found, files, data_sets=data_sets, tick=tick)
    subject = said.certificate.subject.rfc4514_string()
    document |= {
        "intact": not report.findings,
        "signer": subject,
        "signed": said.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "scope": {key: value for key, value in _plain(found.scope).items() if value},
        "totals": _plain(found.totals),
        "files": len(files),
        "objects_intact": report.intact,
        "of_other_studies": report.elsewhere,
        "findings": [_finding(each, files, names) for each in report.findings],
    }
    text = f"signed by {safe(subject)} at {document['signed']}: {_told(found.totals)}\n"
    text += f"{report.intact} intact, {len(report.findings)} findings in {len(files)} files"
    if report.elsewhere:
        text += f"; {report.elsewhere} of other studies"
    _end(document, text, as_json)


@app.command()
def receipt(
    files: Annotated[list[Path], typer.Argument(metavar="ORIGINAL...", help="Part 10 files as they were received.")],
    key_file: Annotated[Path, typer.Option("--key", help="The project's key.")],
    project: Annotated[str, typer.Option(help="The project: `project`, or the name of the `deidentify` block.")],
) -> None:
    """Print what a manifest's `received` must say of an original. Only who has the project's key can tell.

    It shows that an object of a manifest came from this original; run it where originals may be.
    """
    try:
        context = Context(resolve(f"file:{key_file}"), project)
        for each in files:
            print(making.KEYED + context.receipt(_data_set(each)))
    except (GatewayError, TransformError) as error:
        fail(str(error))


def _data_set(path: Path) -> str:
    """SHA-256 of the data set in a file."""
    digest = hashlib.sha256()
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        with FileSource(descriptor, 0, os.fstat(descriptor).st_size) as file:
            for chunk in chunks(file.after(part10.split(file, tolerant=True).offset)):
                digest.update(chunk)
    except OSError as error:
        fail(f"{path}: {os.strerror(error.errno or 5)}")
    return digest.hexdigest()


def _end(document: dict[str, Any], text: str, as_json: bool) -> None:
    """Tell it; exit 0 where all fits, else 3."""
    if as_json:
        json.dump(document, sys.stdout, indent=2)
        print()
    else:
        findings = document["findings"]
        if findings:
            head = ("finding", "SOP Instance UID", "file", "detail")
            columns(head, ([str(each.get(key, "-")) for key in _COLUMNS] for each in findings[:_SHOWN]))
        if len(findings) > _SHOWN:
            print(f"and {len(findings) - _SHOWN} more; --json has all")
        print(text)
    raise typer.Exit(0 if document["intact"] else 3)


_COLUMNS = ("finding", "sop_instance", "file", "detail")


def _finding(each: judging.Finding, files: list[Path], names: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"finding": each.kind, "sop_instance": each.sop_instance or "-", "detail": each.detail}
    if each.file:
        told["file"] = str(files[each.file - 1]) if names else each.file
    return told


def _told(totals: model.Totals) -> str:
    """The totals on one line."""
    parts = [f"{totals.delivered} delivered"]
    parts += [f"{totals.waiting} waiting"] if totals.waiting else []
    parts += [f"{number} held ({reason})" for reason, number in sorted(totals.held.items())]
    parts += [f"{number} {how}" for how, number in sorted(totals.given_up.items())]
    return ", ".join(parts)


def _plain(value: object) -> dict[str, Any]:
    from msgspec import to_builtins

    found: dict[str, Any] = to_builtins(value)
    return found


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(signed.MAX_BYTES + 1)
    except OSError as error:
        fail(f"{path}: {os.strerror(error.errno or 5)}")


@contextmanager
def _progress(total: int) -> Iterator[Any]:
    """A bar where a person looks on; what it gives is called once a file."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    bars = (TextColumn("verify"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*bars, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=total)
        yield lambda: progress.advance(bar)
