"""The quick look through raw bytes never says no where the look at each value finds something."""

from __future__ import annotations

import base64
from random import Random

import pytest

from transforms.dataset.elements import header_bytes
from transforms.egress.classes import CLASSES, DATES, Kept
from transforms.egress.identifiers import Identifiers
from transforms.egress.places import least
from transforms.egress.scanner import leaves
from transforms.egress.search import Searcher

NAMES = ("Mustermann^Erika", "Ng^Li", "Müller^Jörg", "山田^太郎", "Roe", "A1", "MRN-4711/22", "Hospital Nord", "12")


def text(dice: Random) -> str:
    return dice.choice(
        (dice.choice(NAMES), str(dice.randrange(10 ** dice.randint(1, 10))), f"1.2.840.{dice.randrange(10**9)}")
    )


def day(dice: Random) -> str:
    return f"{dice.randint(1900, 2030)}{dice.randint(1, 12):02d}{dice.randint(1, 28):02d}"


def written(value: str, dice: Random) -> bytes:
    """As somebody might have written it; or something else."""
    raw = value.encode(dice.choice(("utf-8", "utf-16-le")))
    return dice.choice(
        (
            raw,
            value.upper().encode(),
            value.encode() + b"%d" % dice.randrange(10),
            b"seen: " + raw + b".",
            base64.b64encode(raw),
            raw.hex().encode(),
            raw.hex(dice.choice(" :-")).encode(),
            "".join(f"%{each:02x}" for each in raw).encode(),
            f"{value[6:8]}.{value[4:6]}.{value[:4]}".encode(),
            b"2.25.%d" % dice.getrandbits(126),
            dice.randbytes(20),
            bytes(dice.choices(b"0123456789abcdefABCDEF :-/.", k=30)),
        )
    )


@pytest.mark.parametrize("seed", range(40))
def test_what_the_slow_look_finds_the_quick_one_suspects(seed: int) -> None:
    dice = Random(seed)
    known = Identifiers()
    values = []
    for _ in range(dice.randint(1, 12)):
        name = dice.choice(CLASSES)
        values.append(day(dice) if name in DATES else text(dice))
        if name in DATES:
            known.add_date(name, values[-1].encode(), 0x00080020)
        else:
            known.add(name, values[-1])
    kept = Kept(frozenset(dice.sample(CLASSES, dice.randint(0, 2))), frozenset(), dice.random() < 0.5)
    searcher = Searcher(known, kept)
    found = passed = 0
    for _ in range(60):
        raw = b""
        for _ in range(dice.randint(1, 6)):
            tag, vr = dice.choice(((0x00081030, "LO"), (0x00080018, "UI"), (0x00100010, "PN"), (0x00280100, "US")))
            value = written(dice.choice(values), dice)
            raw += header_bytes(tag, vr, len(value) + len(value) % 2) + value + b" " * (len(value) % 2)
        hits = {hit for leaf in leaves(raw, True, b"") for hit in searcher.hits(leaf, searcher.everything())}
        suspicion = searcher.suspects(raw, True)
        if hits:
            assert suspicion is not None
            quick = {hit for leaf in leaves(raw, True, b"") for hit in searcher.hits(leaf, suspicion)}
            assert {hit.name for hit in quick} == {hit.name for hit in hits}
            found += 1
        passed += suspicion is None
    assert found + passed > 5


def test_the_least_probes_stand_for_all() -> None:
    assert least((b"annaerika", b"erika", b"anna", b"knopf", b"knopf1")) == (b"anna", b"erika", b"knopf")
    many = tuple(b"%d" % number for number in range(300))
    assert least(many) == many, "comparing that many with each other would cost more than it saves"
    assert least(()) == ()
