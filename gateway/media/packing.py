"""A staged File-set becomes one file: an ISO 9660 image (with UDF beside it where the medium asks), or a ZIP archive.

Rules of this file
* ISO 9660, interchange level 3: files may be larger than 4 GiB; names keep to PS3.10's File IDs. Where the medium is a
  DVD or a BD, the same files stand in UDF beside it (a bridge; udfinfo reads it as revision 1.02).
* A ZIP of a plain set is deflated, one of a secure set stored: what is encrypted does not compress. Its times are
  constant: when somebody was examined is not to be read from them.
* Nothing here is atomic or verified; making.py sees to both.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from gateway.media.errors import MediaError, from_os

_PIECE: Final = 1 << 20
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the earliest that ZIP knows
Seen = Callable[[int], None]  # bytes done


def staged(folder: Path) -> Iterator[tuple[tuple[str, ...], Path]]:
    """(components, path) of every folder and file, each folder before what is in it."""
    for path in sorted(folder.iterdir()):
        yield (path.name,), path
        if path.is_dir():
            for below, inner in staged(path):
                yield (path.name, *below), inner


def zipped(folder: Path, out: Path, *, compress: bool, seen: Seen) -> None:
    """Pack a folder into a new ZIP archive. Raises MediaError."""
    done = 0
    kind = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    try:
        with zipfile.ZipFile(out, "x", kind, allowZip64=True) as archive:
            for parts, path in staged(folder):
                if path.is_dir():
                    continue
                info = zipfile.ZipInfo("/".join(parts), _EPOCH)
                info.compress_type = kind
                info.external_attr = 0o644 << 16
                with path.open("rb") as file, archive.open(info, "w", force_zip64=True) as member:
                    while piece := file.read(_PIECE):
                        done += member.write(piece)
                        seen(done)
    except OSError as error:
        raise from_os(error, "the archive") from None


def iso9660(folder: Path, out: Path, *, label: str, udf: bool, seen: Seen) -> None:
    """Pack a folder into a new ISO 9660 image. Raises MediaError."""
    import pycdlib
    from pycdlib.pycdlibexception import PyCdlibException

    image = pycdlib.PyCdlib()
    try:
        image.new(interchange_level=3, vol_ident=label, udf="2.60" if udf else None)
        for parts, path in staged(folder):
            name = "/" + "/".join(parts)
            if path.is_dir():
                image.add_directory(name, udf_path=name if udf else None)
            else:
                image.add_file(str(path), iso_path=_named(parts), udf_path=name if udf else None)
        image.write(str(out), progress_cb=lambda done, _total, _opaque: seen(done), progress_opaque=None)
    except PyCdlibException as error:
        raise MediaError("media-format", f"the image cannot be made: {type(error).__name__}") from error
    except OSError as error:
        raise from_os(error, "the image") from None
    finally:
        if image._initialized:
            image.close()


def _named(parts: tuple[str, ...]) -> str:
    """A file's name in ECMA-119 7.5: with its dot, and version 1."""
    name = parts[-1] if "." in parts[-1] else parts[-1] + "."
    return "/" + "/".join((*parts[:-1], name)) + ";1"
