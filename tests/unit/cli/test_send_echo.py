"""`send` and `echo`: exit statuses, summary, and that nothing of a data set is printed."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from pydicom.data import get_testdata_file
from typer.testing import CliRunner, Result

from certs.dev import make
from gateway.cli import echo, send
from gateway.dimse.service import StoreResponse
from gateway.errors import RefuseObject
from tests.unit.dimse.doubles import MemoryService, listening, server_context

app = typer.Typer()
app.command()(send.send)
app.command()(echo.echo)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    for name, place in (("CT_small.dcm", "a.dcm"), ("MR_small_implicit.dcm", "deep/b"), ("JPEG2000.dcm", "c")):
        path = get_testdata_file(name)
        assert isinstance(path, str)
        (folder / place).write_bytes(Path(path).read_bytes())
    return folder


def test_all_delivered(files: Path) -> None:
    with listening() as scp:
        done = run("send", f"127.0.0.1:{scp.port}", files, "--called", "GATEWAY", "--plaintext")
    assert done.exit_code == 0, done.output
    assert "3  delivered" in done.output
    for store, data in scp.service.stored:
        assert any(path.read_bytes().endswith(data) for path in files.rglob("*") if path.is_file())
        assert store.sop_instance not in done.output
    assert len(scp.service.stored) == 3
    assert scp.service.requests[0].called_ae == "GATEWAY"


def test_some_not(files: Path) -> None:
    (files / "notes.txt").write_text("Mustermann")
    answers = iter([StoreResponse(0), StoreResponse(0xB000), StoreResponse(0xB001)])

    def on_finish(_: object) -> StoreResponse:
        return next(answers)

    with listening(MemoryService(on_finish=on_finish)) as scp:
        done = run("send", f"127.0.0.1:{scp.port}", files, "--called", "G", "--plaintext")
    assert done.exit_code == 3
    assert "1  delivered\n" in done.output
    assert "1  delivered with a warning: B000H coercion-of-data-elements" in done.output
    assert "1  refused: B001H warning-not-listed" in done.output
    assert "1  not sent: no Part 10 file" in done.output
    assert "Mustermann" not in done.output


def test_a_refusal_does_not_stop_the_others(files: Path) -> None:
    calls = []

    def on_begin(_: object) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise RefuseObject("no", 0xA900)

    with listening(MemoryService(on_begin=on_begin)) as scp:
        done = run("send", f"127.0.0.1:{scp.port}", files, "--called", "G", "--plaintext")
    assert (done.exit_code, len(scp.service.stored)) == (3, 2)


def test_nobody_there(files: Path) -> None:
    done = run("send", "127.0.0.1:1", files, "--called", "G", "--plaintext")
    assert done.exit_code == 3
    assert "3  not sent: connect-failed" in done.output
    done = run("echo", "127.0.0.1:1", "--called", "G", "--plaintext")
    assert done.exit_code == 1


def test_over_mutual_tls(files: Path, tmp_path: Path) -> None:
    certs = tmp_path / "certs"
    make(certs, ())
    options = ["--cert", certs / "gateway.pem", "--key", certs / "gateway.key", "--ca", certs / "ca.pem"]
    with listening(context=server_context(certs)) as scp:
        assert run("echo", f"localhost:{scp.port}", "--called", "G", *options).exit_code == 0
        assert run("send", f"localhost:{scp.port}", files, "--called", "G", *options).exit_code == 0
        wrong = [*options[:4], "--ca", certs / "untrusted-ca.pem"]
        done = run("echo", f"localhost:{scp.port}", "--called", "G", *wrong)
    assert done.exit_code == 1
    assert "certificate-refused-here" in done.output
    assert len(scp.service.stored) == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ["nohost", "--plaintext"],
        ["h:0", "--plaintext"],
        ["h:99999", "--plaintext"],
        ["h:104"],
        ["h:104", "--plaintext", "--cert", "x"],
        ["h:104", "--cert", "/nowhere", "--key", "/nowhere", "--ca", "/nowhere"],
        ["h:104", "--plaintext", "--calling", "A\\B"],
        ["h:104", "--plaintext", "--calling", "X" * 17],
    ],
)
def test_what_cannot_be_done_as_asked(arguments: list[str]) -> None:
    assert run("echo", arguments[0], "--called", "G", *arguments[1:]).exit_code == 2


def test_no_file_is_not_success(tmp_path: Path) -> None:
    assert run("send", "h:104", tmp_path, "--called", "G", "--plaintext").exit_code == 2
    assert run("send", "h:104", tmp_path / "none", "--called", "G", "--plaintext").exit_code == 2
