"""Makes what is neither header nor pixels, with a canary in every place that can hold one, at the top and in items."""

from __future__ import annotations

from struct import pack, unpack_from

from tests.unit.deidentify.building import CT, Elements, encode, image
from transforms.documents import icc

CANARY = b"ZQCANARYXWV"
ECG = "1.2.840.10008.5.1.4.1.1.9.1.1"
PDF = "1.2.840.10008.5.1.4.1.1.104.1"
SEQUENCE = 0x00081115  # a sequence that is kept and walked


def profile(words: bytes = CANARY) -> bytes:
    """An sRGB profile that says words in every tag and field that can hold some (ICC.1 clauses 7, 9 and 10)."""
    plain = icc.srgb()
    (count,) = unpack_from(">I", plain, 128)
    tags = []
    for number in range(count):
        name, at, length = unpack_from(">4s2I", plain, 132 + 12 * number)
        if name not in (b"desc", b"cprt"):
            tags.append((name, plain[at : at + length]))
    wide = words.decode().encode("utf-16-be")
    described = b"desc" + bytes(4) + pack(">I", len(words) + 1) + words + b"\0"
    described += bytes(4) + pack(">I", len(wide) // 2) + wide + bytes(3) + words.ljust(67, b"\0")
    text = b"text" + bytes(4) + words + b"\0"
    localized = b"mluc" + bytes(4) + pack(">2I4s2I", 1, 12, b"enUS", len(wide), 28) + wide
    tags += [(b"desc", described), (b"dmnd", described), (b"dmdd", localized), (b"cprt", text), (b"targ", text)]
    tags += [
        (b"meta", b"dict" + bytes(4) + localized),
        (b"ZZZZ", words),
        (b"vued", described),
        (b"lumi", tags[0][1] + words),
    ]
    table, body = b"", b""
    for name, value in tags:
        body += bytes(-len(body) % 4)
        table += pack(">4s2I", name, 132 + 12 * len(tags) + len(body), len(value))
        body += value
    header = bytearray(plain[:128])
    header[4:8] = header[48:52] = header[52:56] = header[80:84] = words[:4]
    header[84:100] = words.ljust(16, b"\0")
    header[100:128] = words.ljust(28, b"\0")
    whole = bytes(header[4:]) + pack(">I", len(tags)) + table + body
    whole += bytes(-len(whole) % 4)
    return pack(">I", len(whole) + 4) + whole


def waveform(words: bytes = CANARY) -> Elements:
    """A Waveform Sequence of one group: two channels of four samples, texts at each place, bytes behind the samples."""
    channel: Elements = {
        0x003A0203: ("SH", words),  # Channel Label
        0x003A0208: ("SQ", [{0x00080100: ("SH", b"2:0"), 0x00080102: ("SH", b"MDC"), 0x00080104: ("LO", b"Lead")}]),
        0x003A020C: ("LO", words),  # Channel Derivation Description
        0x003A0329: ("LO", words),  # Waveform Filter Description
        0x003A021A: ("US", b"\x10\0"),
    }
    group: Elements = {
        0x003A0004: ("CS", b"ORIGINAL"),
        0x003A0005: ("US", b"\2\0"),
        0x003A0010: ("UL", b"\4\0\0\0"),
        0x003A001A: ("DS", b"500 "),
        0x003A0020: ("SH", words),  # Multiplex Group Label
        0x003A0200: ("SQ", [channel, channel]),
        0x54001004: ("US", b"\x10\0"),
        0x54001006: ("CS", b"SS"),
        0x54001010: ("OW", bytes(range(16)) + words + b"!"),
    }
    note: Elements = {
        0x0040A0B0: ("US", b"\1\0\1\0"),
        0x0040A180: ("US", b"\1\0"),
        0x00700006: ("ST", words),
    }
    return {0x0040B020: ("SQ", [note]), 0x54000100: ("SQ", [group, group])}


def signed(words: bytes = CANARY) -> Elements:
    """Signatures, MACs and encrypted attributes, in their sequences and astray."""
    return {
        0x04000120: ("OB", words),
        0x04000403: ("SQ", [{0x04000404: ("OB", words)}]),
        0x04000500: ("SQ", [{0x04000510: ("UI", b"1.2.840.10008.1.2"), 0x04000520: ("OB", words)}]),
        0x04000520: ("OB", words),
        0x4FFE0001: ("SQ", [{0x04000005: ("US", b"\1\0"), 0x04000015: ("CS", words)}]),
        0xFFFAFFFA: ("SQ", [{0x04000115: ("OB", words), 0x04000120: ("OB", words)}]),
    }


def places(words: bytes = CANARY) -> Elements:
    """All of it, and icons, locators and an encapsulated document."""
    return signed(words) | {
        0x00081190: ("UR", b"https://example.org/" + words),
        0x0040E010: ("UR", b"https://example.org/" + words),
        0x00282000: ("OB", profile(words)),
        0x00420010: ("ST", words),
        0x00420011: ("OB", b"%PDF-1.4 " + words),
        0x00420012: ("LO", b"application/" + words.lower()),
        0x00420014: ("LO", b"application/pdf\\" + words),
        0x00687005: ("UR", words + b".mtl"),
        0x00880200: (
            "SQ",
            [{0x00280010: ("US", b"\1\0"), 0x00282000: ("OB", profile(words)), 0x7FE00010: ("OB", words)}],
        ),
    }


def object_with(
    elements: Elements, explicit: bool, *, depth: int = 0, sop_class: str = CT, undefined: bool = False
) -> bytes:
    """An object with these elements `depth` sequences down."""
    for _ in range(depth):
        elements = {SEQUENCE: ("SQ", [elements])}
    return encode(image(elements, sop_class), explicit, undefined=undefined)
