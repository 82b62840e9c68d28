"""Where a folder is mounted: two places that nothing can be renamed between are told apart, volumes of one disk too."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.folders import mount


def test_what_can_be_renamed_is_on_one_mount(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "sub")
    descriptor = os.open(tmp_path / "sub", os.O_RDONLY)
    try:
        found = {mount(each) for each in (tmp_path, *tmp_path.iterdir(), descriptor)}
    finally:
        os.close(descriptor)
    assert found == {mount(tmp_path)}


def test_another_file_system_is_another_mount() -> None:
    assert len({mount(Path(each)) for each in ("/proc", "/dev", "/")}) == 3


def test_two_mounts_of_one_device_are_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As volumes of a container are: `st_dev` is the same, and rename says EXDEV."""
    told = iter(["pos:\t0\nflags:\t012100000\nmnt_id:\t29\n", "pos:\t0\nflags:\t012100000\nmnt_id:\t30\n"])
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: next(told))
    (first, one), (second, other) = mount(tmp_path), mount(tmp_path)
    assert first == second and (one, other) == (29, 30)


def test_where_the_system_does_not_say_the_device_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object, **__: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", none)
    assert mount(tmp_path) == (tmp_path.stat().st_dev, 0)
