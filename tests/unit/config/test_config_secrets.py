"""Secrets: found late, refused where weak, named and never told."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.secrets import open_to_others, resolve
from gateway.errors import GatewayError

GOOD = b"sixteen bytes or more"


def written(tmp_path: Path, data: bytes, mode: int = 0o600) -> str:
    (tmp_path / "key").write_bytes(data)
    (tmp_path / "key").chmod(mode)
    return f"file:{tmp_path / 'key'}"


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", GOOD.decode())
    assert resolve("env:A_KEY") == GOOD


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_from_a_file_without_its_line_end(end: bytes, tmp_path: Path) -> None:
    assert resolve(written(tmp_path, GOOD + end)) == GOOD


def test_binary_keys_stay_whole(tmp_path: Path) -> None:
    data = bytes(range(32))
    assert resolve(written(tmp_path, data)) == data


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
    with pytest.raises(GatewayError) as caught:
        resolve(written(tmp_path, data))
    assert caught.value.reason == reason
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("ref", ["env:NOT_SET_ANYWHERE", "file:/no/such/file", "file:/", "vault:x", "x"])
def test_what_is_not_there(ref: str) -> None:
    with pytest.raises(GatewayError) as caught:
        resolve(ref)
    assert caught.value.reason == "secret-missing"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o644, 0o777])
def test_what_others_may_read_is_refused(mode: int, tmp_path: Path) -> None:
    with pytest.raises(GatewayError) as caught:
        resolve(written(tmp_path, GOOD, mode))
    assert caught.value.reason == "secret-readable-by-others"
    assert f"its mode is {mode:04o}, chmod 600 it" in caught.value.detail and GOOD.decode() not in str(caught.value)
    assert open_to_others(tmp_path / "key") == f"others may read it: its mode is {mode:04o}, chmod 600 it"


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_what_only_we_may_read_is_taken(mode: int, tmp_path: Path) -> None:
    assert resolve(written(tmp_path, GOOD, mode)) == GOOD
    assert open_to_others(tmp_path / "key") == open_to_others(tmp_path / "gone") == ""
