"""A log line is one line of key=value: whatever a value holds, it stays one value."""

from __future__ import annotations

import logging
import shlex

import pytest

from gateway.logs import _KeyValue, fields

HOSTILE = [
    "",
    "a b",
    'x" reason=ok y="',
    "k=v",
    "back\\slash",
    '\\" reason=ok',
    "\n2026 error writer lost",
    "\x1b[2J",
    "\u202e",
    "\0",
]


def line(message: str) -> str:
    return _KeyValue().format(logging.LogRecord("receive", logging.INFO, "", 0, message, (), None))


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_is_one_value_of_one_line(value: str) -> None:
    told = line(fields("ended", title=value, reason="released"))
    assert all(0x20 <= ord(c) < 0x7F for c in told)
    words = shlex.split(told)
    assert words[2:4] == ["receive", "ended"] and words[-1] == "reason=released"
    assert [w for w in words if w.startswith("reason=")] == ["reason=released"]
    assert len(words) == 6 and words[4].startswith("title=")


def test_plain_words_stay_plain() -> None:
    assert fields("stored", listener="hospital", count=3) == "stored listener=hospital count=3"
