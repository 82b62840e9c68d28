"""JSON and XML that dcmtk writes of real files become the data sets that they were written of."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.filereader import read_dataset

from transforms.models import json_model, native
from transforms.models.encode import pieces
from transforms.models.model import DataSet, MetadataError

pytestmark = pytest.mark.peers

DCMTK = Path("/usr/bin")
FILES = [
    "CT_small.dcm",
    "MR_small.dcm",
    "rtplan.dcm",
    "rtdose.dcm",
    "test-SR.dcm",
    "ExplVR_LitEndNoMeta.dcm",
    "rtstruct.dcm",
]


def back(data_set: DataSet) -> pydicom.Dataset:
    raw = b"".join(each for each in pieces(data_set, lambda _: None) if isinstance(each, bytes))
    return read_dataset(io.BytesIO(raw), False, True)


def said(program: str, *options: str) -> bytes:
    return subprocess.run([DCMTK / program, *options], check=True, capture_output=True).stdout


def differing(ours: pydicom.Dataset, theirs: pydicom.Dataset) -> list[str]:
    """Elements that differ in more than the form of a number, padding or the name of the character set."""
    found = []
    for tag in sorted({*ours.keys(), *theirs.keys()}):
        one, two = ours.get(tag), theirs.get(tag)
        if tag == 0x00080005 or (one is None and two is not None and two.VR == "UN"):
            continue
        if one is None or two is None:
            found.append(str(tag))
        elif one.VR == "SQ":
            if len(one.value) != len(two.value):
                found.append(str(tag))
            else:
                found += [x for a, b in zip(one.value, two.value, strict=True) for x in differing(a, b)]
        elif isinstance(one.value, bytes) and isinstance(two.value, bytes):
            if one.value.rstrip(b"\0") != two.value.rstrip(b"\0"):
                found.append(str(tag))
        elif one.value != two.value and str(one.value).strip() != str(two.value).strip():
            found.append(str(tag))
    return found


@pytest.mark.parametrize("name", FILES)
def test_dcmtks_json(name: str, program) -> None:
    program("dcm2json")
    path = get_testdata_file(name)
    ((data_set, _),) = json_model.read(said("dcm2json", path))
    assert differing(back(data_set), pydicom.dcmread(path, force=True)) == []


@pytest.mark.parametrize("name", FILES)
def test_dcmtks_native_xml(name: str, program) -> None:
    program("dcm2xml")
    path = get_testdata_file(name)
    data_set, _ = native.read(said("dcm2xml", "--native-format", "--use-xml-namespace", "--encode-base64", path))
    theirs = pydicom.dcmread(path, force=True)
    if "PixelData" in theirs and theirs.BitsAllocated > 8:
        # dcmtk 3.6.7 turns the words of OW to big endian in XML (not in JSON); PS3.18 8.7.3 and we say little endian
        words = np.frombuffer(theirs.PixelData, "<u2")
        theirs.PixelData = words.byteswap().tobytes()
    assert differing(back(data_set), theirs) == []


def test_dcmtks_own_xml_is_another_format(program) -> None:
    """The bad twin: without --native-format dcmtk writes a format of its own."""
    program("dcm2xml")
    with pytest.raises(MetadataError):
        native.read(said("dcm2xml", get_testdata_file("CT_small.dcm")))
