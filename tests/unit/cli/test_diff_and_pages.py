"""`diff` and the pages: what differs is told, no value is unless asked for, and nothing put into a page is markup."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pydicom
import pytest
from typer.testing import CliRunner

from examples.study import ct
from gateway.cli import pages
from gateway.cli.main import command_line
from gateway.errors import GatewayError


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(command_line("diff"), ["diff", *map(str, arguments)])
    return done.exit_code, done.output


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    before = ct(1, 1, rows=4)
    before.PatientName = "<script>alert(1)</script>^EVIL"
    before.save_as(tmp_path / "before.dcm", enforce_file_format=True)
    after = pydicom.dcmread(tmp_path / "before.dcm")
    del after.StudyDate
    after.AccessionNumber = ""
    after.PatientName = "SOMEBODY"
    after.PatientIdentityRemoved = "YES"
    after.save_as(tmp_path / "after.dcm")
    return tmp_path / "before.dcm", tmp_path / "after.dcm"


def test_each_kind_of_difference_is_told(pair: tuple[Path, Path]) -> None:
    code, told = run("--json", *pair)
    found = {line["path"]: line["what"] for line in json.loads(told)["elements"]}
    assert code == 1
    assert found == {
        "StudyDate": "removed",
        "AccessionNumber": "emptied",
        "PatientName": "changed",
        "PatientIdentityRemoved": "added",
    }


def test_equal_objects_end_with_0(pair: tuple[Path, Path]) -> None:
    code, told = run("--json", pair[0], pair[0])
    assert code == 0 and json.loads(told)["elements"] == []
    assert set(json.loads(told)["counts"]) == {"kept"}


def test_items_of_sequences_are_compared(tmp_path: Path) -> None:
    one = ct(1, 1, rows=4)
    one.RequestAttributesSequence = [pydicom.Dataset(), pydicom.Dataset()]
    one.RequestAttributesSequence[1].RequestedProcedureID = "CANARY"
    one.save_as(tmp_path / "1.dcm", enforce_file_format=True)
    one.RequestAttributesSequence[1].RequestedProcedureID = "OTHER"
    one.save_as(tmp_path / "2.dcm", enforce_file_format=True)
    code, told = run("--json", tmp_path / "1.dcm", tmp_path / "2.dcm")
    assert code == 1 and "CANARY" not in told
    assert [each["path"] for each in json.loads(told)["elements"]] == [
        "RequestAttributesSequence[2].RequestedProcedureID"
    ]


def test_values_only_where_asked_for(pair: tuple[Path, Path]) -> None:
    assert "EVIL" not in run(*pair)[1]
    assert "EVIL" in run("--json", "--values", *pair)[1]


class Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not any(name.startswith("on") or name in ("src", "href") for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_page_is_whole_private_and_escaped(pair: tuple[Path, Path], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    run("--values", "--html", page, *pair)
    seen = Seen()
    seen.feed(page.read_text())
    assert "script" not in seen.tags and "<script>alert(1)</script>^EVIL" in seen.text
    assert page.stat().st_mode & 0o077 == 0
    run("--html", tmp_path / "quiet.html", *pair)
    assert "EVIL" not in (tmp_path / "quiet.html").read_text()


def test_a_page_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "there.html").write_text("mine")
    with pytest.raises(GatewayError, match="page-exists"):
        pages.write(tmp_path / "there.html", "diff.html.j2", lines=[], counts={}, values=False)
    assert (tmp_path / "there.html").read_text() == "mine"


@pytest.mark.parametrize("data", [b"", b"x" * 200, b"\0" * 128 + b"DICM", b"\0" * 128 + b"DICM" + b"\xff" * 40])
def test_what_is_no_object_is_refused(data: bytes, pair: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "bad.dcm").write_bytes(data)
    code, told = run(tmp_path / "bad.dcm", pair[0])
    assert code in (1, 2) and "Traceback" not in told
