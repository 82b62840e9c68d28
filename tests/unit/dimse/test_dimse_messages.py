"""Command sets: round trips, strictness, fragments cut anywhere, pydicom and pynetdicom as judges."""

from __future__ import annotations

import io
import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.filereader import read_dataset

from gateway.dimse import messages, pdu
from gateway.dimse.messages import Command, CommandAssembly, decode_command
from gateway.errors import RefusePeer
from tests.unit.dimse.samples import CT, INSTANCE

STORE = messages.c_store_rq(7, CT, INSTANCE, ("MOVER", 3))


def element(number: int, data: bytes) -> bytes:
    return struct.pack("<HHL", 0, number, len(data)) + data


def us(number: int, value: int) -> bytes:
    return element(number, value.to_bytes(2, "little"))


def test_a_store_request_survives() -> None:
    found = decode_command(STORE)
    assert found == Command(
        1, True, 7, None, CT, INSTANCE, 0, None, "", None, (), move_originator="MOVER", move_originator_id=3
    )


@pytest.mark.parametrize("data", [STORE, messages.c_echo_rq(1), messages.c_store_rq(65535, "1.2", "1.23")])
def test_pydicom_reads_what_we_write(data: bytes) -> None:
    found = read_dataset(io.BytesIO(data), is_implicit_VR=True, is_little_endian=True)
    ours = decode_command(data)
    assert found.CommandGroupLength == len(data) - 12
    assert found.CommandField == ours.field
    assert found.MessageID == ours.message_id
    assert found.AffectedSOPClassUID == ours.sop_class
    assert found.get("AffectedSOPInstanceUID", "") == ours.sop_instance


def test_the_judge_refuses_a_bad_twin() -> None:
    found = read_dataset(io.BytesIO(STORE[:-3]), is_implicit_VR=True, is_little_endian=True)
    assert found.get("MoveOriginatorMessageID") != 3
    with pytest.raises(RefusePeer):
        decode_command(STORE[:-3])


def test_an_answer_carries_status_and_comment() -> None:
    request = decode_command(STORE)
    data = messages.response(request, 0xA700, "disk full")
    found = decode_command(data)
    assert (found.field, found.responded_to, found.status, found.comment) == (0x8001, 7, 0xA700, "disk full")
    assert (found.sop_class, found.sop_instance, found.has_data_set) == (CT, INSTANCE, False)
    judged = read_dataset(io.BytesIO(data), is_implicit_VR=True, is_little_endian=True)
    assert judged.ErrorComment == "disk full"


@given(st.text(max_size=200))
def test_a_comment_is_always_an_lo(text: str) -> None:
    said = messages.clean_comment(text)
    assert len(said) <= 64
    assert all(0x20 <= ord(c) < 0x7F and c != "\\" for c in said)
    decode_command(messages.response(decode_command(STORE), 0xC000, text))


@pytest.mark.parametrize("cut", range(len(STORE)))
def test_a_command_cut_anywhere_is_malformed(cut: int) -> None:
    with pytest.raises(RefusePeer) as error:
        decode_command(STORE[:cut])
    assert error.value.reason == "command-malformed"


FIELD, ID, TYPE = us(0x100, 0x30), us(0x110, 1), us(0x800, 0x101)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(FIELD + TYPE, id="no message id"),
        pytest.param(ID + TYPE, id="no command field"),
        pytest.param(FIELD + ID, id="no data set type"),
        pytest.param(FIELD + FIELD + ID + TYPE, id="an element twice"),
        pytest.param(ID + FIELD + TYPE, id="descending"),
        pytest.param(element(0x100, b"\x30") + ID + TYPE, id="US of one byte"),
        pytest.param(element(0x100, b"\x30\0\0\0") + ID + TYPE, id="US of two values"),
        pytest.param(FIELD + ID + TYPE + struct.pack("<HHL", 8, 5, 0), id="group 0008"),
        pytest.param(FIELD + ID + TYPE + struct.pack("<HHL", 0, 0x900, 0xFFFFFFFF), id="undefined length"),
        pytest.param(element(0, b"\x01\0\0\0") + FIELD + ID + TYPE, id="group length lies"),
        pytest.param(us(0x100, 0x8001) + us(0x120, 1) + TYPE, id="response without status"),
        pytest.param(us(0x100, 0x8001) + TYPE + us(0x900, 0), id="response to nothing"),
        pytest.param(FIELD + ID + TYPE + element(0x901, b"\0\0\0"), id="AT of three bytes"),
    ],
)
def test_a_strange_command_is_malformed(data: bytes) -> None:
    with pytest.raises(RefusePeer) as error:
        decode_command(data)
    assert error.value.reason == "command-malformed"


def test_elements_nobody_needs_are_stepped_over() -> None:
    data = element(0x1, b"retired!") + FIELD + ID + TYPE + element(0x4000, b"x")
    assert decode_command(data).message_id == 1


@given(st.lists(st.integers(0, len(STORE)), max_size=6))
def test_a_command_may_be_cut_anywhere_into_fragments(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STORE)]
    assembly, found = CommandAssembly(1024), None
    for first, after in pairwise(edges):
        assert found is None
        last = after == edges[-1] and first == edges[-2]
        found = assembly.feed(3, memoryview(STORE)[first:after], last)
        if last:
            break
        assert assembly.begun
    assert found == decode_command(STORE)
    assert not assembly.begun


def test_an_assembly_has_a_limit_and_one_context() -> None:
    assembly = CommandAssembly(64)
    assembly.feed(1, memoryview(bytes(60)), False)
    with pytest.raises(RefusePeer, match="command-too-long"):
        assembly.feed(1, memoryview(bytes(5)), False)
    with pytest.raises(RefusePeer, match="command-unexpected"):
        assembly.feed(3, memoryview(b""), False)


@given(st.integers(16, 400))
def test_a_command_is_cut_for_a_peer_that_takes_little(max_pdu: int) -> None:
    stream = memoryview(messages.command_pdus(5, STORE, max_pdu))
    assembly, found, at = CommandAssembly(1024), None, 0
    while at < len(stream):
        kind, length = pdu.HEADER.unpack_from(stream, at)
        assert (kind, length <= max_pdu) == (4, True)
        for value in pdu.pdvs(stream[at + 6 : at + 6 + length]):
            assert found is None
            assert value.context == 5
            found = assembly.feed(value.context, value.fragment, bool(value.control & pdu.LAST))
        at += 6 + length
    assert found == decode_command(STORE)
