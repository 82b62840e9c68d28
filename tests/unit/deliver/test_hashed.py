"""What left, as a hash: read once and in order; a hash that is known travels with its bytes and with no others."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from gateway.deliver.hashed import Hashed
from gateway.store.files import FileSource
from transforms.source import BytesSource, EditPlan, Literal, chunks

DATA = os.urandom(700_000)


def test_it_is_the_hash_of_what_was_read() -> None:
    for size in (1, 4096, 1 << 18):
        source = Hashed(BytesSource(DATA))
        assert b"".join(chunks(source, size)) == DATA
        assert source.sha256() == hashlib.sha256(DATA).hexdigest()
    assert Hashed(BytesSource(b"")).sha256() == hashlib.sha256(b"").hexdigest()


def test_half_of_it_has_no_hash_and_no_byte_is_read_twice() -> None:
    source = Hashed(BytesSource(DATA))
    source.pread(0, 10)
    with pytest.raises(ValueError, match="end"):
        source.sha256()
    with pytest.raises(ValueError, match="order"):
        source.pread(0, 10)


def test_only_the_spooled_file_itself_brings_its_hash(tmp_path: Path) -> None:
    """Any step over it makes another source, which is hashed for itself."""
    (tmp_path / "f").write_bytes(DATA)
    known = hashlib.sha256(DATA).hexdigest()
    with FileSource(os.open(tmp_path / "f", os.O_RDONLY), 0, len(DATA), known) as spooled:
        plain = Hashed(spooled)
        assert b"".join(chunks(plain)) == DATA and plain.sha256() == known
        edited = EditPlan(spooled, (*EditPlan.identity(spooled).pieces, Literal(b"x")))
        changed = Hashed(edited)
        assert b"".join(chunks(changed)) == DATA + b"x"
        assert changed.sha256() == hashlib.sha256(DATA + b"x").hexdigest()
