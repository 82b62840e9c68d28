"""gdcmanon opens our Encrypted Attributes and we open its; openssl decrypts both. Wrong keys open neither."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.security.cms.errors import NotOpened
from gateway.security.cms.recipients import Holder
from gateway.security.reidentification import reidentified, seal
from tests.unit.reidentify.officers import CONTEXT, Officers, elements
from tests.unit.security.pki import Issued
from transforms.dataset import part10
from transforms.deidentify import reidentify
from transforms.deidentify.engine import deidentify
from transforms.deidentify.profile import compile_profile
from transforms.source import BytesSource, chunks

pytestmark = pytest.mark.peers
FILES = ("CT_small.dcm", "MR_small_implicit.dcm", "JPEG2000.dcm", "rtplan.dcm", "liver_1frame.dcm")
BACK = (0x00080018, 0x0020000D, 0x0020000E, 0x00100010, 0x00100020)


@pytest.fixture(scope="module")
def officers(tmp_path_factory: pytest.TempPathFactory) -> Officers:
    return Officers(tmp_path_factory.mktemp("officers"))


def read(file: Path) -> tuple[BytesSource, str]:
    data = file.read_bytes()
    found = part10.split(BytesSource(data), tolerant=True)
    return BytesSource(data[found.offset :]), found.syntax


def texts(found: dict[int, bytes]) -> dict[int, bytes]:
    """Values without headers: gdcm writes VR UN where it read Implicit VR."""
    return {tag: found[tag][12 if found[tag][4:6] == b"UN" else 8 :] for tag in BACK}


def ours(file: Path, to: tuple[Issued, ...], out: Path) -> Path:
    """The file de-identified by us, for these officers."""
    source, uid = read(file)
    done = deidentify(source, uid, compile_profile("basic"), CONTEXT)
    made, _ = seal(source, done.plan, uid, tuple(each.certificate for each in to), CONTEXT)
    out.write_bytes(part10.meta(done.sop_class, done.sop_instance, uid) + b"".join(chunks(made)))
    return out


def gdcmanon(program: Callable[[str], str], way: str, officer: Issued, source: Path, out: Path) -> bool:
    out.unlink(missing_ok=True)
    keys = ["-k", officer.pair.key, "-c", officer.pair.certificate]
    command = [program("gdcmanon"), way, *keys, "-i", source, "-o", out]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    return done.returncode == 0 and out.exists()


@pytest.mark.parametrize("name", FILES)
def test_both_ways(
    program: Callable[[str], str], officers: Officers, corpus_files: list[Path], tmp_path: Path, name: str
) -> None:
    file = next(path for path in corpus_files if path.name == name)
    original = elements(*read(file))
    made = ours(file, (officers.first, officers.second), tmp_path / "ours.dcm")
    for officer in (officers.first, officers.second):
        assert gdcmanon(program, "-d", officer, made, tmp_path / "back.dcm")
        back = elements(*read(tmp_path / "back.dcm"))
        assert texts(back) == texts(original)
    # With another's key gdcmanon stops at what it made of it
    assert not gdcmanon(program, "-d", officers.stranger, made, tmp_path / "back.dcm")

    theirs = tmp_path / "theirs.dcm"
    assert gdcmanon(program, "-e", officers.first, file, theirs)
    found = reidentified(*read(theirs), Holder(officers.first.key, officers.first.certificate))
    assert not found.guarded  # it puts in nothing that would tell a changed byte
    back = elements(found.source, found.syntax)
    assert texts(back) == texts(original)
    for holder in (Holder(officers.stranger.key), Holder(officers.stranger.key, officers.stranger.certificate)):
        with pytest.raises(NotOpened):
            reidentified(*read(theirs), holder)


@pytest.mark.parametrize("cipher", ["--des3", "--aes128", "--aes192", "--aes256"])
def test_their_ciphers(
    program: Callable[[str], str], officers: Officers, corpus_files: list[Path], tmp_path: Path, cipher: str
) -> None:
    file = next(path for path in corpus_files if path.name == "CT_small.dcm")
    out = tmp_path / "theirs.dcm"
    command = [program("gdcmanon"), "-e", cipher, "-c", officers.first.pair.certificate, "-i", file, "-o", out]
    subprocess.run(command, capture_output=True, check=True, timeout=60)
    found = reidentified(*read(out), Holder(officers.first.key))
    assert elements(found.source, found.syntax)[0x00100010] == elements(*read(file))[0x00100010]


def test_openssl_decrypts_the_data_set(
    program: Callable[[str], str], officers: Officers, corpus_files: list[Path], tmp_path: Path
) -> None:
    file = next(path for path in corpus_files if path.name == "CT_small.dcm")
    made = ours(file, (officers.first, officers.second), tmp_path / "ours.dcm")
    (item,) = reidentify.items_of(*read(made))
    (tmp_path / "content").write_bytes(item.content)
    for officer, opens in ((officers.first, True), (officers.second, True), (officers.stranger, False)):
        command = [program("openssl"), "cms", "-decrypt", "-binary", "-inform", "DER", "-in", tmp_path / "content"]
        command += ["-recip", officer.pair.certificate, "-inkey", officer.pair.key]
        plain = subprocess.run(command, capture_output=True, check=False, timeout=60).stdout
        assert (b"CompressedSamples^CT1" in plain) is opens
        if opens:
            assert reidentify.decoded(plain, item.syntax)[1]
