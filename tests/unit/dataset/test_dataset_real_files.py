"""Real files: framed, read, converted there and back; pydicom is the judge of every value."""

from __future__ import annotations

import io
from pathlib import Path

import pydicom
import pytest
from pydicom import Dataset
from pydicom.filereader import read_dataset

from transforms.dataset import convert, framing, part10, values
from transforms.dataset.syntax import EXPLICIT_LE, IMPLICIT_LE, lookup
from transforms.errors import TransformError
from transforms.source import BytesSource, chunks


def readable(corpus_files: list[Path]) -> list[tuple[Path, str, bytes]]:
    found = []
    for path in corpus_files:
        data = path.read_bytes()
        if len(data) > 3 << 20:
            continue
        try:
            meta = part10.split(BytesSource(data))
            framing.check(BytesSource(data[meta.offset :]), meta.syntax)
            if not lookup(meta.syntax).deflated:
                parsed(data[meta.offset :], meta.syntax).decode()
        except TransformError:
            continue
        except Exception:  # pydicom, the judge, cannot read what frames
            continue
        found.append((path, meta.syntax, data[meta.offset :]))
    assert len(found) > 60
    return found


def parsed(data: bytes, uid: str) -> Dataset:
    known = lookup(uid)
    return read_dataset(io.BytesIO(data), not known.explicit, known.little_endian)


def assert_equal(one: Dataset, other: Dataset, where: str) -> None:
    """Equal but for VRs that Implicit cannot say, and group lengths, which are left out."""
    mine = [e for e in one if e.tag.element != 0]
    theirs = [e for e in other if e.tag.element != 0]
    assert [e.tag for e in mine] == [e.tag for e in theirs], where
    for a, b in zip(mine, theirs, strict=True):
        if a.VR == "SQ" and b.VR == "SQ":
            assert len(a.value) == len(b.value), where
            for x, y in zip(a.value, b.value, strict=True):
                assert_equal(x, y, f"{where} {a.tag}")
        elif a.VR == b.VR and not isinstance(a.value, bytes):  # pydicom leaves the byte order of bytes as it is
            assert a.value == b.value or str(a.value) == str(b.value), f"{where} {a.tag}"


def test_uncompressed_ones_convert_and_every_value_stays(corpus_files: list[Path]) -> None:
    seen = set()
    twins: list[bool] = []
    for path, uid, data in readable(corpus_files):
        if not lookup(uid).uncompressed or lookup(uid).deflated:
            continue
        seen.add(uid)
        if path.name.startswith("rtdose_expb"):  # 32-bit OW in big endian: dcmtk turns 2 bytes, pydicom 4
            with pytest.raises(TransformError, match="cannot-convert"):
                convert.to_explicit_le(BytesSource(data), uid)
            continue
        for target, make in ((EXPLICIT_LE, convert.to_explicit_le), (IMPLICIT_LE, convert.to_implicit_le)):
            if target == uid:
                continue
            plan = make(BytesSource(data), uid)
            out = b"".join(chunks(plan, 997))
            assert len(out) == plan.size
            framing.check(BytesSource(out), target)
            assert_equal(parsed(data, uid), parsed(out, target), path.name)
        again = convert.canonical_sha256(BytesSource(data), uid)
        other = b"".join(chunks(convert.to_implicit_le(BytesSource(data), uid)))
        twins.append(convert.canonical_sha256(BytesSource(other), IMPLICIT_LE) == again)
    assert all(twins) and len(twins) > 20
    assert len(seen) == 3


def test_compressed_ones_are_never_converted(corpus_files: list[Path]) -> None:
    tried = 0
    for _path, uid, data in readable(corpus_files):
        if not lookup(uid).uncompressed:
            tried += 1
            with pytest.raises(TransformError, match="cannot-convert"):
                convert.to_implicit_le(BytesSource(data), uid)
    assert tried > 10


def test_top_level_text_reads_as_pydicom_reads_it(corpus_files: list[Path]) -> None:
    compared = 0
    for path, uid, data in readable(corpus_files):
        if lookup(uid).deflated:
            continue
        index = framing.check(BytesSource(data), uid)
        judge = parsed(data, uid)
        for element in judge:
            if element.VR not in ("UI", "CS", "DA", "TM", "LO", "SH", "PN", "IS", "DS", "US") or element.tag.is_private:
                continue
            try:
                found = values.read(BytesSource(data), index, int(element.tag))
            except TransformError:
                continue
            if element.VR in ("PN", "LO", "SH"):
                if any(ord(c) > 127 or c == "\\" for c in str(element.value)) or len(found or ()) != element.VM:
                    continue
                wanted = [str(v).strip() for v in (element.value if element.VM > 1 else [element.value])]
                assert list(found or ("",)) == wanted or not any(wanted), f"{path.name} {element.tag}"
                compared += 1
            elif element.VM == 1 and element.VR in ("UI", "CS", "DA", "US"):
                assert found == (str(element.value).strip(),) or not str(element.value).strip(), path.name
                compared += 1
    assert compared > 1000


CHARSETS = [
    (["ISO_IR 100"], "Müller^Jörg"),
    (["ISO_IR 192"], "Δοκιμή^名前"),
    (["ISO_IR 144"], "Люкceмбypг"),
    (["GB18030"], "王^小东"),
    (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎"),
    (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
]


@pytest.mark.parametrize(("charset", "name"), CHARSETS)
def test_names_in_every_kind_of_character_set(charset: list[str], name: str) -> None:
    data = Dataset()
    data.SpecificCharacterSet = charset if len(charset) > 1 else charset[0]
    data.PatientName = name
    inner = Dataset()
    inner.PatientName = name
    data.ReferencedPatientSequence = [inner]
    raw = io.BytesIO()
    pydicom.dcmwrite(raw, data, implicit_vr=False, little_endian=True, overwrite=True)
    body = raw.getvalue()
    index = framing.check(BytesSource(body), EXPLICIT_LE)
    assert values.read(BytesSource(body), index, 0x00100010) == (name,)
    assert values.read_path(BytesSource(body), index, "ReferencedPatientSequence[0].PatientName") == (name,)
    assert values.read_path(BytesSource(body), index, "ReferencedPatientSequence[1].PatientName") is None
    assert values.read_path(BytesSource(body), index, "ReferencedPatientSequence") == ("",)


def test_what_is_not_of_its_character_set_is_never_guessed_at() -> None:
    for charset, raw in ((b"ISO_IR 192", b"M\xfcller"), (b"ISO_IR 6 ", b"\xff\xfe"), (b"NONSENSE", b"M\xfcller")):
        body = b"\x08\0\x05\0CS" + len(charset).to_bytes(2, "little") + charset
        raw += b" " * (len(raw) % 2)
        body += b"\x10\0\x10\0PN" + len(raw).to_bytes(2, "little") + raw
        index = framing.check(BytesSource(body), EXPLICIT_LE)
        with pytest.raises(TransformError):
            values.read(BytesSource(body), index, 0x00100010)
