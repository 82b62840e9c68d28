"""`python -m benchmarks.media`: secure media beside `openssl cms` over the same bytes, in turns, as ratios.

    many     CT slices, each a Secure DICOM File: signed, then encrypted
    large    one object, below openssl's own limit of 2 GiB

Rules of this file
* openssl signs and encrypts each file by two programs in a pipe, as a script would; it makes no DICOMDIR and verifies
  nothing. The gateway checks, signs, encrypts, writes the DICOMDIR, syncs, reads all of it again and compares.
* Times are of the clock. CPU is what all processes of a system took together: other work of the machine bends it less.
* What the gateway made is opened by it, what openssl made by openssl: a figure of a set that does not open is none.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks import works
from benchmarks.report import spread
from benchmarks.works import timed
from examples import study
from transforms.dataset.elements import header_bytes

GATEWAY = Path(sys.executable).parent / "dicom-gateway"
PROFILE = "STD-GEN-SEC-BD"


def inputs(folder: Path, objects: int, large: int) -> list[Path]:
    """`objects` CT slices, or one object of `large` bytes of pixels."""
    folder.mkdir()
    data = study.ct(1, 1, 512)
    for number in range(objects):
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = study.uid(1, "bench", number)
        study.write(data, folder / f"{number:05d}.dcm")
    if large:
        del data.PixelData
        study.write(data, folder / "large.dcm")
        with (folder / "large.dcm").open("ab") as file:
            file.write(header_bytes(0x7FE00010, "OW", large))
            file.truncate(file.tell() + large)
    return sorted(folder.iterdir())


def pki(folder: Path) -> None:
    """A reader and a signer, made by `certs dev`."""
    subprocess.run([GATEWAY, "certs", "dev", folder], check=True, stdout=subprocess.DEVNULL)


class Run(NamedTuple):
    """What one round took."""

    seconds: float
    cpu: float  # seconds, user and system, of all its processes
    resident: int = 0  # bytes at most; of the gateway


def _cpu() -> float:
    """Seconds that our children have taken so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def ours(files: list[Path], certs: Path, out: Path, form: str) -> Run:
    """Seconds and peak bytes of `media create`; raises where the set does not open."""
    out.mkdir()
    medium = out / ("set" if form == "folder" else f"set.{form}")
    keys = ["--recipient", certs / "reader.pem", "--signer", certs / "media-signer.pem"]
    keys += ["--signer-key", certs / "media-signer.key"]
    before = _cpu()
    made = timed([GATEWAY, "media", "create", "--profile", PROFILE, "--format", form, "--out", medium, *keys,
                  files[0].parent], out.parent)  # fmt: skip
    used = _cpu() - before
    who = ["--cert", certs / "reader.pem", "--key", certs / "reader.key", "--ca", certs / "ca.pem"]
    subprocess.run([GATEWAY, "media", "verify", *who, medium], check=True, stdout=subprocess.DEVNULL)
    return Run(made.seconds, used, made.resident)


def openssl(files: list[Path], certs: Path, out: Path) -> Run:
    """The same by openssl, file by file; raises where one does not open."""
    out.mkdir()
    sign = ["openssl", "cms", "-sign", "-nodetach", "-binary", "-outform", "DER", "-md", "sha256"]
    sign += ["-signer", str(certs / "media-signer.pem"), "-inkey", str(certs / "media-signer.key")]
    encrypt = ["openssl", "cms", "-encrypt", "-binary", "-outform", "DER", "-aes-256-cbc"]
    began, before = time.perf_counter(), _cpu()
    for file in files:
        with (
            (out / file.name).open("wb") as target,
            subprocess.Popen([*sign, "-in", str(file)], stdout=subprocess.PIPE) as first,
        ):
            subprocess.run([*encrypt, str(certs / "reader.pem")], stdin=first.stdout, stdout=target, check=True)
    found = Run(time.perf_counter() - began, _cpu() - before)
    open_ = ["openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-inkey", str(certs / "reader.key")]
    open_ += ["-recip", str(certs / "reader.pem"), "-in", str(out / files[-1].name)]
    subprocess.run(open_, check=True, stdout=subprocess.DEVNULL)
    return found


def compare(title: str, objects: int, large: int, rounds: int, folder: Path, form: str) -> str:
    """One table."""
    files = inputs(folder / "in", objects, large)
    size = sum(file.stat().st_size for file in files)
    runs: dict[str, list[Run]] = {"gateway": [], "openssl": []}
    for number in range(rounds):
        for name in ("gateway", "openssl") if number % 2 else ("openssl", "gateway"):
            out = folder / "out"
            certs = folder / "certs"
            runs[name].append(ours(files, certs, out, form) if name == "gateway" else openssl(files, certs, out))
            shutil.rmtree(out)
    shutil.rmtree(folder / "in")
    lines = [f"## media, {title}: {len(files)} objects, {size / 1e6:.0f} MB, {form}, {rounds} rounds", ""]
    lines += ["| system | MB/s | CPU s | RSS MiB | gateway / it | by CPU |", "|---|---|---|---|---|---|"]
    pairs = list(zip(runs["gateway"], runs["openssl"], strict=True))
    for name, taken in runs.items():
        cells = [spread([size / 1e6 / run.seconds for run in taken]), spread([run.cpu for run in taken])]
        if name == "gateway":
            cells += [str(max(run.resident for run in taken) >> 20), "", ""]
        else:
            cells += ["", *(_times(ratios) for ratios in ([b.seconds / a.seconds for a, b in pairs],
                                                         [b.cpu / a.cpu for a, b in pairs]))]  # fmt: skip
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _times(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f}) x"


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.media", description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=200)
    parser.add_argument("--large", type=int, default=1 << 30, help="bytes of the one large object, below 2 GiB")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--format", choices=("folder", "iso", "zip"), default="folder", help="what the gateway makes")
    asked = parser.parse_args()
    with works.removed(works.root() / "media") as folder:
        pki(folder / "certs")
        print(compare("many", asked.objects, 0, asked.rounds, folder, asked.format), flush=True)
        print(compare("large", 0, asked.large, asked.rounds, folder, asked.format), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
