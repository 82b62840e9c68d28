"""What is on a medium, by its DICOMDIR alone: for `media list`."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from gateway.media.errors import MediaError
from gateway.media.medium import folded, mounted
from gateway.media.opening import Opener, is_secure
from gateway.store.files import FileSource
from transforms.errors import TransformError
from transforms.media import reading
from transforms.media.reading import Directory


def contents(place: Path, opener: Opener | None) -> Directory:
    """The DICOMDIR of a medium. Raises MediaError where there is none that can be read; GatewayError."""
    with tempfile.TemporaryDirectory() as scratch, mounted(place, Path(scratch)) as medium:
        for path, _ in medium.files():
            if folded(path) != ("DICOMDIR",):
                continue
            with medium.open(path) as source, tempfile.TemporaryFile(dir=scratch) as file:
                try:
                    if not is_secure(source):
                        return reading.read(source)
                    if opener is None:
                        raise MediaError("media-secure", "it is encrypted: give --cert and --key, or --password-file")
                    opener.open(source, file)
                    file.flush()
                    with FileSource(os.dup(file.fileno()), 0, file.tell()) as plain:
                        return reading.read(plain)
                except TransformError as error:
                    raise MediaError("media-directory", f"its DICOMDIR cannot be used: {error}") from error
    raise MediaError("media-directory", "there is no DICOMDIR; `media open` looks at every file")
