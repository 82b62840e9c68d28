"""Media put into a folder: all of one is stored and it moves, or nothing of it is and its reason stands beside it."""

from __future__ import annotations

import os
import shutil
import threading
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import study
from cryptography import x509
from pydicom import dcmread

from gateway.config.load import examine_bytes, rules_hash
from gateway.errors import GatewayError, StorageFailed
from gateway.media.making import Order, make
from gateway.media.members import found
from gateway.media.opening import open_medium
from gateway.media.secure import protection
from gateway.receive import folder as folder_module
from gateway.receive import media as media_module
from gateway.receive.media import MediaInbox
from gateway.rulebook import compile_ruleset
from gateway.security.cms.recipients import Holder
from gateway.store.spool import Spool
from profiles.media import load
from tests.unit.media.objects import files
from tests.unit.security.pki import Pki
from tests.wire.web import FakeWriter

RULES = """\
version: 1
state: {{dir: ./state, reserve: 0B}}
listeners:
  - id: discs
    media: {{dir: ./discs, quiet: 50ms, poll: 10ms{more}}}
routes:
  - {{id: rest, otherwise: hold, reason: no-route}}
"""
KEYS = ", identity: {certificate: pki/reader.pem, key: pki/reader.key}, trust: pki/ca.pem"


class Stage:
    """One inbox, what it stored, and media to put into it."""

    def __init__(self, base: Path, more: str = "") -> None:
        config, problems = examine_bytes(RULES.format(more=more).encode(), "gateway.yaml", base)
        assert config is not None, [str(p) for p in problems]
        self.base = base
        self.folder = base / "discs"
        self.folder.mkdir()
        self.writer = FakeWriter()
        self.stop = threading.Event()
        ruleset = compile_ruleset(config, rules_hash(config))
        spool = Spool(base / "state" / "spool", reserve=0)
        self.inbox = MediaInbox(config.listeners[0], ruleset, spool, self.writer, self.stop.is_set)  # type: ignore[arg-type]
        files(base / "in", 2)

    def put(self, name: str, order: Order) -> Path:
        """A medium made elsewhere, handed over by a rename."""
        make(found([self.base / "in"]), order, self.base / name)
        return (self.base / name).rename(self.folder / name)

    def settle(self) -> int:
        """Two looks, quiet between them."""
        taken = self.inbox.scan()
        time.sleep(0.1)
        return taken + self.inbox.scan()

    def stored(self) -> set[str]:
        return {each.identity.sop_instance for each in self.writer.instances}

    def ends(self, end: str) -> list[str]:
        return sorted(path.name.split("-", 1)[1] for path in (self.folder / end).iterdir())

    def reason(self) -> str:
        (note,) = (self.folder / "failed").glob("*.reason")
        return note.read_text()


PLAIN = {
    "disc.iso": Order(load("STD-GEN-CD"), "iso"),
    "mail.zip": Order(load("STD-GEN-ZIP-MAIL"), "zip"),
    "stick": Order(load("STD-GEN-USB-J2K")),
}


@pytest.mark.parametrize("name", PLAIN)
def test_a_medium_is_stored_and_moves(tmp_path: Path, name: str) -> None:
    stage = Stage(tmp_path)
    stage.put(name, PLAIN[name])
    assert stage.settle() == 1
    assert stage.stored() == {str(dcmread(path).SOPInstanceUID) for path in (tmp_path / "in").iterdir()}
    assert (stage.ends("processed"), stage.ends("failed")) == ([name], [])
    assert {each.origin.listener for each in stage.writer.instances} == {"discs"}
    assert len(stage.writer.opens) == len(stage.writer.closes) == 1
    assert list((tmp_path / "state" / "media").iterdir()) == []
    assert stage.settle() == 0


def test_what_still_changes_waits(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    place = stage.put("stick", PLAIN["stick"])
    stage.inbox.scan()
    time.sleep(0.1)
    (place / "README.TXT").write_text("more")
    assert stage.inbox.scan() == 0 and place.exists()
    time.sleep(0.1)
    assert stage.inbox.scan() == 1


def test_a_medium_that_is_incomplete_is_not_stored_at_all(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    place = stage.put("stick", PLAIN["stick"])
    next(place.rglob("I0000002")).unlink()
    assert stage.settle() == 1
    assert stage.stored() == set() and stage.ends("processed") == []
    assert "media-incomplete" in stage.reason() and "missing" in stage.reason()
    assert not any(word in stage.reason() for word in study.IDENTITIES)


def test_what_is_no_medium_fails_and_links_are_left(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    (stage.folder / "notes.txt").write_text("nothing")
    (stage.folder / "link").symlink_to(tmp_path / "in")
    assert stage.settle() == 1
    assert "media-format" in stage.reason() and (stage.folder / "link").is_symlink()


def secure(pki: Pki, *, signed: bool) -> Order:
    """A secure set for `reader`."""
    by = (pki.folder / "signer.pem", pki.folder / "signer.key") if signed else (None, None)
    return Order(load("STD-GEN-SEC-CD"), "iso", protection=protection([pki.folder / "reader.pem"], None, *by))


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    (tmp_path / "pki").mkdir()
    made = Pki(tmp_path / "pki")
    made.issue("reader", made.ca, kind="rsa2048", eku=(), usage=("key_encipherment",))
    made.issue("signer", made.ca, kind="rsa2048", eku=("email",), usage=("digital_signature",))
    return made


def test_secure_media_are_opened_and_their_signers_judged(tmp_path: Path, pki: Pki) -> None:
    stage = Stage(tmp_path, KEYS)
    stage.put("signed.iso", secure(pki, signed=True))
    assert stage.settle() == 1 and len(stage.stored()) == 4
    stage.put("unsigned.iso", secure(pki, signed=False))
    stage.settle()
    assert "media-unsigned" in stage.reason()
    assert (stage.ends("processed"), len(stage.writer.instances)) == (["signed.iso"], 4)


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_token_that_cannot_decrypt_now_leaves_the_medium(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """At the DICOMDIR, or at any file after it: nothing is wrong with the medium."""
    stage = Stage(tmp_path, KEYS)
    place = stage.put("signed.iso", secure(pki, signed=True))
    left, real = [after], Holder.__init__

    class Busy:
        def __init__(self, key: Any) -> None:
            self.public_key, self._decrypt = key.public_key, key.decrypt

        def decrypt(self, *asked: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise GatewayError("token-failed", "DeviceError")
            return self._decrypt(*asked)

    with monkeypatch.context() as patched:
        patched.setattr(Holder, "__init__", lambda self, key, certificate=None: real(self, Busy(key), certificate))
        with pytest.raises(GatewayError, match="token-failed"):
            stage.settle()
    assert place.exists() and (stage.ends("processed"), stage.ends("failed"), stage.stored()) == ([], [], set())
    assert stage.settle() == 1
    assert stage.ends("processed") == ["signed.iso"] and len(stage.stored()) == 4


def test_a_signer_that_was_revoked_since_is_refused_and_a_list_that_is_away_leaves_media(
    tmp_path: Path, pki: Pki
) -> None:
    stage = Stage(tmp_path, f"{KEYS}, crl: pki/revoked.crl")
    stage.put("first.iso", secure(pki, signed=True))
    with pytest.raises(GatewayError, match="crl-unreadable"):
        stage.settle()
    assert (stage.ends("processed"), stage.ends("failed")) == ([], [])
    pki.crl("revoked")
    assert stage.settle() == 1 and len(stage.stored()) == 4
    signer = x509.load_pem_x509_certificate((pki.folder / "signer.pem").read_bytes())
    pki.crl("revoked", replace(pki.ca, certificate=signer))
    stage.put("second.iso", secure(pki, signed=True))
    stage.settle()
    assert "cms-revoked" in stage.reason() and len(stage.writer.instances) == 4


def test_a_plain_medium_is_none_where_signers_are_asked_for(tmp_path: Path, pki: Pki) -> None:
    stage = Stage(tmp_path, KEYS)
    stage.put("disc.iso", PLAIN["disc.iso"])
    assert stage.settle() == 1 and stage.stored() == set() and "media-unsigned" in stage.reason()


def test_a_key_that_is_away_leaves_media_where_they_are(tmp_path: Path, pki: Pki) -> None:
    stage = Stage(tmp_path, KEYS)
    place = stage.put("signed.iso", secure(pki, signed=True))
    shutil.move(tmp_path / "pki" / "reader.key", tmp_path / "away")
    with pytest.raises(GatewayError, match="key-unusable"):
        stage.settle()
    assert place.exists()
    shutil.move(tmp_path / "away", tmp_path / "pki" / "reader.key")
    stage.settle()
    assert len(stage.stored()) == 4


def test_a_full_disk_leaves_media_where_they_are_and_they_come_again(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    place = stage.put("disc.iso", PLAIN["disc.iso"])
    stage.writer.full = True
    with pytest.raises(StorageFailed):
        stage.settle()
    assert place.exists() and list((tmp_path / "state" / "media").iterdir()) == []
    stage.writer.full = False
    stage.settle()
    assert len(stage.stored()) == 4 and stage.ends("processed") == ["disc.iso"]


def test_it_runs_until_it_is_told_to_stop(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.put("disc.iso", PLAIN["disc.iso"])
    thread = threading.Thread(target=stage.inbox.run, args=(stage.stop.wait,))
    thread.start()
    deadline = time.monotonic() + 20
    while len(stage.stored()) < 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    stage.stop.set()
    thread.join(20)
    assert not thread.is_alive() and len(stage.stored()) == 4


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_archive_whose_pieces_have_no_bound_is_not_read(tmp_path: Path, method: int) -> None:
    stage = Stage(tmp_path)
    with zipfile.ZipFile(stage.folder / "x.zip", "w", method) as archive:
        archive.writestr("A", bytes(1 << 20))
    assert stage.settle() == 1
    assert stage.reason().startswith("media-format") and stage.stored() == set()


def test_what_nobody_foresaw_is_its_medium_s_and_the_next_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(tmp_path)
    (stage.folder / "a.zip").write_bytes(b"odd")
    stage.put("stick", PLAIN["stick"])

    def odd(place: Path, *rest: Any) -> Any:
        if place.name == "a.zip":
            raise LookupError("a value")
        return open_medium(place, *rest)

    monkeypatch.setattr("gateway.receive.media.open_medium", odd)
    assert stage.settle() == 2
    assert stage.reason().strip() == "internal-error" and len(stage.stored()) == 4


def test_a_medium_of_a_clock_that_is_ahead_and_one_without_end_hold_up_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(tmp_path)
    place = stage.put("disc.iso", PLAIN["disc.iso"])
    then = time.time() + 1e6
    os.utime(place, (then, then))
    (stage.folder / "d").mkdir()
    rglob = Path.rglob

    def deep(place: Path, pattern: str) -> Any:
        if place.name == "d":
            raise RecursionError  # as a thousand folders, each in the other, make it
        return rglob(place, pattern)

    monkeypatch.setattr(Path, "rglob", deep)
    stage.settle()
    assert len(stage.stored()) == 4
    assert stage.ends("failed") == ["d", "d.reason"] and stage.reason().strip() == "media-format"


def test_a_password_that_is_gone_is_ours_to_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_SECRET", raising=False)
    stage = Stage(tmp_path, ", password: env:NO_SUCH_SECRET")
    place = stage.put("stick", PLAIN["stick"])
    with pytest.raises(GatewayError, match="secret-missing"):
        stage.settle()
    assert place.exists() and stage.ends("failed") == []


def test_an_end_on_another_mount_takes_nothing_and_a_mounted_disc_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stage = Stage(tmp_path)
    place = stage.put("stick", PLAIN["stick"])
    real = folder_module.mount
    apart = {"processed"}

    def mount(which: Path | int) -> tuple[int, int]:
        device, number = real(which)
        return device, number + (isinstance(which, Path) and which.name in apart)

    monkeypatch.setattr(folder_module, "mount", mount)
    monkeypatch.setattr(media_module, "mount", mount)
    for _ in range(2):
        with pytest.raises(GatewayError, match="ends-elsewhere"):
            stage.settle()
    assert stage.stored() == set() and place.exists()
    apart.clear()
    apart.add("stick")
    assert stage.settle() == 0 and stage.settle() == 0 and stage.stored() == set()
    assert caplog.text.count("folder-elsewhere") == 1
    apart.clear()
    assert stage.settle() == 1 and stage.ends("processed") == ["stick"]
