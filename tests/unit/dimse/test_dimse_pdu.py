"""The PDU codec: round trips, strictness at every byte, and pynetdicom's codec as an independent judge."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom import pdu as judge

from gateway.dimse import pdu
from gateway.dimse.items import ContextAnswer, ProposedContext, UserIdentity, UserInformation, item
from gateway.dimse.pdu import AssociateAccept, AssociateReader, AssociateRequest, PduType
from gateway.dimse.uids import APPLICATION_CONTEXT, EXPLICIT_LE, IMPLICIT_LE
from gateway.errors import RefusePeer
from tests.unit.dimse.samples import CT, associate_rq, full_user, p_data, request

uids = st.lists(st.integers(0, 10**8), min_size=1, max_size=6).map(lambda parts: ".".join(map(str, parts)))
titles = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=16)
contexts = st.lists(
    st.tuples(st.integers(0, 127), uids, st.lists(uids, min_size=1, max_size=4)),
    min_size=1,
    max_size=8,
    unique_by=lambda each: each[0],
).map(lambda found: tuple(ProposedContext(2 * number + 1, a, tuple(s)) for number, a, s in found))


def body_of(data: bytes) -> bytes:
    kind, length = pdu.HEADER.unpack_from(data)
    assert length == len(data) - 6
    assert kind in PduType.__members__.values()
    return data[6:]


@given(called=titles, calling=titles, proposed=contexts)
def test_a_request_survives_the_wire(called: str, calling: str, proposed: tuple[ProposedContext, ...]) -> None:
    sent = request(called_ae=called, calling_ae=calling, contexts=proposed, user=full_user())
    got = pdu.decode_associate_rq(body_of(pdu.encode_associate_rq(sent)))
    assert (got.called_ae, got.calling_ae, got.contexts, got.user) == (called, calling, proposed, full_user())
    assert got.echoed == called.encode().ljust(16) + calling.encode().ljust(16) + bytes(32)


def test_an_acceptance_survives_the_wire() -> None:
    answers = (ContextAnswer(1, 0, IMPLICIT_LE), ContextAnswer(3, 4, ""))
    user = UserInformation(131072, "1.2.3", "X", identity_answer=b"ticket")
    sent = AssociateAccept(answers, user, APPLICATION_CONTEXT, bytes(range(64)))
    assert pdu.decode_associate_ac(body_of(pdu.encode_associate_ac(sent))) == sent


def test_what_a_refused_context_names_is_not_read() -> None:
    """PS3.8 Table 9-18: not significant, so garbage there must not end an association."""
    user = item(0x50, item(0x51, bytes(4)))
    answer = item(0x21, bytes((1, 0, 3, 0)) + b"\x40\x00\xff\xffgarbage")
    body = bytes((0, 1, 0, 0)) + bytes(64) + item(0x10, APPLICATION_CONTEXT.encode()) + answer + user
    assert pdu.decode_associate_ac(body).contexts == (ContextAnswer(1, 3, ""),)


def test_pynetdicom_reads_our_request_and_we_read_its() -> None:
    theirs = judge.A_ASSOCIATE_RQ()
    theirs.decode(associate_rq(user=full_user()))
    assert theirs.called_ae_title == "GATEWAY"
    assert [context.abstract_syntax for context in theirs.presentation_context][1] == CT
    user = theirs.user_information
    assert user.maximum_length == 65536
    assert user.async_ops_window.maximum_number_operations_invoked == 5
    assert user.user_identity.primary_field == b"user"
    assert [role.scp_role for role in user.role_selection.values()] == [1, 0]
    again = pdu.decode_associate_rq(body_of(theirs.encode()))
    assert again.user == full_user()
    assert again.contexts == request().contexts


def test_the_judge_refuses_a_bad_twin() -> None:
    broken = bytearray(associate_rq())
    broken[74] = 0x11  # the application context is now an item that does not exist
    with pytest.raises(Exception, match="17"):
        judge.A_ASSOCIATE_RQ().decode(bytes(broken))
    with pytest.raises(RefusePeer, match="pdu-malformed"):
        pdu.decode_associate_rq(body_of(bytes(broken)))


def test_small_pdus_are_what_pynetdicom_reads() -> None:
    rejected = judge.A_ASSOCIATE_RJ()
    rejected.decode(pdu.associate_rj(1, 2, 2))
    assert (rejected.result, rejected.source, rejected.reason_diagnostic) == (1, 2, 2)
    aborted = judge.A_ABORT_RQ()
    aborted.decode(pdu.abort(2, 6))
    assert (aborted.source, aborted.reason_diagnostic) == (2, 6)
    assert judge.A_RELEASE_RQ().encode() == pdu.RELEASE_RQ
    assert judge.A_RELEASE_RP().encode() == pdu.RELEASE_RP


@pytest.mark.parametrize("cut", range(len(associate_rq(user=full_user())) - 6))
def test_a_request_cut_anywhere_is_malformed(cut: int) -> None:
    with pytest.raises(RefusePeer) as error:
        pdu.decode_associate_rq(associate_rq(user=full_user())[6 : 6 + cut])
    assert error.value.reason == "pdu-malformed"


def test_a_request_with_a_byte_too_many_is_malformed() -> None:
    with pytest.raises(RefusePeer, match="pdu-malformed"):
        pdu.decode_associate_rq(associate_rq()[6:] + b"\0")


def test_unknown_items_are_skipped() -> None:
    """PS3.8 9.3.1, at each of the three levels."""
    known = request()
    user = item(0x51, (4096).to_bytes(4, "big")) + item(0x52, b"1.2") + item(0x77, b"??")
    context = item(
        0x20, bytes((1, 0, 0, 0)) + item(0x30, CT.encode()) + item(0x66, b"!") + item(0x40, EXPLICIT_LE.encode())
    )
    body = bytes((0, 1, 0, 0)) + b"GATEWAY".ljust(16) + b"CT1".ljust(16) + bytes(32)
    body += item(0x10, APPLICATION_CONTEXT.encode()) + item(0x99, b"who") + context + item(0x50, user)
    got = pdu.decode_associate_rq(body)
    assert (got.called_ae, got.user.max_pdu) == (known.called_ae, 4096)
    assert got.contexts == (ProposedContext(1, CT, (EXPLICIT_LE,)),)


def _contexts(*found: ProposedContext) -> bytes:
    return associate_rq(contexts=found)[6:]


PLAIN = ProposedContext(1, CT, (EXPLICIT_LE,))
START = bytes((0, 1, 0, 0)) + b"A".ljust(16) + b"B".ljust(16) + bytes(32)
NAME = item(0x10, APPLICATION_CONTEXT.encode())
ONE = item(0x20, bytes((1, 0, 0, 0)) + item(0x30, b"1.2") + item(0x40, b"1.2"))
USER = item(0x50, item(0x51, bytes(4)))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(_contexts(), id="no context"),
        pytest.param(_contexts(PLAIN, PLAIN), id="an id twice"),
        pytest.param(_contexts(PLAIN._replace(id=2)), id="even id"),
        pytest.param(_contexts(PLAIN._replace(syntaxes=())), id="no transfer syntax"),
        pytest.param(_contexts(PLAIN._replace(abstract="")), id="empty abstract syntax"),
        pytest.param(_contexts(PLAIN._replace(abstract="1.2 OR")), id="no UID"),
        pytest.param(_contexts(PLAIN._replace(abstract="1" * 65)), id="long UID"),
        pytest.param(START + ONE + USER, id="no application context"),
        pytest.param(START + NAME + NAME + ONE + USER, id="two application contexts"),
        pytest.param(START + NAME + ONE, id="no user information"),
        pytest.param(START + NAME + ONE + USER + USER, id="two user informations"),
        pytest.param(START + NAME + ONE + item(0x50, item(0x51, bytes(3))), id="maximum length of 3 bytes"),
        pytest.param(START + NAME + ONE + item(0x50, item(0x51, bytes(4)) * 2), id="maximum length twice"),
        pytest.param(START + NAME + ONE + item(0x50, item(0x53, bytes(3))), id="window of 3 bytes"),
        pytest.param(START + NAME + ONE + item(0x50, item(0x54, b"\0\3" + b"1.2" + b"\1")), id="role too short"),
        pytest.param(START + NAME + ONE + item(0x50, item(0x54, b"\0\3" + b"1.2" + b"\1\2")), id="role 2"),
        pytest.param(START + NAME + ONE + item(0x50, item(0x56, b"\0\x09" + b"1.2")), id="lie in extended"),
        pytest.param(START + NAME + ONE + item(0x50, item(0x57, b"\0\1" + b"1")), id="common too short"),
        pytest.param(START + NAME + ONE + item(0x50, item(0x58, b"\1\0\0\4abc\0\0")), id="identity lies"),
        pytest.param(START + NAME + ONE + item(0x50, item(0x58, b"\1\0\0\1a\0\0x")), id="identity too long"),
    ],
)
def test_a_strange_request_is_malformed(body: bytes) -> None:
    with pytest.raises(RefusePeer) as error:
        pdu.decode_associate_rq(body)
    assert error.value.reason == "pdu-malformed"


def test_credentials_are_not_in_a_repr() -> None:
    assert "passcode" not in repr(request(user=full_user()))
    assert "secret" not in repr(UserIdentity(1, False, b"secret", b"secret"))


def test_padding_of_real_peers_is_taken() -> None:
    raw = bytearray(associate_rq()[6:])
    raw[4:20] = b"GATEWAY\0\0\0\0\0\0\0\0\0"
    got = pdu.decode_associate_rq(bytes(raw))
    assert got.called_ae == "GATEWAY"
    assert got.echoed[:16] == bytes(raw[4:20])


@pytest.mark.parametrize(
    ("kind", "length", "reason"),
    [
        (0, 4, "pdu-unrecognized"),
        (8, 4, "pdu-unrecognized"),
        (0x16, 4, "pdu-unrecognized"),
        (4, 16385, "pdu-too-long"),
        (4, 0xFFFFFFFF, "pdu-too-long"),
        (1, 65537, "pdu-too-long"),
        (2, 65537, "pdu-too-long"),
        (3, 5, "pdu-malformed"),
        (5, 3, "pdu-malformed"),
        (6, 0, "pdu-malformed"),
        (7, 0xFFFFFFFF, "pdu-malformed"),
    ],
)
def test_a_header_is_enough_to_refuse(kind: int, length: int, reason: str) -> None:
    with pytest.raises(RefusePeer) as error:
        pdu.check_header(kind, length, 16384, 65536)
    assert error.value.reason == reason


@pytest.mark.parametrize(("kind", "length"), [(1, 65536), (2, 100), (3, 4), (4, 16384), (4, 0), (5, 4), (6, 4), (7, 4)])
def test_a_header_within_the_limits_passes(kind: int, length: int) -> None:
    pdu.check_header(kind, length, 16384, 65536)


def test_fragments_are_views_of_what_came() -> None:
    data = bytearray(p_data((1, 3, b"abcd"), (3, 0, b""), (255, 2, b"xy"))[6:])
    found = list(pdu.pdvs(memoryview(data)))
    assert [(v.context, v.control, bytes(v.fragment)) for v in found] == [(1, 3, b"abcd"), (3, 0, b""), (255, 2, b"xy")]
    data[6] = ord("Z")
    assert bytes(found[0].fragment) == b"Zbcd"


@given(st.binary(max_size=64))
def test_p_data_is_consumed_exactly_or_refused(body: bytes) -> None:
    try:
        found = list(pdu.pdvs(memoryview(body)))
    except RefusePeer as error:
        assert error.reason == "pdu-malformed"
    else:
        assert found
        assert sum(6 + len(value.fragment) for value in found) == len(body)


@given(st.integers(8, 1 << 20))
def test_a_fragment_fits_and_is_even(max_pdu: int) -> None:
    size = pdu.fragment_size(max_pdu)
    assert size % 2 == 0
    assert max_pdu - 8 < size + 6 <= max_pdu
    header = pdu.p_data_header(1, 2, size)
    assert pdu.HEADER.unpack_from(header) == (4, size + 6)


@given(st.data())
def test_the_reader_takes_a_request_in_any_pieces(data: st.DataObject) -> None:
    whole = associate_rq(user=full_user())
    reader, at = AssociateReader(), 0
    while True:
        step = data.draw(st.integers(1, reader.wanted))
        got = reader.feed(whole[at : at + step])
        at += step
        if got is not None:
            break
    assert got == whole
    assert at == len(whole)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x16", "pdu-unrecognized"),  # TLS on a plaintext port
        (b"G", "pdu-unrecognized"),  # HTTP
        (b"\x04", "pdu-unexpected"),
        (b"\x05", "pdu-unexpected"),
        (b"\x01\x00\x00\x01\x00\x01", "pdu-too-long"),
        (b"\x01\x00\xff\xff\xff\xff", "pdu-too-long"),
    ],
)
def test_the_reader_refuses_by_what_it_has(data: bytes, reason: str) -> None:
    with pytest.raises(RefusePeer) as error:
        AssociateReader().feed(data)
    assert error.value.reason == reason


def test_the_reader_holds_no_more_than_was_wanted() -> None:
    with pytest.raises(ValueError, match="wanted"):
        AssociateReader().feed(bytes(7))


def test_a_title_that_does_not_fit_is_our_mistake() -> None:
    for title in ("", "X" * 17, "Ä"):
        with pytest.raises(ValueError):
            pdu.encode_associate_rq(
                AssociateRequest(title, "B", request().contexts, UserInformation(), APPLICATION_CONTEXT)
            )
