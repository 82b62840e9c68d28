"""What a large report costs: issue 5 allows 64 MB above the base for 5 MB of SR."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from benchmarks.reports import LARGE, MANY, converted, report
from tests.conftest import ROOT


def test_the_benchmark_measures_what_it_says() -> None:
    data = report(MANY)
    assert MANY * 0.9 < len(data) < MANY * 1.1
    assert converted(data) > len(data)


@pytest.mark.slow
def test_a_large_report_stays_small() -> None:
    data = report(LARGE)
    assert len(data) > LARGE * 0.95
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.reports", "--large", "-"],
        input=data,
        capture_output=True,
        check=True,
        cwd=ROOT,
    )
    found = re.search(r"(\d+) MB above", done.stdout.decode())
    assert found is not None
    assert int(found[1]) <= 64
