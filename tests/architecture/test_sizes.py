"""Files stay small: a reader takes in one part at a time (shared STYLE: median 150 lines, none over 600)."""

from __future__ import annotations

import statistics

import pytest

from .tree import generated, product, text, tracked

MEDIAN, MOST = 150, 600


def lines(path: object) -> int:
    """Lines of a file."""
    return text(path).count("\n")  # type: ignore[arg-type]


def test_the_median_module_is_small() -> None:
    sizes = [lines(p) for p in product() if not generated(p) and p.name != "__init__.py"]
    assert len(sizes) > 20
    assert statistics.median(sizes) <= MEDIAN


@pytest.mark.parametrize("kind", ["product", "tests", "examples", "benchmarks", "docs"])
def test_no_file_is_large(kind: str) -> None:
    paths = product() if kind == "product" else [p for p in tracked() if p.parts[0] == kind]
    large = {str(p): lines(p) for p in paths if p.suffix in (".py", ".md") and not generated(p) and lines(p) > MOST}
    assert not large


def test_only_tables_call_themselves_generated() -> None:
    """The exemption is for data: a generated module has no function in it."""
    marked = [p for p in product() if generated(p)]
    assert marked
    assert [str(p) for p in marked if "\ndef " in text(p) or "\nclass " in text(p)] == []
