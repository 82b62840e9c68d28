"""The attributes that digital signatures are made of (PS3.3 C.12.1.1.3), and what may be signed."""

from __future__ import annotations

from typing import Final

MAC_PARAMETERS: Final = 0x4FFE0001
SIGNATURES: Final = 0xFFFAFFFA
ORIGINAL_ATTRIBUTES: Final = 0x04000561

MAC_ID: Final = 0x04000005
MAC_SYNTAX: Final = 0x04000010
MAC_ALGORITHM: Final = 0x04000015
SIGNED: Final = 0x04000020  # Data Elements Signed
UID: Final = 0x04000100
AT: Final = 0x04000105  # Digital Signature DateTime
CERTIFICATE_TYPE: Final = 0x04000110
CERTIFICATE: Final = 0x04000115
SIGNATURE: Final = 0x04000120
TIMESTAMP_TYPE: Final = 0x04000305
TIMESTAMP: Final = 0x04000310
PURPOSE: Final = 0x04000401

# What of a signature's item is made after the MAC, or is checked by itself (PS3.3 C.12.1.1.3.1.1)
OUTSIDE: Final = frozenset({CERTIFICATE, SIGNATURE, TIMESTAMP_TYPE, TIMESTAMP})

_NEVER: Final = frozenset({0x00080001, MAC_PARAMETERS, 0xFFFCFFFC})


def may_be_signed(tag: int) -> bool:
    """PS3.3 C.12.1.1.3.1.1: not group lengths, groups below 0008, signatures themselves, padding, delimiters."""
    return tag & 0xFFFF != 0 and tag >> 16 >= 8 and tag >> 16 not in (0xFFFA, 0xFFFE) and tag not in _NEVER
