"""The steps that make something of a CDA document: a message, an object; checked again where it was de-identified."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from unittest.mock import Mock

import pytest

from gateway.config.kinds import Kind
from gateway.config.load import examine_bytes
from gateway.config.schema import Mdm, Step
from gateway.egress import Egress
from gateway.errors import HoldObject
from gateway.model import Decision, Identity, Instance, Origin, Stored, Verdict
from gateway.steps.contract import Around, Checked, Passing
from gateway.steps.table import run, told
from tests.system.senders import ct, encoded
from tests.unit.hl7v2.documents import cda
from transforms.dataset import convert
from transforms.dataset.syntax import EXPLICIT_LE, IMPLICIT_LE
from transforms.egress.classes import Kept
from transforms.encapsulate import ENCAPSULATED_CDA
from transforms.source import ByteSource, BytesSource, chunks

SR = Identity("1.2.840.10008.5.1.4.1.1.88.11", "1.2.3.9", "1.2.3.4", "1.2.3.5", "4711", "SR")
STEPS = [Step(mdm=Mdm()), Step(encapsulate="cda")]


def around() -> Around:
    return Around(cast(Any, None), Egress(), lambda parts: BytesSource(b"".join(parts)), trace=True)


def passing(document: bytes = cda(), egress: Checked | None = None) -> Passing:
    return Passing(BytesSource(document), "", SR, Kind.CDA, ("cda",), egress=egress)


def test_a_document_becomes_a_message() -> None:
    made = run(passing(), Step(mdm=Mdm(receiving_application="EHR")), around())
    assert (made.kind, made.syntax, made.done, made.identity) == (Kind.HL7V2, "", ("cda", "mdm"), SR)
    assert b"".join(chunks(made.source)).split(b"|")[4] == b"EHR"


def test_the_same_object_is_the_same_message_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of a group that a killed try has made is known by its bytes: else it would be in the way for ever."""
    received = Instance(
        SR, Origin("a", "", ""), Stored("n", 0, 1, "ab" * 32), EXPLICIT_LE, 1.7e9, Decision(Verdict.DELIVER, "r")
    )
    lent = replace(around(), instance=received)
    made = []
    for moment in (1.8e9, 1.9e9):
        clock = Mock(wraps=datetime, now=lambda _, at=moment: datetime.fromtimestamp(at, UTC))
        monkeypatch.setattr("gateway.steps.mdm.datetime", clock)
        made.append(b"".join(chunks(run(passing(), Step(mdm=Mdm()), lent).source)))
    assert made[0] == made[1] and made[0].split(b"|")[6] == b"20231114221320+0000"


def test_a_document_becomes_an_object_of_its_study() -> None:
    made = run(passing(), Step(encapsulate="cda"), around())
    assert (made.kind, made.syntax, made.done) == (Kind.DICOM, EXPLICIT_LE, ("cda", "encapsulate"))
    assert (made.identity.sop_class, made.identity.study) == (ENCAPSULATED_CDA, "1.2.3.4")
    assert made.identity.sop_instance != SR.sop_instance


@pytest.mark.parametrize("step", STEPS, ids=told)
def test_what_is_no_document_is_held(step: Step) -> None:
    with pytest.raises(HoldObject, match="xml-malformed"):
        run(passing(b"no XML"), step, around())


def original(name: str, syntax: str) -> ByteSource:
    data = ct(1)
    data.PatientName, data.PatientID = name, "UNLIKELY-9931"
    source = BytesSource(encoded(data))
    return source if syntax == EXPLICIT_LE else convert.to_implicit_le(source, EXPLICIT_LE)


@pytest.mark.parametrize("step", STEPS, ids=told)
@pytest.mark.parametrize("syntax", [EXPLICIT_LE, IMPLICIT_LE])
@pytest.mark.parametrize("leaks", ["", "header", "body"])
def test_a_name_that_was_left_is_found_again(step: Step, syntax: str, leaks: str) -> None:
    name = "Quasimodo^Esmeralda"
    document = cda(
        family="Quasimodo" if leaks == "header" else "TRIAL-7",
        given="Esmeralda" if leaks == "header" else "",
        body="Patient Quasimodo Esmeralda was seen." if leaks == "body" else "Patient was seen.",
    )
    checked = Checked("1.2.3.4", original(name, syntax), syntax, Kept(), "TRIAL-7")
    if not leaks:
        run(passing(document, checked), step, around())
        return
    with pytest.raises(HoldObject, match="egress-hit"):
        run(passing(document, checked), step, around())


FILE = """\
version: 1
state: {dir: ./state}
listeners:
  - {id: door, dimse: {ae: GW, port: 0}, unsafe_plaintext: a test}
destinations:
  ehr: {mllp: {host: ehr.example, port: 2575}, SECURED}
routes:
  - {id: one, match: {Modality: SR}, steps: STEPS, deliver: [ehr]}
  - {id: rest, otherwise: hold, reason: none}
"""


@pytest.mark.parametrize(
    ("steps", "secured", "problem"),
    [
        ("[{mdm: {}}]", "unsafe_plaintext: a test", "`mdm` takes cda, and what comes here is dicom"),
        ("[]", "unsafe_plaintext: a test", "'ehr' is a mllp and takes hl7v2; this route gives dicom"),
        ("[]", "retry: {for: 1h}", "exactly one of `tls` and `unsafe_plaintext: why`"),
        ("[{mdm: {processing: X}}]", "unsafe_plaintext: a test", "'X' is not one of P, T, D"),
    ],
)
def test_what_does_not_fit_is_told_when_the_file_is_loaded(steps: str, secured: str, problem: str) -> None:
    text = FILE.replace("STEPS", steps).replace("SECURED", secured)
    _, found = examine_bytes(text.encode(), "gateway.yaml", Path("/base"))
    assert any(problem in str(each) for each in found), [str(each) for each in found]
