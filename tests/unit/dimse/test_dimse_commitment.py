"""Data sets of storage commitment: pydicom reads what we write, we read what it writes, and nothing else is taken."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from gateway.dimse.commitment import (
    MOST,
    PUSH_MODEL,
    BadCommitment,
    event_type,
    read_report,
    read_request,
    write_report,
    write_request,
)
from gateway.dimse.items import ProposedContext, RoleSelection
from gateway.dimse.limits import Limits
from gateway.dimse.negotiation import AcceptancePolicy, Negotiated, negotiate
from gateway.dimse.uids import EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE
from gateway.model import CommitmentReport, CommitmentRequest, Reference, Refused
from tests.unit.dimse.samples import request

CT = "1.2.840.10008.5.1.4.1.1.2"
SYNTAXES = pytest.mark.parametrize("syntax", [EXPLICIT_LE, IMPLICIT_LE])
uids = st.integers(1, 10**30).map(lambda n: f"1.2.{n}")
references = st.lists(uids, min_size=1, max_size=20, unique=True).map(lambda u: tuple(Reference(CT, x) for x in u))


def raw(data: Dataset, syntax: str, undefined: bool = False) -> bytes:
    """As pydicom writes it; `undefined`: sequences and items with delimiters."""
    if undefined:
        for element in data:
            if element.VR == "SQ":
                element.is_undefined_length = True
                for item in element.value:
                    item.is_undefined_length_sequence_item = True
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, syntax == IMPLICIT_LE
    write_dataset(out, data)
    return out.getvalue()


def parsed(data: bytes, syntax: str) -> Dataset:
    head = Dataset()
    del head
    return dcmread(BytesIO(data), force=True) if syntax == IMPLICIT_LE else _explicit(data)


def _explicit(data: bytes) -> Dataset:
    from pydicom.filereader import read_dataset

    return read_dataset(BytesIO(data), is_implicit_VR=False, is_little_endian=True)


def item(uid: str, reason: int | None = None) -> Dataset:
    made = Dataset()
    made.ReferencedSOPClassUID = CT
    made.ReferencedSOPInstanceUID = uid
    if reason is not None:
        made.FailureReason = reason
    return made


def report(committed: list[str], failed: dict[str, int], transaction: str = "2.25.9") -> Dataset:
    made = Dataset()
    made.TransactionUID = transaction
    if committed:
        made.ReferencedSOPSequence = [item(uid) for uid in committed]
    if failed:
        made.FailedSOPSequence = [item(uid, reason) for uid, reason in failed.items()]
    return made


@SYNTAXES
def test_pydicom_reads_what_is_asked_and_reported(syntax: str) -> None:
    found = parsed(write_request(CommitmentRequest("2.25.77", (Reference(CT, "1.2.3"),)), syntax), syntax)
    assert found.TransactionUID == "2.25.77" and found.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "1.2.3"
    told = CommitmentReport("2.25.77", (Reference(CT, "1.2.3"),), (Refused(CT, "1.2.44", 0x0112),))
    found = parsed(write_report(told, syntax), syntax)
    assert [i.ReferencedSOPInstanceUID for i in found.ReferencedSOPSequence] == ["1.2.3"]
    assert [(i.ReferencedSOPInstanceUID, i.FailureReason) for i in found.FailedSOPSequence] == [("1.2.44", 0x0112)]
    assert [each.tag for each in found] == sorted(each.tag for each in found), "in the order of their tags"
    assert event_type(told) == 2 and event_type(CommitmentReport("1.2", (Reference(CT, "1"),))) == 1


@SYNTAXES
@pytest.mark.parametrize("undefined", [False, True])
def test_we_read_what_pydicom_writes(syntax: str, undefined: bool) -> None:
    asked = Dataset()
    asked.TransactionUID = "2.25.5"
    asked.ReferencedSOPSequence = [item("1.2.3"), item("1.2.4"), item("1.2.3")]
    asked.StorageMediaFileSetID = "SET"
    assert read_request(raw(asked, syntax, undefined), syntax) == CommitmentRequest(
        "2.25.5", (Reference(CT, "1.2.3"), Reference(CT, "1.2.4"))
    )
    told = report(["1.2.3"], {"1.2.4": 0x0110})
    told.RetrieveAETitle = "ELSEWHERE"
    found = read_report(raw(told, syntax, undefined), syntax, 2)
    assert found == CommitmentReport("2.25.9", (Reference(CT, "1.2.3"),), (Refused(CT, "1.2.4", 0x0110),))


@SYNTAXES
@given(transaction=uids, asked=references, failed=references)
def test_what_is_written_is_read(syntax: str, transaction: str, asked: object, failed: object) -> None:
    request = CommitmentRequest(transaction, asked)  # type: ignore[arg-type]
    assert read_request(write_request(request, syntax), syntax) == request
    refused = tuple(Refused(CT, "9" + each.sop_instance, 0x0112) for each in failed)  # type: ignore[attr-defined]
    told = CommitmentReport(transaction, request.references, refused)
    assert read_report(write_report(told, syntax), syntax, 2) == told


def test_reports_that_contradict_themselves_commit_nothing() -> None:
    def refused(data: Dataset, kind: int) -> None:
        with pytest.raises(BadCommitment):
            read_report(raw(data, EXPLICIT_LE), EXPLICIT_LE, kind)

    refused(report(["1.2.3"], {"1.2.3": 0x0112}), 2)
    refused(report(["1.2.3"], {"1.2.4": 0x0112}), 1)
    refused(report(["1.2.3"], {}), 2)
    refused(report(["1.2.3"], {}), 3)
    refused(report([], {}), 1)
    refused(report(["1.2.3"], {}, transaction=""), 1)
    nameless = report(["1.2.3"], {})
    del nameless.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    refused(nameless, 1)
    reasonless = report([], {"1.2.3": 1})
    del reasonless.FailedSOPSequence[0].FailureReason
    refused(reasonless, 2)
    two_classes = report(["1.2.3", "1.2.3"], {})
    two_classes.ReferencedSOPSequence[1].ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    refused(two_classes, 1)


@SYNTAXES
def test_every_cut_is_refused_or_says_less_than_all(syntax: str) -> None:
    """A cut between two elements frames; it must not turn into a request for everything or a report of success."""
    whole = raw(report(["1.2.3", "1.2.4"], {"1.2.5": 0x0112}), syntax)
    for at in range(len(whole)):
        with pytest.raises(BadCommitment):
            read_report(whole[:at], syntax, 1)


@SYNTAXES
@given(st.data())
@settings(max_examples=300)
def test_hostile_bytes_end_in_one_error(syntax: str, data: st.DataObject) -> None:
    whole = bytearray(raw(report(["1.2.3", "1.2.4"], {"1.2.5": 0x0112}), syntax, data.draw(st.booleans())))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    for read in (lambda b: read_request(b, syntax), lambda b: read_report(b, syntax, 2)):
        try:
            read(bytes(whole))
        except BadCommitment as error:
            assert "1.2." not in str(error)


def test_depth_and_numbers_are_bounded() -> None:
    deep = b"".join(b"\x08\x00\x99\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" for _ in range(5000))
    with pytest.raises(BadCommitment):
        read_request(deep, EXPLICIT_LE)
    many = CommitmentRequest("1.2", tuple(Reference(CT, f"1.{n}") for n in range(MOST + 1)))
    with pytest.raises(BadCommitment):
        read_request(write_request(many, IMPLICIT_LE), IMPLICIT_LE)
    with pytest.raises(BadCommitment):
        read_request(b"", EXPLICIT_BE)


def negotiated(roles: tuple[RoleSelection, ...], *, served: bool = True) -> Negotiated:
    contexts = (ProposedContext(1, PUSH_MODEL, (EXPLICIT_BE, IMPLICIT_LE)),)
    asked = request(contexts=contexts, user=replace(request().user, roles=roles))
    return negotiate(asked, AcceptancePolicy(commitment=served), Limits())


def test_who_reports_may_be_the_scp_and_nobody_gets_more_than_asked() -> None:
    for roles in ((), (RoleSelection(PUSH_MODEL, True, False),), (RoleSelection(PUSH_MODEL, False, True),)):
        found = negotiated(roles)
        assert [c.syntax for c in found.contexts.values()] == [IMPLICIT_LE] and found.accept.user.roles == roles
    assert not negotiated((RoleSelection(PUSH_MODEL, False, False),)).contexts
    assert not negotiated((), served=False).contexts
