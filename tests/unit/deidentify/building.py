"""Makes data sets byte by byte, so that a test says exactly what stands where; and the way through the engine."""

from __future__ import annotations

import io
from typing import Any

import pydicom

from transforms.dataset.elements import header_bytes
from transforms.dataset.syntax import EXPLICIT_LE, IMPLICIT_LE
from transforms.deidentify.engine import Context, Deidentified, deidentify
from transforms.deidentify.profile import ActionTable, compile_profile
from transforms.source import BytesSource

CT = "1.2.840.10008.5.1.4.1.1.2"
SC = "1.2.840.10008.5.1.4.1.1.7"
KEY = b"k" * 32
UNDEFINED = -1

Elements = dict[int, tuple[str, Any]]


def encode(elements: Elements, explicit: bool, *, undefined: bool = False) -> bytes:
    """Elements in tag order. A value is bytes, a list of items (each Elements), or raw items as bytes under SQ."""
    out = []
    for tag in sorted(elements):
        vr, value = elements[tag]
        shown = vr if explicit else ""
        if isinstance(value, list):
            out.append(sequence(tag, value, explicit, undefined=undefined, vr=vr))
            continue
        value += b"\0" * (len(value) & 1) if vr in ("UI", "OB", "UN") else b" " * (len(value) & 1)
        out.append(header_bytes(tag, shown, len(value)) + value)
    return b"".join(out)


def sequence(tag: int, items: list[Elements], explicit: bool, *, undefined: bool = False, vr: str = "SQ") -> bytes:
    """A sequence in either form; UN holds its items in Implicit VR (PS3.5 6.2.2)."""
    inner = explicit and vr == "SQ"
    body = b""
    for item in items:
        raw = encode(item, inner, undefined=undefined)
        if undefined:
            body += header_bytes(0xFFFEE000, "", UNDEFINED) + raw + header_bytes(0xFFFEE00D, "", 0)
        else:
            body += header_bytes(0xFFFEE000, "", len(raw)) + raw
    if undefined:
        return header_bytes(tag, vr if explicit else "", UNDEFINED) + body + header_bytes(0xFFFEE0DD, "", 0)
    return header_bytes(tag, vr if explicit else "", len(body)) + body


def image(extra: Elements | None = None, sop_class: str = CT, pixels: bytes = b"\1\2" * 4) -> Elements:
    """A small image with a patient; `extra` adds to it or replaces."""
    found: Elements = {
        0x00080005: ("CS", b"ISO_IR 100"),
        0x00080016: ("UI", sop_class.encode()),
        0x00080018: ("UI", b"1.2.3.4"),
        0x00100010: ("PN", b"DOE^JANE"),
        0x00100020: ("LO", b"MRN4711"),
        0x0020000D: ("UI", b"1.2.3.1"),
        0x0020000E: ("UI", b"1.2.3.2"),
        0x00280002: ("US", b"\1\0"),
        0x00280004: ("CS", b"MONOCHROME2"),
        0x00280010: ("US", b"\2\0"),
        0x00280011: ("US", b"\2\0"),
        0x00280100: ("US", b"\x10\0"),
        0x7FE00010: ("OW", pixels),
    }
    return found | (extra or {})


def run(
    data: bytes, explicit: bool = True, *, table: ActionTable | None = None, trace: bool = False, syntax: str = ""
) -> Deidentified:
    """De-identify bytes under the Basic Profile."""
    uid = syntax or (EXPLICIT_LE if explicit else IMPLICIT_LE)
    return deidentify(BytesSource(data), uid, table or compile_profile(), Context(KEY, "test"), trace=trace)


def result(data: bytes, explicit: bool = True, **more: Any) -> bytes:
    """The bytes that leave."""
    done = run(data, explicit, **more)
    return b"".join(done.plan.chunks())


def parsed(data: bytes, explicit: bool = True) -> pydicom.Dataset:
    """The judge: pydicom's reading of a bare data set."""
    syntax = EXPLICIT_LE if explicit else IMPLICIT_LE
    dataset = pydicom.filereader.read_dataset(io.BytesIO(data), not explicit, True)
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    return dataset
