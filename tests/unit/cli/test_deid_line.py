"""A plain command line of `deid` is read without Typer, and as Typer reads it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from gateway.cli import deid_command, deid_line
from gateway.cli.deid import Asked
from gateway.cli.main import command_line

NEEDED = "--key k --out o in"
PLAIN = (
    NEEDED,
    "in --out o other --key-file k",
    f"{NEEDED} --profile p.yaml --project trial --documents clean-or-hold --devices d.yaml --processes 3",
    f"{NEEDED} --option clean-descriptors --option retain-uids",
    f"{NEEDED} --report r.json --names --patients p.csv --allow-merge --mapping m",
    f"{NEEDED} --manifest m.p7m --sign cert.pem key.pem --recipient a.pem --recipient b.pem",
)
NOT_PLAIN = (
    "",
    "--help",
    f"{NEEDED} -h",
    "--key k --out o",
    "--key k in",
    "--out o in",
    f"{NEEDED} --out again",
    f"{NEEDED} --key-file again",
    f"{NEEDED} --names --names",
    f"{NEEDED} --report=r.json",
    f"{NEEDED} --report",
    f"{NEEDED} --report --names",
    f"{NEEDED} --repo r.json",
    f"{NEEDED} --sign cert.pem",
    f"{NEEDED} --sign cert.pem --names",
    f"{NEEDED} --processes -1",
    f"{NEEDED} --processes two",
    f"{NEEDED} --processes 1.5",
    f"{NEEDED} --documents keep",
    f"{NEEDED} --unknown x",
    "--key k --out o -- in",
    "--key k --out o -",
)


@pytest.mark.parametrize("line", PLAIN)
def test_what_is_plain_is_read_as_typer_reads_it(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[Asked] = []

    def hear(asked: Asked) -> int:
        heard.append(asked)
        return 3

    monkeypatch.setattr(deid_command, "deidentify_files", hear)
    done = CliRunner().invoke(command_line("deid"), ["deid", *line.split()])
    assert done.exit_code == 3, done.output
    assert deid_line.read(line.split()) == heard[0]


@pytest.mark.parametrize("line", NOT_PLAIN)
def test_all_else_is_typers(line: str) -> None:
    assert deid_line.read(line.split()) is None


def test_an_empty_word_is_typers() -> None:
    assert deid_line.read([*NEEDED.split(), ""]) is None
    assert deid_line.read([*NEEDED.split(), "--report", ""]) is None


def test_both_know_the_same_options() -> None:
    command: Any = typer.main.get_command(command_line("deid"))
    options = {
        name: each for each in command.commands["deid"].params for name in each.opts if each.param_type_name == "option"
    }
    ours = {**deid_line.TEXTS, **deid_line.PATHS, **deid_line.FLAGS, **deid_line.REPEATED}
    ours |= {"--documents": "documents", "--processes": "processes", "--sign": "sign"}
    assert {name: each.name for name, each in options.items() if name != "--help" and name != "-h"} == ours
    assert {name for name, each in options.items() if each.multiple} == set(deid_line.REPEATED)
    flags = {name for name, each in options.items() if each.is_flag and name not in ("--help", "-h")}
    assert flags == set(deid_line.FLAGS)


def test_a_plain_command_needs_no_typer(tmp_path: Path) -> None:
    """The point of it, shown by what is imported; and what is missing is told as ever."""
    code = (
        "SLOW = {'typer', 'pydantic', 'msgspec', 'pydicom', 'dataclasses', 'inspect', 'logging'}\n"
        "import sys; sys.argv[1:] = ['deid', '--key', sys.argv[1], '--out', sys.argv[2], sys.argv[3]]\n"
        "from gateway.cli.main import run\n"
        "try: run()\n"
        "except SystemExit as end:\n"
        "    print(end.code, sorted(SLOW & set(sys.modules)))"
    )
    key = tmp_path / "key"
    key.write_bytes(bytes(range(32)))
    key.chmod(0o600)
    for name, told in (("in", "2 []"), ("here", "0 []")):
        (tmp_path / "here").mkdir(exist_ok=True)
        (tmp_path / "here" / "no-image.txt").write_text("nothing")
        done = subprocess.run(
            [sys.executable, "-c", code, str(key), str(tmp_path / "out"), str(tmp_path / name)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout.splitlines()[-1] == told, done.stdout + done.stderr
