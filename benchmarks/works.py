"""The works, each done once by one system: ingest, end to end, de-identification of files, the same with options.

A work gives an `Outcome`, judged. It measures from the first byte sent to the last answer (ingest), to the last byte in
the archive's folder (end to end), or as a whole command less the same command over one object (files).
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import stat
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks import peers
from benchmarks.corpus import ROOT, Corpus
from benchmarks.process import Tree
from benchmarks.profile import watched
from benchmarks.resident import highest
from benchmarks.sender import Senders, tls
from benchmarks.systems import COMMAND, HERE, OURS, Running, Site, System, nothing, program, storescp
from benchmarks.verify import judge, part10

OPTIONS = ("clean-descriptors", "clean-structured-content", "retain-modified-dates", "retain-patient-characteristics")
PATIENCE = 900.0  # seconds that a system may take for one work


class Outcome(NamedTuple):
    """One system, one work, one round."""

    system: str
    seconds: float
    objects: int
    size: int  # bytes
    cpu: float  # seconds, of all its processes
    resident: int  # bytes at the highest, all processes
    largest: int  # bytes at the highest, one process
    latency: tuple[float, float] | None  # p50, p99 in seconds
    problems: tuple[str, ...]
    leaking: int
    words: tuple[str, ...]
    tls: str = ""

    @property
    def rate(self) -> float:
        """Objects a second."""
        return self.objects / self.seconds


@contextlib.contextmanager
def fresh(folder: Path) -> Iterator[Path]:
    """An empty folder, put aside afterwards with its files emptied; `removed` sees to the rest.

    Not removed at once: for minutes ext4 passes by each inode that was freed, and the next system would pay for it.
    """
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        for path in folder.rglob("*"):
            found = path.lstat()
            if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:  # inputs are links to the corpus
                os.truncate(path, 0)
        folder.rename(folder.with_name(f"{folder.name}-{secrets.token_hex(8)}"))


@contextlib.contextmanager
def removed(folder: Path) -> Iterator[Path]:
    """An empty folder for a whole run, removed before and after it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def batches(found: Corpus, connections: int) -> list[list[Path]]:
    """Whole studies dealt out to the connections; single objects where there are too few studies."""
    groups = found.studies()
    if len(groups) < connections:
        groups = [[piece] for piece in found.pieces]
    dealt: list[list[Path]] = [[] for _ in range(min(connections, len(groups)))]
    for number, group in enumerate(groups):
        dealt[number % len(dealt)] += [found.folder / piece.file for piece in group]
    return dealt


def tls_of(port: int, certs: Path) -> str:
    """Version and suite, as a client gets them."""
    with socket.create_connection(("127.0.0.1", port), 10) as raw, tls(certs).wrap_socket(raw) as sock:
        cipher = sock.cipher()
        return f"{sock.version()} {cipher[0] if cipher else ''}"


def percentiles(values: tuple[float, ...]) -> tuple[float, float]:
    """p50 and p99."""
    cuts = statistics.quantiles(values, n=100, method="inclusive") if len(values) > 1 else [values[0]] * 99
    return cuts[49], cuts[98]


def watching(pid: int, raw: Path | None) -> contextlib.AbstractContextManager[None]:
    """A profile, where one is asked for."""
    return watched(pid, raw) if raw else contextlib.nullcontext()


def ingest(
    system: System,
    found: Corpus,
    folder: Path,
    certs: Path,
    environment: Mapping[str, str],
    connections: int,
    raw: Path | None = None,
) -> Outcome:
    """Everything sent and answered; then everything there."""
    with fresh(folder) as own:
        running = system.start(Site(own, certs, environment))
        senders = None
        try:
            suite = tls_of(running.port, certs)
            senders = Senders(running.port, running.called, certs, batches(found, connections), running.sender)
            before = running.tree.usage()
            with watching(running.tree.pid, raw):
                sent = senders.go()
            after = running.tree.usage()
            senders.release()
            settle(running)
            verdict = judge(found, part10(running.stored), pseudonymous=False)
        finally:
            if senders:
                senders.release()
            running.tree.stop()
        problems = verdict.problems + ((f"{sent.refused} refused",) if sent.refused else ())
        return Outcome(
            system.name, sent.ended - sent.began, len(found.pieces), found.size, after.cpu - before.cpu,
            running.tree.peak, running.tree.peak_largest, percentiles(sent.latencies), problems, 0, (), suite,
        )  # fmt: skip


def settle(running: Running) -> None:
    """Wait until a system that writes after its answer has written."""
    last, quiet = -1, 0
    while quiet < 5:
        now = sum(path.stat().st_size for path in running.stored.rglob("*") if path.is_file())
        quiet, last = (quiet + 1, last) if now == last else (0, now)
        time.sleep(0.1)


def end_to_end(
    system: System,
    found: Corpus,
    folder: Path,
    certs: Path,
    environment: Mapping[str, str],
    connections: int,
    raw: Path | None = None,
) -> Outcome:
    """From the first byte sent to the last byte in the archive, pseudonymous."""
    with fresh(folder) as own:
        for name in ("archive", "system"):
            (own / name).mkdir()
        archive = storescp(Site(own / "archive", certs, environment))
        senders = running = None
        try:
            running = system.start(Site(own / "system", certs, environment, archive.port))
            suite = tls_of(running.port, certs)
            senders = Senders(running.port, running.called, certs, batches(found, connections))
            before = running.tree.usage()
            with watching(running.tree.pid, raw):
                sent = senders.go()
                problems = arrived(running.tree, archive.stored, len(found.pieces), sent.refused)
            after = running.tree.usage()
            senders.release()
            files = list(part10(archive.stored))
            verdict = judge(found, files, pseudonymous=True)
            ended = max((path.stat().st_mtime for path in files), default=time.time())
        finally:
            if senders:
                senders.release()
            if running:
                running.tree.stop()
            archive.tree.stop()
        return Outcome(
            system.name, ended - sent.began, len(found.pieces), found.size, after.cpu - before.cpu,
            running.tree.peak, running.tree.peak_largest, None, problems + verdict.problems, verdict.leaking,
            verdict.words, suite,
        )  # fmt: skip


def arrived(tree: Tree, folder: Path, wanted: int, refused: int) -> tuple[str, ...]:
    """Wait until all is in the archive and nothing grows; or say why not."""
    deadline = time.monotonic() + PATIENCE
    last: tuple[int, int] = (-1, -1)
    still = time.monotonic()
    while True:
        entries = list(folder.iterdir())
        now = (len(entries), sum(path.stat().st_size for path in entries))
        if now != last:
            last, still = now, time.monotonic()
        quiet = time.monotonic() - still
        if now[0] >= wanted and quiet > 0.5:
            return ()
        if not tree.alive():
            return (f"it ended:\n{tree.tail()}",)
        if time.monotonic() > deadline or quiet > 60:
            return (f"{now[0]} of {wanted} in the archive, {refused} refused:\n{tree.tail()}",)
        time.sleep(0.05)


FILES = (
    System(OURS, lambda _site: NotImplemented, "one process, start-up and egress check included", nothing),
    System("dcmanon", lambda _site: NotImplemented, "Rust; its own defaults", peers.missing),
    System("dicom-anonymizer", lambda _site: NotImplemented, "pydicom; its own defaults", peers.missing),
    System(
        "dcmodify",
        lambda _site: NotImplemented,
        "C++; erases 12 elements and the private ones",
        lambda: "" if program("dcmodify") else "dcmodify is not installed",
    ),
)
ERASED = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientAddress", "AccessionNumber", "InstitutionName",
    "ReferringPhysicianName", "OperatorsName", "StudyDescription", "SeriesDescription", "RequestAttributesSequence",
    "OtherPatientIDsSequence",
)  # fmt: skip


def deidentify(
    system: System, found: Corpus, folder: Path, options: tuple[str, ...] = (), raw: Path | None = None
) -> Outcome:
    """Files to files, one process, disk to disk; start-up is in it: taking it off made noise into speed."""
    with fresh(folder) as own:
        arguments = command(system.name, found, own / "all", options)
        whole = timed(arguments, own, raw)
        verdict = judge(found, part10(own / "all"), pseudonymous=True)
        return Outcome(
            system.name, whole.seconds, len(found.pieces), found.size, whole.cpu, whole.resident,
            whole.resident, None, verdict.problems, verdict.leaking, verdict.words,
        )  # fmt: skip


class Timed(NamedTuple):
    """A command's cost."""

    seconds: float
    cpu: float
    resident: int


def timed(arguments: list[str | Path], folder: Path, raw: Path | None = None) -> Timed:
    """Run a command to its end. Raises RuntimeError where it fails (3: some held, the judge will see)."""
    log = folder / "command.log"
    began = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(arguments, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        resident = 0
        with watching(process.pid, raw):
            while True:
                ended, status, used = os.wait4(process.pid, os.WNOHANG)
                if ended:
                    break
                resident = max(resident, highest(process.pid))
                time.sleep(0.005)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 3):
        raise RuntimeError(f"{arguments[0]} ended with {process.returncode}:\n{log.read_text()[-2000:]}")
    return Timed(seconds, used.ru_utime + used.ru_stime, resident)


def command(name: str, found: Corpus, out: Path, options: tuple[str, ...]) -> list[str | Path]:
    """The command that makes `out` from the corpus."""
    out.mkdir()
    files = [found.folder / piece.file for piece in found.pieces]
    if name == OURS:
        key = out.parent / "bench.key"
        key.write_bytes(secrets.token_bytes(32))
        key.chmod(0o600)
        chosen = [part for option in options for part in ("--option", option)]
        return [
            COMMAND, "deid", "--profile", "basic", *chosen, "--key-file", key, "--processes", "1", "--out", out,
            listed(out, files),
        ]  # fmt: skip
    if name == "dcmodify":
        for file in files:
            shutil.copy(file, out)
        erase = [part for keyword in ERASED for part in ("-ea", keyword)]
        return [str(program("dcmodify")), "-nb", "-imt", "-ep", *erase, *sorted(out.iterdir())]
    return [peers.python(), HERE / "peer_files.py", name, out, listed(out, files)]


def listed(out: Path, files: list[Path]) -> Path:
    """A folder with hard links to the files, so that a command line is short."""
    folder = out.parent / f"{out.name}-in"
    if not folder.exists():
        folder.mkdir()
        for file in files:
            (folder / file.name).hardlink_to(file)
    return folder


def root() -> Path:
    """Where runs leave nothing but the corpus."""
    return ROOT / "benchmarks" / "out"
