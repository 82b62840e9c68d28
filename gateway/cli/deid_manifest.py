"""The manifest of a run of `dicom-gateway deid`: an entry for each output, signed at the end (docs/manifests.md).

What an entry says of an output is read from the file that was written, not from what should have been written.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from gateway import __version__
from gateway.config.schema import KeyPair
from gateway.errors import GatewayError
from gateway.manifest import keeping, making, model
from gateway.manifest.model import Entry
from gateway.rulebook import key_id
from gateway.security import signed, signers
from gateway.store.files import FileSource
from transforms.deidentify.context import Context
from transforms.deidentify.engine import Deidentified
from transforms.deidentify.profile import ActionTable
from transforms.egress import VERSION
from transforms.source import ByteSource, chunks


def ready(path: Path, sign: tuple[Path, Path]) -> signed.Signer:
    """Who will sign. Raises GatewayError where that, or the file, cannot be: before the run, not after it."""
    if path.exists():
        raise GatewayError("manifest-exists", f"{path}: exists already")
    if not path.parent.is_dir():
        raise GatewayError("manifest-not-written", f"{path.parent}: no such folder")
    return signers.read_signer(KeyPair(certificate=sign[0], key=sign[1]))


def entry_of(
    original: ByteSource,
    output: Path,
    head: int,
    syntax: str,
    done: Deidentified,
    table: ActionTable,
    context: Context,
    key: bytes,
) -> Entry:
    """What a run says of one output, whose data set begins at `head`. Raises OSError, GatewayError."""
    received = hashlib.sha256()
    for chunk in chunks(original):
        received.update(chunk)
    descriptor = os.open(output, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    about = os.fstat(descriptor)
    with FileSource(descriptor, 0, about.st_size) as file:
        whole, data = hashlib.sha256(file.pread(0, head)), hashlib.sha256()
        for chunk in chunks(file.after(head)):
            whole.update(chunk)
            data.update(chunk)
    return Entry(
        sop_instance=done.sop_instance,
        sop_class=done.sop_class,
        study=done.study,
        sha256=data.hexdigest(),
        syntax=syntax,
        file=output.name,
        file_sha256=whole.hexdigest(),
        received=making.KEYED + context.receipt(received.hexdigest()),
        rules=table.generation,
        keys=(key_id(key),),
        steps=done.steps,
        methods=done.codes,
        egress=f"clean/{VERSION}",
        software=f"dicom-gateway {__version__}",
        time=making.moment(about.st_mtime),
    )


def write(
    path: Path, by: signed.Signer, entries: Iterable[Entry], held: Counter[str], skipped: Counter[str], now: datetime
) -> None:
    """Sign what the run did. Two inputs that became one output are one entry. Raises GatewayError."""
    once = {each.file: each for each in entries}
    content = model.encode(making.of_run(once.values(), held, skipped))
    try:
        keeping.write(path, signed.sign(content, by, now.astimezone(UTC)))
    except OSError as error:
        raise GatewayError("manifest-not-written", f"{path}: {os.strerror(error.errno or 5)}") from None
