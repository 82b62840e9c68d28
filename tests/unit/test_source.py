"""Sources and edit plans: a plan is the bytes it says, whole, wherever one reads; or an error, never less."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.source import BytesSource, Copy, EditPlan, Literal, Piece, chunks

DATA = bytes(range(256)) * 2
LITERALS = st.builds(Literal, st.binary(max_size=40))
COPIES = st.integers(0, len(DATA)).flatmap(
    lambda at: st.builds(Copy, st.just(at), st.integers(0, min(80, len(DATA) - at)))
)
PLANS = st.lists(st.one_of(LITERALS, COPIES), max_size=12)


def plainly(pieces: list[Piece]) -> bytes:
    return b"".join(p.data if isinstance(p, Literal) else DATA[p.offset : p.offset + p.length] for p in pieces)


class Shrunk:
    """A source that gives less than it said: a file cut after it was measured."""

    def __init__(self, said: int, has: bytes) -> None:
        self.size = said
        self._has = has

    def pread(self, offset: int, length: int) -> bytes:
        return self._has[offset : offset + length]


@given(PLANS, st.integers(0, 600), st.integers(0, 600))
def test_a_plan_reads_as_the_bytes_it_says_from_any_offset(pieces: list[Piece], offset: int, length: int) -> None:
    plan = EditPlan(BytesSource(DATA), pieces)
    whole = plainly(pieces)
    assert plan.size == len(whole)
    assert plan.pread(offset, length) == whole[offset : offset + length]


@given(PLANS, st.integers(1, 97))
def test_chunks_are_the_whole_in_order(pieces: list[Piece], size: int) -> None:
    plan = EditPlan(BytesSource(DATA), pieces)
    parts = list(plan.chunks(size))
    assert b"".join(parts) == plainly(pieces)
    assert all(len(part) == size for part in parts[:-1])
    assert not parts or 0 < len(parts[-1]) <= size


@given(PLANS, PLANS)
def test_plans_compose(first: list[Piece], second: list[Piece]) -> None:
    inner = EditPlan(BytesSource(DATA), first)
    fits = [p for p in second if isinstance(p, Literal) or p.offset + p.length <= inner.size]
    outer = EditPlan(inner, fits)
    middle = plainly(first)
    assert b"".join(chunks(outer, 7)) == b"".join(
        p.data if isinstance(p, Literal) else middle[p.offset : p.offset + p.length] for p in fits
    )


@given(PLANS)
def test_no_piece_is_empty_and_no_neighbours_could_be_one(pieces: list[Piece]) -> None:
    merged = EditPlan(BytesSource(DATA), pieces).pieces
    for piece in merged:
        assert piece.length if isinstance(piece, Copy) else piece.data
    for one, two in pairwise(merged):
        if isinstance(one, Copy) and isinstance(two, Copy):
            assert one.offset + one.length != two.offset
        else:
            assert isinstance(one, Copy) or isinstance(two, Copy)


def test_identity_changes_nothing() -> None:
    plan = EditPlan.identity(BytesSource(DATA))
    assert plan.pread(0, 10_000) == DATA
    assert plan.pieces == (Copy(0, len(DATA)),)
    assert EditPlan.identity(BytesSource(b"")).pieces == ()


@pytest.mark.parametrize("piece", [Copy(0, 513), Copy(512, 1), Copy(-1, 2), Copy(4, -2), Copy(600, 0)])
def test_a_copy_beyond_the_source_is_no_plan(piece: Copy) -> None:
    pieces = (Literal(b"x"), piece)
    if piece.length == 0:
        assert EditPlan(BytesSource(DATA), pieces).size == 1  # copies nothing
    else:
        with pytest.raises(ValueError, match="plan copies"):
            EditPlan(BytesSource(DATA), pieces)


def test_a_source_that_shrank_is_an_error_and_never_a_shorter_object() -> None:
    source = Shrunk(100, b"x" * 60)
    with pytest.raises(OSError, match="shorter"):
        EditPlan.identity(source).pread(50, 20)
    for broken in (source, EditPlan.identity(source)):
        with pytest.raises(OSError, match="shorter"):
            list(chunks(broken, 32))


def test_offsets_do_not_count_from_the_end() -> None:
    for source in (BytesSource(DATA), EditPlan.identity(BytesSource(DATA))):
        with pytest.raises(ValueError, match="negative"):
            source.pread(-1, 1)
