"""The secret that keys the names of delivered files: whole or not there, and never used where it is less."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.app import supervisor
from gateway.errors import GatewayError


def test_it_is_made_once_and_for_us_alone(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    supervisor._secret(path)
    first = path.read_bytes()
    supervisor._secret(path)
    assert path.read_bytes() == first and len(first) == 32 and len(set(first)) > 8
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(size: int) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gateway.app.supervisor.secrets.token_bytes", full)
    with pytest.raises(GatewayError, match="secret-missing"):
        supervisor._secret(tmp_path / "secret")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_one_is_refused(tmp_path: Path) -> None:
    """Names that are keyed by nothing could be made by everybody."""
    (tmp_path / "secret").write_bytes(b"")
    with pytest.raises(GatewayError, match="secret-too-short"):
        supervisor._secret(tmp_path / "secret")
