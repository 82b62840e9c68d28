"""`dicom-gateway convert`: what it writes, what it refuses, what it never does."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import conversions
from gateway.cli.main import command_line
from tests.unit.sr.test_sr_refusals import SECRET, item, report
from transforms.conversion import Converted, Given
from transforms.errors import TransformError
from transforms.loss import Losses, LossReport
from transforms.source import BytesSource
from transforms.sr.read import read_file
from transforms.sr.values import Image, SopReference, Text
from transforms.sr.write import write_dataset, write_file


def convert(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(command_line("convert"), ["convert", *map(str, arguments)])
    return result.exit_code, result.output


@pytest.fixture
def sr(tmp_path: Path) -> Path:
    path = tmp_path / "in.dcm"
    path.write_bytes(write_file(report(item(Text(SECRET)))))
    return path


def test_a_report_is_written_whole_and_for_its_owner(sr: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.dcm"
    assert convert("--to", "sr", "--out", out, sr) == (0, "nothing lost, nothing defaulted\n")
    assert out.read_bytes() == sr.read_bytes()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.dcm", "out.dcm"]


def test_losses_are_told_without_values(tmp_path: Path) -> None:
    dataset = write_dataset(report(item(Text("x"))))
    dataset.ClinicalTrialProtocolID = SECRET
    dataset.save_as(tmp_path / "in.dcm")
    for name in ("loss.json", "loss.txt"):
        (tmp_path / "out.dcm").unlink(missing_ok=True)
        code, output = convert(
            "--to", "sr", "--out", tmp_path / "out.dcm", "--loss-report", tmp_path / name, tmp_path / "in.dcm"
        )
        told = (tmp_path / name).read_text()
        assert (code, "1 left-out" in output, "ClinicalTrialProtocolID" in told) == (0, True, True)
        assert SECRET not in output + told
    (line,) = json.loads((tmp_path / "loss.json").read_text())["conversions"][0]["lines"]
    assert line["fate"] == "left-out"


def test_nothing_is_overwritten(sr: Path, tmp_path: Path) -> None:
    code, output = convert("--to", "sr", "--out", sr, sr)
    assert (code, "exists already" in output) == (2, True)
    (tmp_path / "loss.txt").write_text("mine")
    assert convert("--to", "sr", "--out", tmp_path / "o", "--loss-report", tmp_path / "loss.txt", sr)[0] == 2
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not-part10"),
        (b"no report at all, and longer than a header of any kind", "not-part10"),
        (b"<html/>", "conversion-unknown"),
        (b"<ClinicalDocument", "xml-malformed"),
        (b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><ClinicalDocument xmlns='urn:hl7-org:v3'/>", "xml-doctype"),
        (b"<ClinicalDocument xmlns='urn:hl7-org:v3'/>", "sr is made from"),
    ],
)
def test_what_cannot_be_converted_says_why(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(content)
    code, output = convert("--to", "sr", "--out", tmp_path / "out", tmp_path / "in")
    assert (code, reason in output) == (3, True), output
    assert not (tmp_path / "out").exists()


def test_unknown_targets_and_folders_are_named(sr: Path, tmp_path: Path) -> None:
    assert "there are sr, " in convert("--to", "docx", "--out", tmp_path / "o", sr)[1].replace("\n", " ")
    assert "no such folder" in convert("--to", "sr", "--images", tmp_path / "none", "--out", tmp_path / "o", sr)[1]
    (tmp_path / "site.yaml").write_text("- a list")
    assert convert("--to", "sr", "--options", tmp_path / "site.yaml", "--out", tmp_path / "o", sr)[0] == 2


def test_a_way_leads_through_cda(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {("sr", "cda"): ("here", "first"), ("cda", "mdm"): ("here", "second"), ("aim", "sr"): ("here", "third")}
    monkeypatch.setattr(conversions, "CONVERSIONS", table)
    assert conversions.way("sr", "mdm") == (("sr", "cda"), ("cda", "mdm"))
    assert conversions.way("aim", "mdm") == ()

    def function(_: str, name: str) -> object:
        def done(data: bytes, given: Given) -> Converted:
            losses = Losses()
            losses.left_out("1", name)
            return Converted(data + name.encode(), LossReport("a", "b", losses.lines))

        return done

    monkeypatch.setattr(conversions, "_function", function)
    monkeypatch.setattr(conversions, "kind_of", lambda _: "sr")
    monkeypatch.setattr(conversions, "_identity", lambda _: ("1.2", "1.3"))
    from datetime import UTC, datetime

    converted = conversions.run(b"-", "mdm", Given(datetime.now(UTC)))
    assert converted.data == b"-firstsecond"
    assert [line.what for each in converted.losses.all for line in each.lines] == ["first", "second"]
    monkeypatch.setattr(conversions, "kind_of", lambda _: "aim")
    with pytest.raises(TransformError, match="mdm is made from cda, sr; the input is aim"):
        conversions.run(b"-", "mdm", Given(datetime.now(UTC)))


def test_images_at_hand_are_found_by_their_uid(tmp_path: Path) -> None:
    from gateway.cli.convert import _Images

    made = write_file(report(item(Image(SopReference("1.2", "2.25.9")))))
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.dcm").write_bytes(made)
    (tmp_path / "notes.txt").write_text("not an image")
    images = _Images(tmp_path)
    found = images("2.25.7")
    assert found is not None and read_file(BytesSource(found.pread(0, found.size))).sop_instance == "2.25.7"
    assert images("2.25.8") is None
