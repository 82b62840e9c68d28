"""What framing says of sequences is what stands there, whether it has seen their like or not."""

from __future__ import annotations

import pytest

from tests.unit.egress.outputs import EXPLICIT, IMPLICIT, ct, encoded, parsed
from transforms.dataset import framing
from transforms.dataset.elements import SEQUENCE_TAGS
from transforms.source import BytesSource


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_nested_are_the_sequences(syntax: str) -> None:
    framing._repeated.cache_clear()
    for number in (1, 1, 2, 3, 1):
        found = framing.check(BytesSource(encoded(parsed(ct(number)), syntax)), syntax)
        wanted = {tag for tag, vr, _, _, length, _ in found if vr == "SQ" or length < 0 or tag in SEQUENCE_TAGS}
        assert wanted and set(found.nested) == wanted


@pytest.mark.parametrize("depth", [-1, 0, 101])
def test_a_depth_that_the_stack_does_not_bear_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match="depth"):
        framing.check(BytesSource(ct(1)), EXPLICIT, framing.Limits(depth=depth))


def test_an_undefined_length_is_nested() -> None:
    items = b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    raw = b"\x09\0\x10\0LO\2\0AB" + b"\x09\0\x01\x10UN\0\0\xff\xff\xff\xff" + items + b"\x10\0\x20\0LO\2\0AB"
    assert set(framing.check(BytesSource(raw), EXPLICIT).nested) == {0x00091001}
