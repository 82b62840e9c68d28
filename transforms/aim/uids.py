"""UIDs that a conversion needs and its source lacks: the same for the same source, and no one else's.

They are 2.25 UIDs (PS3.5 B.2) of a digest of what they stand for: a conversion done again gives the same document.
"""

from __future__ import annotations

import hashlib


def derived(*parts: object) -> str:
    """The UID of what these parts name together."""
    digest = hashlib.sha256("\x1f".join(map(str, ("dicom-gateway/aim", *parts))).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"
