"""Every reason that the upper layer raises stands in the table, and every row of the table is raised."""

from __future__ import annotations

import re
from pathlib import Path

import gateway.dimse
from gateway.dimse.faults import FAULTS, REASONS, SOURCES


def raised() -> set[str]:
    """The literals after RefusePeer( and those handed on as the reason of a timeout."""
    found: set[str] = set()
    for path in Path(gateway.dimse.__path__[0]).glob("*.py"):
        text = path.read_text()
        found |= set(re.findall(r'RefusePeer\(\s*"([a-z-]+)"', text))
        found |= set(re.findall(r'"([a-z]+-timeout)"', text)) & FAULTS.keys() if path.name != "faults.py" else set()
        found |= set(re.findall(r'reason, detail, orderly = "([a-z-]+)"', text))
        found |= set(re.findall(r'_tell\("([a-z-]+)"', text))
        found |= set(re.findall(r'return "(aborted-by-peer)"', text))
        found |= set(re.findall(r'if known else "([a-z-]+)"', text))
        found |= set(re.findall(r'RefusePeer\("([a-z-]+)" if', text))
    return found


def test_the_table_is_what_is_raised() -> None:
    assert raised() == FAULTS.keys()


def test_what_an_abort_says_is_in_the_standard() -> None:
    for said in FAULTS.values():
        if said is not None:
            assert said.source in SOURCES
            assert said.reason in REASONS
            # PS3.8 Table 9-26: a reason means something only where the provider aborts.
            assert said.source == 2 or said.reason == 0
