"""Secrets: found late, refused where weak, named and never told."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.secrets import open_to_others, resolve
from gateway.errors import GatewayError

GOOD = b"sixteen bytes or more"


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", GOOD.decode())
    assert resolve("env:A_KEY") == GOOD


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_from_a_file_without_its_line_end(end: bytes, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(GOOD + end)
    assert resolve(f"file:{tmp_path / 'key'}") == GOOD


def test_binary_keys_stay_whole(tmp_path: Path) -> None:
    data = bytes(range(32))
    (tmp_path / "key").write_bytes(data)
    assert resolve(f"file:{tmp_path / 'key'}") == data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "secret-too-short"),
        (b"hunter2\n", "secret-too-short"),
        (b"hunter2hunter2!\n", "secret-too-short"),
        (b"x" * 40, "secret-too-simple"),
        (b"ab" * 40_000, "secret-too-long"),
    ],
)
def test_weak_ones_are_refused_and_not_told(data: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(data)
    with pytest.raises(GatewayError) as caught:
        resolve(f"file:{tmp_path / 'key'}")
    assert caught.value.reason == reason
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("ref", ["env:NOT_SET_ANYWHERE", "file:/no/such/file", "file:/", "vault:x", "x"])
def test_what_is_not_there(ref: str) -> None:
    with pytest.raises(GatewayError) as caught:
        resolve(ref)
    assert caught.value.reason == "secret-missing"


def test_modes(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(GOOD)
    key.chmod(0o600)
    assert open_to_others(key) == ""
    key.chmod(0o640)
    assert open_to_others(key) == "others may read this secret: its mode is 0640, chmod 600 it"
    assert open_to_others(tmp_path / "gone") == ""
