"""What `dicom-gateway deid` does to one file, in a process of its own; and the profile file it reads.

Rules of this file
* The order is the pipeline's: find the data set, frame it strictly, convert what the walk cannot read, de-identify,
  check what would leave (the egress check), write. The first failure ends it: nothing of the object is written.
* An output appears whole under its name or not at all, is never overwritten, and its name is the new SOP Instance UID.
* What comes back holds no value of the data set and no path: a reason, counts, codes.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gateway.appearing import give_name, unnamed
from gateway.cli.deid_look import NOTHING, Told, unpacked
from gateway.documents import deidentified
from gateway.egress import Egress, kept
from gateway.errors import GatewayError, HoldObject
from gateway.overrides import Tables
from gateway.store.files import FileSource
from profiles.confidentiality import names
from transforms.dataset import convert, framing, part10
from transforms.dataset import syntax as syntaxes
from transforms.deidentify.engine import Context, Deidentified, Pseudonym
from transforms.deidentify.options import PIXELS
from transforms.deidentify.overrides import Override
from transforms.deidentify.patient import OtherPatients, Patient, issued, issuer_of, keyed, read_patient
from transforms.errors import TransformError
from transforms.source import ByteSource, BytesSource, EditPlan, Literal

if TYPE_CHECKING:
    from gateway.cli.mapping import Pairs
    from gateway.config.schema import Plugin
    from gateway.hosted.names import Names
    from gateway.manifest.model import Entry
    from gateway.patients.csvmap import CsvMap

_AT_ONCE = 1 << 20  # bytes read and written at a time: the pixels of most images at once
_PARTS = 512  # of them; the system takes 1024 (IOV_MAX)
_STUDIES = 32  # in memory, those only looked at too: 0.1 MB for a series, 2 MB where all differs; more are read again
_IN_MEMORY = 64 << 20  # inflated bytes held in memory; more are written beside the output first


class Chosen(NamedTuple):
    """A profile as a site has it: a standard's profile, options of PS3.15 E.3, ordered exceptions."""

    extends: str = "basic"
    options: tuple[str, ...] = ()
    override: tuple[Override, ...] = ()
    media: bool = False  # bound for a DICOMDIR
    documents: str = "remove"  # what becomes of encapsulated documents
    names: Plugin | None = None  # a program that finds more of them in texts


class Settings(NamedTuple):
    """What every process needs. `key` stays out of representations."""

    profile: Chosen
    key: bytes
    project: str
    out: Path
    report: bool
    patients: Path | None = None  # a CSV map; None: the key makes the pseudonyms
    merge: bool = False
    mapping: bool = False
    manifest: bool = False
    devices: Path | None = None  # the site's catalogue of devices (option clean-pixel-data)
    recipients: tuple[Path, ...] = ()  # certificates of who may go back (PS3.15 E.1.1)
    issuer: str = ""  # whose the Patient IDs are of objects that name nobody

    def __repr__(self) -> str:
        return f"Settings(profile={self.profile!r}, project={self.project!r})"


class FileResult(NamedTuple):
    """What came of one input."""

    outcome: str  # done, held, skipped
    reason: str = ""
    detail: str = ""
    output: str = ""  # name within the folder of outputs
    codes: tuple[str, ...] = ()
    pixels: str = ""  # what was done to them
    document: str = ""  # what became of an encapsulated one
    actions: tuple[tuple[str, int], ...] = ()  # how many elements each was done to, where a report was asked for
    references: tuple[str, ...] = ()  # SOP Instance UIDs it refers to, as they are now
    pairs: Pairs | None = None  # only where a mapping was asked for
    entry: Entry | None = None  # only where a manifest was asked for

    def __repr__(self) -> str:
        return f"FileResult({self.outcome!r}, {self.reason!r}, {self.output!r})"


def read_profile(name: str, options: tuple[str, ...], documents: str | None = None) -> Chosen:
    """A profile by name or from a YAML file, with more options, and `documents` in place of its own.

    Raises TransformError or GatewayError.
    """
    if name in names() or not (name.endswith((".yaml", ".yml")) or os.sep in name):
        return Chosen(name, options, documents=documents or "remove")
    from gateway.cli.profile_file import read  # what reads YAML takes longer to start than twenty images take

    found = read(Path(name), options)
    return Chosen(
        found.extends, found.options, found.override, found.media, documents or found.documents, found.named_entities
    )


def compiled(settings: Settings) -> tuple[Tables, Context]:
    """The tables and the key, ready. Raises TransformError, ConfigRefused."""
    profile = settings.profile
    tables = Tables(
        profile.extends,
        profile.options,
        profile.override,
        media=profile.media,
        documents=profile.documents,
        named=profile.names is not None,
    )
    return tables, Context(settings.key, settings.project)


def run(
    path: Path,
    found_in_folder: bool,
    settings: Settings,
    tables: Tables,
    context: Context,
    told: Told = NOTHING,
    records: Sequence[bytes] = (),
) -> FileResult:
    """De-identify one file. `told`, `records`: what its study says. Raises nothing that a single object can cause."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        return FileResult("held", "unreadable", os.strerror(error.errno or 5))
    with FileSource(descriptor, 0, os.fstat(descriptor).st_size) as file:
        try:
            found = part10.split(file, tolerant=True)
        except TransformError as error:
            if found_in_folder and error.reason == "not-part10":
                return FileResult("skipped", error.reason)
            return FileResult("held", error.reason, error.detail)
        try:
            if records:
                egress().teach(told.study, records, unpacked)
            return _made(file.after(found.offset), found.syntax, settings, tables, context, told)
        except (TransformError, GatewayError) as error:
            return FileResult("held", error.reason, error.detail)
        except ValueError:
            return FileResult("held", "file-meta", "a UID cannot stand in File Meta Information")
        except OSError as error:
            return FileResult("held", "not-written", os.strerror(error.errno or 5))


def _made(
    data: ByteSource,
    syntax: str,
    settings: Settings,
    tables: Tables,
    context: Context,
    told: Told,
) -> FileResult:
    index: framing.Index | None = framing.check(data, syntax)  # of `data`; None once that is something else
    known = syntaxes.lookup(syntax)
    original = data
    scratches: list[Path] = []

    def scratch(chunks: Iterable[bytes]) -> ByteSource:
        path, kept_bytes = _kept(chunks, settings.out)
        scratches.extend([path] if path else [])
        return kept_bytes

    try:
        if known.deflated:
            data, index = scratch(convert.inflate(data)), None
            syntax = syntaxes.EXPLICIT_LE
        elif not known.little_endian:
            data, syntax, index = convert.to_explicit_le(data, syntax), syntaxes.EXPLICIT_LE, None
        table = tables.of(data, syntax)
        heard = context.uids(table.generation).hear() if settings.mapping else {}
        who = _patient(data, syntax, settings, context, told.issuers)
        ran: frozenset[str] = frozenset()
        pixels: tuple[str, ...] = ()
        if PIXELS in table.options:
            from gateway.pixels.cleaning import How, cleaned  # what few ask for

            clean = cleaned(data, syntax, How(settings.devices), scratch)
            if clean.source is not data:
                index = None
            data, ran, pixels = clean.source, clean.ran, clean.steps
        more = names_of(settings.profile)

        def made(patient: Pseudonym | None) -> Deidentified:
            return deidentified(
                data, syntax, table, context, index=index, patient=patient, ran=ran, remover=more, trace=settings.report
            )

        try:
            done = made(who)
        except OtherPatients as error:
            done = made(_with_others(who, error.patients, settings))
        if settings.recipients:
            done = _sealed(data, syntax, done, settings, context)
        name = f"{done.sop_instance}.dcm"
        head = part10.meta(done.sop_class, done.sop_instance, syntax)
        given = done.patient_id
        of, number, let_through = told.study or done.study, told.number, kept(table)
        egress().check(of, data, done.plan, syntax, let_through, head=head, name=name, pseudonym=given, number=number)
        if not _write(settings.out, name, head, done.plan):
            return FileResult("held", "output-exists", "another object has this name already; nothing was overwritten")
    finally:
        for path in scratches:
            path.unlink(missing_ok=True)
    counts = Counter(element.action.value for element in done.elements)
    pairs = _pairs(data, syntax, done.patient_id, heard) if settings.mapping else None
    entry = None
    if settings.manifest:
        from gateway.cli.deid_manifest import entry_of  # what few ask for

        entry = entry_of(original, settings.out / name, len(head), syntax, done, table, context, settings.key)
    return FileResult(
        "done",
        output=name,
        codes=done.codes,
        pixels="".join(pixels),
        document=next((step for step in done.steps if step.startswith("document:")), ""),
        actions=tuple(sorted(counts.items())),
        references=tuple(sorted(done.references)),
        pairs=pairs,
        entry=entry,
    )


def _sealed(data: ByteSource, syntax: str, done: Deidentified, settings: Settings, context: Context) -> Deidentified:
    """With what was taken in it, encrypted for whom may go back. Raises GatewayError, TransformError."""
    from gateway.security.reidentification import read_recipients, seal  # what few ask for

    plan, told = seal(data, done.plan, syntax, read_recipients(settings.recipients), context)
    return done.after(told, plan)


@lru_cache(maxsize=1)
def egress() -> Egress:
    """The check of what leaves, of this process."""
    return Egress(ahead=_STUDIES)


def names_of(profile: Chosen) -> Names | None:
    """The program that finds more names, one a process; it is started when the first text is cleaned."""
    if profile.names is None:
        return None
    from gateway.hosted import names as programs  # what few ask for

    return programs.names_of(profile.names)


def patient_map(settings: Settings) -> CsvMap | None:
    """The map of patients, read once a process. Raises GatewayError with every mistake of the file."""
    return None if settings.patients is None else _read_map(settings.patients, settings.merge)


@lru_cache(maxsize=1)
def _read_map(path: Path, merge: bool) -> CsvMap:
    from gateway.patients.csvmap import load  # what few ask for

    return load(path, merge=merge)


def _patient(
    data: ByteSource, syntax: str, settings: Settings, context: Context, issuers: tuple[bytes, ...]
) -> Pseudonym | None:
    """The pseudonym; None where the key makes it of what the object says. Raises HoldObject, TransformError.

    `issuers`: of its Patient ID in its study, where it does not name the only one.
    """
    found = patient_map(settings)
    if found is None and not issuers and not settings.issuer:
        return None
    own = read_patient(data, syntax)
    patient = issued(own, issuer_of(settings.issuer) or (issuers[0] if len(issuers) == 1 else b""))

    def called(who: Patient) -> str:
        return keyed(who, context) if found is None else found.find(who)[1]

    if len(issuers) > 1:
        every = {called(Patient(own.patient_id, issuer, own.text)) for issuer in issuers}
        if len(every) > 1:
            raise HoldObject("study-issuer-differs", "its study has this Patient ID under several issuers")
        patient = issued(patient, issuers[0])
    return Pseudonym(called(patient), own, patient.issuer, None if found is None else {})


def _with_others(who: Pseudonym | None, others: frozenset[Patient], settings: Settings) -> Pseudonym | None:
    """With those of the patients whom its items name. Raises HoldObject."""
    found = patient_map(settings)
    if who is None or found is None:
        return who
    try:
        return who.knowing({each: found.find(each)[1] for each in others})
    except HoldObject as error:
        raise HoldObject(error.reason, f"of a Patient ID in an item: {error.detail}") from None


def _pairs(data: ByteSource, syntax: str, pseudonym: str, heard: dict[bytes, bytes]) -> Pairs:
    from gateway.cli.mapping import Pairs  # what few ask for

    old = read_patient(data, syntax).patient_id.decode("utf-8", "backslashreplace")
    return Pairs((old, pseudonym), tuple((a.decode("latin-1"), b.decode("ascii")) for a, b in heard.items()))


def _kept(data: Iterable[bytes], folder: Path) -> tuple[Path | None, ByteSource]:
    """Bytes that are read again: in memory where they are few, else in a private file of the output folder."""
    held: list[bytes] = []
    size = 0
    chunks = iter(data)
    for chunk in chunks:
        held.append(chunk)
        size += len(chunk)
        if size > _IN_MEMORY:
            break
    else:
        return None, BytesSource(b"".join(held))
    path = folder / f".{secrets.token_hex(16)}.tmp"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as out:
            out.writelines(held)
            for chunk in chunks:
                size += out.write(chunk)
    except BaseException:
        os.close(descriptor)
        path.unlink(missing_ok=True)
        raise
    return path, FileSource(descriptor, 0, size)


def _write(folder: Path, name: str, head: bytes, plan: EditPlan) -> bool:
    """Write a file whole and give it its name at once; False where another object has that name.

    The same bytes under the same name are the same work done twice, and right.
    """
    path = folder / name
    with unnamed(folder) as (descriptor, scratch):
        _pieces(descriptor, head, plan)
        try:
            give_name(descriptor, scratch, path)
        except FileExistsError:
            return _same(path, head, plan)
        return True


def _pieces(out: int, head: bytes, plan: EditPlan) -> None:
    """Everything in order, in few and large writes: they cost less than the kernel's own copying, page by page."""
    pending = [head]
    size = len(head)
    for piece in plan.pieces:
        at, end = (0, len(piece.data)) if isinstance(piece, Literal) else (piece.offset, piece.offset + piece.length)
        while at < end:
            part = piece.data if isinstance(piece, Literal) else plan.source.pread(at, min(end - at, _AT_ONCE))
            if not part:
                raise OSError(errno.EIO, "the input became shorter")
            at += len(part)
            size += len(part)
            pending.append(part)
            if size >= _AT_ONCE or len(pending) >= _PARTS:
                _all(out, pending)
                pending, size = [], 0
    if pending:
        _all(out, pending)


def _all(descriptor: int, parts: list[bytes]) -> None:
    written = os.writev(descriptor, parts)
    if written < sum(map(len, parts)):
        view = memoryview(b"".join(parts))[written:]
        while view:
            view = view[os.write(descriptor, view) :]


def _same(path: Path, head: bytes, plan: ByteSource) -> bool:
    """Whether a file already holds exactly these bytes."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size != len(head) + plan.size:
        return False
    with path.open("rb") as file:
        if file.read(len(head)) != head:
            return False
        return all(file.read(1 << 20) == plan.pread(at, 1 << 20) for at in range(0, plan.size, 1 << 20))
