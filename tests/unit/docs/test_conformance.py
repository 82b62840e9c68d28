"""docs/conformance.md says what the product negotiates, and the acceptor does what the document says."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from gateway.dimse.negotiation import AcceptancePolicy
from gateway.dimse.uids import STORAGE_CLASSES, VERIFICATION

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def conformance() -> ModuleType:
    """The script beside the document."""
    spec = importlib.util.spec_from_file_location("conformance", ROOT / "docs" / "conformance.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rendered(text: str) -> str:
    """The document as the product alone makes it: pynetdicom, once imported, adds UIDs to pydicom's dictionary."""
    code = "import sys, conformance; sys.stdout.write(conformance.rendered(sys.stdin.read()))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "docs", input=text, capture_output=True, check=True, text=True
    )
    return done.stdout


@pytest.fixture(scope="module")
def text(conformance: ModuleType) -> str:
    """The document."""
    return str(conformance.DOCUMENT.read_text(encoding="utf-8"))


def test_the_tables_are_as_the_product_is(text: str) -> None:
    assert rendered(text) == text, "run .venv/bin/python docs/conformance.py"


def test_every_table_is_used(conformance: ModuleType) -> None:
    both = "".join(path.read_text() for path in conformance.DOCUMENTS)
    assert set(re.findall(r"<!-- table: ([a-z-]+) -->", both)) == set(conformance.TABLES)


def test_a_changed_table_is_noticed(text: str) -> None:
    changed = text.replace("| CT Image Storage |", "| CT Image Storrage |", 1)
    assert changed != text
    assert rendered(changed) == text


def test_a_table_nobody_makes_is_an_error(conformance: ModuleType) -> None:
    with pytest.raises(KeyError):
        conformance.rendered("<!-- table: wishes -->\n<!-- end -->")


def test_the_classes_listed_are_those_taken(text: str) -> None:
    part = text.split("### 2.3", 1)[1].split("### 2.4", 1)[0]
    listed = set(re.findall(r"`([\d.]+)`", part))
    assert listed == STORAGE_CLASSES | {VERIFICATION}
    assert all(AcceptancePolicy().takes(uid) for uid in listed)


def test_the_tables_of_dicomweb_too(conformance: ModuleType) -> None:
    for path in conformance.DOCUMENTS:
        told = path.read_text()
        assert "<!-- table: " in told and rendered(told) == told
