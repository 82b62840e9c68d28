"""`python -m benchmarks.secure`: Secure DICOM Files beside `openssl cms`, the same bytes and algorithms, in turns.

* Sealing is a signature (RSA 2048, SHA-256) and an envelope (AES-256-CBC, RSA 2048); openssl needs two commands for it,
  and so for opening. Each side is whole processes, start and exit included, and writes to the same folder.
* Each round opens what was sealed in it and compares it with what went in: a figure of wrong bytes is no figure.
* Ends with 1 where the gateway was slower than --least times openssl, or used more memory than --memory above its base.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.resident import forget, highest
from benchmarks.systems import pki

ROOT = Path(__file__).resolve().parents[1]
WAYS = ("seal", "unseal")


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.secure", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=int, default=512, help="MiB of the file; openssl stops at 2047")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--least", type=float, default=0.5, help="the ratio that is asked for")
    parser.add_argument("--memory", type=int, default=128, help="MiB above the base that are allowed")
    parser.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)  # one run of ours, in a process of its own
    parser.add_argument("--in", dest="folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    """All rounds, a line each, and the medians."""
    asked = options()
    if asked.one:
        return _one(asked.one, asked.folder)
    with TemporaryDirectory(prefix="secure-", dir=os.environ.get("TMPDIR")) as name:
        folder = Path(name)
        pki(folder / "certs")
        _content(folder / "clear", asked.size)
        return _told(list(_rounds(folder, asked)), asked)


def _rounds(folder: Path, asked: argparse.Namespace) -> Iterator[dict[str, float]]:
    for number in range(asked.rounds):
        found: dict[str, float] = {}
        order = (_ours, _openssl) if number % 2 else (_openssl, _ours)
        for way in WAYS:
            for side in order:
                found |= side(folder, way)
        for made in ("clear.ours", "clear.openssl"):
            if not filecmp.cmp(folder / "clear", folder / made, shallow=False):
                raise SystemExit(f"{made} is not what went in")
        for each in folder.glob("*.*"):
            each.unlink()
        print(f"round {number + 1}: " + ", ".join(f"{key} {value:.2f}" for key, value in sorted(found.items())))
        yield found


def _told(rounds: list[dict[str, float]], asked: argparse.Namespace) -> int:
    wrong = 0
    for way in WAYS:
        ratio = statistics.median(each[f"{way} openssl s"] / each[f"{way} ours s"] for each in rounds)
        memory = max(each[f"{way} ours MiB"] for each in rounds)
        fine = ratio >= asked.least and memory <= asked.memory
        wrong += not fine
        print(
            f"{way} {asked.size} MiB: {ratio:.2f} x openssl, {memory:.0f} MiB above the base{'' if fine else ': WRONG'}"
        )
    return int(wrong > 0)


def _ours(folder: Path, way: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.secure", "--one", way, "--in", str(folder)]
    with _clock() as took:
        above = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    return {f"{way} ours s": took(), f"{way} ours MiB": float(above)}


def _openssl(folder: Path, way: str) -> dict[str, float]:
    certs = folder / "certs"
    signer = ["-signer", certs / "media-signer.pem", "-inkey", certs / "media-signer.key", "-md", "sha256"]
    reader = ["-recip", certs / "reader.pem", "-inkey", certs / "reader.key"]
    der = ["-inform", "DER", "-binary"]
    signed, sealed, opened, clear = (folder / name for name in ("a.signed", "b.sealed", "c.opened", "clear.openssl"))
    steps = {
        "seal": (
            ["-sign", "-binary", "-nodetach", "-in", folder / "clear", *signer, "-outform", "DER", "-out", signed],
            ["-encrypt", "-binary", "-aes256", "-in", signed, "-outform", "DER", "-out", sealed, certs / "reader.pem"],
        ),
        "unseal": (
            ["-decrypt", *der, "-in", sealed, *reader, "-out", opened],
            ["-verify", *der, "-in", opened, "-CAfile", certs / "ca.pem", "-out", clear],
        ),
    }[way]
    with _clock() as took:
        for step in steps:
            subprocess.run(["openssl", "cms", *map(str, step)], check=True, capture_output=True)
    return {f"{way} openssl s": took()}


def _one(way: str, folder: Path) -> int:
    """One run of ours; prints the MiB that it needed above what it had when it began."""
    from gateway.security.cms import files, keys
    from gateway.store.files import FileSource

    certs = folder / "certs"
    signer = keys.read_signer(certs / "media-signer.key", certs / "media-signer.pem")
    base = forget()
    if way == "seal":
        with (folder / "clear").open("rb") as clear:
            source = FileSource(os.dup(clear.fileno()), 0, os.fstat(clear.fileno()).st_size)
            files.seal(source, folder / "d.sealed", keys.read_certificates(certs / "reader.pem"), signer=signer)
            source.close()
    else:
        holder = keys.read_holder(certs / "reader.key", certs / "reader.pem")
        trust = keys.read_certificates(certs / "ca.pem")
        files.unseal(folder / "d.sealed", folder / "clear.ours", [holder], trust=trust)
    print((highest() - base) / (1 << 20))
    return 0


def _content(path: Path, size: int) -> None:
    """Bytes that do not compress, the same each time for a size."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    stream = Cipher(algorithms.AES(bytes(16)), modes.CTR(bytes(16))).encryptor()
    with path.open("wb") as out:
        for _ in range(size):
            out.write(stream.update(bytes(1 << 20)))


@contextmanager
def _clock() -> Iterator[Callable[[], float]]:
    began = time.perf_counter()
    ended = began

    def took() -> float:
        return ended - began

    yield took
    ended = time.perf_counter()


if __name__ == "__main__":
    sys.exit(main())
