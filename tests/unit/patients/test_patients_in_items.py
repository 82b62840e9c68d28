"""Patient IDs in items: the same identifier is the same pseudonym everywhere; who is unknown to a map is held."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.schema import Deidentify
from gateway.errors import HoldObject
from tests.unit.deidentify.building import KEY, Elements, encode, image, parsed
from tests.unit.deidentify.test_content_walk import TREE, item, report
from tests.unit.patients.patients_stage import block, officer, patients
from tests.unit.patients.test_patients_escrow import opened
from transforms.dataset.syntax import EXPLICIT_LE, IMPLICIT_LE
from transforms.deidentify.engine import Context, deidentify
from transforms.deidentify.patient import OtherPatients, Patient, Pseudonym, keyed
from transforms.deidentify.profile import compile_profile
from transforms.source import BytesSource

TABLE = compile_profile("basic", ("clean-structured-content",))
CONTEXT = Context(KEY, "trial42")
PATIENT_ID, ISSUER = 0x00100020, 0x00100021
WALKED = 0x00100027  # Group of Patients Identification Sequence: stays, and its Patient IDs may not be empty
EMPTIED = 0x00081250  # Related Series Sequence: stays, and a Patient ID in it may be empty


def of(patient_id: bytes, issuer: bytes = b"") -> Elements:
    return {PATIENT_ID: ("LO", patient_id)} | ({ISSUER: ("LO", issuer)} if issuer else {})


def nested(items: list[Elements], depth: int) -> Elements:
    for _ in range(depth - 1):
        items = [{WALKED: ("SQ", items)}]
    return {WALKED: ("SQ", items)}


def left(
    elements: Elements, given: Pseudonym | None = None, *, explicit: bool = True, undefined: bool = False
) -> list[str]:
    """The Patient IDs that leave, in their order; nothing else of an item's identity does."""
    raw = encode(elements, explicit, undefined=undefined)
    done = deidentify(BytesSource(raw), EXPLICIT_LE if explicit else IMPLICIT_LE, TABLE, CONTEXT, patient=given)
    data = parsed(b"".join(done.plan.chunks()), explicit)
    assert not [each for each in data.iterall() if each.tag == ISSUER]
    return [str(each.value) for each in data.iterall() if each.tag == PATIENT_ID]


@pytest.mark.parametrize("explicit", [True, False])
@pytest.mark.parametrize("undefined", [True, False])
@pytest.mark.parametrize("depth", [1, 2, 7])
@pytest.mark.parametrize("issuer", [b"", b"NORTH"])
def test_the_objects_own_is_the_same_at_every_depth(depth: int, issuer: bytes, explicit: bool, undefined: bool) -> None:
    inside = [of(b"1"), of(b"1 ", b"NORTH"), of(b" 1")] if issuer else [of(b"1"), of(b"1 "), of(b" 1")]
    elements = image(of(b"1", issuer) | nested(inside, depth))
    own = keyed(Patient(b"1", issuer), CONTEXT)
    assert left(elements, explicit=explicit, undefined=undefined) == [own] * 4
    given = Pseudonym("T42-1", Patient(b"1", issuer), others={})
    assert left(elements, given, explicit=explicit, undefined=undefined) == ["T42-1"] * 4


def test_another_s_is_what_it_is_at_the_top() -> None:
    """The key's: of its own issuer, else of the object's."""
    found = left(image(of(b"1", b"NORTH") | nested([of(b"2"), of(b"2", b"SOUTH"), of(b"1", b"SOUTH")], 2)))
    everyone = [(b"1", b"NORTH"), (b"2", b"NORTH"), (b"2", b"SOUTH"), (b"1", b"SOUTH")]
    assert found == [keyed(Patient(*each), CONTEXT) for each in everyone]
    for each in everyone:
        assert left(image(of(*each)))[0] == keyed(Patient(*each), CONTEXT)


def test_a_listener_s_issuer_counts_there_too() -> None:
    who = Patient(b"1", b"NORTH")
    given = Pseudonym(keyed(who, CONTEXT), Patient(b"1"), b"NORTH")
    found = left(image(of(b"1") | nested([of(b"1", b"NORTH"), of(b"2"), of(b"1", b"SOUTH")], 1)), given)
    assert found[:2] == [keyed(who, CONTEXT)] * 2
    assert found[2:] == [keyed(Patient(b"2", b"NORTH"), CONTEXT), keyed(Patient(b"1", b"SOUTH"), CONTEXT)]


def test_two_objects_in_a_row_do_not_lend_each_other_a_pseudonym() -> None:
    """What became of a sequence is remembered by its bytes; not where a patient stands in it."""
    same = nested([of(b"1")], 1)
    first = left(image(of(b"1", b"NORTH") | same))
    assert left(image(of(b"7", b"SOUTH") | same))[1] == keyed(Patient(b"1", b"SOUTH"), CONTEXT)
    assert left(image(of(b"1", b"NORTH") | same)) == first


def test_the_other_character_set_is_the_same_patient() -> None:
    inner: Elements = {0x00080005: ("CS", b"ISO_IR 192"), PATIENT_ID: ("LO", "MÜL1".encode())}
    found = left(image(of("MÜL1".encode("latin-1")) | {0x00080005: ("CS", b"ISO_IR 100")} | nested([inner], 1)))
    assert found[0] == found[1] == keyed(Patient("MÜL1".encode()), CONTEXT)


def test_where_it_may_be_empty_it_is() -> None:
    assert left(image(of(b"1") | {EMPTIED: ("SQ", [of(b"1"), of(b"2")])})) == ["", "", keyed(Patient(b"1"), CONTEXT)]


@pytest.mark.parametrize("value", [b"", b"  "])
def test_an_empty_one_is_nobody(value: bytes) -> None:
    assert left(image(of(b"1") | nested([of(value)], 1)))[1].strip() == ""


def test_the_engine_asks_for_all_it_needs_at_once() -> None:
    elements = image(of(b"1", b"NORTH") | nested([of(b"2"), of(b"3", b"SOUTH"), of(b"1")], 3))
    with pytest.raises(OtherPatients) as caught:
        left(elements, Pseudonym("T42-1", Patient(b"1", b"NORTH"), others={}))
    assert caught.value.patients == {Patient(b"2", b"NORTH"), Patient(b"3", b"SOUTH")}
    others = {Patient(b"2", b"NORTH"): "T42-2", Patient(b"3", b"SOUTH"): "T42-3"}
    given = Pseudonym("T42-1", Patient(b"1", b"NORTH"), others=others)
    assert left(elements, given) == ["T42-1", "T42-2", "T42-3", "T42-1"]


def test_a_sequence_that_goes_asks_nobody() -> None:
    """Other Patient IDs, Original Attributes: removed with who is in them."""
    extra: Elements = {0x00101002: ("SQ", [of(b"2")]), 0x04000561: ("SQ", [{0x04000550: ("SQ", [of(b"3")])}])}
    assert left(image(of(b"1") | extra), Pseudonym("T42-1", Patient(b"1"), others={})) == ["T42-1"]


class TestLookups:
    def sent(self, folder: Path, wanted: Deidentify, elements: Elements) -> list[str]:
        """As a worker does it (gateway/steps/deidentify.py)."""
        found = patients(folder, wanted)
        given = found.pseudonym(BytesSource(encode(elements, True)), EXPLICIT_LE)
        try:
            return left(elements, given)
        except OtherPatients as error:
            return left(elements, found.with_others(given, error.patients))

    def test_in_a_table(self, tmp_path: Path) -> None:
        (tmp_path / "map.csv").write_text("issuer,patient_id,pseudonym\nNORTH,1,P1\nNORTH,2,P2\nSOUTH,2,P3\n")
        wanted = block({"by": "csv", "map": str(tmp_path / "map.csv")})
        elements = image(of(b"1", b"NORTH") | nested([of(b"2"), of(b"2", b"SOUTH"), of(b"1")], 2))
        assert self.sent(tmp_path, wanted, elements) == ["P1", "P2", "P3", "P1"]
        with pytest.raises(HoldObject) as caught:
            self.sent(tmp_path, wanted, image(of(b"1", b"NORTH") | nested([of(b"CANARY")], 2)))
        assert caught.value.reason == "patient-unmapped" and "in an item" in str(caught.value)
        assert "CANARY" not in str(caught.value)

    def test_in_the_escrow_table(self, tmp_path: Path) -> None:
        who = officer(tmp_path)
        wanted = block(escrow={"to": str(who.certificate), "file": str(tmp_path / "table.p7")})
        found = self.sent(tmp_path, wanted, image(of(b"1", b"NORTH") | nested([of(b"2")], 1)))
        rows, _ = opened((tmp_path / "table.p7").read_bytes(), who)
        assert [(row.patient_id, row.pseudonym) for row in rows] == [("1", found[0]), ("2", found[1])]


def test_a_report_s_subject_id() -> None:
    def subject(value: bytes) -> str:
        tree = report([item("TEXT", "121030", {0x0040A160: ("UT", value)})]) | of(b"1", b"NORTH")
        raw = encode(tree, True)
        given = Pseudonym("T42-1", Patient(b"1", b"NORTH"), others={})
        done = deidentify(BytesSource(raw), EXPLICIT_LE, TABLE, CONTEXT, patient=given)
        return str(parsed(b"".join(done.plan.chunks()))[TREE][0].TextValue)

    assert subject(b"1") == subject(b" 1") == "T42-1"
    fetus = subject(b"fetus A")
    assert fetus not in ("T42-1", "fetus A") and len(fetus) == 16
    assert subject(b"fetus B") != fetus == subject(b"fetus A")
