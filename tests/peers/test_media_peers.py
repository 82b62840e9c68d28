"""Outside judges of media: dciodvfy, dcmtk, pydicom's FileSet, openssl, xorriso, isoinfo; each is fed a bad twin."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import study
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.fileset import FileSet
from pydicom.sequence import Sequence

from gateway.errors import GatewayError
from gateway.media.making import Order, make
from gateway.media.members import FileMember, found
from gateway.media.opening import open_medium
from gateway.media.secure import protection
from gateway.media.survey import look
from profiles.media import load
from tests.unit.media.objects import ARC, files, of
from tests.unit.security.pki import Pki
from transforms.errors import TransformError

pytestmark = pytest.mark.peers
Program = Callable[[str], str]
FIRST = Path("DICOM") / "ST000001" / "S0000001" / "I0000001"


def kinds() -> list[Dataset]:
    """One object of many kinds of directory record, as full as a record needs."""
    named = {"ContentLabel": "LABEL", "ContentDescription": "", "ContentCreatorName": "Maker^M"}
    created = {"PresentationCreationDate": "20260815", "PresentationCreationTime": "101500"}
    title = Sequence([study.code("121144", "DCM", "Document Title")])
    spectrum = {"ImageType": ["ORIGINAL", "PRIMARY", "SPECTROSCOPY", "NONE"], "NumberOfFrames": 1, "Rows": 1}
    images = Sequence([study.reference(study.ct(42, 1, 16))])
    spectrum |= {"Columns": 1, "DataPointRows": 1, "DataPointColumns": 1, "ReferencedImageEvidenceSequence": images}
    series = study.fill(Dataset(), ReferencedImageSequence=images, SeriesInstanceUID=study.uid(42, "series", 1))
    shown = {"ReferencedSeriesSequence": Sequence([series])}
    made = [
        of(ARC + "481.2", Modality="RTDOSE", DoseSummationType="PLAN"),
        of(ARC + "481.3", Modality="RTSTRUCT", StructureSetLabel="S", StructureSetDate="", StructureSetTime=""),
        of(ARC + "481.5", Modality="RTPLAN", RTPlanLabel="P", RTPlanDate="", RTPlanTime=""),
        of(ARC + "481.4", Modality="RTRECORD", TreatmentDate="", TreatmentTime=""),
        of(ARC + "11.1", Modality="PR", **named, **created, **shown),
        of(ARC + "9.1.1", Modality="ECG"),
        of(ARC + "4.2", Modality="MR", **spectrum),
        of(ARC + "66", Modality="MR"),
        of(ARC + "66.1", Modality="REG", **named),
        of(ARC + "66.2", Modality="FID", **named),
        of(ARC + "67", Modality="RWV", **named),
        of(
            ARC + "104.1",
            Modality="DOC",
            MIMETypeOfEncapsulatedDocument="text/xml",
            ConceptNameCodeSequence=title,
        ),
        of(ARC + "66.5", Modality="SEG", **named),
        of(ARC + "66.4", Modality="SEG", ImageType=["DERIVED", "PRIMARY"], Rows=1, Columns=1),
        of(ARC + "78.1", Modality="LEN", **named),
    ]
    for number, data in enumerate(made, 1):
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = study.uid(9, "kind", number)
        data.SeriesInstanceUID = study.uid(9, "series of a kind", number)
    return made


@pytest.fixture(scope="module")
def disc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A File-set with one record of each kind."""
    folder = tmp_path_factory.mktemp("disc")
    files(folder / "in", 3)
    for number, data in enumerate(kinds()):
        study.write(data, folder / "in" / f"kind{number:02d}.dcm")
    made = make(found([folder / "in"]), Order(load("STD-GEN-CD")), folder / "disc")
    assert made.objects == 20
    return folder / "disc"


def errors(program: Program, path: Path) -> list[str]:
    done = subprocess.run([program("dciodvfy"), "-new", str(path)], capture_output=True, text=True, timeout=120)
    return [line for line in (done.stdout + done.stderr).splitlines() if line.startswith(("Error", "Abort"))]


def test_dciodvfy_takes_the_dicomdir_and_refuses_one_without_a_key(
    disc: Path, program: Program, tmp_path: Path
) -> None:
    assert errors(program, disc / "DICOMDIR") == []
    twin = dcmread(disc / "DICOMDIR")
    del twin.DirectoryRecordSequence[0].PatientID
    twin.save_as(tmp_path / "DICOMDIR")
    assert any("PatientID" in line for line in errors(program, tmp_path / "DICOMDIR"))


def test_dcmtk_reads_every_record_and_refuses_a_broken_one(disc: Path, program: Program, tmp_path: Path) -> None:
    done = subprocess.run([program("dcmdump"), str(disc / "DICOMDIR")], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout.count("ReferencedFileID") == 20
    done = subprocess.run([program("dcdirdmp"), str(disc / "DICOMDIR")], capture_output=True, text=True, timeout=60)
    assert (done.stdout + done.stderr).count("->") == 20
    broken = tmp_path / "DICOMDIR"
    broken.write_bytes((disc / "DICOMDIR").read_bytes()[:-50])
    assert subprocess.run([program("dcmdump"), str(broken)], capture_output=True, timeout=60).returncode != 0


def test_dcmtk_makes_the_same_tree_of_the_same_files(disc: Path, program: Program, tmp_path: Path) -> None:
    """dcmmkdir over our files: the same record types refer to the same files."""
    copy = tmp_path / "copy"
    shutil.copytree(disc, copy)
    (copy / "DICOMDIR").unlink()
    names = ["/".join(path.relative_to(copy).parts) for path in sorted((copy / "DICOM").rglob("I*"))]
    command = [program("dcmmkdir"), "+I", *names]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr

    def leaves(path: Path) -> set[tuple[str, ...]]:
        records = dcmread(path).DirectoryRecordSequence
        return {(r.DirectoryRecordType, *r.ReferencedFileID) for r in records if "ReferencedFileID" in r}

    theirs, ours = leaves(copy / "DICOMDIR"), leaves(disc / "DICOMDIR")
    assert theirs <= ours and len(theirs) >= 15, "it drops what it does not know, and says 0 all the same"


def test_pydicom_finds_every_file_and_notices_a_missing_one(disc: Path, tmp_path: Path) -> None:
    found_ = FileSet(disc / "DICOMDIR")
    assert len(found_) == 20 and all(Path(each.path).is_file() for each in found_)
    copy = tmp_path / "copy"
    shutil.copytree(disc, copy)
    (copy / FIRST).unlink()
    with pytest.warns(UserWarning):
        assert len(FileSet(copy / "DICOMDIR")) == 19
    with pytest.raises(GatewayError, match="is missing"):
        open_medium(copy, None, None)


def test_what_dcmmkdir_made_is_read(disc: Path, program: Program, tmp_path: Path) -> None:
    files(tmp_path / "theirs", 3)
    for path in sorted((tmp_path / "theirs").iterdir()):
        path.rename(path.with_name(path.stem))
    names = sorted(path.name for path in (tmp_path / "theirs").iterdir())
    done = subprocess.run([program("dcmmkdir"), *names], cwd=tmp_path / "theirs", capture_output=True, timeout=60)
    assert done.returncode == 0
    report = open_medium(tmp_path / "theirs", None, tmp_path / "back")
    assert (report.objects, report.directory, report.unlisted) == (5, "", 0)


def test_corpus_objects_have_records_that_dciodvfy_takes(
    corpus_files: list[Path], program: Program, tmp_path: Path
) -> None:
    """Every real object that a profile takes: no error beyond those of values that the objects themselves have."""
    profile = load("STD-GEN-ZIP-MAIL")
    taken: list[FileMember] = []
    seen: set[str] = set()
    for path in corpus_files:
        if path.stat().st_size > 4 << 20 or path.name == "DICOMDIR":
            continue
        member = FileMember(path, len(taken) + 1)
        try:
            described = look(member, profile).described
        except (TransformError, GatewayError):
            continue
        if described.sop_instance in seen or described.study in seen:
            continue
        seen |= {described.sop_instance, described.study}
        taken.append(member)
    assert len(taken) > 50
    make(taken, Order(profile), tmp_path / "set")
    told = errors(program, tmp_path / "set" / "DICOMDIR")
    assert [line for line in told if "Value invalid for this VR" not in line and "Illegal root" not in line] == []
    assert open_medium(tmp_path / "set", None, None).objects == len(taken)


def test_xorriso_and_isoinfo_read_the_image(disc: Path, program: Program, tmp_path: Path) -> None:
    image = tmp_path / "disc.iso"
    make(found([disc.parent / "in"]), Order(load("STD-GEN-CD"), "iso", "TRIAL42"), image)
    shown = subprocess.run([program("isoinfo"), "-d", "-i", str(image)], capture_output=True, text=True, timeout=60)
    assert "Volume id: TRIAL42" in shown.stdout
    command = [program("xorriso"), "-osirrox", "on", "-indev", str(image), "-extract", "/", str(tmp_path / "x")]
    assert subprocess.run(command, capture_output=True, timeout=60).returncode == 0
    for path in (each for each in disc.rglob("I*") if each.is_file()):
        assert (tmp_path / "x" / path.relative_to(disc)).read_bytes() == path.read_bytes()
    assert len(FileSet(tmp_path / "x" / "DICOMDIR")) == 20
    raw = image.read_bytes()
    (tmp_path / "cut.iso").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(GatewayError):
        open_medium(tmp_path / "cut.iso", None, None)


def test_an_image_of_xorriso_is_read(disc: Path, program: Program, tmp_path: Path) -> None:
    image = tmp_path / "theirs.iso"
    command = [program("xorriso"), "-as", "mkisofs", "-o", str(image), "-J", "-r", str(disc)]
    assert subprocess.run(command, capture_output=True, timeout=60).returncode == 0
    report = open_medium(image, None, tmp_path / "back")
    assert (report.objects, report.directory) == (20, "")


def test_udf_is_there_beside_iso_9660(disc: Path, program: Program, tmp_path: Path) -> None:
    make(found([disc.parent / "in"]), Order(load("STD-GEN-DVD-J2K"), "iso", "TRIAL42"), tmp_path / "dvd.iso")
    shown = subprocess.run([program("udfinfo"), str(tmp_path / "dvd.iso")], capture_output=True, text=True, timeout=60)
    assert "label=TRIAL42" in shown.stdout and "udfrev=1.02" in shown.stdout
    make(found([disc.parent / "in"]), Order(load("STD-GEN-CD"), "iso"), tmp_path / "cd.iso")
    plain = subprocess.run([program("udfinfo"), str(tmp_path / "cd.iso")], capture_output=True, text=True, timeout=60)
    assert "udfrev" not in plain.stdout


def test_openssl_opens_the_files_of_a_secure_set(disc: Path, program: Program, tmp_path: Path) -> None:
    """The outer envelope, then the SignedData in it, for which openssl wants a ContentInfo around."""
    pki = Pki(tmp_path)
    reader = pki.issue("reader", pki.ca, kind="rsa2048", eku=(), usage=("key_encipherment",)).pair
    signer = pki.issue("signer", pki.ca, kind="rsa2048", eku=("email",), usage=("digital_signature",)).pair
    order = Order(
        load("STD-GEN-SEC-CD"), protection=protection([reader.certificate], None, signer.certificate, signer.key)
    )
    make(found([disc.parent / "in"]), order, tmp_path / "set")
    openssl = program("openssl")
    for path in (tmp_path / "set" / "DICOMDIR", tmp_path / "set" / FIRST):
        keys = ["-recip", str(reader.certificate), "-inkey", str(reader.key)]
        command = [openssl, "cms", "-decrypt", "-binary", "-inform", "DER", "-in", str(path), *keys]
        inner = subprocess.run(command, capture_output=True, timeout=60)
        assert inner.returncode == 0, inner.stderr
        (tmp_path / "inner").write_bytes(signed_data(inner.stdout))
        command = [openssl, "cms", "-verify", "-binary", "-inform", "DER", "-in", str(tmp_path / "inner")]
        done = subprocess.run([*command, "-CAfile", str(pki.ca_file)], capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert done.stdout[128:132] == b"DICM"
        wrong = subprocess.run([*command, "-CAfile", str(pki.other.pair.certificate)], capture_output=True, timeout=60)
        assert wrong.returncode != 0


def signed_data(content: bytes) -> bytes:
    """A ContentInfo around a SignedData (RFC 5652 section 3)."""

    def value(tag: int, body: bytes) -> bytes:
        size = len(body).to_bytes(4, "big")
        return bytes([tag, 0x84]) + size + body

    return value(0x30, bytes.fromhex("06092a864886f70d010702") + value(0xA0, content))
