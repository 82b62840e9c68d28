"""`dicom-gateway send`: C-STORE files and folders to a peer, as they are (PS3.4 Annex B).

Rules of this file
* Part 10 files only; what is none, or lacks its file meta, is skipped and told, and the exit status says so.
* A file goes in its own transfer syntax, byte for byte; nothing is converted here (a destination of `serve` does).
* Nothing printed holds a value of a data set: file names and statuses only.
"""

from __future__ import annotations

import os
import ssl
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_dataset, read_preamble
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gateway.cli.calling import Ca, Called, Calling, Cert, Key, NoHost, Plaintext, Timeout, address, context, titles
from gateway.cli.common import fail
from gateway.dimse.client import Association, contexts_for
from gateway.dimse.contexts import MAX_CONTEXTS
from gateway.dimse.messages import is_uid
from gateway.dimse.status import Disposition, meaning
from gateway.errors import DestinationDown

_SENT = (Disposition.DELIVERED, Disposition.WARNING)


class Part10(NamedTuple):
    """Where a file's data set is and what its file meta says of it (PS3.10 7.1)."""

    path: Path
    offset: int
    sop_class: str
    sop_instance: str
    syntax: str


class OpenFile:
    """A ByteSource over a file's data set."""

    def __init__(self, descriptor: int, offset: int) -> None:
        self._descriptor = descriptor
        self._offset = offset
        self.size = os.fstat(descriptor).st_size - offset

    def pread(self, offset: int, length: int) -> bytes:
        return os.pread(self._descriptor, length, self._offset + offset)


def send(
    peer: Annotated[str, typer.Argument(metavar="HOST:PORT")],
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Part 10 files, or folders of them.")],
    called: Called,
    calling: Calling = "DCMGW",
    cert: Cert = None,
    key: Key = None,
    ca: Ca = None,
    plaintext: Plaintext = False,
    any_host: NoHost = False,
    timeout: Timeout = 60.0,
) -> None:
    """Send files. Exit 0: all are delivered; 3: some are not."""
    where = address(peer)
    titles(called, calling)
    tls = context(cert, key, ca, plaintext, any_host)
    outcomes: Counter[str] = Counter()
    objects: list[Part10] = []
    for path in found_files(paths):
        found = look(path)
        if isinstance(found, str):
            outcomes[found] += 1
            print(f"{path}: {found}", file=sys.stderr)
        else:
            objects.append(found)
    console = Console(stderr=True)
    columns = (TextColumn("sending"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=len(objects))
        for group in groups(objects):
            for path, reason in deliver(group, where, tls, calling, called, timeout):
                outcomes[reason] += 1
                progress.advance(task)
                if not reason.startswith("delivered"):
                    progress.console.print(f"{path}: {reason}", markup=False, highlight=False, soft_wrap=True)
    for reason, count in sorted(outcomes.items()):
        print(f"{count:8d}  {reason}")
    if not outcomes:
        fail("no files there")
    if any(not reason.startswith("delivered") for reason in outcomes):
        raise typer.Exit(3)


def found_files(paths: Sequence[Path]) -> Iterator[Path]:
    """Every file named, and every file below a folder named, in order. Exit 2 where one is missing."""
    for path in paths:
        if path.is_dir():
            yield from sorted(each for each in path.rglob("*") if each.is_file())
        elif path.is_file():
            yield path
        else:
            fail(f"{path}: not there")


def look(path: Path) -> Part10 | str:
    """What a file is, or why it cannot be sent."""
    try:
        with path.open("rb") as file:
            read_preamble(file, force=False)
            meta = read_dataset(file, False, True, stop_when=lambda tag, _vr, _length: tag.group != 2)
            words = [
                str(meta.get(key, "")).rstrip("\0 ")
                for key in ("MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID", "TransferSyntaxUID")
            ]
            if not all(map(is_uid, words)):
                return "not sent: file meta is incomplete"
            return Part10(path, file.tell(), *words)
    except InvalidDicomError:
        return "not sent: no Part 10 file"
    except OSError as error:
        return f"not sent: {error.strerror or 'cannot be read'}"
    except Exception:  # whatever a broken file makes the reader raise; its text might quote the file
        return "not sent: file meta cannot be read"


def groups(objects: Sequence[Part10]) -> Iterator[list[Part10]]:
    """In order, cut where one association could not propose all of it (PS3.8 9.3.2.2)."""
    group: list[Part10] = []
    kinds: set[tuple[str, str]] = set()
    for each in objects:
        kind = (each.sop_class, each.syntax)
        if kind not in kinds and len(kinds) == MAX_CONTEXTS:
            yield group
            group, kinds = [], set()
        kinds.add(kind)
        group.append(each)
    if group:
        yield group


def deliver(
    objects: Sequence[Part10],
    where: tuple[str, int],
    tls: ssl.SSLContext | None,
    calling: str,
    called: str,
    timeout: float,
) -> Iterator[tuple[Path, str]]:
    """(path, what came of it), one an object. An association that is lost ends what is left."""
    contexts = contexts_for((each.sop_class, each.syntax) for each in objects)
    left = list(reversed(objects))
    try:
        with Association.open(
            where, tls, calling_ae=calling, called_ae=called, contexts=contexts, timeout=timeout
        ) as association:
            while left:
                each = left[-1]
                said = _store(association, each)
                left.pop()
                yield each.path, said
    except (DestinationDown, OSError) as error:
        said = str(error) if isinstance(error, DestinationDown) else "a file changed while it was sent"
        for each in reversed(left):
            yield each.path, f"not sent: {said}"


def _store(association: Association, each: Part10) -> str:
    number = association.accepted.get((each.sop_class, each.syntax))
    if number is None:
        return "not sent: the peer does not take this SOP class in this transfer syntax"
    try:
        descriptor = os.open(each.path, os.O_RDONLY)
    except OSError as error:
        return f"not sent: {error.strerror or 'cannot be read'}"
    try:
        answer = association.store(each.sop_class, each.sop_instance, number, OpenFile(descriptor, each.offset))
    finally:
        with suppress(OSError):
            os.close(descriptor)
    disposition, reason = meaning(answer.status)
    if disposition is Disposition.DELIVERED:
        return "delivered"
    verb = "delivered with a warning" if disposition in _SENT else "refused"
    return f"{verb}: {answer.status:04X}H {reason}"
