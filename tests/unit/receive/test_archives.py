"""Archives: members come out as they went in; bombs, lies, links and cut ends are refused within their budgets."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.schema import ArchiveLimits
from gateway.errors import RefuseObject
from gateway.receive.archives import kind_of, members

FILES = {"a": b"first" * 1000, "sub/b": b"", "c": bytes(range(256)) * 3000}


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def tarred(files: dict[str, bytes], kind: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def read(data: bytes, **limits: int) -> list[bytes]:
    return [b"".join(each) for each in members(io.BytesIO(data), len(data), ArchiveLimits(**limits))]


@pytest.mark.parametrize(
    "data",
    [
        zipped(FILES),
        zipped(FILES, zipfile.ZIP_STORED),
        tarred(FILES),
        tarred(FILES, tarfile.GNU_FORMAT),
        tarred(FILES, tarfile.USTAR_FORMAT),
        gzip.compress(tarred(FILES)),
        gzip.compress(tarred(FILES)[:5000]) + gzip.compress(tarred(FILES)[5000:]),
    ],
)
def test_members_come_out_as_they_went_in(data: bytes) -> None:
    assert read(data) == list(FILES.values())


def test_a_member_that_is_not_read_is_passed_over() -> None:
    for data in (zipped(FILES), tarred(FILES)):
        found = members(io.BytesIO(data), len(data), ArchiveLimits())
        next(found)
        next(found)
        assert b"".join(next(found)) == FILES["c"]


def test_names_lead_nowhere_and_links_are_nothing(tmp_path: Path) -> None:
    """Whatever a name says it is never a path; links, devices and folders are no members."""
    names = ["../../etc/passwd", "/abs", "a\\..\\b", "C:\\x", "nul\0", "." * 300, "ä" * 200]
    files = {name.replace("\0", "%00"): name.encode() for name in names}
    assert read(zipped(files)) == read(tarred(files)) == [name.encode() for name in names]
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.DIRTYPE):
            info = tarfile.TarInfo("x")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        info = tarfile.TarInfo("y")
        info.size = 3
        archive.addfile(info, io.BytesIO(b"yes"))
    assert read(out.getvalue()) == [b"yes"]
    linked = io.BytesIO()
    with zipfile.ZipFile(linked, "w") as zip_archive:
        info_zip = zipfile.ZipInfo("link")
        info_zip.external_attr = 0xA1FF << 16
        zip_archive.writestr(info_zip, "/etc/passwd")
    assert read(linked.getvalue()) == []


def refused(data: bytes, **limits: int) -> str:
    with pytest.raises(RefuseObject) as caught:
        read(data, **limits)
    return caught.value.reason


def test_bombs_go_off_in_their_budget() -> None:
    zeros = bytes(200 << 20)
    for data in (zipped({"a": zeros}), gzip.compress(tarred({"a": zeros}), 9)):
        assert len(data) < 1 << 20
        assert refused(data) == "archive-too-large"
        assert refused(data, inflated=1000) == "archive-too-large"
    many = {str(n): b"" for n in range(200)}
    assert refused(zipped(many), members=100) == refused(tarred(many), members=100) == "archive-members"


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_whose_pieces_have_no_bound_are_not_read(method: int) -> None:
    """1 kB of bzip2 is a gigabyte in one piece, whatever is asked for."""
    assert refused(zipped(FILES, method)) == "archive-malformed"


def test_a_directory_is_measured_however_its_end_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytearray(zipped({str(n): b"" for n in range(200)}))
    assert refused(bytes(data), members=100) == "archive-members"
    monkeypatch.setattr("gateway.media.zipped._PIECE", 1000)
    at = data.rindex(b"PK\5\6")
    data[at + 4 : at + 8] = b"PK\5\6"  # the numbers of the disks; zipfile does not look at them
    monkeypatch.setattr(zipfile.ZipFile, "infolist", lambda _: pytest.fail("the entries were made before"))
    assert refused(bytes(data), members=100) == "archive-members"
    monkeypatch.setattr("gateway.media.zipped._DIRECTORY", 1000)
    assert refused(bytes(data), members=1000) == "archive-members"


def test_long_names_of_gnu_tar_are_counted_too() -> None:
    """A megabyte of a name, a hundred thousand times."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 20
    header = info.tobuf(tarfile.GNU_FORMAT)
    data = gzip.compress((header + bytes(1 << 20)) * 100 + bytes(1024), 9)
    assert refused(data) == "archive-too-large"


def test_lies_and_cut_ends_are_malformed() -> None:
    for data in (zipped(FILES), tarred(FILES), gzip.compress(tarred(FILES))):
        for cut in (600, len(data) // 2):
            assert refused(data[:cut]) == "archive-malformed"
    assert refused(zipped(FILES)[:-1]) == "archive-malformed"
    stored = bytearray(zipped({"a": b"x" * 1000}, zipfile.ZIP_STORED))
    stored[100] ^= 1
    assert refused(bytes(stored)) == "archive-malformed", "a wrong checksum"
    header = bytearray(tarred({"a": b"x"}, tarfile.USTAR_FORMAT))
    header[130] ^= 1
    assert refused(bytes(header)) == "archive-malformed"


def test_what_is_encrypted_or_sparse_is_told() -> None:
    data = bytearray(zipped({"a": b"x"}))
    at = data.index(b"PK\1\2")
    data[6] |= 1
    data[at + 8] |= 1
    assert refused(bytes(data)) == "archive-encrypted"


def test_a_dicom_file_is_no_archive_whatever_it_begins_with() -> None:
    for start in (b"PK\3\4", b"\x1f\x8b\x08", b"\0"):
        assert kind_of(start.ljust(128, b"\0") + b"DICM" + bytes(400)) == ""


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2), st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), min_size=1, max_size=12))
def test_mutated_archives_are_members_or_refused(which: int, changes: list[tuple[int, int]]) -> None:
    small = {"a": b"first" * 100, "b": b"second"}
    data = bytearray((zipped(small), tarred(small), gzip.compress(tarred(small)))[which])
    for at, value in changes:
        data[at % len(data)] = value
    if not kind_of(bytes(data[:512])):
        return
    try:
        read(bytes(data))
    except RefuseObject as error:
        assert error.reason.startswith("archive-")


def test_random_bytes_after_a_magic_are_refused() -> None:
    chance = random.Random(1)
    for magic in (b"PK\3\4", b"\x1f\x8b\x08\0", b"\0" * 257 + b"ustar"):
        for _ in range(100):
            assert refused(magic + chance.randbytes(chance.randrange(2000))).startswith("archive-")
