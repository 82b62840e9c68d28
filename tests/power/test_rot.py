"""P15: 1,000 spooled files with one bit flipped and 100 cut short: each is held before a byte of it could leave."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from msgspec.structs import replace

from gateway.errors import HoldObject
from gateway.model import Instance, Job
from gateway.pipeline import FRESH, prepare
from tests.unit.writer.stage import Stage

RULES: Any = SimpleNamespace(
    get=lambda digest: SimpleNamespace(routes={"r": SimpleNamespace(steps=())}, key_ids=lambda route: ())
)


def tried(stage: Stage, instance: Instance, received: float) -> str:
    """Prepare it for sending: "" where it would leave, else the reason why not."""
    job = Job(1, 1, replace(instance, received=received), "a", 0)
    try:
        with prepare(job, stage.spool, RULES) as outgoing:
            assert outgoing.source.size == instance.stored.size
            return ""
    except HoldObject as error:
        return error.reason


def test_a_flipped_bit_and_a_cut_are_found_before_anything_is_sent(folder: Path) -> None:
    stage, chance, found = Stage(folder), random.Random(15), Counter[str]()
    long_ago = time.time() - FRESH - 1
    for number in range(1100):
        instance = stage.make(f"1.2.{number}", os.urandom(chance.randrange(1, 5000)))
        assert tried(stage, instance, long_ago) == "", "what is sound must leave"
        path = stage.spool.folder / "objects" / instance.stored.name
        with path.open("r+b") as file:
            if number < 1000:
                at = instance.stored.offset + chance.randrange(instance.stored.size)
                file.seek(at)
                octet = file.read(1)[0]
                file.seek(at)
                file.write(bytes([octet ^ 1 << chance.randrange(8)]))
            else:
                file.truncate(chance.randrange(instance.stored.offset + instance.stored.size))
        found[tried(stage, instance, long_ago)] += 1
        if number >= 1000:
            assert tried(stage, instance, time.time()) == "spool-damaged", "a cut is found in a fresh one too"
    assert found == {"spool-damaged": 1100}
