"""`dicom-gateway media`: make interchange media, open them, verify them, list what is on them (PS3.10, PS3.11).

Rules of this file
* It asks and tells; gateway/media does the work. Objects are told of by number or File ID, never by a name of a file's.
* Exit 0: done and verified; 3: done, but something is told that a person should know; 2: nothing was made or released.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from gateway.cli.common import columns, fail
from gateway.config.mail import DEFAULT_PROFILE, address
from gateway.config.secrets import resolve
from gateway.config.units import size as read_size
from gateway.dimse.uids import name_of
from gateway.errors import GatewayError
from gateway.media.listing import contents
from gateway.media.mailing import Post, posted
from gateway.media.making import Made, Order, make
from gateway.media.members import found
from gateway.media.opening import Report, open_medium
from gateway.media.secure import opener, password_of, protection
from profiles.media import ApplicationProfile, load, names
from profiles.media.application import Format
from transforms.errors import TransformError

app = typer.Typer(
    no_args_is_help=True, help="Interchange media: discs, sticks, ZIPs, e-mails; plain or encrypted and signed."
)

Medium = Annotated[Path, typer.Argument(metavar="MEDIA", help="A folder, an ISO image, a ZIP archive, or a drive.")]
Certificate = Annotated[
    Path | None, typer.Option("--cert", metavar="CERT", help="Your certificate: who the medium was made for.")
]
Key = Annotated[
    str | None, typer.Option("--key", metavar="KEY", help="Its private key: PEM, PKCS #12, or a pkcs11: URI.")
]
Pin = Annotated[
    str | None,
    typer.Option("--pin", metavar="REF", help="PIN of a token, or password of a key: env:NAME or file:PATH."),
]
Password = Annotated[
    Path | None, typer.Option("--password-file", metavar="FILE", help="The password: a file that only you may read.")
]
SignerKey = Annotated[
    str | None, typer.Option(metavar="KEY", help="The signer's private key: PEM, PKCS #12, or a pkcs11: URI.")
]
Authority = Annotated[
    Path | None, typer.Option("--ca", metavar="CA", help="Who you trust to name signers; else they are unverified.")
]
Revoked = Annotated[
    Path | None,
    typer.Option("--crl", metavar="FILE", help="Revocation lists; then every signer must be in order by them."),
]


@app.command()
def create(
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT...", help="DICOM files, and folders of them.")],
    profile: Annotated[str, typer.Option(metavar="NAME", help="Application profile; `media profiles` lists them.")],
    out: Annotated[Path, typer.Option(help="A folder, FILE.zip or FILE.iso; it must not exist.")],
    recipient: Annotated[
        list[Path] | None, typer.Option(metavar="CERT", help="Who may open it (-SEC- profiles); may be repeated.")
    ] = None,
    password_file: Password = None,
    signer: Annotated[Path | None, typer.Option(metavar="CERT", help="Who signs each file.")] = None,
    signer_key: SignerKey = None,
    pin: Pin = None,
    format: Annotated[
        Literal["folder", "zip", "iso"] | None,
        typer.Option(help="Else by the name of --out. With a folder as --out: one file for each volume."),
    ] = None,
    capacity: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Of one medium (700MiB); more becomes several volumes.")
    ] = None,
    label: Annotated[str, typer.Option(help="File-set ID and volume label: A-Z, 0-9 and _, up to 16.")] = "DICOM",
    index: Annotated[bool, typer.Option("--index", help="Also INDEX.HTM, for people; not on secure media.")] = False,
) -> None:
    """Make a medium: a File-set with DICOMDIR, checked against its profile, read again and compared before it is named.

    With a -SEC- profile every DICOM file on it is encrypted for the recipients, and signed where a signer is given.
    A name appears under --out for a complete, verified set or not at all.
    """
    with _told():
        order = Order(
            _profile(profile),
            format or _format(out),
            label,
            read_size(capacity) if capacity else 0,
            index,
            protection(
                recipient or [], password_of(password_file) if password_file else None, signer, signer_key, _pin(pin)
            ),
        )
        with _progress() as progress:
            made = make(found(inputs), order, out, progress)
    _tell_made(made, order, out)


@app.command("open")
def open_(
    medium: Medium,
    out: Annotated[Path, typer.Option(help="Folder for the objects; it must not exist.")],
    cert: Certificate = None,
    key: Key = None,
    pin: Pin = None,
    password_file: Password = None,
    ca: Authority = None,
    crl: Revoked = None,
    salvage: Annotated[
        bool, typer.Option("--salvage", help="Take what can be read of a damaged medium, and tell what could not.")
    ] = False,
) -> None:
    """Decrypt, verify and compare with the DICOMDIR; the objects appear in --out when all of them are right."""
    with _told(), _progress() as progress:
        report = open_medium(
            medium, opener(cert, key, password_file, ca, _pin(pin), crl), out, salvage=salvage, progress=progress
        )
    _tell_report(report, key is not None or password_file is not None)


@app.command()
def verify(
    medium: Medium,
    cert: Certificate = None,
    key: Key = None,
    pin: Pin = None,
    password_file: Password = None,
    ca: Authority = None,
    crl: Revoked = None,
) -> None:
    """Do all that `open` does, and release nothing."""
    with _told(), _progress() as progress:
        report = open_medium(medium, opener(cert, key, password_file, ca, _pin(pin), crl), None, progress=progress)
    _tell_report(report, key is not None or password_file is not None)


@app.command()
def mail(
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT...", help="DICOM files, and folders of them.")],
    sender: Annotated[str, typer.Option("--from", metavar="ADDRESS", help="Who it is from.")],
    to: Annotated[list[str], typer.Option(metavar="ADDRESS", help="Who gets it; may be repeated.")],
    recipient: Annotated[list[Path], typer.Option(metavar="CERT", help="Who can read it; may be repeated.")],
    signer: Annotated[Path, typer.Option(metavar="CERT", help="Who signs it.")],
    signer_key: Annotated[str, typer.Option(metavar="KEY", help="The signer's private key, as for `create`.")],
    out: Annotated[Path, typer.Option(help="A folder for MESSAGE1.EML ...; it must not exist.")],
    profile: Annotated[str, typer.Option(metavar="NAME", help="One of the -ZIP-MAIL profiles.")] = DEFAULT_PROFILE,
    size: Annotated[str, typer.Option(help="Of one message at most; more becomes several.")] = "20MiB",
    pin: Pin = None,
) -> None:
    """Write a File-set as e-mails, signed and encrypted (PS3.15 B.8), ready for a server that sends them."""
    with _told():
        keys = protection(recipient, None, signer, signer_key, _pin(pin))
        assert keys is not None
        post = Post.of(profile, keys, read_size(size))
        with _progress() as progress:
            made = posted(found(inputs), post, address(sender), tuple(map(address, to)), out, progress)
    print(f"{out}: {made.objects} objects in {made.volumes} messages, {made.bytes} bytes, {profile}")


@app.command("list")
def list_(
    medium: Medium,
    cert: Certificate = None,
    key: Key = None,
    pin: Pin = None,
    password_file: Password = None,
) -> None:
    """The records of its DICOMDIR: types, File IDs, SOP classes, transfer syntaxes. No value of a patient."""
    with _told():
        directory = contents(medium, opener(cert, key, password_file, None, _pin(pin)))
    rows = []
    for record in directory.records:
        file = record.file
        what = [name_of(file.sop_class), name_of(file.syntax)] if file else ["", ""]
        rows.append(["  " * record.depth + record.type, "\\".join(file.file_id) if file else "", *what])
    columns(["record", "file", "SOP class", "transfer syntax"], rows)


@app.command()
def profiles() -> None:
    """The application profiles of PS3.11 that media can be made for."""
    rows = []
    for name in names():
        each = load(name)
        syntaxes = ", ".join(name_of(uid) for uid in each.syntaxes) or "any that can be stored"
        rows.append([name, each.medium.name, "/".join(each.medium.formats), syntaxes])
    columns(["profile", "medium", "format", "transfer syntaxes"], rows)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (GatewayError, TransformError, ValueError) as error:
        fail(str(error))


def _pin(ref: str | None) -> bytes | None:
    """Raises GatewayError."""
    return resolve(ref, least=1) if ref else None


def _profile(name: str) -> ApplicationProfile:
    try:
        return load(name)
    except KeyError:
        fail(f"there is no application profile {name}; `dicom-gateway media profiles` lists them")


def _format(out: Path) -> Format:
    kinds: dict[str, Format] = {".zip": "zip", ".iso": "iso"}
    return kinds.get(out.suffix.lower(), "folder")


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar where a person looks on: one a stage."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns_ = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns_, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, int] = {}

        def show(stage: str, done: int, in_all: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=in_all)
            bars.update(bars.task_ids[list(tasks).index(stage)], completed=done, total=in_all)

        yield show


def _tell_made(made: Made, order: Order, out: Path) -> None:
    volumes = f" on {made.volumes} volumes" if made.volumes > 1 else ""
    print(f"{out}: {made.objects} objects{volumes}, {made.bytes} bytes, {order.profile.name}; read again and right")
    notes = [f"{attribute} was supplied in {count} records" for attribute, count in sorted(made.supplied.items())]
    if made.repeated:
        notes.append(f"{made.repeated} inputs were the same object as another one")
    if made.renamed:
        notes.append(f"{made.renamed} objects spell their patient's name otherwise than the DICOMDIR does")
    for note in notes:
        print(note, file=sys.stderr)


def _tell_report(report: Report, keys: bool) -> None:
    kind = "secure " if report.secure else ""
    print(f"{kind}{report.kind}: {report.objects} objects, each read to its end and right")
    for verdict, count in sorted(report.signers.items(), key=str):
        who = verdict.signer or "nobody; the content is only known to be what was encrypted"
        trust = "" if not verdict.signer else ", trusted" if verdict.trusted else ", UNVERIFIED: give --ca"
        print(f"{count} files signed by {who}{trust}")
        for warning in verdict.warnings:
            print(f"  {warning}: allowed by PS3.15 D.1, and no longer good", file=sys.stderr)
    notes = [report.directory] if report.directory else []
    if keys and not report.signers:
        notes.append("a key was given, and nothing on it is encrypted: anybody may have made it")
    if report.unlisted:
        notes.append(f"{report.unlisted} objects are not in the DICOMDIR")
    if report.repeated:
        notes.append(f"{report.repeated} objects are there twice")
    notes += report.problems
    for note in notes:
        print(note, file=sys.stderr)
    if notes:
        raise typer.Exit(3)
