"""10,000 objects of 600 patients, in any order, process or restart: one pseudonym each, and nothing to be guessed."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import subprocess
import sys
from pathlib import Path

from gateway.config.schema import Deidentify
from tests.unit.deidentify.building import KEY, Elements, encode, image
from tests.unit.patients.patients_stage import ask, block, patients
from transforms.dataset.syntax import EXPLICIT_LE
from transforms.deidentify.engine import Context, deidentify
from transforms.deidentify.patient import Patient, keyed
from transforms.deidentify.profile import compile_profile
from transforms.source import BytesSource

OBJECTS, PATIENTS = 10_000, 600
WARDS = ("", "NORTH", "SOUTH")


def patient_of(number: int) -> tuple[str, str]:
    """Patient ID and issuer of an object: 200 identifiers, each of three issuers, is 600 patients."""
    who = number * 7919 % PATIENTS
    return f"MRN{who // 3:06d}", WARDS[who % 3]


def write_map(folder: Path) -> Deidentify:
    """A map of them all."""
    rows = {f"{issuer or 'HOUSE'},{patient_id}" for patient_id, issuer in map(patient_of, range(OBJECTS))}
    assert len(rows) == PATIENTS
    lines = [f"{row},T42-{number:04d}" for number, row in enumerate(sorted(rows))]
    (folder / "map.csv").write_text("\n".join(["issuer,patient_id,pseudonym", *lines, ""]))
    return block({"by": "csv", "map": str(folder / "map.csv")})


def named(number: int, by: str) -> tuple[str, str]:
    """The same, where the map needs an issuer of everyone."""
    patient_id, issuer = patient_of(number)
    return patient_id, issuer or ("HOUSE" if by == "csv" else "")


PROCESS = """
import json, random, sys
from pathlib import Path
from tests.unit.patients.patients_stage import ask, block, patients
from tests.unit.patients.test_patients_consistency import OBJECTS, named
folder, by, seed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
wanted = block({"by": "csv", "map": str(folder / "map.csv")})
found = patients(folder / "state", wanted)
numbers = list(range(OBJECTS))
random.Random(seed).shuffle(numbers)
print(json.dumps({f"{named(n, by)}": ask(found, *named(n, by)) for n in numbers[: OBJECTS // 2]}))
"""


def test_by_map_in_any_order_process_and_restart(tmp_path: Path) -> None:
    wanted = write_map(tmp_path)
    given: dict[str, str] = {}
    for start in range(2):  # the second time as after a restart, in another order
        numbers = list(range(OBJECTS))
        random.Random(start).shuffle(numbers)
        found = patients(tmp_path / "state", wanted)
        for number in numbers:
            who = f"{named(number, 'csv')}"
            pseudonym = ask(found, *named(number, "csv"))
            assert given.setdefault(who, pseudonym) == pseudonym
    assert len(given) == len(set(given.values())) == PATIENTS
    others = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(tmp_path), "csv", str(seed)],
            stdout=subprocess.PIPE,
            env={"PYTHONHASHSEED": str(seed), "PYTHONPATH": ":".join(sys.path)},
        )
        for seed in (5, 6)
    ]
    for each in others:
        told = json.loads(each.communicate(timeout=120)[0])
        assert each.returncode == 0 and len(told) == PATIENTS
        assert all(given[who] == pseudonym for who, pseudonym in told.items())


def test_by_key_in_any_order_and_no_two_alike() -> None:
    given: dict[tuple[str, str], str] = {}
    for start in range(3):
        context = Context(KEY, "trial42")
        numbers = list(range(OBJECTS))
        random.Random(start).shuffle(numbers)
        for number in numbers:
            patient_id, issuer = patient_of(number)
            made = keyed(Patient(patient_id.encode(), issuer.encode()), context)
            assert given.setdefault((patient_id, issuer), made) == made
    assert len(given) == len(set(given.values())) == PATIENTS
    other = Context(KEY, "trial43")
    strange = {keyed(Patient(a.encode(), b.encode()), other) for a, b in given}
    assert not strange & set(given.values())


def test_by_objects(tmp_path: Path) -> None:
    """The same through the engine, with the UIDs of each object, half of them a second time in another order."""
    wanted, table = write_map(tmp_path), compile_profile()
    seen: dict[int, tuple[str, str, str]] = {}
    instances: set[str] = set()
    for start, count in ((0, OBJECTS), (1, OBJECTS // 2)):
        numbers = list(range(OBJECTS))
        random.Random(start).shuffle(numbers)
        found, context = patients(tmp_path / "state", wanted), Context(KEY, "trial42")
        for number in numbers[:count]:
            patient_id, issuer = named(number, "csv")
            extra: Elements = {
                0x00080018: ("UI", b"1.2.840.99999.%d" % number),
                0x00100020: ("LO", patient_id.encode()),
                0x00100021: ("LO", issuer.encode()),
                0x0020000D: ("UI", b"1.2.840.99998.%d" % (number * 7919 % PATIENTS)),
            }
            source = BytesSource(encode(image(extra), True))
            done = deidentify(source, EXPLICIT_LE, table, context, patient=found.pseudonym(source, EXPLICIT_LE))
            made = done.patient_id, done.study, done.sop_instance
            assert seen.setdefault(number, made) == made
            instances.add(done.sop_instance)
    assert len(instances) == OBJECTS
    assert len({study for _, study, _ in seen.values()}) == len({who for who, _, _ in seen.values()}) == PATIENTS


def attacked(published: set[bytes], digits: int = 6) -> set[int]:
    """Which of all numbers of so many digits an attacker without the key finds behind 80-bit pseudonyms."""
    found = set()
    for number in range(10**digits):
        guess = b"%0*d" % (digits, number)
        for digest in (hashlib.md5(guess).digest(), hashlib.sha1(guess).digest(), hashlib.sha256(guess).digest()):
            if digest[:10] in published or digest[-10:] in published:
                found.add(number)
    return found


def test_a_dictionary_of_all_numbers_breaks_md5_and_finds_nothing_here() -> None:
    """The attack works: it finds every one of the unkeyed, and none of ours, whose pseudonyms are as long."""
    victims = random.Random(1).sample(range(10**6), 40)
    unkeyed = {hashlib.md5(b"%06d" % number).digest()[:10] for number in victims}
    context = Context(KEY, "trial42")
    ours = {base64.b32decode(keyed(Patient(b"%06d" % number), context)) for number in victims}
    assert len(ours) == 40 and {len(each) for each in ours} == {10}
    assert attacked(unkeyed) == set(victims)
    assert attacked(ours) == set()
