"""Secure media through the commands: every DICOM file is encrypted, the right key opens it, and nothing else does."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import study
from click.testing import Result
from pydicom import dcmread
from typer.testing import CliRunner

from gateway.cli import media
from tests.unit.media.objects import files
from tests.unit.security.pki import DAY, Pki


class Site:
    """A PKI, inputs, and the commands run over them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pki = Pki(folder)
        self.reader, *_ = (
            self.pki.issue(name, self.pki.ca, kind="rsa2048", eku=(), usage=("key_encipherment",))
            for name in ("reader", "second", "stranger")
        )
        self.signer = self.pki.issue(
            "signer", self.pki.ca, kind="rsa2048", eku=("email",), usage=("digital_signature",)
        )
        self.pki.issue("other-signer", self.pki.other, kind="rsa2048", eku=("email",), usage=("digital_signature",))
        self.pki.issue("expired", self.pki.ca, kind="rsa2048", eku=(), usage=("key_encipherment",), end=-DAY / 2)
        self.pki.issue("no-encryption", self.pki.ca, kind="rsa2048", eku=(), usage=("digital_signature",))
        self.pki.issue("curve", self.pki.ca, kind="p256", eku=(), usage=("key_agreement",))
        self.pki.issue("curve-signer", self.pki.ca, kind="p256", eku=("email",), usage=("digital_signature",))
        (folder / "password").write_text("a long pass phrase\n")
        (folder / "password").chmod(0o600)
        files(folder / "in", 2)

    def run(self, *arguments: object) -> Result:
        return CliRunner().invoke(media.app, [str(each) for each in arguments])

    def create(self, out: Path, *arguments: object, profile: str = "STD-GEN-SEC-USB-J2K") -> Result:
        return self.run("create", "--profile", profile, "--out", out, *arguments, self.folder / "in")

    def to(self, *names: str) -> list[object]:
        return [part for name in names for part in ("--recipient", self.folder / f"{name}.pem")]

    def by(self, name: str) -> list[object]:
        return ["--signer", self.folder / f"{name}.pem", "--signer-key", self.folder / f"{name}.key"]

    def who(self, name: str) -> list[object]:
        return ["--cert", self.folder / f"{name}.pem", "--key", self.folder / f"{name}.key"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("secure"))


@pytest.fixture(scope="module")
def signed(site: Site) -> Path:
    out = site.folder / "signed"
    done = site.create(out, *site.to("reader", "second"), *site.by("signer"))
    assert done.exit_code == 0, done.output
    return out


def test_every_dicom_file_is_encrypted_and_nothing_shows(signed: Path) -> None:
    paths = [path for path in signed.rglob("*") if path.is_file()]
    assert len(paths) == 6
    for path in paths:
        raw = path.read_bytes()
        assert not any(word.encode() in raw for word in (*study.IDENTITIES, "DICM", "TRIAL42")), path.name
        assert raw[:1] == b"\x30" or path.name == "README.TXT"


@pytest.mark.parametrize("who", ["reader", "second"])
def test_each_recipient_opens_it_and_learns_who_signed(site: Site, signed: Path, tmp_path: Path, who: str) -> None:
    done = site.run("open", *site.who(who), "--ca", site.pki.ca_file, "--out", tmp_path / "back", signed)
    assert done.exit_code == 0, done.output
    assert "4 objects" in done.stdout and "signed by CN=signer, trusted" in done.stdout
    for path in (site.folder / "in").iterdir():
        assert dcmread(tmp_path / "back" / f"{dcmread(path).SOPInstanceUID}.dcm") == dcmread(path)


def test_without_an_authority_the_signer_is_told_as_unverified(site: Site, signed: Path) -> None:
    done = site.run("verify", *site.who("reader"), signed)
    assert done.exit_code == 0 and "signed by CN=signer, UNVERIFIED" in done.stdout


@pytest.mark.parametrize(
    ("who", "ca", "reason"),
    [
        ("stranger", "ca", "cms-not-for-us"),
        ("reader", "other", "cms-untrusted"),
        (None, "", "media-secure"),
        (None, "ca", "media-keys"),
    ],
)
def test_others_get_nothing(site: Site, signed: Path, tmp_path: Path, who: str | None, ca: str, reason: str) -> None:
    keys = site.who(who) if who else []
    trust = ["--ca", site.folder / f"{ca}.pem"] if ca else []
    done = site.run("open", *keys, *trust, "--out", tmp_path / "back", signed)
    assert done.exit_code == 2 and reason in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_password_opens_it(site: Site, tmp_path: Path) -> None:
    word = ["--password-file", site.folder / "password"]
    assert site.create(tmp_path / "set.zip", *word, profile="STD-GEN-SEC-ZIP-MAIL").exit_code == 0
    done = site.run("verify", *word, tmp_path / "set.zip")
    assert done.exit_code == 0 and "signed by nobody" in done.stdout
    listed = site.run("list", *word, tmp_path / "set.zip")
    assert listed.exit_code == 0 and "KEY OBJECT DOC" in listed.stdout
    assert not any(each in listed.stdout for each in study.IDENTITIES)


def test_who_names_an_authority_wants_signatures(site: Site, tmp_path: Path) -> None:
    assert site.create(tmp_path / "set", *site.to("reader")).exit_code == 0
    done = site.run("verify", *site.who("reader"), "--ca", site.pki.ca_file, tmp_path / "set")
    assert done.exit_code == 2 and "media-unsigned" in done.stderr


@pytest.mark.parametrize("at", [40, 400, -300, -1])
def test_a_flipped_byte_releases_nothing(site: Site, signed: Path, tmp_path: Path, at: int) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(signed, copy)
    (path,) = copy.rglob("S0000001/I0000001")
    raw = bytearray(path.read_bytes())
    raw[at] ^= 0x10
    path.write_bytes(raw)
    done = site.run("open", *site.who("reader"), "--out", tmp_path / "back", copy)
    assert done.exit_code == 2 and "cms-" in done.stderr
    assert list(tmp_path.iterdir()) == [copy]


def test_a_plain_object_slipped_into_a_secure_set_is_told(site: Site, signed: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(signed, copy)
    study.write(study.mr(1), copy / "EXTRA")
    done = site.run("open", *site.who("reader"), "--out", tmp_path / "back", copy)
    assert done.exit_code == 2 and "media-not-secure" in done.stderr


@pytest.mark.parametrize("kept", [0, 1, 30, 700, -1])
def test_a_truncated_file_releases_nothing(site: Site, signed: Path, tmp_path: Path, kept: int) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(signed, copy)
    (path,) = copy.rglob("S0000001/I0000001")
    path.write_bytes(path.read_bytes()[:kept])
    done = site.run("open", *site.who("reader"), "--out", tmp_path / "back", copy)
    assert done.exit_code == 2 and list(tmp_path.iterdir()) == [copy]


@pytest.mark.parametrize("preamble", [True, False])
@pytest.mark.parametrize("directory", [True, False])
def test_no_plain_object_gets_in_however_it_is_disguised(
    site: Site, signed: Path, tmp_path: Path, preamble: bool, directory: bool
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(signed, copy)
    study.write(study.ct(7, 1, 16), copy / "EXTRA")
    if not preamble:
        (copy / "EXTRA").write_bytes((copy / "EXTRA").read_bytes()[132:])
    if not directory:
        (copy / "DICOMDIR").unlink()
    for more in ((), ("--salvage",)):
        done = site.run("open", *site.who("reader"), "--out", tmp_path / "back", *more, copy)
        assert done.exit_code == (3 if more else 2) and "media-not-secure" in done.stderr
        assert not (tmp_path / "back" / f"{study.ct(7, 1, 16).SOPInstanceUID}.dcm").exists()


def test_a_set_that_is_plain_by_now_is_not_what_was_signed(site: Site, tmp_path: Path) -> None:
    assert site.create(tmp_path / "plain", profile="STD-GEN-CD").exit_code == 0
    done = site.run("verify", *site.who("reader"), "--ca", site.pki.ca_file, tmp_path / "plain")
    assert done.exit_code == 2 and "media-unsigned" in done.stderr
    done = site.run("verify", *site.who("reader"), tmp_path / "plain")
    assert done.exit_code == 3 and "nothing on it is encrypted" in done.stderr
    done = site.run("verify", "--ca", site.pki.ca_file, tmp_path / "plain")
    assert done.exit_code == 2 and "give the key" in done.stderr


def test_a_damaged_directory_of_a_secure_set_can_be_salvaged(site: Site, signed: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(signed, copy)
    path = copy / "DICOMDIR"
    path.write_bytes(path.read_bytes()[:-20])
    done = site.run("open", *site.who("reader"), "--out", tmp_path / "back", copy)
    assert done.exit_code == 2 and "cms-" in done.stderr and not (tmp_path / "back").exists()
    done = site.run("open", *site.who("reader"), "--salvage", "--out", tmp_path / "back", copy)
    assert done.exit_code == 3 and "every file was looked at" in done.stderr
    assert len(list((tmp_path / "back").iterdir())) == 4


@pytest.mark.parametrize(
    ("recipient", "words"),
    [
        ("expired", "expired"),
        ("no-encryption", "keyEncipherment"),
        ("curve", "RSA recipients only"),
        ("nowhere", "no such file"),
        ("ca", "RSA"),
    ],
)
def test_a_recipient_that_cannot_be_one_is_told_before_anything(
    site: Site, tmp_path: Path, recipient: str, words: str
) -> None:
    done = site.create(tmp_path / "set", *site.to(recipient))
    assert done.exit_code == 2 and words in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_keys_that_do_not_fit_together_are_told(site: Site, tmp_path: Path) -> None:
    out = tmp_path / "set"
    for arguments, words in (
        ([*site.to("reader"), "--signer", site.folder / "signer.pem"], "belong together"),
        (site.by("signer"), "encrypted for somebody"),
        ([*site.to("reader"), *site.by("curve-signer")], "RSA signatures only"),
        ([], "needs recipients"),
    ):
        done = site.create(out, *arguments)
        assert done.exit_code == 2 and words in done.stderr, done.stderr
    assert "choose a -SEC- profile" in site.create(out, *site.to("reader"), profile="STD-GEN-CD").stderr
    assert "-- opens" not in site.run("verify", "--cert", site.folder / "reader.pem", out).stderr
    loose = tmp_path / "loose"
    loose.write_text("a long pass phrase")
    loose.chmod(0o644)
    assert "chmod 600" in site.create(out, "--password-file", loose).stderr
    assert not out.exists()


def test_an_index_page_would_tell_what_is_hidden(site: Site, tmp_path: Path) -> None:
    done = site.create(tmp_path / "set", *site.to("reader"), "--index")
    assert done.exit_code == 2 and "index page" in done.stderr


def test_profiles_are_listed_and_a_wrong_one_is_told(site: Site, tmp_path: Path) -> None:
    assert "STD-GEN-SEC-USB-J2K" in site.run("profiles").stdout
    done = site.create(tmp_path / "set", profile="STD-GEN-FLOPPY")
    assert done.exit_code == 2 and "media profiles" in done.stderr


def test_what_a_person_should_know_is_told_with_exit_3(site: Site, tmp_path: Path) -> None:
    files(tmp_path / "in", 1, lambda data: setattr(data, "StudyID", ""))
    out = tmp_path / "set"
    done = site.run("create", "--profile", "STD-GEN-CD", "--out", out, tmp_path / "in")
    assert done.exit_code == 0 and "StudyID (0020,0010) was supplied in 1 records" in done.stderr
    (out / "DICOMDIR").unlink()
    done = site.run("verify", out)
    assert done.exit_code == 3 and "every file was looked at" in done.stderr


@pytest.mark.parametrize(
    ("crl", "reason"), [("good", ""), ("revoked", "cms-revoked"), ("other", "cms-revocation-unknown")]
)
def test_a_signer_that_is_revoked_vouches_for_nothing(
    site: Site, signed: Path, tmp_path: Path, crl: str, reason: str
) -> None:
    pki = site.pki
    lists = {
        "good": lambda: pki.crl("good", site.reader),
        "revoked": lambda: pki.crl("revoked", site.signer),
        "other": lambda: pki.crl("other", issuer=pki.other),
    }
    file = lists[crl]()
    done = site.run("open", *site.who("reader"), "--ca", pki.ca_file, "--crl", file, "--out", tmp_path / "back", signed)
    if not reason:
        assert done.exit_code == 0 and "signed by CN=signer, trusted" in done.stdout
        return
    assert done.exit_code == 2 and reason in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_list_without_an_authority_is_told(site: Site, signed: Path) -> None:
    for more in ((), ("--ca", site.pki.ca_file)):
        done = site.run("verify", *site.who("reader"), *more, "--crl", site.folder / "signer.pem", signed)
        assert done.exit_code == 2 and ("crl-unreadable" if more else "media-keys") in done.stderr
