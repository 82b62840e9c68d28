"""Loading: the design's example, positions, paths, the normal form and its hash."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.document import MAX_BYTES, parse
from gateway.config.load import examine_bytes, load, normal_form, rules_hash
from gateway.config.problems import Problem, nearest
from gateway.config.schema import Config
from gateway.decide.check import problems as rule_problems
from gateway.errors import ConfigRefused

# DESIGN.md section 5, reduced to what exists: DIMSE and folders, the Basic Profile without options.
DESIGN = """\
version: 1
state: {dir: ./state, ledger: sqlite}
identity: {certificate: file:certs/dev/gateway.pem, key: file:certs/dev/gateway.key}
listeners:
  - id: hospital
    dimse: {ae: GATEWAY, port: 2762}
    tls: {profile: bcp195-rfc9325, client_cert: required, trust: file:certs/dev/ca.pem}
peers:
  CT1: {host: 127.0.0.1, port: 11112, max_pdu: 16384, idle: 2h}
destinations:
  archive:
    dimse: {host: 127.0.0.1, port: 11113, ae: ARCHIVE}
    tls: {profile: bcp195-rfc9325, trust: file:certs/dev/ca.pem}
    retry: {for: 3d, backoff: 5s..1h}
  landing: {folder: {dir: ./landing}}
deidentify:
  trial42:
    profile: basic
    key: env:TRIAL42_KEY
    override: [{at: PatientAge, do: keep, why: protocol 4.2, allow_looser: true}]
routes:
  - id: research
    match: {all: [{listener: hospital}, {StudyDescription: {like: '*TRIAL42*'}}, {Modality: {in: [CT, MR, SR]}}]}
    steps: [{deidentify: trial42}]
    deliver: [archive, landing]
  - {id: rest, otherwise: hold, reason: no route}
cases:
  - name: trial CT leaves pseudonymous
    given: {file: ct.dcm, listener: hospital, set: {StudyDescription: CT TRIAL42}}
    expect: {route: research, removed: [PatientAddress], changed: [PatientID, StudyInstanceUID], pixels: identical}
"""


def examined(text: str, base: str = "/base") -> tuple[Config, tuple[Problem, ...]]:
    config, problems = examine_bytes(text.encode(), "gateway.yaml", Path(base), (rule_problems,))
    assert config is not None, [str(each) for each in problems]
    return config, problems


def test_the_designs_example_loads_with_one_warning(tmp_path: Path) -> None:
    _, problems = examined(DESIGN)
    assert [(each.severity, each.line) for each in problems] == [("warning", 24)]  # SR without its own option
    (tmp_path / "gateway.yaml").write_text(DESIGN)
    config = load(tmp_path / "gateway.yaml", (rule_problems,))
    assert config.listeners[0].dimse.ae == ("GATEWAY",)
    assert config.destinations["archive"].retry.for_ == 3 * 86400
    assert config.destinations["archive"].retry.backoff == (5, 3600)
    assert config.peers["CT1"].idle == 7200
    assert config.listeners[0].dimse.limits.max_pdu == 131072


def test_paths_count_from_the_files_folder() -> None:
    config, _ = examined(DESIGN.replace("env:TRIAL42_KEY", "file:keys/trial42").replace("./landing", "/abs/landing"))
    assert config.state.dir == Path("/base/state")
    assert config.identity is not None
    assert config.identity.key == Path("/base/certs/dev/gateway.key")
    assert config.deidentify["trial42"].key == "file:/base/keys/trial42"
    assert config.cases[0].given.file == Path("/base/ct.dcm")
    landing = config.destinations["landing"].folder
    assert landing is not None
    assert landing.dir == Path("/abs/landing")


def test_a_relative_file_gives_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gateway.yaml").write_text(DESIGN)
    monkeypatch.chdir(tmp_path)
    assert load(Path("gateway.yaml")).state.dir == tmp_path / "state"


def test_the_hash_is_of_what_the_file_says_not_of_how() -> None:
    config, _ = examined(DESIGN)
    spread = DESIGN.replace(
        "state: {dir: ./state, ledger: sqlite}", "# the same\nstate:\n  ledger: sqlite\n  dir: state"
    )
    lines = spread.splitlines(keepends=True)
    moved = "".join(lines[1:] + lines[:1])  # version last
    assert rules_hash(examined(moved)[0]) == rules_hash(config)
    defaults = DESIGN.replace(", client_cert: required", "").replace("profile: bcp195-rfc9325, ", "")
    assert rules_hash(examined(defaults)[0]) == rules_hash(config)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2762", "2763"),
        ("TRIAL42*", "TRIAL43*"),
        ("[CT, MR, SR]", "[CT, MR]"),
        ("TRIAL42_KEY", "TRIAL43_KEY"),
        ("PatientAge", "PatientSex"),
        ("otherwise: hold", "otherwise: drop"),
    ],
)
def test_the_hash_tells_every_difference(old: str, new: str) -> None:
    assert rules_hash(examined(DESIGN)[0]) != rules_hash(examined(DESIGN.replace(old, new))[0])


def test_the_order_of_routes_is_part_of_the_hash() -> None:
    one = "  - {id: a, match: {Modality: CT}, deliver: landing}\n"
    two = "  - {id: b, match: {Modality: MR}, deliver: landing}\n"
    there = DESIGN.replace("routes:\n", f"routes:\n{one}{two}")
    back = DESIGN.replace("routes:\n", f"routes:\n{two}{one}")
    assert rules_hash(examined(there)[0]) != rules_hash(examined(back)[0])


def test_no_secret_gets_into_the_normal_form(monkeypatch: pytest.MonkeyPatch) -> None:
    config, _ = examined(DESIGN)
    before = normal_form(config)
    monkeypatch.setenv("TRIAL42_KEY", "hunter2hunter2hunter2")
    assert normal_form(examined(DESIGN)[0]) == before
    assert b"hunter2" not in before
    assert b"env:TRIAL42_KEY" in before


def test_a_configuration_survives_being_kept_and_read_back() -> None:
    config, _ = examined(DESIGN)
    again = Config.model_validate_json(normal_form(config))
    assert normal_form(again) == normal_form(config)
    assert rules_hash(again) == rules_hash(config)


def test_positions_are_those_an_editor_shows() -> None:
    text = DESIGN.replace("port: 11113", "port: 0")
    _, problems = examine_bytes(text.encode(), "gateway.yaml", Path("/base"))
    found = next(each for each in problems if each.severity == "error")
    line = text.splitlines()[found.line - 1]
    assert line[found.column - 1 :].startswith("0, ae: ARCHIVE")
    assert str(found) == f"gateway.yaml:{found.line}:{found.column}: this should be greater than or equal to 1"


def test_bytes_before_and_line_ends_do_not_move_positions() -> None:
    text = DESIGN.replace("version: 1", "version: 3")
    for data in (text.encode("utf-8-sig"), text.replace("\n", "\r\n").encode()):
        config, problems = examine_bytes(data, "gateway.yaml", Path("/base"))
        assert config is None
        assert str(problems[0]) == "gateway.yaml:1:10: 3 is not one of 1"


@pytest.mark.parametrize("data", [b"", b"# nothing\n", b"- 1\n", b"text\n", b"null\n"])
def test_what_is_no_map_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "g.yaml").write_bytes(data)
    with pytest.raises(ConfigRefused, match="a rule file is a map"):
        load(tmp_path / "g.yaml")


def test_too_large_is_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "g.yaml").write_bytes(DESIGN.encode() + b"#" * MAX_BYTES)
    with pytest.raises(ConfigRefused, match="larger than 1 MiB"):
        load(tmp_path / "g.yaml")


SCALARS: list[tuple[str, Any]] = [
    ("1", 1), ("-5", -5), ("0", 0), ("007", "007"), ("0x1F", "0x1F"), ("1_000", "1_000"), ("1.5", 1.5), ("1e3", 1000.0),
    (".inf", ".inf"), (".nan", ".nan"), ("1e999", "1e999"), ("9" * 40, "9" * 40), ("2024-01-01", "2024-01-01"),
    ("12:30", "12:30"), ("yes", "yes"), ("NO", "NO"), ("true", True), ("False", False), ("null", None), ("~", None),
    ("'1'", "1"), ('"true"', "true"), ("text", "text"), ("1.2.840", "1.2.840"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_scalars_are_never_guessed(text: str, value: Any) -> None:
    found, _, problems = parse(f"a: {text}\n".encode(), "f")
    assert not problems
    assert found == {"a": value}
    assert type(found["a"]) is type(value)


@given(st.text(max_size=60))
def test_every_text_parses_or_is_told(text: str) -> None:
    value, _, problems = parse(text.encode("utf-8", "surrogatepass"), "f")
    assert all(each.line >= 1 and each.column >= 1 and each.message for each in problems)
    if not problems:
        assert json.loads(json.dumps(value)) == value


def test_nearest() -> None:
    assert nearest("lissteners", ["listeners", "peers"]) == "listeners"
    assert nearest("MODALITY", ["Modality", "ModalityLUT"]) == "Modality"
    assert nearest("xyz", ["listeners", "peers"]) == ""
