"""Acknowledgements are read strictly; nothing a peer sends raises anything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.errors import TransformError
from transforms.hl7 import ack
from transforms.hl7.ack import Acknowledgement

MSH = "MSH|^~\\&|EHR|H|GW|H|20261126||ACK^T02|1|P|2.5.1\r"


def read(text: str) -> Acknowledgement:
    return ack.of(text.encode())


def test_code_control_and_condition_are_read() -> None:
    assert read(MSH + "MSA|AA|abc\r") == Acknowledgement("AA", "abc")
    assert read(MSH + "MSA|AE|abc\rERR||PID^1|207^Application internal error^HL70357|E\r").condition == "207"
    assert read(MSH.replace("|", "#").replace("^", "*") + "MSA#AR#x\rERR##PID*1#101*missing\r").condition == "101"
    assert read(MSH + "MSA|AE|abc||||103^old way\n").condition == "103"
    assert read(MSH + "MSA|AE|abc\rERR|||Doe^Jane\r").condition == ""


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "MSA|AA|abc\r",
        MSH,
        MSH + "MSA|OK|abc\r",
        MSH + "MSA|AA|a\rMSA|AE|a\r",
        "MSH",
        "MSHAAAAAAAA\r",
        "HTTP/1.1 400 Bad Request\r\n\r\n",
    ],
)
def test_what_is_no_acknowledgement_says_nothing(answer: str) -> None:
    with pytest.raises(TransformError, match="ack-malformed"):
        read(answer)


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=60).map(lambda tail: MSH.encode() + b"MSA|" + tail)))
def test_garbage_raises_nothing_else(data: bytes) -> None:
    try:
        assert ack.of(data).code in ack.CODES
    except TransformError as error:
        assert error.reason == "ack-malformed"
