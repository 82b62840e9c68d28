"""How `deid` reads its inputs and writes its outputs: whole, whatever the system gives and takes at a time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.cli import deid, deid_file
from gateway.cli.deid_file import _write
from gateway.errors import GatewayError
from gateway.store.files import FileSource
from transforms.source import BytesSource, Copy, EditPlan, Literal, Piece

CONTENT = bytes(range(256)) * 4096  # 1 MiB, and no two neighbouring stretches alike


def pieces(count: int) -> list[Piece]:
    """Copies and literals in turn, that reach over everything."""
    size = len(CONTENT) // count
    return [piece for n in range(count) for piece in (Copy(n * size, size - 1), Literal(b"<%d>" % n))]


@pytest.mark.parametrize("count", [1, 3, 2000])
@pytest.mark.parametrize("at_most", [1 << 30, 1000])
def test_what_is_written_is_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, at_most: int) -> None:
    def some(descriptor: int, parts: Sequence[bytes]) -> int:
        return os.write(descriptor, b"".join(parts)[:at_most])

    monkeypatch.setattr(deid_file.os, "writev", some)
    monkeypatch.setattr(deid_file, "_AT_ONCE", 1 << 18)
    plan = EditPlan(BytesSource(CONTENT), pieces(count))
    assert _write(tmp_path, "name", b"head", plan)
    assert (tmp_path / "name").read_bytes() == b"head" + plan.pread(0, plan.size)
    assert not _write(tmp_path, "name", b"other", plan), "a name is given once"
    assert _write(tmp_path, "name", b"head", plan), "the same work done twice"
    assert [path.name for path in tmp_path.iterdir()] == ["name"]


def test_an_input_that_becomes_shorter_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.write_bytes(CONTENT)
    out = tmp_path / "out"
    out.mkdir()
    with FileSource(os.open(source, os.O_RDONLY), 0, len(CONTENT)) as file:
        plan = EditPlan(file, [Literal(b"x"), Copy(0, len(CONTENT))])
        os.truncate(source, len(CONTENT) - 1)
        with pytest.raises(GatewayError):
            _write(out, "name", b"head", plan)
    assert not list(out.iterdir())


@pytest.mark.parametrize("size", [10, 70_000, 200_000])
@pytest.mark.parametrize("first", [True, False], ids=["read before", "not read"])
def test_the_rest_of_a_file_is_what_stands_behind(tmp_path: Path, size: int, first: bool) -> None:
    path = tmp_path / "in"
    path.write_bytes(CONTENT[:size])
    with FileSource(os.open(path, os.O_RDONLY), 0, size) as file:
        if first:
            file.pread(0, 4)
        with file.after(7) as rest:
            assert rest.size == size - 7
            for at in (0, 1, 60_000, 66_000, 67_000, 199_000):
                for length in (0, 1, 3000, 1 << 16, 1 << 17):
                    assert rest.pread(at, length) == CONTENT[7:size][at : at + length]
        assert file.pread(size - 1, 5) == CONTENT[size - 1 : size], "the rest has not closed it"
        nested = file.after(7).after(2)
        assert nested.pread(0, 9) == CONTENT[9:size][:9] and nested.size == size - 9


def test_the_rest_ends_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(CONTENT)
    with FileSource(os.open(path, os.O_RDONLY), 0, len(CONTENT)) as file:
        rest = file.after(7)
    other = os.open(__file__, os.O_RDONLY)  # what has the descriptor's number now is nobody's business
    try:
        with pytest.raises(GatewayError):
            rest.pread(0, 4)
    finally:
        os.close(other)


def test_a_folder_that_cannot_be_read_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "MUSTERMANN").mkdir()
    (tmp_path / "one").write_bytes(b"1")
    real = os.scandir

    def refusing(folder: Path) -> object:
        if folder.name == "MUSTERMANN":
            raise PermissionError(13, "no")
        return real(folder)

    assert [each for each, _ in deid._found([tmp_path])] == [tmp_path / "one"]
    monkeypatch.setattr(deid.os, "scandir", refusing)
    with pytest.raises(SystemExit):
        list(deid._found([tmp_path]))
    told = capsys.readouterr().err
    assert "not all of it can be read" in told and "MUSTERMANN" not in told
