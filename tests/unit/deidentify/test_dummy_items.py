"""The dummies of sequences are data sets: ascending tags (PS3.5 7.1), even lengths."""

from __future__ import annotations

import pytest

from transforms.dataset import framing
from transforms.dataset.syntax import EXPLICIT_LE, IMPLICIT_LE
from transforms.deidentify.dummies import ITEMS, Template, dummy_items, element
from transforms.source import BytesSource


def ascending(template: Template) -> bool:
    tags = [tag for tag, _, _ in template]
    below = [inner for _, _, value in template if not isinstance(value, bytes) for inner in value]
    return tags == sorted(set(tags)) and all(map(ascending, below))


@pytest.mark.parametrize("tag", ITEMS, ids=hex)
def test_every_template_is_in_order_and_frames(tag: int) -> None:
    assert all(map(ascending, ITEMS[tag]))
    for explicit, uid in ((True, EXPLICIT_LE), (False, IMPLICIT_LE)):
        raw = element(tag, "SQ", dummy_items(tag, "1.2.840.10008.5.1.4.1.1.2", explicit), explicit)
        assert "order" not in framing.check(BytesSource(raw), uid).warnings


def test_the_judge_sees_a_wrong_order() -> None:
    assert not ascending(((2, "US", b""), (1, "US", b"")))
