"""Objects of one study with and without Issuer of Patient ID: never two patients of one, never one of two."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from gateway.cli.main import command_line
from gateway.errors import HoldObject
from gateway.model import Decision, Identity, Instance, Job, Origin, Verdict
from gateway.pipeline import prepare, redecide
from gateway.rulebook import Rulebook, compile_ruleset, take
from gateway.store.spool import Spool
from tests.unit.deidentify.building import CT, KEY, Elements, encode, image
from tests.unit.patients.patients_stage import Officer, ask, block, officer, patients
from tests.unit.patients.test_patients_escrow import opened
from transforms.dataset import part10
from transforms.dataset.syntax import EXPLICIT_LE
from transforms.deidentify.engine import Context
from transforms.deidentify.patient import Patient, keyed

CONTEXT = Context(KEY, "trial42")
NORTH, SOUTH, NOBODY = (keyed(Patient(b"1", issuer), CONTEXT) for issuer in (b"NORTH", b"SOUTH", b""))
STUDY = "1.2.840.99.1"


def reason(call: object) -> str:
    with pytest.raises(HoldObject) as caught:
        call()  # type: ignore[operator]
    return caught.value.reason


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "map.csv"
    path.write_text("issuer,patient_id,pseudonym\nNORTH,1,P-N1\nSOUTH,1,P-S1\nNORTH,2,P-N2\n")
    return path


def test_an_object_without_an_issuer_is_of_its_listener_s(tmp_path: Path) -> None:
    found = patients(tmp_path, block())
    assert ask(found, "1", study="1.2.1", default="NORTH") == NORTH
    assert ask(found, "1", "SOUTH", study="1.2.2", default="NORTH") == SOUTH
    assert ask(found, "1", study="1.2.3") == NOBODY
    assert ask(found, "1", study="1.2.4", default="  NORTH ") == NORTH


@pytest.mark.parametrize("order", sorted(set(permutations(["", "", "NORTH", "NORTH"]))))
def test_with_a_listener_s_issuer_the_order_of_arrival_says_nothing(tmp_path: Path, order: tuple[str, ...]) -> None:
    for issuer in order:
        found = patients(tmp_path, block())  # as after a restart
        assert ask(found, "1", issuer, study=STUDY, default="NORTH") == NORTH


def test_without_one_an_object_takes_the_issuer_of_its_study(tmp_path: Path) -> None:
    assert ask(patients(tmp_path, block()), "1", "NORTH", study=STUDY) == NORTH
    after = patients(tmp_path, block())
    assert ask(after, "1", study=STUDY) == NORTH
    assert ask(after, "1", study="1.2.840.99.2") == NOBODY, "another study says nothing of it"
    assert ask(after, "9", study=STUDY) == keyed(Patient(b"9"), CONTEXT), "nor another patient of it"


def test_what_names_it_after_others_have_left_is_held_until_the_rule_file_says_whose_they_are(tmp_path: Path) -> None:
    found = patients(tmp_path, block())
    assert ask(found, "1", study=STUDY) == NOBODY
    for each in (found, patients(tmp_path, block())):
        assert reason(lambda each=each: ask(each, "1", "NORTH", study=STUDY)) == "study-issuer-late"
        assert ask(each, "1", study=STUDY) == NOBODY, "a re-send is what it was"
    assert ask(found, "1", "NORTH", study=STUDY, default="NORTH") == NORTH, "released"
    assert ask(found, "1", study=STUDY, default="NORTH") == NORTH
    assert ask(found, "1", study=STUDY) == NORTH, "through another listener: the study is settled"


@pytest.mark.parametrize("order", [("NORTH", "SOUTH"), ("SOUTH", "NORTH")])
def test_two_issuers_of_one_patient_id_are_never_one_patient(tmp_path: Path, order: tuple[str, str]) -> None:
    first, second = order
    assert ask(patients(tmp_path, block()), "1", first, study=STUDY) in (NORTH, SOUTH)
    found = patients(tmp_path, block())
    assert reason(lambda: ask(found, "1", second, study=STUDY)) == "study-issuer-differs"
    assert reason(lambda: ask(found, "1", study=STUDY, default=second)) == "study-issuer-differs"
    assert reason(lambda: ask(found, "1", second, study=STUDY, default=second)) == "study-issuer-differs"
    assert ask(found, "1", second, study="1.2.840.99.2") != ask(found, "1", first, study=STUDY)


def test_a_table_may_say_that_two_issuers_are_one_patient(tmp_path: Path) -> None:
    table = tmp_path / "map.csv"
    table.write_text("issuer,patient_id,pseudonym\nNORTH,1,P1\nSOUTH,1,P1\n")
    found = patients(tmp_path, block({"by": "csv", "map": str(table), "allow_merge": "renamed"}))
    assert {ask(found, "1", issuer, study=STUDY) for issuer in ("NORTH", "SOUTH", "")} == {"P1"}


def test_a_listener_s_issuer_counts_in_a_table(tmp_path: Path, table: Path) -> None:
    found = patients(tmp_path, block({"by": "csv", "map": str(table)}))
    assert reason(lambda: ask(found, "1")) == "patient-ambiguous"
    assert ask(found, "1", default="SOUTH") == "P-S1"
    assert reason(lambda: ask(found, "2", default="SOUTH")) == "patient-unmapped", "another patient than NORTH's"
    assert ask(found, "1", "NORTH", study=STUDY) == "P-N1"
    assert ask(found, "1", study=STUDY) == "P-N1", "not ambiguous in a study that has said whose it is"


def test_and_in_the_escrow_table(tmp_path: Path) -> None:
    who = officer(tmp_path)
    found = patients(tmp_path, block(escrow={"to": str(who.certificate), "file": str(tmp_path / "table.p7")}))
    ask(found, "1", default="NORTH")
    assert _rows(tmp_path, who) == [("NORTH", "1", NORTH)]
    ask(found, "1", "NORTH", study=STUDY)
    ask(found, "1", study=STUDY)
    assert _rows(tmp_path, who) == [("NORTH", "1", NORTH), ("", "1", NORTH)]


def _rows(folder: Path, who: Officer) -> list[tuple[str, str, str]]:
    rows, closed = opened((folder / "table.p7").read_bytes(), who)
    assert not closed
    return [(row.issuer, row.patient_id, row.pseudonym) for row in rows]


RULES = """\
version: 1
state: {{dir: ./state}}
listeners:
  - {{id: north, issuer: {issuer}, dimse: {{ae: GATEWAY, port: 2762}}, unsafe_plaintext: a test}}
  - {{id: other, dimse: {{ae: GATEWAY, port: 2763}}, unsafe_plaintext: a test}}
destinations: {{landing: {{folder: {{dir: ./landing}}}}}}
deidentify:
  trial42: {{key: file:trial.key, patients: {{by: csv, map: file:map.csv}}}}
routes:
  - {{id: trial, match: {{PatientID: {{exists: true}}}}, steps: [{{deidentify: trial42}}], deliver: landing}}
  - {{id: rest, otherwise: hold, reason: no-route}}
"""


@pytest.fixture
def site(tmp_path: Path, table: Path) -> Callable[[str], Path]:
    (tmp_path / "trial.key").write_bytes(bytes(range(32)))
    for each in (tmp_path / "trial.key", table):
        each.chmod(0o600)

    def write(issuer: str) -> Path:
        (tmp_path / "gateway.yaml").write_text(RULES.format(issuer=issuer))
        return tmp_path / "gateway.yaml"

    return write


def test_in_the_gateway_it_is_the_listener_s_an_object_came_through(site: Callable[[str], Path]) -> None:
    rules = compile_ruleset(*take(site("SOUTH")))
    spool = Spool(rules.config.state.dir / "spool", reserve=0)

    def sent(listener: str, study: str) -> str:
        incoming = spool.create(b"")
        extra: Elements = {0x00100020: ("LO", b"1"), 0x0020000D: ("UI", study.encode())}
        incoming.write(encode(image(extra), True))
        origin = Origin(listener, "a", "127.0.0.1")
        held = Decision(Verdict.HOLD, "")
        instance = Instance(Identity(CT, "1.2.3.4"), origin, incoming.seal(), EXPLICIT_LE, 4e9, held)
        job = Job(1, 1, replace(instance, decision=redecide(instance, spool, rules)), "landing", 0)
        with prepare(job, spool, Rulebook(rules.config.state.dir, rules)) as outgoing:
            return outgoing.identity.patient_id

    assert sent("north", "1.2.9.1") == "P-S1"
    assert reason(lambda: sent("other", "1.2.9.2")) == "patient-ambiguous"
    assert sent("other", "1.2.9.1") == "P-S1", "the study has said whose it is"


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(command_line(str(arguments[0])), [str(each) for each in arguments])
    return done.exit_code, done.output


def test_explain_knows_it(site: Callable[[str], Path], tmp_path: Path) -> None:
    data = encode(image({0x00100020: ("LO", b"1")}), True)
    (tmp_path / "1.dcm").write_bytes(part10.meta(CT, "1.2.3.4", EXPLICIT_LE) + data)
    file = site("SOUTH")
    assert "patient-ambiguous" not in run("explain", file, tmp_path / "1.dcm", "--listener", "north")[1]
    assert "patient-ambiguous" in run("explain", file, tmp_path / "1.dcm", "--listener", "other")[1]


def test_check_tells_of_listeners_that_would_part_a_patient(site: Callable[[str], Path], table: Path) -> None:
    code, told = run("check", site("SOUTH"))
    assert code == 0, told
    assert ":5:10: warning: has no `issuer`, others have" in told
    assert "warning: 1 Patient IDs of several issuers: what names none is held" in told
    assert "has no patient of this issuer" not in told
    code, told = run("check", site("EAST"))
    assert code == 0 and ":4:25: warning: the map of 'trial42' has no patient of this issuer" in told, told
    table.write_text("patient_id,pseudonym\n1,P1\n")
    told = run("check", site("EAST"))[1]
    assert "of this issuer" not in told and "several issuers" not in told


@pytest.mark.parametrize("issuer", ["''", "' '", r'"A\\B"', '"A\\tB"', "x" * 65, "[A]", "7"])
def test_what_no_issuer_can_be_is_refused(site: Callable[[str], Path], issuer: str) -> None:
    code, told = run("check", site(issuer))
    assert code == 1 and ":4:25: an issuer has 1 to 64 characters" in told, told


RACE = """
import sys
from pathlib import Path
from gateway.errors import HoldObject
from tests.unit.patients.patients_stage import ask, block, patients
found = patients(Path(sys.argv[1]), block())
for number in range(60):
    try:
        print(number, ask(found, "1", sys.argv[2], study=f"1.2.840.99.{number}"))
    except HoldObject as error:
        print(number, error.reason)
"""


def test_processes_at_once_never_split_a_study(tmp_path: Path) -> None:
    """Whoever is first: what left of a study left under one pseudonym, and the others are held."""
    running = [
        subprocess.Popen([sys.executable, "-c", RACE, str(tmp_path), issuer], stdout=subprocess.PIPE, text=True)
        for issuer in ("", "NORTH", "SOUTH")
    ]
    left: dict[str, set[str]] = {}
    for each in running:
        out, _ = each.communicate(timeout=120)
        assert each.returncode == 0
        for line in out.splitlines():
            number, told = line.split()
            if not told.startswith("study-issuer-"):
                left.setdefault(number, set()).add(told)
    assert len(left) == 60
    assert [number for number, found in left.items() if len(found) != 1] == []
