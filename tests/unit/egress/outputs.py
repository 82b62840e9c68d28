"""Originals, and what the real engine makes of them, for tests that then break it."""

from __future__ import annotations

import io
from functools import cache

import study as invented
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from transforms.dataset import part10
from transforms.deidentify.engine import Context, Deidentified, deidentify
from transforms.deidentify.profile import compile_profile
from transforms.egress.check import Study
from transforms.egress.classes import Kept
from transforms.egress.search import Hit
from transforms.source import BytesSource

KEY = bytes(range(32))
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"


def encoded(data: Dataset, syntax: str = EXPLICIT) -> bytes:
    """A data set's bytes, without preamble and File Meta."""
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, syntax == IMPLICIT
    write_dataset(out, data)
    return out.getvalue()


def parsed(raw: bytes, syntax: str = EXPLICIT) -> Dataset:
    """pydicom's reading of bytes."""
    return read_dataset(io.BytesIO(raw), syntax == IMPLICIT, True)


def engine(raw: bytes, syntax: str = EXPLICIT, options: tuple[str, ...] = ()) -> Deidentified:
    """The real de-identifier."""
    return deidentify(BytesSource(raw), syntax, compile_profile("basic", options, ()), Context(KEY, "test"))


@cache
def ct(number: int = 1) -> bytes:
    """The data set of an invented CT slice with some 170 elements."""
    return encoded(invented.ct(1, number, rows=32))


@cache
def clean_ct(number: int = 1) -> bytes:
    """What the real de-identifier makes of it."""
    plan = engine(ct(number)).plan
    return plan.pread(0, plan.size)


def searched(
    original: bytes, output: bytes, kept: Kept = Kept(), *, syntax: str = EXPLICIT, head: bytes = b"", name: str = ""
) -> tuple[Hit, ...]:
    """One object on its own."""
    known = Study()
    known.harvest(BytesSource(original), syntax)
    return known.check(BytesSource(output), syntax, kept, head=head, name=name)


def meta() -> bytes:
    """Preamble, prefix and File Meta of an output."""
    return part10.meta(invented.CT_IMAGE, "2.25.1234567890", EXPLICIT)
