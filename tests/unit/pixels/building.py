"""Images for the tests of pixels: arrays with text drawn into them, and data sets in every syntax we encode."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pictures
from PIL import ImageDraw, ImageFilter, ImageFont
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate

from transforms.dataset import part10
from transforms.dataset.framing import check
from transforms.dataset.index import Index
from transforms.dataset.syntax import EXPLICIT_LE, lookup
from transforms.pixels import codecs, frames
from transforms.pixels.image import Image, describe
from transforms.source import ByteSource, BytesSource

Array = npt.NDArray[Any]
NAME = "DOE^JANE 1950-01-31"
US, SC = "1.2.840.10008.5.1.4.1.1.6.1", "1.2.840.10008.5.1.4.1.1.7"


def anatomy(rows: int, columns: int, seed: int = 1, *, colour: bool = False) -> npt.NDArray[np.uint8]:
    """Something like an ultrasound fan: blurred speckle in a sector, black around it."""
    rng = np.random.default_rng(seed)
    speckle = Pictures.fromarray(rng.integers(0, 255, (rows, columns), dtype=np.uint8)).filter(
        ImageFilter.GaussianBlur(2)
    )
    grey = np.asarray(speckle).astype(np.float32)
    grey = (grey - grey.min()) / (grey.max() - grey.min()) * 150
    down, across = np.mgrid[0:rows, 0:columns]
    away = np.hypot(down - rows * 0.1, across - columns / 2)
    sector = (away < rows * 0.8) & (np.abs(across - columns / 2) < (down - rows * 0.05)) & (away > rows * 0.1)
    out = np.where(sector, grey, 0).astype(np.uint8)
    return np.stack((out, out, np.minimum(out, 90)), axis=2) if colour else out


def drawn(
    picture: npt.NDArray[np.uint8], text: str = NAME, *, at: tuple[int, int] = (12, 10), size: int = 16,
    ink: int = 255, turned: bool = False,
) -> npt.NDArray[np.uint8]:  # fmt: skip
    """The picture with text in it."""
    font = ImageFont.load_default(size)
    stamp = Pictures.new("L", (int(font.getlength(text)) + 4, size * 3 // 2 + 4))
    ImageDraw.Draw(stamp).text((2, 2), text, font=font, fill=255)
    if turned:
        stamp = stamp.rotate(90, expand=True)
    canvas = Pictures.fromarray(picture)
    canvas.paste(ink if picture.ndim == 2 else (ink, ink, ink), at, stamp)
    return np.asarray(canvas)


def data_set(
    arrays: Array | list[Array], uid: str = EXPLICIT_LE, *, photometric: str = "", stored: int = 0, planar: int = 0,
    encoded: list[bytes] | None = None, table: bool = True, **more: Any,
) -> tuple[BytesSource, str]:  # fmt: skip
    """A data set of one image; frames encoded by our encoders where the syntax asks for it."""
    several = arrays if isinstance(arrays, list) else [arrays]
    first = several[0]
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID = US, "1.2.3.4"
    data.StudyInstanceUID, data.SeriesInstanceUID = "1.2.3", "1.2.3.1"
    data.PatientID, data.PatientName, data.Modality = "4711", "DOE^JANE", "US"
    data.Manufacturer, data.ManufacturerModelName, data.SoftwareVersions = "ACME", "SONO 1", "1.0"
    data.ImageType = ["ORIGINAL", "PRIMARY"]
    data.Rows, data.Columns = first.shape[:2]
    data.SamplesPerPixel = 3 if first.ndim == 3 else 1
    data.PhotometricInterpretation = photometric or ("RGB" if first.ndim == 3 else "MONOCHROME2")
    if first.ndim == 3:
        data.PlanarConfiguration = planar
    data.BitsAllocated = first.dtype.itemsize * 8
    data.BitsStored = stored or data.BitsAllocated
    data.HighBit = data.BitsStored - 1
    data.PixelRepresentation = int(first.dtype.kind == "i")
    if len(several) > 1 or (encoded and len(encoded) > 1):
        data.NumberOfFrames = len(encoded or several)
    for keyword, value in more.items():
        setattr(data, keyword, value)
    if not lookup(uid).encapsulated:
        raw = b"".join((each.transpose(2, 0, 1) if planar else each).tobytes() for each in several)
        data.PixelData = raw + b"\0" * (len(raw) & 1)
        data["PixelData"].VR = "OW" if data.BitsAllocated > 8 else "OB"
    else:
        image = Image(
            data.Rows, data.Columns, data.SamplesPerPixel, data.BitsAllocated, data.BitsStored,
            bool(data.PixelRepresentation), data.PhotometricInterpretation, False, 1,
        )  # fmt: skip
        data.PixelData = encapsulate(encoded or [codecs.encode(each, image, uid) for each in several], has_bot=table)
        data["PixelData"].VR = "OB"
        data["PixelData"].is_undefined_length = True
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = uid
    out = BytesIO()
    data.save_as(out, enforce_file_format=True)
    whole = BytesSource(out.getvalue())
    offset = part10.split(whole).offset
    return BytesSource(whole.pread(offset, whole.size - offset)), uid


def opened(source: ByteSource, uid: str) -> tuple[Index, Image, list[Array]]:
    """What is in a data set now."""
    index = check(source, uid)
    image = describe(source, index)
    found = []
    for frame in frames.frames_of(source, index, image):
        raw = frames.read(source, frame)
        if lookup(uid).encapsulated:
            found.append(codecs.decode(raw, image, uid).array)
        else:
            found.append(codecs.from_native(raw, image))
    return index, image, found


def jpeg(array: Array, **options: Any) -> bytes:
    """A JPEG stream of an 8-bit picture."""
    out = BytesIO()
    Pictures.fromarray(array).save(out, "JPEG", **({"quality": 90} | options))
    return out.getvalue()
