"""Text that a peer chose, made safe for XML, for a terminal and for a reader's eyes; and back.

Rules of this file
* Whatever XML 1.0 cannot hold (controls, surrogates, U+FFFE), whatever an XML reader changes (CR, LF, TAB in an
  attribute), ends a line, or turns the direction of text (bidi controls, zero-width characters) is written `\\u{HEX}`.
  Everything else stays as it is, also a backslash; only one that would begin such an escape is escaped itself.
  So `restored(safe(text)) == text` for every text that is not too long.
* A value longer than LONGEST is cut, and `\\u{+N}` says how many characters are missing. An AE title, an ID or a UID
  is never as long; what is, is an attack on the collector of the messages.
"""

from __future__ import annotations

import re

LONGEST = 1024  # characters

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\uffff"
    "\U000e0000-\U000e007f]"
    r"|\\(?=u\{)"
)
_ESCAPE = re.compile(r"\\u\{([0-9A-F]{1,6})\}")


def safe(text: str) -> str:
    """`text` without a character that could do harm where it is shown or parsed."""
    missing = len(text) - LONGEST
    if missing <= 0 and text.isascii() and text.isprintable() and "\\" not in text:
        return text  # nearly all that is told
    if missing > 0:
        text = text[:LONGEST]
    cleaned = _UNSAFE.sub(lambda found: f"\\u{{{ord(found[0]):X}}}", text)
    return f"{cleaned}\\u{{+{missing}}}" if missing > 0 else cleaned


def restored(text: str) -> str:
    """What `safe` was given."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
