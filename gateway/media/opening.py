"""Opens media: finds the objects, decrypts and verifies them, compares them with the DICOMDIR, releases them whole.

Rules of this file
* The DICOMDIR is believed where it can be read and every offset in it leads somewhere. Where not, or where there is
  none, the medium is scanned for DICOM files, and that is said.
* What a DICOMDIR refers to must be there and be what it says: class, instance, transfer syntax. What it does not refer
  to and is a DICOM file all the same is taken too, and counted.
* A File ID that leads out of the medium ends it: that is no mistake of a writer.
* In a secure set every DICOM file must be a Secure DICOM File, and who asks for signers gets no other: a plain file
  slipped in, or a whole set that is plain by now, is refused. No byte is released before all of a file is verified.
* Everything lies in a hidden folder until the last object is right; then it gets its name. `salvage` takes what can be
  had of a damaged medium, and tells what could not.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, Protocol

from gateway.errors import GatewayError
from gateway.media.errors import MediaError, from_os
from gateway.media.medium import Medium, Parts, folded, mounted
from gateway.media.sealing import partial_beside, seal, synced
from gateway.store.files import FileSource
from transforms.dataset import framing, part10, values
from transforms.errors import TransformError
from transforms.media import reading
from transforms.media.dicomdir import SOP_CLASS, File
from transforms.source import ByteSource, BytesSource, Copy, EditPlan, chunks

Progress = Callable[[str, int, int], None]
_TOLD: Final = 20
_HEAD: Final = 132  # bytes that tell a DICOM file from a CMS message
# What may be wrong with a DICOMDIR on a damaged medium, so that the files are still worth looking at
_DAMAGED: Final = frozenset({"cms-damaged", "cms-truncated", "cms-malformed", "cms-digest", "media-unreadable"})


class Verdict(NamedTuple):
    """What a Secure DICOM File says of itself once it is open."""

    signer: str  # RFC 4514 subject; "" where nobody signed
    trusted: bool | None  # None: nobody was asked
    warnings: tuple[str, ...] = ()


class Opener(Protocol):
    """Who can open Secure DICOM Files (PS3.15 D.1)."""

    asks: bool  # for signers: then what nobody signed, or nobody encrypted, is refused

    def open(self, source: ByteSource, out: BinaryIO) -> Verdict:
        """Decrypt to `out` and verify to the end. Raises GatewayError; then `out` is not to be used."""
        ...


@dataclass(slots=True)
class Report:
    """What was found on a medium: counts and codes, no value of an object."""

    kind: str
    secure: bool = False
    directory: str = ""  # "" where the DICOMDIR was used; else why not
    objects: int = 0
    repeated: int = 0
    unlisted: int = 0  # DICOM files that the DICOMDIR does not refer to
    other: int = 0  # files that are no DICOM files
    classes: Counter[str] = field(default_factory=Counter)
    signers: Counter[Verdict] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def open_medium(
    place: Path,
    opener: Opener | None,
    out: Path | None,
    *,
    salvage: bool = False,
    progress: Progress = lambda *_: None,
) -> Report:
    """Verify a medium and, where `out` is given, put its objects there as plain DICOM files.

    Raises MediaError where something is wrong and `salvage` was not asked for; then `out` does not exist.
    """
    if out is None:
        with tempfile.TemporaryDirectory() as scratch, mounted(place, Path(scratch)) as medium:
            report = _Opening(medium, opener, Path(scratch), None, salvage, progress).run()
            _judged(report, salvage)
        return report
    with partial_beside(out) as partial:
        result = partial / "set"
        result.mkdir(0o700)
        with mounted(place, partial) as medium:
            report = _Opening(medium, opener, partial, result, salvage, progress).run()
        _judged(report, salvage)
        synced(result)
        seal(partial, out)
    return report


def _judged(report: Report, salvage: bool) -> None:
    if report.problems and not salvage:
        told = report.problems[:_TOLD]
        if len(report.problems) > _TOLD:
            told.append(f"and {len(report.problems) - _TOLD} more")
        raise MediaError("media-incomplete", "nothing is released\n  " + "\n  ".join(told))
    if not report.objects:
        raise MediaError("media-empty", "there is no object on it that could be read")


class _Opening:
    """One medium on its way."""

    def __init__(
        self,
        medium: Medium,
        opener: Opener | None,
        scratch: Path,
        out: Path | None,
        salvage: bool,
        progress: Progress,
    ) -> None:
        self._medium = medium
        self._opener = opener
        self._scratch = scratch
        self._out = out
        self._salvage = salvage
        self._progress = progress
        self._report = Report(medium.kind)
        self._seen: set[str] = set()

    def run(self) -> Report:
        """Every object; problems are gathered in the report."""
        listed: dict[Parts, Parts] = {}
        for path, _ in self._medium.files():
            if listed.setdefault(folded(path), path) != path:
                raise MediaError("media-path", "two names on the medium differ in case only")
        expected = self._directory(listed)
        if expected is None and not self._report.secure:
            self._report.secure = any(is_secure(BytesSource(self._head(path))) for path in listed.values())
        listed.pop(("DICOMDIR",), None)
        in_all, done = len(listed), 0
        for key, file in (expected or {}).items():
            if (path := listed.pop(key, ())) == ():
                self._problem("a file that the DICOMDIR refers to is missing", key)
            else:
                self._take(path, file)
            done += 1
            self._progress("open", done, in_all)
        for path in listed.values():
            self._take(path, None, listed=expected is None)
            done += 1
            self._progress("open", done, in_all)
        return self._report

    def _directory(self, listed: dict[Parts, Parts]) -> dict[Parts, File] | None:
        """What the DICOMDIR refers to; None where it cannot be used, and the report says why."""
        path = listed.get(("DICOMDIR",))
        if path is None:
            self._report.directory = "there is no DICOMDIR: every file was looked at"
            return None
        try:
            with self._plain(path) as (source, protected):
                self._report.secure = protected
                found = reading.read(source)
        except (TransformError, GatewayError) as error:
            if isinstance(error, GatewayError) and not (self._salvage and error.reason in _DAMAGED):
                raise
            self._report.directory = f"the DICOMDIR cannot be used ({error.reason}): every file was looked at"
            return None
        expected: dict[Parts, File] = {}
        for file in found.files:
            if not reading.safe(file.file_id):
                raise MediaError("media-path", "a Referenced File ID of the DICOMDIR leads out of the medium")
            if expected.setdefault(folded(file.file_id), file) is not file:
                self._report.directory = "the DICOMDIR refers to a file twice: every file was looked at"
                return None
        return expected

    @contextmanager
    def _plain(self, path: Parts) -> Iterator[tuple[ByteSource, bool]]:
        """A file's DICOM file, decrypted where it is a secure one, and whether it was. Raises GatewayError."""
        with self._medium.open(path) as source:
            if not is_secure(source):
                yield source, False
                return
            if self._opener is None:
                raise MediaError("media-secure", "it is encrypted: give --cert and --key, or --password-file")
            with tempfile.TemporaryFile(dir=self._scratch) as file:
                try:
                    verdict = self._opener.open(source, file)
                    file.flush()
                except OSError as error:
                    raise from_os(error, "room to decrypt") from None
                self._report.signers[verdict] += 1
                with FileSource(os.dup(file.fileno()), 0, file.tell()) as plain:
                    yield plain, True

    def _head(self, path: Parts) -> bytes:
        """Its first bytes. Raises MediaError."""
        return next(self._medium.stream(path), b"")[:_HEAD]

    def _take(self, path: Parts, file: File | None, *, listed: bool = True) -> None:
        """One file. `file`: what the DICOMDIR says of it; without, it may be no DICOM file at all."""
        try:
            with self._plain(path) as (source, protected):
                if file is None and not _is_dicom(source):
                    self._report.other += 1
                    return
                if not protected and self._report.secure:
                    raise MediaError("media-not-secure", "a DICOM file of a secure set is not encrypted")
                if not protected and self._opener is not None and self._opener.asks:
                    raise MediaError("media-unsigned", "nobody signed it, and signers of a named CA are asked for")
                self._object(source, file)
                self._report.unlisted += not listed
        except (TransformError, GatewayError) as error:
            if error.reason in ("media-disk-full", "media-secure") or error.reason.startswith("token-"):
                raise  # nothing that is wrong with this file
            self._problem(str(error), path)

    def _object(self, source: ByteSource, file: File | None) -> None:
        found = part10.split(source, tolerant=True)
        if found.sop_class == SOP_CLASS:
            return  # a DICOMDIR under another name
        data = EditPlan(source, [Copy(found.offset, source.size - found.offset)])
        told = values.identity(data, framing.check(data, found.syntax))
        sop_class, sop_instance = told.get("SOPClassUID", ""), told.get("SOPInstanceUID", "")
        if file is not None and (file.sop_class, file.sop_instance) != (sop_class, sop_instance):
            raise MediaError("media-not-as-listed", "it is not the object that the DICOMDIR says it is")
        if file is not None and file.syntax not in ("", found.syntax):
            raise MediaError("media-not-as-listed", "its transfer syntax is not the one that the DICOMDIR says")
        try:
            head = part10.meta(sop_class, sop_instance, found.syntax)
        except ValueError:
            raise MediaError("media-not-as-listed", "it has no SOP Instance UID that can be written") from None
        if sop_instance.strip("0123456789."):
            raise MediaError("media-not-as-listed", "its SOP Instance UID is none")
        if sop_instance in self._seen:
            self._report.repeated += 1
            if self._out is not None and not _same(self._out / f"{sop_instance}.dcm", head, data):
                raise MediaError("media-instance-twice", "a SOP Instance UID stands twice, with other content")
            return
        if self._out is not None:
            _write(self._out / f"{sop_instance}.dcm", head, data)
        self._seen.add(sop_instance)
        self._report.objects += 1
        self._report.classes[sop_class] += 1

    def _problem(self, what: str, path: Parts) -> None:
        """A file is named by its place only where the place is a File ID: other names may hold a patient's."""
        name = "\\".join(path) if reading.strict(path) else "a file"
        self._report.problems.append(f"{name}: {what}")


def is_secure(source: ByteSource) -> bool:
    """Whether a file seems to be a CMS message in DER or BER: a SEQUENCE, and no DICOM file."""
    head = source.pread(0, _HEAD)
    return head[:1] == b"\x30" and head[1:2] > b"\x7f" and head[128:] != part10.PREFIX


def _is_dicom(source: ByteSource) -> bool:
    try:
        part10.split(source, tolerant=True)
    except TransformError:
        return False
    return True


def _write(path: Path, head: bytes, data: ByteSource) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(head)
            for chunk in chunks(data):
                file.write(chunk)
    except OSError as error:
        raise from_os(error, "an object's file") from None


def _same(path: Path, head: bytes, data: ByteSource) -> bool:
    """Whether a file that was written holds exactly this."""
    if path.stat().st_size != len(head) + data.size:
        return False
    with path.open("rb") as file:
        return file.read(len(head)) == head and all(file.read(len(chunk)) == chunk for chunk in chunks(data))
