"""`sign` and `verify` as their user has them: exit statuses, and nothing half-made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.main import command_line
from tests.unit.security.pki import Issued, Pki
from tests.unit.signatures.objects import IMAGE
from transforms.dataset import part10
from transforms.dataset.syntax import EXPLICIT_LE
from transforms.signatures.writing import element

OURS = "2.25." + str((0x8 << 76 | 0x2 << 62) + 12345)  # of the form that de-identification makes


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("sign"))


@pytest.fixture(scope="module")
def signer(pki: Pki) -> Issued:
    return pki.issue("signer", pki.ca, kind="rsa2048", eku=("email",))


def file(folder: Path, instance: str = "1.2.3.4", implementation: str = "1.2.3") -> Path:
    path = folder / "in.dcm"
    uid = element(0x00080018, "UI", b"1.2.3.4")
    head = part10.meta("1.2.840.10008.5.1.4.1.1.7", instance, EXPLICIT_LE, implementation)
    path.write_bytes(head + IMAGE.replace(uid, element(0x00080018, "UI", instance.encode())))
    return path


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(command_line(str(arguments[0])), [str(each) for each in arguments])
    return done.exit_code, done.output


def signing(path: Path, signer: Issued, out: Path, profile: str = "base", *more: object) -> tuple[int, str]:
    pair = signer.pair
    return run("sign", "--profile", profile, "--cert", pair.certificate, "--key", pair.key, "--out", out, *more, path)


def test_the_states_are_told_apart(pki: Pki, signer: Issued, tmp_path: Path) -> None:
    path, out = file(tmp_path), tmp_path / "out.dcm"
    ca = pki.ca.pair.certificate
    assert run("verify", "--ca", ca, path)[0] == 4
    assert signing(path, signer, out)[0] == 0
    assert out.stat().st_mode & 0o777 == 0o600
    assert run("verify", "--ca", ca, out)[0] == 0
    assert run("verify", "--ca", ca, "--require", "base", out)[0] == 0
    assert run("verify", "--ca", ca, "--require", "sr", out)[0] == 4
    assert run("verify", "--ca", pki.other.pair.certificate, out)[0] == 6
    assert run("verify", "--ca", ca, "--crl", pki.crl("mine", signer), out)[0] == 6
    bad = tmp_path / "bad.dcm"
    bad.write_bytes(out.read_bytes().replace(b"Doe^Jane", b"Doe^John"))
    status, text = run("verify", "--ca", ca, bad)
    assert (status, "tampered" in text, "Doe" in text) == (5, True, False)
    assert run("verify", "--ca", ca, out, path, bad)[0] == 5
    status, text = run("verify", "--ca", ca, "--json", out)
    (told,) = json.loads(text)
    assert (told["state"], told["signatures"][0]["profiles"]) == ("valid", ["base", "creator", "authorization"])


def test_creator_is_for_what_this_gateway_made(signer: Issued, tmp_path: Path) -> None:
    from transforms.dataset.implementation import IMPLEMENTATION_CLASS_UID as ours

    out = tmp_path / "out.dcm"
    for instance, implementation in (("1.2.3.4", ours), (OURS, "1.2.3"), ("2.25.12345", ours)):
        status, text = signing(file(tmp_path, instance, implementation), signer, out, "creator")
        assert (status, "signature-not-creator" in text) == (2, True)
    assert signing(file(tmp_path, OURS, ours), signer, out, "creator")[0] == 0


def test_what_cannot_be_done_is_told_and_leaves_nothing(pki: Pki, signer: Issued, tmp_path: Path) -> None:
    path, out = file(tmp_path), tmp_path / "out.dcm"
    ec = pki.issue("ec", pki.ca, eku=("email",))
    rubbish = tmp_path / "rubbish"
    rubbish.write_bytes(b"no DICOM at all" * 20)
    for arguments, why in (
        ((path, ec, out), "not RSA"),
        ((rubbish, signer, out), "not-part10"),
        ((tmp_path / "missing", signer, out), "no such file"),
        ((path, signer, out, "other"), "signature-profile"),
        ((path, signer, out, "sr"), "signature-not-sr"),
        ((path, signer, out, "base", "--mac", "md5"), "--mac"),
        ((path, signer, tmp_path / "no" / "folder.dcm"), "no such file"),
        ((path, signer, path), "nothing was overwritten"),
    ):
        before = path.read_bytes()
        status, text = signing(*arguments)  # type: ignore[arg-type]
        assert (status, why in " ".join(text.split())) == (2, True), text
        assert path.read_bytes() == before
    assert not out.exists()
    assert run("verify", "--ca", rubbish, path)[0] == 2
    assert run("verify", "--ca", pki.ca.pair.certificate, rubbish)[0] == 2
