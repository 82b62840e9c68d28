"""One CDA in the form of each destination: as a message, as a DICOM object, as it is; and what a rule file may say."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from gateway.config.kinds import Kind
from gateway.config.load import examine_bytes
from gateway.config.schema import Destination
from gateway.egress import Egress
from gateway.model import Identity
from gateway.steps.contract import Around, Passing
from gateway.steps.table import fitted
from tests.unit.cda import worked
from transforms.cda.from_sr import convert
from transforms.encapsulate import ENCAPSULATED_CDA
from transforms.source import BytesSource

CDA = convert(worked.document(), worked.SITE).data
MLLP = {"mllp": {"host": "ehr", "port": 2575}, "unsafe_plaintext": "a test"}
DIMSE = {"dimse": {"host": "pacs", "port": 104, "ae": "PACS"}, "unsafe_plaintext": "a test"}


def made(destination: dict[str, Any], **more: Any) -> Passing:
    around = Around(cast(Any, None), Egress(), lambda parts: BytesSource(b"".join(parts)))
    passing = Passing(BytesSource(CDA), "", Identity("1.2", "1.3", "1.4"), Kind.CDA, ("cda:ehr:1",))
    return fitted(passing, Destination.model_validate(destination | more), around)


def test_each_destination_gets_its_form_of_the_same_document() -> None:
    message = made(MLLP, mdm={"receiving_application": "EHR"})
    assert (message.kind, message.done) == (Kind.HL7V2, ("cda:ehr:1", "mdm"))
    assert message.source.pread(0, 300).split(b"|")[4] == b"EHR"
    wrapped = made(DIMSE, encapsulate="cda")
    assert (wrapped.kind, wrapped.identity.sop_class) == (Kind.DICOM, ENCAPSULATED_CDA)
    assert wrapped.done == ("cda:ehr:1", "encapsulate")
    plain = made({"folder": {"dir": "file:///x"}})
    assert (plain.kind, plain.source.pread(0, plain.source.size)) == (Kind.CDA, CDA)


RULES = """
version: 1
state: {dir: state}
listeners: [{id: hospital, dimse: {ae: GATEWAY, port: 2762}, tls: {trust: ca.pem}}]
identity: {certificate: gateway.pem, key: gateway.key}
destinations:
  ehr: {mllp: {host: ehr, port: 2575}, unsafe_plaintext: a test%s}
  archive: {dimse: {host: pacs, port: 104, ae: PACS}, unsafe_plaintext: a test%s}
reports: {ehr: {}}
routes:
  - {id: ehr, match: {Modality: SR}, steps: [{cda: ehr}], deliver: [ehr, archive]}
  - {id: rest, otherwise: hold, reason: no-route}
"""


@pytest.mark.parametrize(
    ("ehr", "archive", "told"),
    [
        (", mdm: {}", ", encapsulate: cda", []),
        ("", ", encapsulate: cda", ["'ehr' is a mllp and takes hl7v2; this route gives cda"]),
        (", mdm: {}", "", ["'archive' is a dimse and takes dicom; this route gives cda"]),
        (
            ", encapsulate: cda",
            ", encapsulate: cda",
            [
                "a mllp does not take what `encapsulate` makes: it is for dimse, folder, media, stow",
                "'ehr' is a mllp and takes hl7v2; this route gives cda",
            ],
        ),
        (
            ", mdm: {}, encapsulate: cda",
            ", encapsulate: cda",
            [
                "a destination has one of mdm and encapsulate: make it two",
                "a mllp does not take what `encapsulate` makes: it is for dimse, folder, media, stow",
            ],
        ),
    ],
)
def test_what_fits_is_taken_and_the_rest_told(ehr: str, archive: str, told: list[str]) -> None:
    _, problems = examine_bytes((RULES % (ehr, archive)).encode(), "x", Path("/base"))
    assert sorted(each.message for each in problems if each.severity == "error") == sorted(told)
