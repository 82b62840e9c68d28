"""`dicom-gateway reidentify`: put back what de-identification took, with an officer's key (PS3.15 E.1.2).

Rules of this file
* The audit record of an object is durable before its identity has a name on disk: in the trail of the gateway that
  serves, or in the officer's own (`--audit`). Without one nothing is opened.
* An output appears whole under its name, or not at all, 0600, and is never overwritten.
* Nothing that is printed identifies a patient.

Exit 0: all were re-identified. 3: some were not, each with its reason. 2: the command cannot be carried out as asked.
"""

from __future__ import annotations

import errno
import getpass
import hashlib
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from gateway.appearing import appearing
from gateway.audit import messages
from gateway.audit.events import Reidentified
from gateway.audit.text import safe
from gateway.cli.common import DEFAULT_CONFIG, ConfigOption, fail, loaded
from gateway.config.secrets import resolve
from gateway.errors import GatewayError
from gateway.security.cms.keys import read_holder
from gateway.security.cms.recipients import Holder
from gateway.security.credentials import spki
from gateway.security.reidentification import reidentified
from gateway.store.files import FileSource
from gateway.writer.client import operator
from gateway.writer.messages import Note
from transforms.dataset import framing, part10, values
from transforms.errors import TransformError
from transforms.source import ByteSource, chunks

Tell = Callable[[Reidentified], None]


def reidentify(
    objects: Annotated[list[Path], typer.Argument(metavar="IN...", help="De-identified Part 10 files, and folders.")],
    key: Annotated[str, typer.Option(metavar="KEY", help="Your private key: PEM, PKCS #12, or a pkcs11: URI.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where to; names stay. Made if missing, 0700.")],
    cert: Annotated[
        Path | None, typer.Option(metavar="CERT", help="Your certificate; without it every recipient is tried.")
    ] = None,
    password: Annotated[
        str, typer.Option("--password", metavar="REF", help="The key's password or PIN: env:NAME or file:PATH.")
    ] = "",
    config: ConfigOption = DEFAULT_CONFIG,
    audit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Audit into this file instead of a serving gateway's trail.")
    ] = None,
) -> None:
    """Put original attributes back into de-identified objects, from their Encrypted Attributes Sequence.

    Patient Identity Removed becomes NO and the method's attributes go. What is not in the encrypted attributes, pixels
    above all, stays as it was de-identified. Each object is audited before it is written.
    """
    try:
        holder = read_holder(key, cert, resolve(password, least=1) if password else None)
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        files = [each for path in objects for each in (sorted(path.rglob("*")) if path.is_dir() else [path])]
        kept = 0
        with _told(config, audit) as tell:
            shown = track(files, "", console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True)
            for path in shown:
                if path.is_file() or path in objects:
                    kept += _one(path, holder, out, tell)
    except GatewayError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{out}: {os.strerror(error.errno or 5).lower()}")
    if kept:
        raise typer.Exit(3)


def _one(path: Path, holder: Holder, out: Path, tell: Tell) -> int:
    """1 where it was not re-identified, with the reason on stderr. Raises GatewayError where it cannot be audited."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
        with FileSource(descriptor, 0, os.fstat(descriptor).st_size) as file:
            found = part10.split(file, tolerant=True)
            _written(file.after(found.offset), found.syntax, holder, out / path.name, tell)
    except (TransformError, _Refused) as error:
        return _said(path, error.reason)
    except FileExistsError:
        return _said(path, "output-exists")
    except (OSError, ValueError):
        return _said(path, "not-written")
    return 0


class _Refused(GatewayError):
    """This object only."""


def _written(data: ByteSource, syntax: str, holder: Holder, to: Path, tell: Tell) -> None:
    known = values.identity(data, framing.check(data, syntax))
    try:
        back = reidentified(data, syntax, holder)
    except GatewayError as error:
        raise _Refused(error.reason, error.detail) from error
    if not back.guarded:
        print(
            f"{safe(to.name)}: no MAC guards its encrypted attributes; a changed byte may be in them", file=sys.stderr
        )
    again = values.identity(back.source, framing.check(back.source, back.syntax))
    with appearing(to) as file:
        file.write(part10.meta(again.get("SOPClassUID", ""), again.get("SOPInstanceUID", ""), back.syntax))
        file.writelines(chunks(back.source))
        tell(
            Reidentified(
                when=datetime.now(UTC).timestamp(),
                study=known.get("StudyInstanceUID", ""),
                sop_class=known.get("SOPClassUID", ""),
                sop_instance=known.get("SOPInstanceUID", ""),
                recipient=hashlib.sha256(spki(holder.key.public_key())).hexdigest(),
                user=getpass.getuser(),
            )
        )


@contextmanager
def _told(config: Path, file: Path | None) -> Iterator[Tell]:
    """Where audit records go: durable when the call returns. Raises GatewayError, OSError."""
    if file is None:
        with operator(loaded(config)) as ask:

            def note(event: Reidentified) -> None:
                ask(Note(event))

            yield note
        return
    host = socket.gethostname()
    source = messages.AuditSource(source_id=f"dicom-gateway@{host}", host=host)
    try:
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise GatewayError("audit-failed", f"{file}: {os.strerror(error.errno or 5).lower()}") from None

    def tell(event: Reidentified) -> None:
        line = messages.build(event, source) + b"\n"
        try:
            if os.write(opened, line) != len(line):
                raise OSError(errno.ENOSPC, "")
            os.fsync(opened)
        except OSError as error:
            raise GatewayError("audit-failed", f"{file}: {os.strerror(error.errno or 5).lower()}") from None

    try:
        yield tell
    finally:
        os.close(opened)


def _said(path: Path, reason: str) -> int:
    print(f"{safe(str(path))}: {reason}", file=sys.stderr)
    return 1
