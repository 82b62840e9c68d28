"""Our reading of pydicom's tables agrees with pydicom's own, and costs a command nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydicom import datadict

from transforms.dictionary import DicomDictionary, UID_dictionary, keyword_for_tag, row_of, tag_for_keyword

REPEATING = [0x50000005, 0x501E3000, 0x60000010, 0x60023000, 0x7F000010, 0x00203100, 0x10001230, 0x002804F3]
NOBODYS = [0x00090010, 0x60010010, 0x00081234, 0x12345678, 0xFFFEE000]


def test_every_attribute_is_read_as_pydicom_reads_it() -> None:
    for tag in DicomDictionary:
        assert keyword_for_tag(tag) == datadict.keyword_for_tag(tag)
        if keyword := keyword_for_tag(tag):
            assert tag_for_keyword(keyword) == datadict.tag_for_keyword(keyword)
    assert len(DicomDictionary) > 5000 and len(UID_dictionary) > 400


@pytest.mark.parametrize("tag", REPEATING, ids=lambda tag: f"{tag:08x}")
def test_repeating_groups(tag: int) -> None:
    row = row_of(tag)
    assert row is not None and row == tuple(datadict.get_entry(tag))


@pytest.mark.parametrize("tag", NOBODYS, ids=lambda tag: f"{tag:08x}")
def test_what_the_dictionary_does_not_have(tag: int) -> None:
    assert row_of(tag) is None or tag in DicomDictionary
    assert keyword_for_tag(0x00090010) == "" and tag_for_keyword("NoSuchKeyword") is None


def test_a_command_starts_without_numpy() -> None:
    code = "import sys, gateway.cli.deid_file, gateway.app.worker; print('numpy' in sys.modules, 'PIL' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
