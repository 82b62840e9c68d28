"""`certs dev` and `certs show`."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from gateway.cli import certs


def run(*arguments: object):
    return CliRunner().invoke(certs.app, [str(each) for each in arguments])


def test_dev_makes_a_pki_once_and_show_reads_it(tmp_path) -> None:
    done = run("dev", tmp_path / "certs", "--name", "gateway.example")
    assert done.exit_code == 0 and "never use them in production" in done.stdout
    again = run("dev", tmp_path / "certs")
    assert again.exit_code == 2 and "never overwritten" in again.stderr
    shown = run("show", tmp_path / "certs" / "modality.pem")
    assert "subject:     CN=modality,O=dicom-gateway development\n" in shown.stdout


@pytest.mark.parametrize("text", [None, "", "hello"])
def test_show_says_what_is_no_certificate(tmp_path, text) -> None:
    file = tmp_path / "x.pem"
    if text is not None:
        file.write_text(text)
    done = run("show", file)
    assert done.exit_code == 2 and str(file) in done.stderr


def test_a_name_that_is_none_makes_nothing(tmp_path) -> None:
    assert run("dev", tmp_path / "certs", "--name", "bücher.example").exit_code == 2
    assert not list((tmp_path / "certs").glob("*"))
