"""What was given once stays: over restarts, processes, and sources that change their mind."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.errors import HoldObject, WaitObject
from gateway.patients.given import Given, Known
from tests.unit.deidentify.building import KEY
from tests.unit.patients.patients_stage import ask, block, patients


def reason(call: object) -> str:
    with pytest.raises(HoldObject) as caught:
        call()  # type: ignore[operator]
    return caught.value.reason


def test_the_first_answer_stays(tmp_path: Path) -> None:
    given = Given(tmp_path / "patients.sqlite")
    assert given.get("d", "a") is None
    given.put("d", "a", "P1", 1.0, merge=False)
    given.put("d", "a", "P1", 2.0, merge=False)
    assert given.get("d", "a") == Known("P1", 2.0)
    assert reason(lambda: given.put("d", "a", "P2", 3.0, merge=True)) == "patient-map-changed"
    assert reason(lambda: given.put("d", "b", "P1", 3.0, merge=False)) == "pseudonym-taken"
    assert given.get("d", "a") == Known("P1", 2.0) and given.get("d", "b") is None
    given.put("d", "b", "P1", 3.0, merge=True)
    given.put("other", "b", "P9", 3.0, merge=False)
    again = Given(tmp_path / "patients.sqlite")
    assert again.get("d", "b") == Known("P1", 3.0) and again.get("other", "b") == Known("P9", 3.0)
    given.close()
    assert given.get("d", "a") == Known("P1", 2.0)


def test_it_is_private_and_made_late(tmp_path: Path) -> None:
    given = Given(tmp_path / "state" / "patients.sqlite")
    assert not (tmp_path / "state").exists()
    given.put("d", "a", "P1", 1.0, merge=False)
    for path in (tmp_path / "state").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name


def test_a_file_that_cannot_be_used_makes_objects_wait(tmp_path: Path) -> None:
    (tmp_path / "patients.sqlite").write_bytes(b"this is no database, and it is long enough " * 30)
    (tmp_path / "patients.sqlite").chmod(0o600)
    with pytest.raises(WaitObject) as caught:
        Given(tmp_path / "patients.sqlite").get("d", "a")
    assert caught.value.reason == "patient-store-unavailable"
    (tmp_path / "patients.sqlite").unlink()
    (tmp_path / "patients.sqlite").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(WaitObject):
        Given(tmp_path / "patients.sqlite").put("d", "a", "P", 1.0, merge=False)
    assert not (tmp_path / "elsewhere").exists()


RACER = """
import sys
from pathlib import Path
from gateway.errors import HoldObject
from gateway.patients.given import Given
given = Given(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
won = []
for number in range(50):
    try:
        given.put("d", f"who{number}", f"{sys.argv[2]}-{number}", 1.0, merge=False)
        won.append(number)
    except HoldObject as error:
        assert error.reason == "patient-map-changed", error.reason
print(*won, flush=True)
"""


def test_of_two_processes_that_give_differently_one_wins(tmp_path: Path) -> None:
    path = tmp_path / "patients.sqlite"
    Given(path).get("d", "x")
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(path), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in ("A", "B")
    ]
    for each in racers:
        assert each.stdout is not None and each.stdout.readline() == "ready\n"
    won = [set(each.communicate("go\n", timeout=60)[0].split()) for each in racers]
    assert won[0] | won[1] == {str(number) for number in range(50)} and not won[0] & won[1]
    given = Given(path)
    for number in range(50):
        known = given.get("d", f"who{number}")
        assert known is not None and known.pseudonym == f"{'A' if str(number) in won[0] else 'B'}-{number}"


OPENER = """
import sys
from pathlib import Path
from gateway.patients.given import Given
print("ready", flush=True)
sys.stdin.readline()
for number in range(150):
    Given(Path(sys.argv[1]) / f"{number}.sqlite").put("d", sys.argv[2], sys.argv[2], 1.0, merge=False)
"""


def test_many_that_open_a_fresh_file_at_once_all_get_it(tmp_path: Path) -> None:
    names = ("A", "B", "C", "D")
    running = [
        subprocess.Popen(
            [sys.executable, "-c", OPENER, str(tmp_path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    for each in running:
        assert each.stdout is not None and each.stdout.readline() == "ready\n"
    for each in running:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    assert [each.communicate(timeout=120) and each.returncode for each in running] == [0] * 4
    for number in range(150):
        given = Given(tmp_path / f"{number}.sqlite")
        assert [given.get("d", name) for name in names] == [Known(name, 1.0) for name in names]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "map.csv"
    path.write_text("patient_id,pseudonym\nMRN1,T42-0001\nMRN2,T42-0002\n")
    return path


def test_a_map_that_changed_its_mind_is_not_followed(tmp_path: Path, table: Path) -> None:
    wanted = block({"by": "csv", "map": str(table)})
    before = patients(tmp_path, wanted)
    assert ask(before, "MRN1") == ask(before, "MRN1 ") == "T42-0001"
    table.write_text("patient_id,pseudonym\nMRN1,T42-0009\nMRN2,T42-0001\nMRN3,T42-0003\n")
    assert ask(before, "MRN1") == "T42-0001"  # read at the start of a worker, not while it runs
    after = patients(tmp_path, wanted)
    assert reason(lambda: ask(after, "MRN1")) == "patient-map-changed"
    assert reason(lambda: ask(after, "MRN2")) == "pseudonym-taken"
    assert reason(lambda: ask(after, "MRN4")) == "patient-unmapped"
    assert ask(after, "MRN3") == "T42-0003"
    another_key = patients(tmp_path, wanted, key=KEY[::-1] + b"x")
    assert ask(another_key, "MRN1") == "T42-0009"  # another key is another domain: docs/patients.md


def test_the_memory_names_nobody(tmp_path: Path, table: Path) -> None:
    assert ask(patients(tmp_path, block({"by": "csv", "map": str(table)})), "MRN1") == "T42-0001"
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("patients.sqlite*"))
    assert b"T42-0001" in kept and b"MRN1" not in kept and b"trial42" not in kept


def test_a_map_permits_a_merge_only_where_it_says_so(tmp_path: Path, table: Path) -> None:
    table.write_text("patient_id,pseudonym\nMRN1,T42-0001\nMRN2,T42-0001\n")
    found = patients(tmp_path, block({"by": "csv", "map": str(table), "allow_merge": "one person, two numbers"}))
    assert ask(found, "MRN1") == ask(found, "MRN2") == "T42-0001"


def test_the_key_alone_keeps_studies_and_no_patient(tmp_path: Path) -> None:
    found = ask(patients(tmp_path, block()), "MRN1", "NORTH", study="1.2.840.99.7")
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("patients.sqlite*"))
    assert found.encode() in kept
    assert not [each for each in (b"MRN1", b"NORTH", b"1.2.840.99.7") if each in kept]


def test_issuers_that_are_the_same_patient_to_the_map(tmp_path: Path, table: Path) -> None:
    table.write_text("issuer,patient_id,pseudonym\nNORTH,1,P-N1\nSOUTH,1,P-S1\nNORTH,2,P-N2\n")
    found = patients(tmp_path, block({"by": "csv", "map": str(table)}))
    assert ask(found, "2") == ask(found, "2", "NORTH") == "P-N2"
    assert ask(found, "1", "SOUTH") == "P-S1" and ask(found, "1", "NORTH") == "P-N1"
    assert reason(lambda: ask(found, "1")) == "patient-ambiguous"
