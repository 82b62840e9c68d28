"""Media of strangers: what is right comes out whole; what is wrong is told, and nothing half-made is left."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

import pytest
import study
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread

from gateway.errors import GatewayError
from gateway.media import medium as media
from gateway.media import zipped
from gateway.media.errors import MediaError
from gateway.media.listing import contents
from gateway.media.making import Order, make
from gateway.media.medium import mounted
from gateway.media.members import found
from gateway.media.opening import Report, open_medium
from profiles.media import load
from tests.unit.media.objects import files
from transforms.errors import TransformError
from transforms.media import dicomdir

FIRST = Path("DICOM") / "ST000001" / "S0000001" / "I0000001"


@pytest.fixture
def disc(tmp_path: Path) -> Path:
    """A File-set in a folder, with three images, a report and a key object."""
    files(tmp_path / "in")
    make(found([tmp_path / "in"]), Order(load("STD-GEN-CD")), tmp_path / "disc")
    return tmp_path / "disc"


def opened(disc: Path, *, salvage: bool = False) -> Report:
    out = disc.parent / "back"
    report = open_medium(disc, None, out, salvage=salvage)
    assert len(list(out.iterdir())) == report.objects
    return report


def refused(disc: Path) -> MediaError:
    out = disc.parent / "back"
    with pytest.raises(MediaError) as caught:
        open_medium(disc, None, out)
    assert not out.exists() and not list(disc.parent.glob(".back*"))
    text = str(caught.value)
    assert not any(word in text for word in study.IDENTITIES)
    return caught.value


def changed(disc: Path, before: bytes, after: bytes) -> None:
    path = disc / "DICOMDIR"
    raw = path.read_bytes()
    assert before in raw and len(before) == len(after)
    path.write_bytes(raw.replace(before, after))


def test_a_missing_file_stops_it_and_is_named(disc: Path) -> None:
    (disc / FIRST).unlink()
    error = refused(disc)
    assert error.reason == "media-incomplete"
    assert "DICOM\\ST000001\\S0000001\\I0000001: a file that the DICOMDIR refers to is missing" in error.detail


def test_salvage_takes_the_rest_and_tells(disc: Path) -> None:
    (disc / FIRST).unlink()
    report = opened(disc, salvage=True)
    assert report.objects == 4 and len(report.problems) == 1


def test_a_truncated_object_stops_it(disc: Path) -> None:
    path = disc / FIRST
    path.write_bytes(path.read_bytes()[:-7])
    assert "length-overrun" in refused(disc).detail


def test_another_object_than_listed_stops_it(disc: Path) -> None:
    shutil.copy(disc / FIRST.with_name("I0000002"), disc / FIRST)
    assert "media-not-as-listed" in refused(disc).detail


def test_an_object_that_the_directory_does_not_list_is_taken_and_counted(disc: Path) -> None:
    study.write(study.mr(1), disc / "EXTRA")
    report = opened(disc)
    assert (report.objects, report.unlisted) == (6, 1)


@pytest.mark.parametrize("harm", ["missing", "truncated", "garbage", "another"])
def test_a_broken_directory_means_every_file_is_looked_at_and_that_is_said(disc: Path, harm: str) -> None:
    path = disc / "DICOMDIR"
    raw = path.read_bytes()
    harmed = {"truncated": raw[:-40], "garbage": b"\0" * 500, "another": (disc / FIRST).read_bytes()}
    path.unlink()
    if harm != "missing":
        path.write_bytes(harmed[harm])
    report = opened(disc)
    assert report.objects == 5 and report.unlisted == 0
    assert "every file was looked at" in report.directory


def test_an_empty_directory_is_believed_and_what_it_leaves_out_is_told(disc: Path) -> None:
    (disc / "DICOMDIR").write_bytes(b"".join(dicomdir.written([], "2.25.1")))
    report = opened(disc)
    assert (report.objects, report.unlisted, report.directory) == (5, 5, "")


def test_names_in_lower_case_with_versions_are_found(disc: Path) -> None:
    """As some systems show an ISO 9660 disc."""
    mounted_ = disc.parent / "mounted"
    for path in disc.rglob("*"):
        if path.is_file():
            parts = [part.lower() for part in path.relative_to(disc).parts]
            target = mounted_.joinpath(*parts[:-1], f"{parts[-1]}.;1")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    report = opened(mounted_)
    assert (report.objects, report.directory, report.unlisted) == (5, "", 0)


@pytest.mark.parametrize("into", [b"..\\..\\etc\\passwd\\AAAAAAAAAAAAAAA", b"/etc\\passwd\\AAAAAAAA\\AAAAAAAAAAA"])
def test_a_file_id_that_leads_out_ends_it(disc: Path, into: bytes) -> None:
    name = b"DICOM\\ST000001\\S0000001\\I0000001"
    changed(disc, name, into[: len(name)])
    assert refused(disc).reason == "media-path"
    with pytest.raises(MediaError):
        open_medium(disc, None, disc.parent / "back", salvage=True)


def test_a_file_listed_twice_is_no_directory(disc: Path) -> None:
    changed(disc, b"S0000001\\I0000002", b"S0000001\\I0000001")
    assert "twice" in opened(disc).directory


def test_links_are_not_followed(disc: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.dcm"
    shutil.copy(disc / FIRST, secret)
    (disc / FIRST).unlink()
    (disc / FIRST).symlink_to(secret)
    assert refused(disc).reason == "media-incomplete"
    (disc / FIRST).unlink()
    shutil.move(disc / "DICOM", tmp_path / "elsewhere")
    (disc / "DICOM").symlink_to(tmp_path / "elsewhere")
    assert refused(disc).reason == "media-incomplete"


@pytest.mark.parametrize("path", [("..", "x"), ("DICOM", ".."), ("a/b",), ("",), ("a\0b",)])
def test_a_folder_gives_nothing_outside_itself(disc: Path, path: tuple[str, ...]) -> None:
    with mounted(disc) as medium, pytest.raises(MediaError), medium.open(path):
        pytest.fail("it was opened")


def test_pipes_and_folders_are_no_files(disc: Path) -> None:
    os.mkfifo(disc / "PIPE")
    with mounted(disc) as medium:
        assert ("PIPE",) not in [listed.path for listed in medium.files()]
        for name in ("PIPE", "DICOM"):
            with pytest.raises(MediaError), medium.open((name,)):
                pytest.fail("it was opened")


def test_two_names_that_differ_in_case_end_it(disc: Path) -> None:
    shutil.copy(disc / "DICOMDIR", disc / "dicomdir")
    assert refused(disc).reason == "media-path"


def test_a_drive_that_cannot_read_is_told(disc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pread = os.pread

    def scratched(descriptor: int, length: int, offset: int) -> bytes:
        if Path(f"/proc/self/fd/{descriptor}").readlink().name == "I0000002":
            raise OSError(5, "Input/output error")
        return pread(descriptor, length, offset)

    monkeypatch.setattr(os, "pread", scratched)
    assert "media-unreadable: the medium cannot be read" in refused(disc).detail
    assert opened(disc, salvage=True).objects == 4


def test_verify_releases_nothing(disc: Path) -> None:
    before = sorted(disc.parent.iterdir())
    assert open_medium(disc, None, None).objects == 5
    assert sorted(disc.parent.iterdir()) == before


def test_what_is_no_medium_is_told(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"no medium" * 9000)
    for place, reason in ((tmp_path / "x", "media-format"), (tmp_path / "y", "media-unreadable")):
        with pytest.raises(MediaError) as caught:
            open_medium(place, None, None)
        assert caught.value.reason == reason
    (tmp_path / "empty").mkdir()
    assert refused(tmp_path / "empty").reason == "media-empty"


def test_listing_tells_records_and_no_patient(disc: Path) -> None:
    records = contents(disc, None).records
    assert [each.type for each in records[:4]] == ["PATIENT", "STUDY", "SERIES", "IMAGE"]
    assert not any(word in repr(records) for word in study.IDENTITIES)
    (disc / "DICOMDIR").unlink()
    with pytest.raises(MediaError, match="media-directory"):
        contents(disc, None)


def archive(tmp_path: Path, *members: tuple[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> Path:
    path = tmp_path / "medium.zip"
    with zipfile.ZipFile(path, "w", how) as out:
        for name, data in members:
            out.writestr(name, data)
    return path


@pytest.mark.parametrize("name", ["../up", "/etc/passwd", "a/../../b", "c:\\x", "a\\b", "a//b"])
def test_an_archive_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "medium.zip"
    info = zipfile.ZipInfo("x" * len(name))
    with zipfile.ZipFile(path, "w") as out:
        out.writestr(info, b"x")
    path.write_bytes(path.read_bytes().replace(b"x" * len(name), name.encode()))
    assert refused(path).reason == "media-path"


def test_a_bomb_is_refused_by_what_it_says_and_by_what_it_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = archive(tmp_path, ("DICOMDIR", b"\0" * (20 << 20)))
    assert refused(bomb).reason == "media-bomb"
    raw = bomb.read_bytes()
    size = (20 << 20).to_bytes(4, "little")
    bomb.write_bytes(raw.replace(size, (5 << 20).to_bytes(4, "little")))  # it lies
    assert refused(bomb).reason in ("media-bomb", "media-unreadable")
    monkeypatch.setattr(zipped, "_MOST", 1 << 10)
    assert refused(archive(tmp_path, ("A", b"\1" * 2000))).reason == "media-bomb"


def test_a_damaged_or_encrypted_archive_is_told(tmp_path: Path) -> None:
    path = archive(tmp_path, ("DICOMDIR", bytes(range(256)) * 40), how=zipfile.ZIP_STORED)
    raw = path.read_bytes()
    path.write_bytes(raw.replace(bytes(range(250)), bytes(250), 1))
    assert refused(path).reason == "media-unreadable"
    flagged = bytearray(raw)
    flagged[raw.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(flagged)
    assert refused(path).reason == "media-format"


def test_a_link_in_an_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "medium.zip"
    info = zipfile.ZipInfo("LINK")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "w") as out:
        out.writestr(info, b"/etc/passwd")
    assert refused(path).reason == "media-path"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A small ISO image and a ZIP archive of one image."""
    folder = tmp_path_factory.mktemp("images")
    files(folder / "in", 1)
    for name, profile, kind in (("disc.iso", "STD-GEN-CD", "iso"), ("disc.zip", "STD-GEN-ZIP-MAIL", "zip")):
        make(found([folder / "in" / "0000.dcm"]), Order(load(profile), kind), folder / name)  # type: ignore[arg-type]
    return {kind: (folder / f"disc.{kind}").read_bytes() for kind in ("iso", "zip")}


@pytest.mark.parametrize("kind", ["iso", "zip"])
@given(data=st.data())
@settings(max_examples=60)
def test_a_damaged_image_gives_its_object_or_a_reason(
    images: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    """Never another exception, and never an object that is not the one that was there."""
    raw = bytearray(images[kind])
    start = 32768 if kind == "iso" else 0
    for at in data.draw(st.lists(st.integers(start, min(len(raw), start + 30_000) - 1), min_size=1, max_size=8)):
        raw[at] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.one_of(st.none(), st.integers(0, len(raw))))
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "medium").write_bytes(raw[:cut])
    try:
        report = open_medium(folder / "medium", None, folder / "out")
    except (GatewayError, TransformError):
        assert not (folder / "out").exists()
    else:
        assert report.objects <= 1
    shutil.rmtree(folder)


def test_directories_of_an_image_that_lead_back_are_refused(images: dict[str, bytes], tmp_path: Path) -> None:
    raw = bytearray(images["iso"])
    root = int.from_bytes(raw[16 * 2048 + 158 : 16 * 2048 + 162], "little") * 2048
    at = root
    while raw[at : at + 1] and raw[at + 33 : at + 38] != b"DICOM":
        at += raw[at]
    raw[at + 2 : at + 6] = (root // 2048).to_bytes(4, "little")  # DICOM is the root itself
    (tmp_path / "loop.iso").write_bytes(raw)
    assert refused(tmp_path / "loop.iso").reason == "media-format"


def test_too_many_files_are_too_many(disc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "MOST_FILES", 3)
    assert refused(disc).reason == "media-format"


def test_what_is_read_back_is_what_pydicom_reads(disc: Path) -> None:
    opened(disc)
    for path in (disc.parent / "back").iterdir():
        assert dcmread(path).SOPInstanceUID == path.stem
