"""SR -> CDA as `dicom-gateway convert` calls it: bytes in, bytes out, pictures of key images where they are at hand."""

from __future__ import annotations

from transforms.cda import settings
from transforms.cda.from_sr import convert
from transforms.cda.pictures import pictures
from transforms.conversion import Converted, Given
from transforms.source import BytesSource
from transforms.sr.read import read_file


def to_cda(data: bytes, given: Given) -> Converted:
    """The CDA of an SR in a DICOM file. Raises TransformError as read_file, settings.read and convert do."""
    options = settings.read(given.options.get("cda", {}))
    cda = convert(read_file(BytesSource(data)), options, pictures=pictures(given.image))
    return Converted(cda.data, cda.losses)
