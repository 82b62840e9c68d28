"""SR -> CDA as `dicom-gateway convert` calls it: bytes in, bytes out, pictures of key images where they are at hand."""

from __future__ import annotations

from transforms.cda import settings
from transforms.cda.from_sr import convert
from transforms.cda.options import Picture
from transforms.cda.pictures import picture
from transforms.conversion import Converted, Given
from transforms.source import BytesSource
from transforms.sr.read import read_file
from transforms.sr.values import Image


def to_cda(data: bytes, given: Given) -> Converted:
    """The CDA of an SR in a DICOM file. Raises TransformError as read_file, settings.read and convert do."""

    def pictures(image: Image) -> Picture | None:
        file = given.image(image.reference.sop_instance)
        state = image.presentation_state
        if file is None:
            return None
        return picture(
            file, image.frames[0] if image.frames else 1, None if state is None else given.image(state.sop_instance)
        )

    cda = convert(read_file(BytesSource(data)), settings.read(given.options.get("cda", {})), pictures=pictures)
    return Converted(cda.data, cda.losses)
