"""A medium is a complete, verified set under its name, or nothing: plain sets in every format."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import study
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless

from gateway.errors import GatewayError
from gateway.media import making, packing, staging
from gateway.media.errors import MediaError
from gateway.media.making import Made, Order, make
from gateway.media.medium import mounted
from gateway.media.members import FileMember, found
from gateway.media.opening import open_medium
from gateway.media.survey import survey
from gateway.media.volumes import Overhead, allotted
from profiles.media import load
from tests.unit.media.objects import files

ORDERS = {
    "folder": Order(load("STD-GEN-CD")),
    "usb": Order(load("STD-GEN-USB-JPEG"), index=True),
    "zip": Order(load("STD-GEN-ZIP-MAIL"), "zip"),
    "iso": Order(load("STD-GEN-CD"), "iso", "TRIAL_42"),
    "udf": Order(load("STD-GEN-DVD-JPEG"), "iso"),
}
SUFFIX = {"zip": ".zip", "iso": ".iso", "udf": ".iso"}


def made(tmp_path: Path, order: Order, count: int = 3, name: str = "out") -> tuple[Made, Path]:
    files(tmp_path / "in", count)
    out = tmp_path / (name + {"zip": ".zip", "iso": ".iso"}.get(order.format, ""))
    return make(found([tmp_path / "in"]), order, out), out


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != "in")


def refused(tmp_path: Path, order: Order, **more: object) -> str:
    """The reason; and nothing is there but the inputs."""
    before = left(tmp_path)
    with pytest.raises(GatewayError) as caught:
        made(tmp_path, order, **more)  # type: ignore[arg-type]
    assert left(tmp_path) == before
    return caught.value.reason


@pytest.mark.parametrize("kind", ORDERS)
def test_every_object_comes_back_byte_for_byte(tmp_path: Path, kind: str) -> None:
    told, out = made(tmp_path, ORDERS[kind])
    assert (told.volumes, told.objects) == (1, 5)
    report = open_medium(out, None, tmp_path / "back")
    assert (report.objects, report.unlisted, report.directory, report.problems) == (5, 0, "", [])
    for path in sorted((tmp_path / "in").iterdir()):
        data = dcmread(path)
        back = tmp_path / "back" / f"{data.SOPInstanceUID}.dcm"
        assert dcmread(back) == data
        assert back.read_bytes().endswith(path.read_bytes()[-1000:])


@pytest.mark.parametrize("kind", ORDERS)
def test_what_is_made_is_private_and_nothing_else_is_left(tmp_path: Path, kind: str) -> None:
    _, out = made(tmp_path, ORDERS[kind])
    assert left(tmp_path) == [out.name]
    assert out.stat().st_mode & 0o077 == 0


def test_no_name_and_no_page_says_who_it_is_but_the_index_that_was_asked_for(tmp_path: Path) -> None:
    _, out = made(tmp_path, ORDERS["usb"])
    for path in out.rglob("*"):
        assert not any(word in str(path.relative_to(out)) for word in study.IDENTITIES)
    readme = (out / "README.TXT").read_bytes()
    assert b"5 objects" in readme and not any(word.encode() in readme for word in study.IDENTITIES)
    index = (out / "INDEX.HTM").read_text()
    assert "Mustermann" in index and 'href="DICOM/ST000001/S0000001/I0000001"' in index


def test_markup_in_a_name_is_text_on_the_index_page(tmp_path: Path) -> None:
    def hostile(data: Dataset) -> None:
        data.PatientName = '<script>alert("x")</script>'
        data.SeriesDescription = "a & b"

    files(tmp_path / "in", 1, hostile)
    make(found([tmp_path / "in"]), ORDERS["usb"], tmp_path / "out")
    index = (tmp_path / "out" / "INDEX.HTM").read_text()
    assert "<script" not in index and "&lt;script&gt;" in index and "a &amp; b" in index


def test_implicit_becomes_explicit_and_the_same_object_counts_once(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    study.write(study.mr(1), tmp_path / "in" / "a.dcm")
    study.write(study.mr(1), tmp_path / "in" / "b.dcm")
    told = make(found([tmp_path / "in"]), ORDERS["folder"], tmp_path / "out")
    assert (told.objects, told.repeated) == (1, 1)
    (path,) = (tmp_path / "out" / "DICOM").rglob("I*")
    assert dcmread(path).file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert dcmread(path).PixelData == study.mr(1).PixelData


def test_two_objects_of_one_uid_are_refused(tmp_path: Path) -> None:
    files(tmp_path / "in", 1)
    other = study.ct(42, 1, 16)
    other.PatientComments = "changed"
    study.write(other, tmp_path / "in" / "other.dcm")
    with pytest.raises(MediaError, match="media-instance-twice"):
        make(found([tmp_path / "in"]), ORDERS["folder"], tmp_path / "out")
    assert left(tmp_path) == []


def test_all_problems_are_told_at_once_by_number(tmp_path: Path) -> None:
    def compressed(data: Dataset) -> None:
        if data.Modality == "CT":
            data.file_meta.TransferSyntaxUID = JPEG2000Lossless
            data.PixelData = encapsulate([b"pixels"])
            data["PixelData"].VR, data["PixelData"].is_undefined_length = "OB", True

    files(tmp_path / "in", 2, compressed)
    with pytest.raises(MediaError) as caught:
        make(found([tmp_path / "in"]), ORDERS["folder"], tmp_path / "out")
    text = str(caught.value)
    assert "input 1: " in text and "input 2: " in text and "STD-GEN-USB-J2K" in text
    assert not any(word in text for word in (*study.IDENTITIES, str(tmp_path)))


def test_a_class_that_is_no_storage_class_is_refused(tmp_path: Path) -> None:
    def private(data: Dataset) -> None:
        data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.3.4"

    files(tmp_path / "in", 1, private)
    with pytest.raises(MediaError, match=r"SOP class 1\.2\.3\.4 is not one of"):
        make(found([tmp_path / "in"]), ORDERS["folder"], tmp_path / "out")
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (Order(load("STD-GEN-SEC-CD")), "media-profile"),
        (Order(load("STD-GEN-USB-J2K"), "iso"), "media-profile"),
        (Order(load("STD-GEN-CD"), "zip"), "media-profile"),
        (replace(ORDERS["folder"], label="lower case"), "media-profile"),
        (replace(ORDERS["folder"], label=""), "media-profile"),
        (replace(ORDERS["folder"], capacity=1 << 10), "media-too-large"),
        (Order(load("STD-DTL-SEC-ZIP-MAIL")), "media-profile"),
    ],
)
def test_an_order_that_cannot_be_is_refused(tmp_path: Path, order: Order, reason: str) -> None:
    assert refused(tmp_path, order) == reason


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious").write_text("mine")
    assert refused(tmp_path, ORDERS["folder"]) == "media-output-exists"
    (tmp_path / "out.iso").write_text("mine")
    assert refused(tmp_path, ORDERS["iso"]) == "media-output-exists"
    assert (tmp_path / "out.iso").read_text() == "mine"


def test_a_name_that_appears_meanwhile_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*arguments: object, **more: object) -> None:
        (tmp_path / "out.iso").write_text("mine")
        reconcile(*arguments, **more)  # type: ignore[arg-type]

    reconcile = making.reconcile
    monkeypatch.setattr(making, "reconcile", late)
    with pytest.raises(MediaError, match="media-output-exists"):
        made(tmp_path, ORDERS["iso"])
    assert (tmp_path / "out.iso").read_text() == "mine" and left(tmp_path) == ["out.iso"]


def test_what_a_killed_maker_left_is_swept(tmp_path: Path) -> None:
    old = tmp_path / ".out.12345678.partial"
    (old / "set").mkdir(parents=True)
    made(tmp_path, ORDERS["folder"])
    assert left(tmp_path) == ["out"]


@pytest.mark.parametrize("kind", ["folder", "zip", "iso"])
def test_more_than_a_medium_holds_becomes_volumes(tmp_path: Path, kind: str) -> None:
    order = replace(ORDERS[kind], capacity=(1 << 20) + 40_000)
    files(tmp_path / "in", 8)
    told = make(found([tmp_path / "in"]), order, tmp_path / "out")
    assert told.volumes > 1
    volumes = sorted((tmp_path / "out").iterdir())
    assert len(volumes) == told.volumes
    counts = [open_medium(volume, None, None).objects for volume in volumes]
    assert sum(counts) == 10 and all(counts)
    for volume in volumes:
        assert volume.is_dir() or volume.stat().st_size <= order.capacity


def test_several_volumes_are_no_single_file(tmp_path: Path) -> None:
    order = replace(ORDERS["iso"], capacity=(1 << 20) + 20_000)
    with pytest.raises(MediaError, match="--format iso"):
        made(tmp_path, order, 8)
    assert left(tmp_path) == []


Spoil = Callable[[Path], None]


def longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def other(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)


@pytest.mark.parametrize("spoil", [longer, other, Path.unlink, lambda p: (p.parent / "EXTRA").write_bytes(b"x")])
def test_a_set_that_is_not_what_was_written_is_never_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Spoil
) -> None:
    """A file changed, missing or extra on the disk when it is read again."""

    def spoilt(place: Path) -> None:
        spoil(place / "DICOM" / "ST000001" / "S0000001" / "I0000001")

    monkeypatch.setattr(making, "synced", spoilt)
    assert refused(tmp_path, ORDERS["folder"]) == "media-not-reconciled"


@pytest.mark.parametrize("kind", ["zip", "iso"])
def test_a_packer_that_loses_a_file_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    everything = packing.staged
    monkeypatch.setattr(packing, "staged", lambda folder: list(everything(folder))[:-2])
    assert refused(tmp_path, ORDERS[kind]) == "media-not-reconciled"


def test_an_object_that_gets_lost_on_the_way_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = making.allotted
    monkeypatch.setattr(making, "allotted", lambda *of: [everything(*of)[0][:-1]])
    assert refused(tmp_path, ORDERS["folder"]) == "media-not-reconciled"


def test_a_file_that_its_envelope_makes_too_long_is_refused_before(tmp_path: Path) -> None:
    profile = load("STD-GEN-USB-J2K")
    (member,) = survey(found(files(tmp_path / "in", 1)[:1]), profile, lambda _: None).members
    medium = replace(profile.medium, longest_file=member.size + 10)
    assert allotted([member], 0, Overhead(), medium) == [[member]]
    with pytest.raises(MediaError, match="too long for USB"):
        allotted([member], 0, Overhead(4096), medium)


def test_a_directory_that_does_not_fit_its_files_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transforms.media import dicomdir

    whole = dicomdir.written
    monkeypatch.setattr(dicomdir, "written", lambda roots, *rest: whole([], *rest))
    assert refused(tmp_path, ORDERS["folder"]) == "media-not-reconciled"


def test_an_input_that_changes_meanwhile_stops_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    allotted = making.allotted

    def meddled(*arguments: object) -> object:
        path = tmp_path / "in" / "0001.dcm"
        data = dcmread(path)
        data.InstanceNumber = 77
        data.save_as(path)
        return allotted(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(making, "allotted", meddled)
    assert refused(tmp_path, ORDERS["folder"]) == "media-input-changed"


@pytest.mark.parametrize("call", range(1, 9))
def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    """ENOSPC at each of the writes of a set: five objects, the DICOMDIR, the page; the eighth is not reached."""
    count = 0
    write = staging.Hashing.write

    def full(self: staging.Hashing, data: bytes) -> int:
        nonlocal count
        count += 1
        if count == call:
            raise OSError(28, "No space left on device")
        return write(self, data)

    monkeypatch.setattr(staging.Hashing, "write", full)
    if call == 8:
        made(tmp_path, ORDERS["folder"])
    else:
        assert refused(tmp_path, ORDERS["folder"]) == "media-disk-full"


def test_too_little_room_is_told_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = os.statvfs(tmp_path)
    monkeypatch.setattr(os, "statvfs", lambda _: few)
    monkeypatch.setattr(making, "total", lambda *_: few.f_bavail * few.f_frsize + 1)
    assert refused(tmp_path, ORDERS["folder"]) == "media-disk-full"


def test_the_archive_has_constant_times_and_dicomdir_at_its_root(tmp_path: Path) -> None:
    _, out = made(tmp_path, ORDERS["zip"])
    with zipfile.ZipFile(out) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert "DICOMDIR" in archive.namelist()


def test_a_folder_without_objects_and_a_missing_one_are_told(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("nothing")
    for place in (tmp_path / "in", tmp_path / "nowhere"):
        with pytest.raises(MediaError, match="media-input"):
            found([place])


def test_a_named_file_that_is_no_dicom_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.dcm").write_text("nothing" * 100)
    with pytest.raises(MediaError, match="input 1"):
        make([FileMember(tmp_path / "x.dcm", 1)], ORDERS["folder"], tmp_path / "out")


def test_a_dicomdir_among_the_inputs_is_left_out(tmp_path: Path) -> None:
    _, out = made(tmp_path, ORDERS["folder"])
    again = make(found([out]), ORDERS["folder"], tmp_path / "again")
    assert again.objects == 5


def test_progress_goes_through_its_stages(tmp_path: Path) -> None:
    files(tmp_path / "in", 2)
    seen: list[str] = []
    make(found([tmp_path / "in"]), ORDERS["iso"], tmp_path / "out.iso", lambda stage, done, of: seen.append(stage))
    assert list(dict.fromkeys(seen)) == ["check", "write", "pack", "verify"]


def test_labels_of_volumes_are_told_apart(tmp_path: Path) -> None:
    order = replace(ORDERS["folder"], capacity=(1 << 20) + 40_000, label="A" * 16)
    files(tmp_path / "in", 8)
    make(found([tmp_path / "in"]), order, tmp_path / "out")
    labels = [dcmread(each / "DICOMDIR").FileSetID for each in sorted((tmp_path / "out").iterdir())]
    assert labels == ["A" * 14 + f"_{number}" for number in range(1, len(labels) + 1)]
    with mounted(tmp_path / "out" / "VOLUME1") as medium:
        assert ("DICOMDIR",) in [listed.path for listed in medium.files()]
