"""What a medium cannot be made or opened for. `reason` begins with `media-`; `detail` holds no value of an object."""

from __future__ import annotations

import errno
import os

from gateway.errors import GatewayError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class MediaError(GatewayError):
    """Nothing was made, or nothing is released: what is wrong must be mended first."""


def from_os(error: OSError, what: str) -> MediaError:
    """`media-disk-full` where that is what it was, else `media-unreadable`; `what` says what was being done."""
    reason = "media-disk-full" if error.errno in _FULL else "media-unreadable"
    return MediaError(reason, f"{what}: {os.strerror(error.errno or errno.EIO)}")
