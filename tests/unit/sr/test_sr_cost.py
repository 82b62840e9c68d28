"""What reading costs: memory of a large report, and the time of a small one (generously: machines differ)."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from tests.conftest import ROOT
from tests.unit.sr.test_sr_refusals import item, report
from transforms.source import BytesSource
from transforms.sr.model import Document, Item
from transforms.sr.read import read_file
from transforms.sr.values import Code, Coded, Container, Image, Num, SCoord, SopReference
from transforms.sr.write import write_file

MM = Code("mm", "UCUM", "millimeter")
IMAGE = Item("SELECTED FROM", None, Image(SopReference("1.2.840.10008.5.1.4.1.1.2", "1.2.3.4.5.6.7.8.9")))


def measured(groups: int) -> Document:
    """A report with this many findings, each of three items and a polyline on an image."""
    finding = Coded(Code("4147007", "SCT", "Mass"))
    made = [
        item(
            Container("SEPARATE"),
            item(finding),
            item(Num(f"{number}.25", MM)),
            item(SCoord("POLYLINE", tuple(float(number + each) for each in range(20))), IMAGE),
        )
        for number in range(groups)
    ]
    return report(*made)


GROWTH = """
import sys
from benchmarks.resident import forget, highest
from transforms.source import BytesSource
from transforms.sr.read import read_file
from transforms.sr.write import write
data = open(sys.argv[1], "rb").read()
small = open(sys.argv[2], "rb").read()
read_file(BytesSource(small))
before = forget()
document = read_file(BytesSource(data))
print(highest() - before, sum(1 for _ in document.root.walk()))
"""


def test_five_megabytes_take_at_most_sixty_four(tmp_path: Path) -> None:
    large, small = tmp_path / "large.dcm", tmp_path / "small.dcm"
    large.write_bytes(write_file(measured(6300)))
    small.write_bytes(write_file(measured(1)))
    assert large.stat().st_size > 5_000_000
    done = subprocess.run(
        [sys.executable, "-c", GROWTH, large, small], cwd=ROOT, capture_output=True, text=True, check=True
    )
    grown, items = map(int, done.stdout.split())
    assert items == 6300 * 5 + 1
    assert 0 < grown < 64 << 20, f"{grown >> 20} MiB"


def test_a_report_of_twenty_kilobytes_takes_milliseconds() -> None:
    data = write_file(measured(24))
    assert 19 << 10 < len(data) < 23 << 10
    best = min(_timed(data) for _ in range(20))
    assert best < 0.02, f"{best * 1000:.1f} ms"


def _timed(data: bytes) -> float:
    began = time.perf_counter()
    read_file(BytesSource(data))
    return time.perf_counter() - began
