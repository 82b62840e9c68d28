"""Documents say what is: links lead somewhere, commands exist, every example carries its own test."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from .tree import ROOT, text, tracked

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"^\| `dicom-gateway ([a-z]+(?: [a-z]+)?)[^`]*` \|", re.MULTILINE)
CODE = re.compile(r"`[^`\n]+`|^(?:    |\$ ).+$", re.MULTILINE)
MAKE = re.compile(r"\bmake ([a-z][a-z-]*)\b")


def documents() -> list[Path]:
    """Every Markdown file."""
    return [p for p in tracked() if p.suffix == ".md"]


def anchor(heading: str) -> str:
    """The anchor that renderers make of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("path", documents(), ids=str)
def test_links_lead_somewhere(path: Path) -> None:
    broken = []
    for target in LINK.findall(text(path)):
        if "://" in target or target.startswith("mailto:"):
            continue
        name, _, fragment = target.partition("#")
        place = (ROOT / path).parent / name if name else ROOT / path
        if not place.exists():
            broken.append(target)
        elif fragment and place.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", place.read_text(encoding="utf-8"), re.MULTILINE)
            if fragment not in {anchor(h) for h in headings}:
                broken.append(target)
    assert broken == []


@cache
def help_of(*command: str) -> str:
    """What `dicom-gateway COMMAND --help` prints."""
    program = Path(sys.executable).parent / "dicom-gateway"
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
    done = subprocess.run(
        [program, *command, "--help"], capture_output=True, text=True, check=False, env=environment, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def commands(printed: str) -> set[str]:
    """The names in the panel `Commands` of a help text."""
    panel = printed.split("Commands", 1)[1] if "Commands" in printed else ""
    return set(re.findall(r"^[│|] ([a-z][a-z-]*) {2,}\S", panel, re.MULTILINE))


def offered() -> set[str]:
    """Every command, with those of groups as `held list`."""
    found = set()
    for name in commands(help_of()):
        inner = commands(help_of(name))
        found |= {f"{name} {part}" for part in inner} if inner else {name}
    return found


def test_the_readme_lists_the_commands_that_exist() -> None:
    listed = set(COMMAND.findall(text(Path("README.md"))))
    assert listed == offered()


def test_the_options_named_in_the_readme_exist() -> None:
    """Each `--option` of a command line in README.md is one that its `--help` knows."""
    wrong = []
    for line in re.findall(r"^ *\$? ?(?:\.venv/bin/)?(dicom-gateway [^\n]+)$", text(Path("README.md")), re.MULTILINE):
        words = line.split()[1:]
        name = [w for w in words[:2] if re.fullmatch(r"[a-z]+", w)]
        known = offered()
        command = tuple(name) if " ".join(name) in known else tuple(name[:1])
        printed = help_of(*command)
        wrong += [f"{line}: {w}" for w in words if w.startswith("--") and w.split("=")[0] not in printed]
    assert wrong == []


def test_make_targets_named_in_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", text(Path("Makefile")), re.MULTILINE))
    named = {
        (str(path), target)
        for path in documents()
        for quoted in CODE.findall(text(path))
        for target in MAKE.findall(quoted)
    }
    assert {n for n in named if n[1] not in targets} == set()
    assert {target for _, target in named} >= {"demo", "test", "setup"}


def examples() -> list[Path]:
    """The folders of examples/."""
    return sorted({Path(*p.parts[:2]) for p in tracked() if p.parts[0] == "examples" and len(p.parts) > 2})


@pytest.mark.parametrize("folder", examples(), ids=str)
def test_an_example_has_rules_that_test_themselves(folder: Path) -> None:
    assert (ROOT / folder / "README.md").is_file()
    rules = (ROOT / folder / "gateway.yaml").read_text(encoding="utf-8")
    assert re.search(r"^cases:", rules, re.MULTILINE)


def test_decisions_are_numbered_once_and_have_titles() -> None:
    decisions = sorted(p for p in tracked() if p.parts[:2] == ("docs", "adr") and p.name != "README.md")
    numbers = [p.name[:4] for p in decisions]
    assert numbers == sorted(set(numbers))
    assert [str(p) for p in decisions if not text(p).startswith(f"# {p.name[:4]}: ")] == []


PLACE = re.compile(r"`((?:gateway|transforms|profiles|certs|tests|examples|benchmarks|docs)/[\w./-]+)`")


@pytest.mark.parametrize("path", documents(), ids=str)
def test_files_that_documents_name_exist(path: Path) -> None:
    """A place in backticks is a place of this repository; `<verb>` marks one that is yet to be."""
    near = (ROOT, (ROOT / path).parent)
    missing = [place for place in PLACE.findall(text(path)) if not any((folder / place).exists() for folder in near)]
    assert missing == []
