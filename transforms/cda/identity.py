"""Identifiers that are functions of what they identify: no clock, no random number, no counter.

* A document's id is made of all its other bytes: other content cannot have the same id, and the same content cannot get
  another one.
* A set's id is made of the first SR of the set, so that it can be made again where nothing was remembered.
* Entries and sections are numbered under the SR's SOP Instance UID by the position of the item they came of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

UUID_ARC: Final = "2.25"  # Rec. ITU-T X.667: a UUID as an OID


def made(*parts: bytes) -> str:
    """An OID below 2.25 that is a function of the bytes (a UUID of version 8, RFC 9562)."""
    digest = bytearray(hashlib.sha256(b"".join(parts)).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return f"{UUID_ARC}.{int.from_bytes(digest)}"


def set_of(sop_instance: str) -> str:
    """setId of the documents that begin with this SR."""
    return made(b"dicom-gateway cda set ", sop_instance.encode())


def document(root: str, chunks: Iterable[bytes]) -> tuple[str, str]:
    """(root, extension) of the document with these bytes: a number under the site's root, or an OID of its own."""
    hashed = hashlib.sha256(b"dicom-gateway cda document ")
    for chunk in chunks:
        hashed.update(chunk)
    if root:
        return root, hashed.hexdigest()[:32]
    return made(hashed.digest()), ""
