"""The Python peers in a virtual environment of their own: `benchmarks/out/peers`, from `peers.lock`, by hash.

    uv pip compile --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --universal \
        --python-version 3.11 benchmarks/peers.in -o benchmarks/peers.lock
"""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDER = HERE / "out" / "peers"


def python() -> Path:
    """Their interpreter."""
    return FOLDER / "bin" / "python"


@cache
def missing() -> str:
    """Make the environment once; why there is none, or nothing."""
    stamp, lock = FOLDER / "stamp", HERE / "peers.lock"
    if stamp.is_file() and stamp.read_bytes() == lock.read_bytes():
        return ""
    try:
        subprocess.run([sys.executable, "-m", "venv", FOLDER], check=True, capture_output=True)
        install = [python(), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", lock]
        subprocess.run(install, check=True, capture_output=True)
    except subprocess.CalledProcessError:
        return "its packages could not be installed (benchmarks/peers.lock)"
    stamp.write_bytes(lock.read_bytes())
    return ""
