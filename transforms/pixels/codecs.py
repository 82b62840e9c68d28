"""One port to the decoders and encoders of pixel data, frame by frame; whose code they are is in two tables.

Rules of this file
* A frame is a numpy array (rows, columns) or (rows, columns, 3), colour by pixel, of the data set's own bits.
* What is lossless is read by two decoders where two are installed; what they read differently is held. A decoder that
  cannot do a kind of stream at all (NotImplementedError) is not asked; one that fails on this stream fails the frame.
* What is encoded here is decoded again and compared before anybody gets it.
* Only lossless encoders are here: nothing is compressed with loss a second time.
* Hostile streams: run it in a process under limits (gateway/hosted/frames.py).

Reasons: codec-missing, codec-failed, frame-undecodable, decoders-disagree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from io import BytesIO
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from transforms.dataset import syntax as syntaxes
from transforms.errors import TransformError
from transforms.pixels import lossless
from transforms.pixels.forms import (
    BASELINE,
    EXTENDED,
    HT,
    HT_LOSSY,
    HT_RPCL,
    J2K,
    J2K_LOSSY,
    LOSSLESS,
    LOSSLESS_SV1,
    LS,
    LS_NEAR,
    RLE,
)
from transforms.pixels.image import Image

Array = npt.NDArray[Any]

_MARKED: Final = frozenset({BASELINE, EXTENDED, LOSSLESS, LOSSLESS_SV1, LS, LS_NEAR})  # streams with a frame header
_TOLERANCE: Final = 0.02  # of the range, on average: what lossy decoders may round differently


class Decoded(NamedTuple):
    """One frame, and what its components are now."""

    array: Array
    photometric: str


Decoder = Callable[[bytes, Image, str], Decoded]
Encoder = Callable[[Array, Image, str], bytes]


def _library(name: str) -> Any:
    """Whoever's code it is; imported when it is first needed. Raises ImportError where an extra is not installed."""
    return import_module(name)


def _pydicom(plugin: str) -> Decoder:
    """A decoder behind pydicom's port, without colour conversion."""

    def decode(data: bytes, image: Image, uid: str) -> Decoded:
        stored = image.allocated if uid == RLE else image.stored  # RLE carries what stands above Bits Stored, too
        encapsulate, pixels = _library("pydicom.encaps").encapsulate, _library("pydicom.pixels")
        array, meta = pixels.get_decoder(uid).as_array(
            encapsulate([data], has_bot=False), index=0, raw=True, decoding_plugin=plugin,
            rows=image.rows, columns=image.columns, samples_per_pixel=image.samples, number_of_frames=1,
            photometric_interpretation=image.photometric, bits_allocated=image.allocated, bits_stored=stored,
            pixel_representation=int(image.signed), planar_configuration=0, pixel_keyword="PixelData",
        )  # fmt: skip
        return Decoded(array, str(meta["photometric_interpretation"]))

    return decode


def _pillow(data: bytes, image: Image, uid: str) -> Decoded:
    """JPEG of 8 bits; the stream itself says which colours it has."""
    if image.stored > 8:
        raise NotImplementedError
    from PIL import Image as Pictures

    with Pictures.open(BytesIO(data), formats=("JPEG",)) as picture:
        if picture.size != (image.columns, image.rows):
            raise ValueError("other dimensions")
        if image.samples == 3:
            return Decoded(np.asarray(picture.convert("RGB")), "RGB")
        if picture.mode != "L":
            raise ValueError("other components")
        return Decoded(np.asarray(picture), image.photometric)


def _turbo(data: bytes, image: Image, uid: str) -> Decoded:
    """JPEG of 12 bits, and lossless JPEG (libjpeg-turbo 3 in imagecodecs)."""
    return Decoded(_library("imagecodecs").jpeg_decode(data), image.photometric)


def _sof3(data: bytes, image: Image, uid: str) -> Decoded:
    return Decoded(_library("imagecodecs").jpegsof3_decode(data), image.photometric)


def _openjpeg(data: bytes, image: Image, uid: str) -> Decoded:
    """JPEG 2000 and HTJ2K; YBR_RCT and YBR_ICT come back as RGB."""
    transformed = image.photometric in ("YBR_RCT", "YBR_ICT")
    return Decoded(_library("openjpeg").decode(data), "RGB" if transformed else image.photometric)


def _openjph(data: bytes, image: Image, uid: str) -> Decoded:
    transformed = image.photometric in ("YBR_RCT", "YBR_ICT")
    return Decoded(_library("imagecodecs").htj2k_decode(data), "RGB" if transformed else image.photometric)


def _rle(data: bytes, image: Image, uid: str) -> Decoded:
    raw = _library("rle").decode_pixel_data(
        data, version=2, rows=image.rows, columns=image.columns, samples_per_pixel=image.samples,
        bits_allocated=image.allocated, rle_segment_order=">",
    )  # fmt: skip
    flat = np.frombuffer(raw, _dtype(image))
    if image.samples == 1:
        return Decoded(flat.reshape(image.rows, image.columns), image.photometric)
    return Decoded(flat.reshape(3, image.rows, image.columns).transpose(1, 2, 0), image.photometric)


def _encode_rle(array: Array, image: Image, uid: str) -> bytes:
    done: bytes = _library("rle").encode_pixel_data(
        array.tobytes(), rows=image.rows, columns=image.columns, samples_per_pixel=image.samples,
        bits_allocated=image.allocated, number_of_frames=1, byteorder="<",
    )  # fmt: skip
    return done


def _encode_ls(array: Array, image: Image, uid: str) -> bytes:
    options: dict[str, int] = {"planar_configuration": 0} if image.samples == 3 else {}
    return bytes(
        _library("jpeg_ls").encode_pixel_data(
            _unsigned(array, image).tobytes(), lossy_error=0, rows=image.rows, columns=image.columns,
            samples_per_pixel=image.samples, bits_stored=image.stored, **options,
        )
    )  # fmt: skip


def _encode_j2k(array: Array, image: Image, uid: str) -> bytes:
    transform = image.photometric in ("YBR_RCT", "YBR_ICT")  # a data set that says so keeps saying the truth
    done: bytes = _library("openjpeg.utils").encode_buffer(
        np.ascontiguousarray(_packed(array, image)).tobytes(), image.columns, image.rows, image.samples, image.stored,
        image.signed, photometric_interpretation=1 if image.samples == 3 else 2, use_mct=transform,
    )  # fmt: skip
    return done


def _encode_ht(array: Array, image: Image, uid: str) -> bytes:
    done: bytes = _library("imagecodecs").htj2k_encode(np.ascontiguousarray(_packed(array, image)), reversible=True)
    return done


def _encode_lossless(array: Array, image: Image, uid: str) -> bytes:
    return lossless.encode(_unsigned(array, image), max(2, image.stored))


_GDCM: Final = ("gdcm", _pydicom("gdcm"))
_TURBO: Final = ("imagecodecs", _turbo)
# Transfer syntax -> (what has to be installed, decoder), in order of trust: the first one's pixels are used
DECODERS: Final[dict[str, tuple[tuple[str, Decoder], ...]]] = {
    RLE: (("rle", _rle), ("pydicom", _pydicom("pydicom"))),
    BASELINE: (("PIL", _pillow),),
    EXTENDED: (("PIL", _pillow), _TURBO),
    LOSSLESS: (_GDCM, ("imagecodecs", _sof3)),
    LOSSLESS_SV1: (_GDCM, ("imagecodecs", _sof3)),
    LS: (("jpeg_ls", _pydicom("pyjpegls")), _GDCM),
    LS_NEAR: (("jpeg_ls", _pydicom("pyjpegls")), _GDCM),
    J2K: (("openjpeg", _openjpeg), _GDCM),
    J2K_LOSSY: (("openjpeg", _openjpeg), _GDCM),
    HT: (("openjpeg", _openjpeg), ("imagecodecs", _openjph)),
    HT_RPCL: (("openjpeg", _openjpeg), ("imagecodecs", _openjph)),
    HT_LOSSY: (("openjpeg", _openjpeg), ("imagecodecs", _openjph)),
}
ENCODERS: Final[dict[str, tuple[str, Encoder]]] = {
    RLE: ("rle", _encode_rle),
    LOSSLESS: ("", _encode_lossless),
    LOSSLESS_SV1: ("", _encode_lossless),
    LS: ("jpeg_ls", _encode_ls),
    LS_NEAR: ("jpeg_ls", _encode_ls),  # without loss: the near-lossless syntax allows it (PS3.5 A.4.3)
    J2K: ("openjpeg", _encode_j2k),
    J2K_LOSSY: ("openjpeg", _encode_j2k),  # reversible: allowed (PS3.5 A.4.4)
    HT: ("imagecodecs", _encode_ht),
    HT_LOSSY: ("imagecodecs", _encode_ht),
}


def decode(data: bytes, image: Image, uid: str) -> Decoded:
    """The pixels of one frame, as two decoders read them. Raises TransformError."""
    if uid not in DECODERS:
        raise TransformError("codec-missing", f"nothing here decodes {syntaxes.lookup(uid).name}")
    if uid in _MARKED and _size(data) != (image.rows, image.columns, image.samples):
        raise TransformError("frame-undecodable", "the stream has another size than the data set")
    if uid in _MARKED and not data[-16:].rstrip(b"\0").endswith(b"\xff\xd9"):
        raise TransformError("frame-undecodable", "the stream is cut")  # there are decoders that would wait for ever
    found: list[Decoded] = []
    for needed, decoder in DECODERS[uid]:
        try:
            made = decoder(data, image, uid)
            found.append(Decoded(_settled(made.array, image), made.photometric))
        except (ImportError, NotImplementedError):
            continue
        except MemoryError:
            raise
        except Exception:  # whatever a codec raises on bytes it does not like; it may quote them
            raise TransformError("frame-undecodable", f"{needed} cannot decode it") from None
    if not found:
        raise TransformError("codec-missing", f"no decoder for this kind of {syntaxes.lookup(uid).name}: extra codecs")
    _agreed(found, image, exact=syntaxes.lookup(uid).lossless is True)
    return found[0]


def _size(data: bytes) -> tuple[int, int, int]:
    """Rows, columns and components of a stream of the JPEG family; zeros where it does not say. Before any decoder."""
    at = 2
    while data[at : at + 1] == b"\xff" and at + 10 <= len(data):
        marker = data[at + 1]
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            return (
                int.from_bytes(data[at + 5 : at + 7], "big"),
                int.from_bytes(data[at + 7 : at + 9], "big"),
                data[at + 9],
            )
        at += 1 if marker == 0xFF else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return 0, 0, 0


def encode(array: Array, image: Image, uid: str) -> bytes:
    """The frame in a lossless form of that syntax; decoded again and compared. Raises TransformError."""
    needed, encoder = ENCODERS.get(uid, ("", None))
    if encoder is None:
        raise TransformError("codec-missing", f"nothing here encodes {syntaxes.lookup(uid).name}")
    if not image.signed and int(array.max()) >> image.stored:
        image = replace(image, stored=image.allocated)  # some write more bits than they say
    try:
        done = encoder(np.ascontiguousarray(array), image, uid)
    except ImportError:
        raise TransformError("codec-missing", f"{needed} is not installed: extra codecs") from None
    except MemoryError:
        raise
    except Exception:
        raise TransformError("codec-failed", f"{needed} cannot encode it".strip()) from None
    if not np.array_equal(decode(done, image, uid).array, array):
        raise TransformError("codec-failed", f"{needed} does not give back what it got".strip())
    return done


def from_native(data: bytes, image: Image) -> Array:
    """A native frame as an array; YBR_FULL_422 gets each colour twice."""
    flat = np.frombuffer(data, _dtype(image))
    if image.photometric == "YBR_FULL_422":
        pairs = flat.reshape(image.rows, -1, 4)
        whole = np.empty((image.rows, pairs.shape[1] * 2, 3), flat.dtype)
        whole[:, 0::2, 0], whole[:, 1::2, 0] = pairs[..., 0], pairs[..., 1]
        whole[..., 1] = np.repeat(pairs[..., 2], 2, axis=1)
        whole[..., 2] = np.repeat(pairs[..., 3], 2, axis=1)
        return whole[:, : image.columns]
    if image.samples == 1:
        return flat.reshape(image.rows, image.columns)
    if image.planar:
        return flat.reshape(3, image.rows, image.columns).transpose(1, 2, 0)
    return flat.reshape(image.rows, image.columns, 3)


def _dtype(image: Image) -> str:
    return f"<{'i' if image.signed else 'u'}{image.allocated // 8}"


def _settled(array: Array, image: Image) -> Array:
    """Of the data set's own type. Raises ValueError where it is another image."""
    shape = (image.rows, image.columns, 3) if image.samples == 3 else (image.rows, image.columns)
    if array.shape != shape:
        raise ValueError("other dimensions")
    wanted = np.dtype(_dtype(image))
    if array.dtype == wanted and (not image.signed or image.stored == image.allocated):
        return array
    if image.stored == image.allocated:
        return array.astype(wanted)
    if not image.signed:
        return array.astype(wanted)
    bits = array.astype(np.int64) & ((1 << image.stored) - 1)  # two's complement of Bits Stored (PS3.5 8.1.1)
    return np.where(bits >> (image.stored - 1), bits - (1 << image.stored), bits).astype(wanted)


def _unsigned(array: Array, image: Image) -> Array:
    """The bits of each sample as a number without sign, in as few bytes as Bits Stored needs where codecs ask so."""
    unsigned = np.ascontiguousarray(array).view(f"<u{image.allocated // 8}")
    if image.signed and image.stored < image.allocated:
        unsigned = unsigned & ((1 << image.stored) - 1)
    return unsigned


def _packed(array: Array, image: Image) -> Array:
    """In one byte a sample where Bits Stored is at most 8, as encoders of JPEG 2000 want it."""
    if image.stored <= 8 < image.allocated:
        return array.astype("i1" if image.signed else "u1")
    return array


def _agreed(found: list[Decoded], image: Image, *, exact: bool) -> None:
    if len(found) < 2:
        return
    first, second = found[0].array, found[1].array
    if np.array_equal(first, second):
        return
    if not exact:
        apart = np.abs(first.astype(np.float64) - second.astype(np.float64)).mean()
        if apart <= _TOLERANCE * (1 << image.stored):
            return
    raise TransformError("decoders-disagree", "two decoders read other pixels in the same frame")
