"""A log line is one line of key=value: whatever a value holds, it stays one value."""

from __future__ import annotations

import logging
import shlex
import subprocess
import sys

import pytest

import gateway.logs
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
    return _KeyValue().format(logging.LogRecord("receive", logging.INFO, gateway.logs.__file__, 0, message, (), None))


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


_NESTED = """
from gateway.logs import configure
configure()
from transforms.dataset import framing, values
from transforms.dataset.syntax import EXPLICIT_LE
from transforms.source import BytesSource
item = b"\\x08\\0\\x05\\0CS\\x08\\0DOE^JOHN" + b"\\x08\\0\\x50\\x11UI\\4\\0" + b"1.2\\0"
item = b"\\xfe\\xff\\0\\xe0" + len(item).to_bytes(4, "little") + item
data = b"\\x08\\0\\x40\\x11SQ\\0\\0" + len(item).to_bytes(4, "little") + item
index = framing.check(BytesSource(data), EXPLICIT_LE)
print(values.read_path(BytesSource(data), index, "ReferencedImageSequence[0].ReferencedSOPClassUID"))
"""


def test_a_library_quotes_nothing_of_a_data_set() -> None:
    ran = subprocess.run([sys.executable, "-c", _NESTED], capture_output=True, text=True, check=True)
    assert ran.stdout == "('1.2',)\n"
    assert "pydicom library-message at=misc.py:" in ran.stderr and "kind=UserWarning" in ran.stderr
    assert "DOE" not in ran.stderr
