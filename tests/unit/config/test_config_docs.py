"""docs/rules.md is right: every fenced example loads, and every predicate and block has one."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from gateway.config.document import parse
from gateway.config.load import examine_bytes
from gateway.config.schema import Config
from gateway.decide.check import problems as rule_problems
from gateway.decide.predicates import PREDICATES
from gateway.decide.routes import compile_rules

TEXT = (Path(__file__).parents[3] / "docs" / "rules.md").read_text()
FENCED = re.findall(r"^```yaml( match)?\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
MATCHES = [body for kind, body in FENCED if kind]
BLOCKS = [body for kind, body in FENCED if not kind]
WHOLE = next(body for body in BLOCKS if body.startswith("version: 1"))


def accepted(text: str) -> None:
    config, problems = examine_bytes(text.encode(), "rules.md", Path("/base"), (rule_problems,))
    assert [str(each) for each in problems if each.severity == "error"] == []
    assert config is not None
    compile_rules(config)


def with_block(block: str) -> str:
    """The whole file, without its cases, with its block of that name replaced or added."""
    gone = (f"{block.split(':', 1)[0]}:", "cases:")
    parts = re.split(r"^(?=[a-z])", WHOLE, flags=re.MULTILINE)
    return "".join(part for part in parts if not part.startswith(gone)) + block


@pytest.mark.parametrize("body", BLOCKS)
def test_every_block_loads(body: str) -> None:
    accepted(body if body == WHOLE else with_block(body))


@pytest.mark.parametrize("body", MATCHES)
def test_every_match_loads(body: str) -> None:
    route = f"routes:\n  - id: example\n    match:\n{textwrap.indent(body, ' ' * 6)}    deliver: landing\n"
    text = with_block(f"{route}  - {{id: rest, otherwise: hold}}\n").replace("ae: GATEWAY,", "ae: [GATEWAY, RESEARCH],")
    accepted(text)


def test_a_wrong_word_in_an_example_would_be_found() -> None:
    with pytest.raises(AssertionError):
        accepted(with_block(BLOCKS[-1].replace("Modality", "Modalty")))


def test_every_predicate_has_an_example() -> None:
    used = {key for body in MATCHES for key in re.findall(r"[{ ]([a-z]+): ", body)}
    assert set(PREDICATES) <= used


def test_every_block_of_the_file_is_told_of() -> None:
    shown = {key for body in BLOCKS for key in parse(body.encode(), "x")[0]}
    missing = set(Config.model_fields) - shown
    assert all(re.search(rf"\b{name}\b", TEXT) for name in missing)
    assert missing <= {"workers"}
