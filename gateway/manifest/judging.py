"""A manifest against files: what was changed, is missing, was added, or lies under another's name.

Rules of this file
* Objects are told by the UID the manifest gives them. Files have numbers, in the order they were given: a file that
  does not belong may be named after a patient.
* A file is known by its bytes first. What has no known bytes is asked for its SOP Instance UID, to say which object was
  changed; what cannot be asked is no object of the manifest.
* A study's manifest says nothing of other studies: their files are counted, and are no fault.
* Who signed is not judged here, and no file is trusted: whatever it holds, it is told as a finding.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from gateway.errors import GatewayError
from gateway.manifest.model import Entry, Manifest
from gateway.store.files import FileSource
from transforms.dataset import framing, part10, values
from transforms.errors import TransformError
from transforms.source import chunks

_THREADS = 4
_UID = frozenset("0123456789.")


class Finding(NamedTuple):
    """One thing that is not as the manifest says."""

    kind: str  # changed, missing, added, swapped
    sop_instance: str  # as the manifest has it; of an added object its own; "" where it has none
    detail: str
    file: int = 0  # number of the file; 0 where there is none


class Report(NamedTuple):
    """What came of it."""

    intact: int
    elsewhere: int  # objects of other studies
    findings: list[Finding]


class _Looked(NamedTuple):
    """What one file is, as far as it can be told."""

    number: int
    name: str
    whole: str = ""  # SHA-256 of the file
    data: str = ""  # of its data set; "" where it is no Part 10 file
    syntax: str = ""
    sop_instance: str = ""
    study: str = ""
    fault: str = ""


def judge(
    manifest: Manifest, files: Sequence[Path], *, data_sets: bool = False, tick: Callable[[], None] = lambda: None
) -> Report:
    """Every file against the manifest. `data_sets`: files were stored anew, so only what is in them counts."""
    judged = _Judged(manifest, data_sets)
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
        for looked in pool.map(lambda task: _look(task[0], task[1], judged), enumerate(files, 1)):
            judged.take(looked)
            tick()
    return judged.report()


class _Judged:
    """The manifest, and what was found of it so far."""

    def __init__(self, manifest: Manifest, data_sets: bool) -> None:
        self.study = manifest.scope.study
        self._objects = manifest.objects
        self._files = not data_sets
        self._by_file: dict[str, list[int]] = defaultdict(list)
        self._by_data: dict[str, list[int]] = defaultdict(list)
        self._by_uid: dict[str, list[int]] = defaultdict(list)
        self._by_name: dict[str, int] = {}
        for number, each in enumerate(manifest.objects):
            self._by_uid[each.sop_instance].append(number)
            self._by_data[each.sha256].append(number)
            if self.files_of(each):
                self._by_file[each.file_sha256].append(number)
                self._by_name[Path(each.file).name] = number
        self._intact: set[int] = set()
        self._told: set[int] = set()
        self._elsewhere = 0
        self._findings: list[Finding] = []

    def files_of(self, entry: Entry) -> bool:
        """Whether the file counts, and not only the data set in it."""
        return self._files and bool(entry.file_sha256)

    def with_bytes_of(self, each: _Looked) -> list[int]:
        """The objects that left with the bytes of this file; or else with those of its data set, in its syntax."""
        return self._by_file.get(each.whole) or [
            number for number in self._by_data.get(each.data, []) if self._objects[number].syntax == each.syntax
        ]

    def take(self, each: _Looked) -> None:
        """One file."""
        numbers = self.with_bytes_of(each)
        free = [number for number in numbers if number not in self._intact]
        if free:
            self._fits(free, each)
        elif numbers:
            self._tell("added", self._objects[numbers[0]].sop_instance, "a second copy", each)
        elif same := self._by_uid.get(each.sop_instance):
            left = [number for number in same if number not in self._intact] or same
            self._told.update(left)
            self._tell("changed", each.sop_instance, "its data set is another", each)
        elif (number := self._by_name.get(each.name)) is not None and number not in self._intact:
            self._told.add(number)
            self._tell("changed", self._objects[number].sop_instance, each.fault or "it is another object now", each)
        elif each.study and self.study and each.study != self.study:
            self._elsewhere += 1
        else:
            self._tell("added", each.sop_instance, each.fault or "the manifest does not have it", each)

    def _fits(self, free: list[int], each: _Looked) -> None:
        """A file with the bytes of an object: under its own name, another's, or one that says nothing."""
        number = next((n for n in free if Path(self._objects[n].file).name == each.name), free[0])
        entry = self._objects[number]
        self._intact.add(number)
        if self.files_of(entry) and entry.file_sha256 != each.whole:
            self._intact.discard(number)
            self._told.add(number)
            self._tell("changed", entry.sop_instance, "its file meta or preamble is another", each)
        elif self.files_of(entry) and self._by_name.get(each.name, number) != number:
            self._tell("swapped", entry.sop_instance, "it lies under the name of another object", each)

    def report(self) -> Report:
        """After the last file."""
        found = {self._objects[number].sop_instance for number in self._intact}
        for number, entry in enumerate(self._objects):
            superseded = entry.sop_instance in found and not self.files_of(entry)
            if number not in self._intact and number not in self._told and not superseded:
                self._findings.append(Finding("missing", entry.sop_instance, "no file holds it"))
        swapped = sum(each.kind == "swapped" for each in self._findings)
        order = sorted(self._findings, key=lambda each: (each.kind, each.sop_instance, each.file))
        return Report(len(self._intact) - swapped, self._elsewhere, order)

    def _tell(self, kind: str, sop_instance: str, detail: str, each: _Looked) -> None:
        self._findings.append(Finding(kind, sop_instance, detail, each.number))


def _look(number: int, path: Path, judged: _Judged) -> _Looked:
    """Read one file once; a second time only to ask who it is, where its bytes are not known."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        size = os.fstat(descriptor).st_size
        with FileSource(descriptor, 0, size) as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return _Looked(number, path.name, fault="it is no file")
            return _read(number, path.name, file, judged)
    except (OSError, GatewayError):
        return _Looked(number, path.name, fault="it cannot be read")


def _read(number: int, name: str, file: FileSource, judged: _Judged) -> _Looked:
    try:
        found = part10.split(file, tolerant=True)
    except TransformError:
        return _Looked(number, name, fault="it is no DICOM file")
    whole = hashlib.sha256(file.pread(0, found.offset))
    data = hashlib.sha256()
    inner = _Part(file, found.offset)
    for chunk in chunks(inner):
        whole.update(chunk)
        data.update(chunk)
    looked = _Looked(number, name, whole.hexdigest(), data.hexdigest(), found.syntax)
    if judged.with_bytes_of(looked):
        return looked
    try:
        told = values.identity(inner, framing.check(inner, found.syntax))
    except (TransformError, ValueError):
        return looked._replace(sop_instance=_uid(found.sop_instance), fault="its data set does not frame")
    return looked._replace(sop_instance=_uid(told.get("SOPInstanceUID", "")), study=told.get("StudyInstanceUID", ""))


class _Part:
    """A source from some byte on."""

    def __init__(self, source: FileSource, start: int) -> None:
        self._source = source
        self._start = start
        self.size = source.size - start

    def pread(self, offset: int, length: int) -> bytes:
        return self._source.pread(self._start + offset, length)


def _uid(text: str) -> str:
    """A UID that is one: what a file says otherwise is not told."""
    return text if 0 < len(text) <= 64 and _UID.issuperset(text) else ""


def found(paths: Iterable[Path], but: Path) -> list[Path]:
    """The files to judge, each once, in a fixed order; not hidden ones, and not the manifest itself."""
    seen: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            for folder, folders, files in os.walk(path):
                folders.sort()
                seen.update(dict.fromkeys(Path(folder, name) for name in sorted(files) if not name.startswith(".")))
        else:
            seen[path] = None
    manifest = but.resolve()
    return list({each.resolve(): each for each in seen if each.resolve() != manifest}.values())
