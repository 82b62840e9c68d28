"""dcmtk's dcmsign accepts our signatures, profile by profile, and we accept its; both refuse what was changed.

Its exit status: 0 good, 100 unsigned, 101 not valid, 102 a required signature is missing.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.security.signatures.judging import Judgement, State, Trust, judge
from gateway.security.signatures.making import Wish, sign
from gateway.security.signed import Signer
from tests.unit.security.pki import Issued, Pki
from transforms.dataset import framing, part10, values
from transforms.errors import TransformError
from transforms.source import BytesSource, chunks

pytestmark = pytest.mark.peers
# What pydicom brings: native and compressed, all VRs, several frames, sequences, private attributes
FILES = (
    "CT_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm", "JPEG2000.dcm", "JPEG-lossy.dcm",
    "SC_rgb_rle_16bit.dcm", "liver_1frame.dcm", "rtplan.dcm", "rtdose.dcm", "reportsi.dcm", "test-SR.dcm",
    "image_dfl.dcm", "ExplVR_LitEndNoMeta.dcm", "waveform_ecg.dcm", "nested_priv_SQ.dcm", "examples_palette.dcm",
    "SC_rgb_jpeg_dcmtk.dcm", "693_J2KI.dcm",
)  # fmt: skip
FLAGS = {"base": ("+rg", "+pb"), "creator": ("+rc", "+pc"), "authorization": ("+ru", "+pa"), "sr": ("+rs", "+pr")}


class Dcmsign:
    """The command, a PKI, and a folder to work in."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self.folder = program, folder
        self.pki = Pki(folder)
        self.signer = self.pki.issue(
            "signer", self.pki.ca, kind="rsa2048", eku=("email",), usage=("digital_signature",)
        )

    def run(self, *arguments: object) -> int:
        command = [self._program, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode

    def verify(self, file: Path, profile: str, ca: Issued | None = None) -> int:
        anchor = (ca or self.pki.ca).pair.certificate
        return self.run("--verify", FLAGS[profile][0], "+cf", anchor, file)

    def sign(self, file: Path, profile: str, *more: str) -> Path | None:
        """Signed by dcmsign; None where it cannot."""
        out = self.folder / "theirs.dcm"
        pair = self.signer.pair
        return out if self.run("+s", pair.key, pair.certificate, FLAGS[profile][1], *more, file, out) == 0 else None


@pytest.fixture(scope="module")
def dcmsign(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Dcmsign:
    return Dcmsign(program("dcmsign"), tmp_path_factory.mktemp("dcmsign"))


def read(file: Path) -> tuple[BytesSource, str]:
    data = file.read_bytes()
    found = part10.split(BytesSource(data), tolerant=True)
    return BytesSource(data[found.offset :]), found.syntax


def signed(dcmsign: Dcmsign, file: Path, profile: str, mac: str = "sha256") -> Path:
    """Signed by us, twice: the second signature must not break the first."""
    data, uid = read(file)
    by = Signer((dcmsign.signer.certificate,), dcmsign.signer.key)
    known = values.identity(data, framing.check(data, uid))
    now = datetime.now(UTC)
    out, uid = sign(data, uid, by, Wish(profile, mac, made_here=True), now=now, signature_uid="2.25.1234567")
    out, uid = sign(out, uid, by, Wish("base", "sha512"), now=now, signature_uid="2.25.123456789")
    head = part10.meta(known.get("SOPClassUID", "1.2"), known.get("SOPInstanceUID", "1.2.3"), uid)
    made = dcmsign.folder / "ours.dcm"
    made.write_bytes(head + b"".join(chunks(out)))
    return made


def judged(file: Path, pki: Pki) -> Judgement:
    data, uid = read(file)
    return judge(data, uid, Trust([pki.ca.certificate]), datetime.now(UTC))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("profile", FLAGS)
def test_both_ways(dcmsign: Dcmsign, corpus_files: list[Path], name: str, profile: str) -> None:
    file = next(path for path in corpus_files if path.name == name)
    try:
        ours = signed(dcmsign, file, profile)
    except TransformError as error:  # no report, or what the profile needs is missing: dcmsign says so too
        assert error.reason in ("signature-not-sr", "signature-incomplete", "signature-unsignable")
        assert dcmsign.sign(file, profile, "+m2") is None or error.reason == "signature-not-sr"
        return
    assert dcmsign.verify(ours, profile) == 0
    assert judged(ours, dcmsign.pki).state is State.VALID
    theirs = dcmsign.sign(file, profile, "+m2", *(("+sp", "1") if profile == "sr" else ()))
    if profile != "sr" or theirs is not None:
        assert theirs is not None
        (verdict,) = judged(theirs, dcmsign.pki).verdicts
        assert verdict.state is State.VALID
        assert profile in verdict.profiles


@pytest.mark.parametrize("mac", ["sha256", "sha384", "sha512"])
def test_bad_twins_are_refused_by_both(dcmsign: Dcmsign, corpus_files: list[Path], mac: str) -> None:
    file = next(path for path in corpus_files if path.name == "CT_small.dcm")
    ours = signed(dcmsign, file, "creator", mac)
    assert dcmsign.verify(ours, "creator") == 0
    assert dcmsign.verify(ours, "creator", dcmsign.pki.other) != 0
    assert judge(*read(ours), Trust([dcmsign.pki.other.certificate]), datetime.now(UTC)).state is State.UNTRUSTED
    data = ours.read_bytes()
    at = data.index(b"GE MEDICAL SYSTEMS")
    tampered = dcmsign.folder / "tampered.dcm"
    tampered.write_bytes(data[:at] + b"H" + data[at + 1 :])
    assert dcmsign.verify(tampered, "creator") != 0
    assert judged(tampered, dcmsign.pki).state is State.TAMPERED
    assert dcmsign.verify(file, "base") == 100
    assert judged(file, dcmsign.pki).state is State.UNSIGNED


@pytest.mark.parametrize(
    ("flag", "weak"), [("+mr", "RIPEMD160"), ("+ms", "SHA1"), ("+mm", "MD5"), ("+m3", ""), ("+m5", "")]
)
def test_their_algorithms_are_known(dcmsign: Dcmsign, corpus_files: list[Path], flag: str, weak: str) -> None:
    file = next(path for path in corpus_files if path.name == "CT_small.dcm")
    theirs = dcmsign.sign(file, "base", flag)
    assert theirs is not None
    (verdict,) = judged(theirs, dcmsign.pki).verdicts
    assert verdict.state is State.VALID
    assert verdict.warnings == ((weak,) if weak else ())


def test_our_signatures_in_items(dcmsign: Dcmsign, corpus_files: list[Path]) -> None:
    data, uid = read(next(path for path in corpus_files if path.name == "rtplan.dcm"))
    by = Signer((dcmsign.signer.certificate,), dcmsign.signer.key)
    wish = Wish("base", item="(300A,00B0)[1]/(300A,0111)[2]")
    out, uid = sign(data, uid, by, wish, now=datetime.now(UTC), signature_uid="2.25.77")
    made = dcmsign.folder / "ours-items.dcm"
    made.write_bytes(part10.meta("1.2.840.10008.5.1.4.1.1.481.5", "1.2.3", uid) + b"".join(chunks(out)))
    assert dcmsign.verify(made, "base") == 0
    assert judged(made, dcmsign.pki).verdicts[0].path == wish.item


def test_their_signatures_in_items(dcmsign: Dcmsign, corpus_files: list[Path]) -> None:
    file = next(path for path in corpus_files if path.name == "rtplan.dcm")
    pair = dcmsign.signer.pair
    made = dcmsign.folder / "items.dcm"
    assert dcmsign.run("+si", pair.key, pair.certificate, "BeamSequence[0]", "+pb", "+m2", file, made) == 0
    judgement = judged(made, dcmsign.pki)
    assert (judgement.state, judgement.verdicts[0].path) == (State.VALID, "(300A,00B0)[1]")
    data = made.read_bytes()
    at = data.index(b"Field 1")
    made.write_bytes(data[:at] + b"f" + data[at + 1 :])
    assert judged(made, dcmsign.pki).state is State.TAMPERED
    assert dcmsign.verify(made, "base") != 0
