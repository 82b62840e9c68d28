"""The recipe of a decision: what makes of an object something else than before, and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.rulebook import compile_ruleset, take

RULES = """\
version: 1
state: {dir: ./state}
listeners:
  - {id: hospital, dimse: {ae: GATEWAY, port: 2762}, unsafe_plaintext: a test}
  - {id: north, dimse: {ae: NORTH, port: 2763}, unsafe_plaintext: a test, issuer: NORTH}
destinations: {landing: {folder: {dir: ./landing}}}
deidentify: {trial: {key: file:project.key}, other: {key: file:project.key}}
routes:
  - {id: trial, match: {Modality: CT}, steps: [{deidentify: trial}], deliver: landing}
  - {id: pass, match: {Modality: MR}, deliver: landing}
  - {id: rest, otherwise: hold, reason: no-route}
"""


def recipe(folder: Path, old: str = "", new: str = "", route: str = "trial", listener: str = "hospital") -> str:
    (folder / "gateway.yaml").write_text(RULES.replace(old, new) if old else RULES)
    return compile_ruleset(*take(folder / "gateway.yaml")).recipe(route, listener)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "project.key").write_bytes(bytes(range(32)))
    (tmp_path / "project.key").chmod(0o600)
    return tmp_path


def test_without_steps_there_is_none(site: Path) -> None:
    assert recipe(site, route="pass") == recipe(site, route="rest") == recipe(site, route="") == ""
    assert len(recipe(site)) == 16


def test_what_changes_nothing_of_the_object_changes_no_recipe(site: Path) -> None:
    for old, new in [
        ("no-route", "nobody"),
        ("Modality: CT", "Modality: PT"),
        ("deliver: landing", "deliver: [landing]"),
    ]:
        assert recipe(site, old, new) == recipe(site)
    assert recipe(site, "id: trial,", "id: renamed,", route="renamed") == recipe(site)


def test_what_makes_something_else_of_it_does(site: Path) -> None:
    found = [recipe(site)]
    found.append(recipe(site, listener="north"))
    found.append(recipe(site, "{trial: {key: file:project.key}", "{trial: {key: file:project.key, project: p2}"))
    found.append(recipe(site, "[{deidentify: trial}]", "[{deidentify: other}]"))
    found.append(recipe(site, "[{deidentify: trial}]", "[{deidentify: trial}, {transcode: jpeg-ls}]"))
    (site / "project.key").write_bytes(bytes(range(1, 33)))
    found.append(recipe(site))
    assert len(set(found)) == len(found)
