"""The transfer syntaxes of PS3.6 Table A-1 and what each means for the bytes (PS3.5 section 10 and Annex A).

* One frozen record a syntax; `lookup` knows no other and never guesses: a private syntax is unknown.
* `lossless` speaks of pixel data: True, False, or None where the syntax allows both.
* `storable` is False where the bytes alone are not the object (JPIP: the pixels are elsewhere; SMPTE: a live
  stream; MIME and XML wrappings; Papyrus): such a syntax must not be negotiated for storage.
* It decides nothing about preference; gateway/dimse/negotiation.py does.
"""

from __future__ import annotations

from typing import NamedTuple

from transforms.errors import TransformError

IMPLICIT_LE = "1.2.840.10008.1.2"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
EXPLICIT_BE = "1.2.840.10008.1.2.2"
DEFLATED_LE = "1.2.840.10008.1.2.1.99"


class TransferSyntax(NamedTuple):
    """What a transfer syntax UID says about a data set's bytes."""

    uid: str
    name: str  # PS3.6 Table A-1
    explicit: bool = True
    little_endian: bool = True
    deflated: bool = False
    encapsulated: bool = True
    lossless: bool | None = True
    storable: bool = True

    @property
    def uncompressed(self) -> bool:
        """The pixels are native (PS3.5 section 8): convert.py can give the object in another uncompressed syntax.

        True for Deflated too, whose pixels are native once inflated.
        """
        return not self.encapsulated


def _jpeg(suffix: str, name: str, lossless: bool | None, storable: bool = True) -> TransferSyntax:
    return TransferSyntax(f"1.2.840.10008.1.2.4.{suffix}", name, lossless=lossless, storable=storable)


_TABLE: tuple[TransferSyntax, ...] = (
    TransferSyntax(IMPLICIT_LE, "Implicit VR Little Endian", explicit=False, encapsulated=False),
    TransferSyntax(EXPLICIT_LE, "Explicit VR Little Endian", encapsulated=False),
    TransferSyntax("1.2.840.10008.1.2.1.98", "Encapsulated Uncompressed Explicit VR Little Endian"),
    TransferSyntax(DEFLATED_LE, "Deflated Explicit VR Little Endian", deflated=True, encapsulated=False),
    TransferSyntax(EXPLICIT_BE, "Explicit VR Big Endian", little_endian=False, encapsulated=False),
    _jpeg("50", "JPEG Baseline (Process 1)", False),
    _jpeg("51", "JPEG Extended (Process 2 and 4)", False),
    _jpeg("52", "JPEG Extended (Process 3 and 5)", False),
    _jpeg("53", "JPEG Spectral Selection, Non-Hierarchical (Process 6 and 8)", False),
    _jpeg("54", "JPEG Spectral Selection, Non-Hierarchical (Process 7 and 9)", False),
    _jpeg("55", "JPEG Full Progression, Non-Hierarchical (Process 10 and 12)", False),
    _jpeg("56", "JPEG Full Progression, Non-Hierarchical (Process 11 and 13)", False),
    _jpeg("57", "JPEG Lossless, Non-Hierarchical (Process 14)", True),
    _jpeg("58", "JPEG Lossless, Non-Hierarchical (Process 15)", True),
    _jpeg("59", "JPEG Extended, Hierarchical (Process 16 and 18)", False),
    _jpeg("60", "JPEG Extended, Hierarchical (Process 17 and 19)", False),
    _jpeg("61", "JPEG Spectral Selection, Hierarchical (Process 20 and 22)", False),
    _jpeg("62", "JPEG Spectral Selection, Hierarchical (Process 21 and 23)", False),
    _jpeg("63", "JPEG Full Progression, Hierarchical (Process 24 and 26)", False),
    _jpeg("64", "JPEG Full Progression, Hierarchical (Process 25 and 27)", False),
    _jpeg("65", "JPEG Lossless, Hierarchical (Process 28)", True),
    _jpeg("66", "JPEG Lossless, Hierarchical (Process 29)", True),
    _jpeg("70", "JPEG Lossless, Non-Hierarchical, First-Order Prediction", True),
    _jpeg("80", "JPEG-LS Lossless Image Compression", True),
    _jpeg("81", "JPEG-LS Lossy (Near-Lossless) Image Compression", False),
    _jpeg("90", "JPEG 2000 Image Compression (Lossless Only)", True),
    _jpeg("91", "JPEG 2000 Image Compression", None),
    _jpeg("92", "JPEG 2000 Part 2 Multi-component Image Compression (Lossless Only)", True),
    _jpeg("93", "JPEG 2000 Part 2 Multi-component Image Compression", None),
    _jpeg("94", "JPIP Referenced", None, storable=False),
    TransferSyntax("1.2.840.10008.1.2.4.95", "JPIP Referenced Deflate", deflated=True, lossless=None, storable=False),
    _jpeg("100", "MPEG2 Main Profile / Main Level", False),
    _jpeg("100.1", "Fragmentable MPEG2 Main Profile / Main Level", False),
    _jpeg("101", "MPEG2 Main Profile / High Level", False),
    _jpeg("101.1", "Fragmentable MPEG2 Main Profile / High Level", False),
    _jpeg("102", "MPEG-4 AVC/H.264 High Profile / Level 4.1", False),
    _jpeg("102.1", "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.1", False),
    _jpeg("103", "MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1", False),
    _jpeg("103.1", "Fragmentable MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1", False),
    _jpeg("104", "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video", False),
    _jpeg("104.1", "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video", False),
    _jpeg("105", "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video", False),
    _jpeg("105.1", "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video", False),
    _jpeg("106", "MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2", False),
    _jpeg("106.1", "Fragmentable MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2", False),
    _jpeg("107", "HEVC/H.265 Main Profile / Level 5.1", False),
    _jpeg("108", "HEVC/H.265 Main 10 Profile / Level 5.1", False),
    _jpeg("110", "JPEG XL Lossless", True),
    _jpeg("111", "JPEG XL JPEG Recompression", None),
    _jpeg("112", "JPEG XL", None),
    _jpeg("201", "High-Throughput JPEG 2000 Image Compression (Lossless Only)", True),
    _jpeg("202", "High-Throughput JPEG 2000 with RPCL Options Image Compression (Lossless Only)", True),
    _jpeg("203", "High-Throughput JPEG 2000 Image Compression", None),
    _jpeg("204", "JPIP HTJ2K Referenced", None, storable=False),
    TransferSyntax(
        "1.2.840.10008.1.2.4.205", "JPIP HTJ2K Referenced Deflate", deflated=True, lossless=None, storable=False
    ),
    TransferSyntax("1.2.840.10008.1.2.5", "RLE Lossless"),
    TransferSyntax("1.2.840.10008.1.2.6.1", "RFC 2557 MIME encapsulation", lossless=None, storable=False),
    TransferSyntax("1.2.840.10008.1.2.6.2", "XML Encoding", lossless=None, storable=False),
    TransferSyntax("1.2.840.10008.1.2.7.1", "SMPTE ST 2110-20 Uncompressed Progressive Active Video", storable=False),
    TransferSyntax("1.2.840.10008.1.2.7.2", "SMPTE ST 2110-20 Uncompressed Interlaced Active Video", storable=False),
    TransferSyntax("1.2.840.10008.1.2.7.3", "SMPTE ST 2110-30 PCM Digital Audio", storable=False),
    TransferSyntax("1.2.840.10008.1.2.8.1", "Deflated Image Frame Compression"),
    TransferSyntax("1.2.840.10008.1.20", "Papyrus 3 Implicit VR Little Endian", explicit=False, storable=False),
)

SYNTAXES: dict[str, TransferSyntax] = {each.uid: each for each in _TABLE}
if len(SYNTAXES) != len(_TABLE):
    raise RuntimeError("a transfer syntax stands twice in the table")


def lookup(uid: str) -> TransferSyntax:
    """The record of a transfer syntax. Raises TransformError('syntax-unknown'); private syntaxes are unknown."""
    found = SYNTAXES.get(uid)
    if found is None:
        raise TransformError("syntax-unknown", "transfer syntax is not in PS3.6 Table A-1")
    return found
