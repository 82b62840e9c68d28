"""Golden texts: each broken file and every line that `check` prints of it.

After a deliberate change: `python tests/unit/config/test_config_broken_files.py` writes them anew; read the diff.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.load import examine, examine_bytes, load
from gateway.decide.check import problems as rule_problems
from gateway.errors import ConfigRefused

BROKEN = Path(__file__).parent / "broken"
FILES = sorted(BROKEN.glob("*.yaml"))


def told(path: Path) -> str:
    _, problems = examine_bytes(path.read_bytes(), path.name, Path("/base"), (rule_problems,))
    return "".join(f"{each}\n" for each in problems)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_problem_is_told_in_these_words(path: Path) -> None:
    assert told(path) == path.with_suffix(".txt").read_text()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_broken_file_is_refused(path: Path) -> None:
    with pytest.raises(ConfigRefused) as caught:
        load(path, (rule_problems,))
    assert caught.value.problems
    assert all(each.severity == "error" for each in caught.value.problems)


def test_a_secret_written_into_the_file_is_not_repeated() -> None:
    text = (BROKEN / "secrets.yaml").read_text()
    assert "hunter2" in text
    assert "12345678" in text
    shown = told(BROKEN / "secrets.yaml")
    assert "hunter2" not in shown
    assert "12345678" not in shown


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    config, problems = examine(tmp_path / "gateway.yaml")
    assert config is None
    assert str(problems[0]).endswith("gateway.yaml:1:1: the file cannot be read: No such file or directory")


if __name__ == "__main__":
    for each in FILES:
        each.with_suffix(".txt").write_text(told(each))
