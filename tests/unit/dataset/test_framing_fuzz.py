"""Mutated data sets: only typed errors, whatever the bytes; a cut frames only where an element ends."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from transforms.dataset import convert, framing, part10, values
from transforms.dataset.syntax import lookup
from transforms.errors import BadFraming, TransformError
from transforms.source import BytesSource

LARGEST = 1 << 16


def seeds(files: list[Path]) -> list[tuple[bytes, str]]:
    found = []
    for path in files:
        data = path.read_bytes()
        try:
            meta = part10.split(BytesSource(data))
            framing.check(BytesSource(data[meta.offset :]), meta.syntax)
        except TransformError:
            continue
        if len(data) - meta.offset <= LARGEST:
            found.append((data[meta.offset :], meta.syntax))
    assert len(found) > 20
    return found


def mutated(data: bytes, dice: Random) -> bytes:
    out = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(out))
        kind = dice.randrange(5)
        if kind == 0:
            out[at] ^= 1 << dice.randrange(8)
        elif kind == 1:
            out[at : at + 4] = dice.choice((b"\xff\xff\xff\xff", b"\xfe\xff\xff\xff", bytes(4), b"\xfe\xff\x00\xe0"))
        elif kind == 2:
            del out[at : at + dice.randint(1, 16)]
        elif kind == 3:
            out[at:at] = out[at : at + dice.randint(1, 64)]
        else:
            del out[at + 1 :]
        if not out:
            return b"\0"
    return bytes(out)


def run(files: list[Path], rounds: int) -> None:
    pool = seeds(files)
    dice = Random(20261123)
    refused = 0
    for _ in range(rounds):
        data, uid = dice.choice(pool)
        source = BytesSource(mutated(data, dice))
        try:
            index = framing.check(source, uid)
        except BadFraming as error:
            refused += 1
            assert error.offset >= 0
            continue
        assert max(each.end for each in index) == index.size
        values.identity(source, index)
        if lookup(uid).uncompressed and not lookup(uid).deflated:
            try:
                convert.to_implicit_le(source, uid)
                convert.to_explicit_le(source, uid)
                convert.canonical_sha256(source, uid)
            except TransformError:
                pass
    assert rounds // 10 < refused < rounds


def test_mutated_data_sets_give_typed_outcomes(corpus_files: list[Path]) -> None:
    run(corpus_files, 1500)


@pytest.mark.slow
def test_twenty_thousand_mutated_data_sets_give_typed_outcomes(corpus_files: list[Path]) -> None:
    run(corpus_files, 20_000)


def test_every_cut_is_refused_but_where_a_top_level_element_ends(corpus_files: list[Path]) -> None:
    small = [each for each in seeds(corpus_files) if len(each[0]) <= 3000 and not lookup(each[1]).deflated][:6]
    assert small
    for data, uid in small:
        ends = {each.end for each in framing.check(BytesSource(data), uid)}
        for cut in range(len(data)):
            if cut in ends:
                framing.check(BytesSource(data[:cut]), uid)
            else:
                with pytest.raises(BadFraming):
                    framing.check(BytesSource(data[:cut]), uid)
