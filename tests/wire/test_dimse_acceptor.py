"""Dialogues with the acceptor: what a peer says, what it hears, how it ends."""

from __future__ import annotations

import time

import pytest

from gateway.dimse import messages, pdu
from gateway.dimse.items import ProposedContext, UserInformation
from gateway.dimse.limits import Limits
from gateway.dimse.pdu import COMMAND, LAST, PduType
from gateway.dimse.service import Accept, Reject, StoreRequest, StoreResponse
from gateway.dimse.uids import EXPLICIT_LE, IMPLICIT_LE
from gateway.errors import GatewayError, RefuseObject, StorageFailed
from tests.unit.dimse.doubles import MemoryService, MemorySink
from tests.unit.dimse.samples import CT, INSTANCE, SR, associate_rq, echo_rq, p_data, request, store_rq
from tests.wire.playbook import CLOSED, accepting

DATA = bytes(range(256)) * 40


def raiser(error: Exception):  # type: ignore[no-untyped-def]
    def raising(_: object) -> StoreResponse:
        raise error

    return raising


def test_echo_store_release() -> None:
    with accepting() as stage:
        stage.peer.says(echo_rq(5))
        answer = stage.peer.hears_answer()
        assert (answer.field, answer.responded_to, answer.status) == (0x8030, 5, 0)
        stage.peer.says(*store_rq(DATA, number=6))
        answer = stage.peer.hears_answer()
        assert (answer.field, answer.responded_to, answer.status, answer.sop_instance) == (0x8001, 6, 0, INSTANCE)
        stage.peer.release()
        end = stage.end()
    assert stage.service.stored == [(StoreRequest(CT, INSTANCE, EXPLICIT_LE, 6, 3), DATA)]
    assert stage.service.aborted == []
    assert (end.reason, end.orderly, end.stored, end.failed, end.octets) == ("released", True, 1, 0, len(DATA))
    assert stage.service.requests[0].calling_ae == "CT1"


def test_a_message_may_be_cut_into_any_fragments_and_pdus() -> None:
    command = messages.c_store_rq(1, CT, INSTANCE)
    values = [(3, COMMAND, command[i : i + 1]) for i in range(len(command) - 1)]
    values += [(3, COMMAND, b""), (3, COMMAND | LAST, command[-1:])]
    values += [(3, 0, DATA[i : i + 7]) for i in range(0, len(DATA), 7)] + [(3, LAST, b"")]
    with accepting() as stage:
        stage.peer.says(p_data(*values[:50]), p_data(*values[50:200]), *[p_data(v) for v in values[200:]])
        assert stage.peer.hears_answer().status == 0
        stage.peer.release()
    assert stage.service.stored[0][1] == DATA


def test_command_and_data_set_may_share_a_pdu_and_bytes_may_drip() -> None:
    whole = p_data((3, COMMAND | LAST, messages.c_store_rq(1, CT, INSTANCE)), (3, LAST, DATA[:100]))
    with accepting() as stage:
        for at in range(len(whole)):
            stage.peer.says(whole[at : at + 1])
        assert stage.peer.hears_answer().status == 0
        stage.peer.release()
    assert stage.service.stored[0][1] == DATA[:100]


def test_many_messages_may_be_under_way_and_are_answered_in_order() -> None:
    """A peer that pipelines although no asynchronous window was granted."""
    with accepting() as stage:
        stage.peer.says(b"".join(b"".join(store_rq(DATA[:n], number=n)) for n in range(1, 40)))
        assert [stage.peer.hears_answer().responded_to for _ in range(39)] == list(range(1, 40))
        stage.peer.release()
    assert [data for _, data in stage.service.stored] == [DATA[:n] for n in range(1, 40)]


def test_an_empty_data_set_is_a_data_set() -> None:
    with accepting() as stage:
        stage.peer.says(*store_rq(b""))
        assert stage.peer.hears_answer().status == 0
        stage.peer.release()
    assert stage.service.stored[0][1] == b""


def test_a_large_data_set_comes_through_in_full_pdus() -> None:
    data = DATA * 300
    with accepting(request=associate_rq(), max_pdu=131072) as stage:
        stage.peer.says(store_rq(b"")[0])
        for at in range(0, len(data), 131066):
            part = data[at : at + 131066]
            stage.peer.says(p_data((3, LAST if at + 131066 >= len(data) else 0, part)))
        assert stage.peer.hears_answer().status == 0
        stage.peer.release()
    assert stage.service.stored[0][1] == data


@pytest.mark.parametrize("where", ["on_begin", "on_write", "on_finish"])
@pytest.mark.parametrize(
    ("error", "status", "comment"),
    [
        (RefuseObject("bad-framing", 0xC000, "data set does not frame"), 0xC000, "data set does not frame"),
        (RefuseObject("sop-class-mismatch", 0xA900), 0xA900, "sop-class-mismatch"),
        (StorageFailed("disk-full", "Mustermann"), 0xA700, "disk-full"),
        (GatewayError("odd"), 0x0110, "processing failure"),
        (ValueError("Mustermann^Erika"), 0x0110, "processing failure"),
    ],
)
def test_a_failure_of_the_sink_is_answered_and_the_association_lives(
    where: str, error: Exception, status: int, comment: str, caplog: pytest.LogCaptureFixture
) -> None:
    service = MemoryService(**{where: raiser(error)})
    with accepting(service) as stage:
        command, _ = store_rq(b"")
        stage.peer.says(command, p_data((3, 0, DATA)), p_data((3, 0, DATA)), p_data((3, LAST, DATA)))
        answer = stage.peer.hears_answer()
        assert (answer.status, answer.comment) == (status, comment)
        service.on_begin = service.on_write = service.on_finish = None
        stage.peer.says(*store_rq(DATA, number=2))
        assert stage.peer.hears_answer().status == 0
        stage.peer.release()
        end = stage.end()
    assert [data for _, data in service.stored] == [DATA]
    assert len(service.aborted) == (0 if where == "on_begin" else 1)
    assert (end.stored, end.failed) == (1, 1)
    assert "Mustermann" not in caplog.text


def test_a_failing_abort_of_a_sink_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemorySink, "abort", raiser(OSError("x")))
    with accepting(MemoryService(on_write=raiser(StorageFailed("disk-full")))) as stage:
        stage.peer.says(*store_rq(DATA))
        assert stage.peer.hears_answer().status == 0xA700
        stage.peer.release()


def test_an_object_beyond_the_limit_is_thrown_away_and_answered() -> None:
    with accepting(object_size=1000) as stage:
        command, _ = store_rq(b"")
        stage.peer.says(command, p_data((3, 0, DATA[:900])), p_data((3, LAST, DATA[:900])))
        assert stage.peer.hears_answer().status == 0xA700
        stage.peer.says(*store_rq(DATA[:1000], number=2))
        assert stage.peer.hears_answer().status == 0
        stage.peer.release()
    assert len(stage.service.aborted) == 1
    assert len(stage.service.stored) == 1


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(store_rq(DATA, sop_class=SR), 0x0122, id="class of another context"),
        pytest.param(store_rq(DATA, context=1), 0x0122, id="store in verification"),
        pytest.param(store_rq(DATA, instance=""), 0x0117, id="no instance"),
        pytest.param(store_rq(DATA, instance="../../etc"), 0x0117, id="no UID"),
        pytest.param(store_rq(DATA, instance="1" * 65), 0x0117, id="long UID"),
    ],
)
def test_a_wrong_command_is_answered_after_its_data_set(sent: tuple[bytes, ...], status: int) -> None:
    with accepting() as stage:
        stage.peer.says(*sent)
        assert stage.peer.hears_answer().status == status
        stage.peer.says(*store_rq(DATA, number=2))
        assert stage.peer.hears_answer().status == 0
        stage.peer.release()
    assert len(stage.service.stored) == 1


def test_another_service_is_answered_0211_with_and_without_data_set() -> None:
    find = messages._encode([(2, CT), (0x100, 0x0020), (0x110, 9), (0x700, 0), (0x800, 1)])
    n_get = messages._encode([(0x100, 0x0110), (0x110, 10), (0x800, 0x101)])
    cancel = messages._encode([(0x100, 0x0FFF), (0x120, 9), (0x800, 0x101)])
    with accepting() as stage:
        stage.peer.says(p_data((3, 3, find), (3, 0, b"12"), (3, LAST, b"34")))
        answer = stage.peer.hears_answer()
        assert (answer.field, answer.responded_to, answer.status) == (0x8020, 9, 0x0211)
        stage.peer.says(p_data((3, 3, cancel)), p_data((3, 3, n_get)))
        answer = stage.peer.hears_answer()
        assert (answer.field, answer.responded_to, answer.status) == (0x8110, 10, 0x0211)
        stage.peer.release()
        assert stage.end().failed == 0


def test_a_store_without_data_set_is_answered() -> None:
    bare = messages._encode([(2, CT), (0x100, 1), (0x110, 1), (0x700, 0), (0x800, 0x101), (0x1000, INSTANCE)])
    with accepting() as stage:
        stage.peer.says(p_data((3, 3, bare)))
        assert stage.peer.hears_answer().status == 0x0212
        stage.peer.release()


ECHO, STORE = echo_rq(), store_rq(b"")[0]
ECHO_WITH_DATA = messages._encode([(2, "1.2.840.10008.1.1"), (0x100, 0x30), (0x110, 1), (0x800, 1)])


@pytest.mark.parametrize(
    ("sent", "reason", "said"),
    [
        pytest.param((b"\x09\0\0\0\0\0",), "pdu-unrecognized", (2, 1), id="unknown PDU"),
        pytest.param((associate_rq(),), "pdu-unexpected", (2, 2), id="request twice"),
        pytest.param((pdu.associate_rj(1, 1, 1),), "pdu-unexpected", (2, 2), id="rejection"),
        pytest.param((pdu.RELEASE_RP,), "pdu-unexpected", (2, 2), id="release answer"),
        pytest.param((pdu.HEADER.pack(4, 131073),), "pdu-too-long", (2, 6), id="long PDU, by header alone"),
        pytest.param((pdu.HEADER.pack(4, 0xFFFFFFFF),), "pdu-too-long", (2, 6), id="length lie"),
        pytest.param((pdu.HEADER.pack(4, 0),), "pdu-malformed", (2, 6), id="no PDV"),
        pytest.param((pdu.HEADER.pack(4, 5) + bytes(5),), "pdu-malformed", (2, 6), id="half a PDV header"),
        pytest.param((pdu.HEADER.pack(4, 7) + b"\0\0\0\4\3\3x",), "pdu-malformed", (2, 6), id="PDV lies"),
        pytest.param((pdu.HEADER.pack(4, 6) + b"\0\0\0\1\3\3",), "pdu-malformed", (2, 6), id="PDV below its header"),
        pytest.param((p_data((7, 3, b"")),), "context-unknown", (2, 6), id="command in an unknown context"),
        pytest.param((p_data((0, 2, b"x")),), "context-unknown", (2, 6), id="data in context 0"),
        pytest.param((p_data((3, 2, DATA)),), "data-set-unexpected", (0, 0), id="data without command"),
        pytest.param((STORE, p_data((5, 2, DATA))), "data-set-unexpected", (0, 0), id="data in another context"),
        pytest.param((STORE, p_data((3, 0, b"x")), STORE), "command-unexpected", (0, 0), id="command within data"),
        pytest.param((ECHO, p_data((1, 2, b"x"))), "data-set-unexpected", (0, 0), id="data after an echo"),
        pytest.param((p_data((1, 1, b"x"), (3, 1, b"x")),), "command-unexpected", (0, 0), id="two commands at once"),
        pytest.param((p_data((1, 3, b"\0" * 9)),), "command-malformed", (0, 0), id="garbage command"),
        pytest.param(
            (p_data((1, 1, bytes(16000)), (1, 1, bytes(1000))),), "command-too-long", (0, 0), id="long command"
        ),
        pytest.param((p_data((1, 3, ECHO_WITH_DATA)),), "command-unexpected", (0, 0), id="echo with data"),
        pytest.param((p_data((3, 3, messages.c_echo_rq(1))),), "command-unexpected", (0, 0), id="echo in CT"),
        pytest.param(
            (p_data((3, 3, messages._encode([(0x100, 0x0666), (0x110, 1), (0x800, 0x101)]))),),
            "command-unexpected",
            (0, 0),
            id="unknown command field",
        ),
        pytest.param(
            (p_data((3, 3, messages._encode([(0x100, 0x8001), (0x120, 1), (0x800, 0x101), (0x900, 0)]))),),
            "command-unexpected",
            (0, 0),
            id="an answer to nothing",
        ),
    ],
)
def test_a_wrong_pdu_ends_the_association(sent: tuple[bytes, ...], reason: str, said: tuple[int, int]) -> None:
    with accepting() as stage:
        stage.peer.says(*sent)
        heard = stage.peer.hears()
        while heard[0] == PduType.P_DATA_TF:
            heard = stage.peer.hears()
        assert heard[0] == PduType.ABORT
        assert (heard[1][2], heard[1][3]) == said  # type: ignore[index]
        stage.peer.close()
        end = stage.end()
    assert (end.reason, end.orderly) == (reason, False)
    assert stage.service.stored == []
    assert len(stage.service.aborted) == (sent[0] == STORE)


def test_after_an_abort_the_rest_is_read_away_so_that_the_peer_hears_it() -> None:
    with accepting() as stage:
        stage.peer.says(b"\x09\0\0\0\0\0")
        for _ in range(50):
            stage.peer.says(p_data((3, 0, DATA)))
        assert stage.peer.hears_abort() == (2, 1)


def test_an_abort_within_an_object_drops_it() -> None:
    with accepting() as stage:
        stage.peer.says(STORE, p_data((3, 0, DATA)), pdu.abort(0, 0))
        assert stage.peer.hears() == CLOSED
        end = stage.end()
    assert (end.reason, end.orderly, end.failed) == ("aborted-by-peer", False, 1)
    assert (stage.service.stored, len(stage.service.aborted)) == ([], 1)


@pytest.mark.parametrize("cut", [0, 1, 5, 6, 7, 20, 100, 114, 119, 120, 121, 200, 300])
def test_a_connection_lost_anywhere_drops_the_object(cut: int) -> None:
    whole = b"".join(store_rq(DATA[:200]))
    assert cut < len(whole)
    with accepting() as stage:
        stage.peer.says(whole[:cut])
        stage.peer.close()
        end = stage.end()
    assert (end.reason, end.orderly) == ("connection-lost", False)
    assert stage.service.stored == []


def test_a_release_within_an_object_is_not_orderly() -> None:
    with accepting() as stage:
        stage.peer.says(STORE, p_data((3, 0, DATA)))
        stage.peer.release()
        end = stage.end()
    assert (end.reason, end.orderly) == ("released", False)
    assert len(stage.service.aborted) == 1


def test_a_peer_that_does_not_close_after_release_is_closed() -> None:
    with accepting(close=0.2) as stage:
        stage.peer.says(pdu.RELEASE_RQ)
        assert stage.peer.hears()[0] == PduType.RELEASE_RP
        assert stage.peer.hears() == CLOSED
        assert stage.end().orderly


def test_an_idle_peer_is_cut() -> None:
    with accepting(idle=0.3) as stage:
        assert stage.peer.hears_abort() == (2, 0)
        stage.peer.close()
        assert stage.end().reason == "idle-timeout"


def test_idle_within_an_object_is_cut() -> None:
    with accepting(idle=0.3) as stage:
        stage.peer.says(STORE, p_data((3, 0, DATA)))
        assert stage.peer.hears_abort() == (2, 0)
        stage.peer.close()
        assert stage.end().reason == "idle-timeout"
    assert len(stage.service.aborted) == 1


@pytest.mark.parametrize("prefix", [0, 6])
def test_a_dripping_peer_is_cut_after_the_total_time_of_a_pdu(prefix: int) -> None:
    whole = b"".join(store_rq(DATA))
    with accepting(pdu_time=0.5, idle=60.0) as stage:
        begun = time.monotonic()
        stage.peer.says(whole[:prefix])
        try:
            for at in range(prefix, 40):
                stage.peer.says(whole[at : at + 1])
                time.sleep(0.05)
        except ConnectionError:
            pass
        assert stage.peer.hears_abort() == (2, 0)
        stage.peer.close()
        assert stage.end().reason == "pdu-timeout"
        assert time.monotonic() - begun < 4


@pytest.mark.parametrize("octets", [0, 1])
def test_an_object_without_progress_is_cut(octets: int) -> None:
    """Each PDU is whole and no pause is long: only the rate over the object tells. (A flood: test_dimse_pace.py.)"""
    command, first = store_rq(DATA[:2])[0], p_data((3, 0, DATA[:octets]))
    with accepting(stall=0.5, min_rate=1000, idle=60.0) as stage:
        stage.peer.says(command)
        for _ in range(500):
            try:
                stage.peer.says(first)
            except OSError:
                break
            if stage.service.ends:
                break
            time.sleep(0.02)
        else:
            pytest.fail("it may go on for ever")
        assert stage.end().reason == "too-slow"
    assert stage.service.stored == [] and len(stage.service.aborted) == 1


def test_each_message_may_be_as_slow_as_the_first_and_pauses_between_are_free() -> None:
    with accepting(stall=2.0, min_rate=1 << 30, idle=60.0) as stage:
        for number in range(3):
            command, data = store_rq(DATA, number=number)
            stage.peer.says(command)
            time.sleep(0.8)
            stage.peer.says(data)
            assert stage.peer.hears_answer().status == 0
        time.sleep(2.2)
        stage.peer.release()
        assert stage.end().stored == 3


def test_a_peer_that_does_not_take_its_answers_is_cut() -> None:
    with accepting(pdu_time=0.5) as stage:
        stage.peer.sock.settimeout(0.3)
        try:
            for _ in range(100000):
                stage.peer.says(ECHO * 100)
        except (TimeoutError, ConnectionError):
            pass
        assert stage.end().reason == "send-timeout"


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (associate_rq(protocol_version=2), (1, 2, 2)),
        (associate_rq(application_context="1.2.3"), (1, 1, 2)),
        (associate_rq(user=UserInformation(8)), (1, 1, 1)),
    ],
)
def test_what_is_rejected_before_anybody_is_asked(sent: bytes, expected: tuple[int, int, int]) -> None:
    with accepting(request=sent, established=False) as stage:
        heard = stage.peer.hears()
        assert heard == (PduType.ASSOCIATE_RJ, bytes((0, *expected)))
        stage.peer.close()
        assert stage.end().reason == "rejected"
    assert stage.service.requests == []


def test_the_service_may_reject() -> None:
    with accepting(MemoryService(Reject(1, 1, 7)), established=False) as stage:
        assert stage.peer.hears() == (PduType.ASSOCIATE_RJ, bytes((0, 1, 1, 7)))
        stage.peer.close()
        assert stage.end().reason == "rejected"


@pytest.mark.parametrize("cut", range(0, len(associate_rq()) - 6, 9))
def test_a_broken_request_is_aborted(cut: int) -> None:
    with accepting(request=pdu.HEADER.pack(1, cut) + associate_rq()[6 : 6 + cut], established=False) as stage:
        assert stage.peer.hears_abort()[0] == 2
        stage.peer.close()
        assert stage.end().reason == "pdu-malformed"
    assert stage.service.requests == []


def test_a_failure_of_the_service_is_an_abort() -> None:
    service = MemoryService()
    service.associate = raiser(RuntimeError("Mustermann"))  # type: ignore[method-assign]
    with accepting(service, established=False) as stage:
        assert stage.peer.hears_abort() == (2, 0)
        stage.peer.close()
        assert stage.end().reason == "internal-error"


def test_no_acceptable_context_is_still_an_association() -> None:
    only = (ProposedContext(1, "1.2.840.10008.5.1.4.1.2.2.1", (IMPLICIT_LE,)),)
    with accepting(request=associate_rq(contexts=only), established=False) as stage:
        kind, body = stage.peer.hears()
        assert kind == PduType.ASSOCIATE_AC
        assert [answer.result for answer in pdu.decode_associate_ac(body).contexts] == [3]  # type: ignore[arg-type]
        stage.peer.release()


def test_a_peer_may_have_limits_of_its_own() -> None:
    own = Limits(max_pdu=4096, send_pdu=4096, idle=0.4, close=0.5)
    with accepting(MemoryService(Accept(own)), established=False) as stage:
        _, body = stage.peer.hears()
        assert pdu.decode_associate_ac(body).user.max_pdu == 4096  # type: ignore[arg-type]
        stage.peer.says(pdu.HEADER.pack(4, 4097))
        assert stage.peer.hears_abort() == (2, 6)


def test_a_peer_may_have_larger_pdus_than_the_listener() -> None:
    own = Limits(max_pdu=1 << 20, idle=5.0, close=0.5)
    data = DATA * 100
    with accepting(MemoryService(Accept(own))) as stage:
        stage.peer.says(STORE, p_data((3, LAST, data)))
        assert stage.peer.hears_answer().status == 0
        stage.peer.release()
    assert stage.service.stored[0][1] == data


def test_a_small_peer_gets_its_answer_in_pieces() -> None:
    with accepting(request=associate_rq(user=UserInformation(64))) as stage:
        stage.peer.says(*store_rq(DATA))
        assembly, found = messages.CommandAssembly(1024), None
        while found is None:
            heard = stage.peer.hears()
            assert heard[0] == PduType.P_DATA_TF
            assert len(heard[1]) <= 64
            (value,) = pdu.pdvs(memoryview(heard[1]))  # type: ignore[arg-type]
            found = assembly.feed(value.context, value.fragment, bool(value.control & LAST))
        assert found.status == 0
        stage.peer.release()


def test_drain_ends_an_idle_association() -> None:
    with accepting(idle=60.0) as stage:
        begun = time.monotonic()
        stage.acceptor.drain()
        assert stage.peer.hears_abort() == (2, 0)
        stage.peer.close()
        assert stage.end().reason == "shutting-down"
        assert time.monotonic() - begun < 4


def test_drain_lets_the_message_under_way_end() -> None:
    with accepting() as stage:
        stage.peer.says(STORE, p_data((3, 0, DATA)))
        time.sleep(0.1)
        stage.acceptor.drain()
        time.sleep(1.2)
        stage.peer.says(p_data((3, LAST, DATA)))
        assert stage.peer.hears_answer().status == 0
        stage.peer.says(*store_rq(DATA, number=2))
        assert stage.peer.hears_abort() == (2, 0)
        stage.peer.close()
        end = stage.end()
    assert (end.reason, end.stored) == ("shutting-down", 1)
    assert len(stage.service.stored) == 1


def test_drain_accepts_a_release() -> None:
    with accepting() as stage:
        stage.peer.says(STORE, p_data((3, 0, DATA)))
        time.sleep(0.1)
        stage.acceptor.drain()
        stage.peer.says(p_data((3, LAST, DATA)))
        assert stage.peer.hears_answer().status == 0
        stage.peer.release()
        assert (stage.end().reason, stage.end().orderly) == ("released", True)


def test_the_move_originator_is_told() -> None:
    command = messages.c_store_rq(1, CT, INSTANCE, ("MOVER", 77))
    with accepting() as stage:
        stage.peer.says(p_data((3, 3, command), (3, 2, DATA)))
        assert stage.peer.hears_answer().status == 0
        stage.peer.release()
    assert stage.service.stored[0][0][-2:] == ("MOVER", 77)


def test_the_sink_gets_views_and_never_the_whole_object() -> None:
    sizes: list[int] = []

    class Counting(MemorySink):
        def write(self, chunk: memoryview) -> None:
            assert isinstance(chunk, memoryview)
            sizes.append(len(chunk))

    service = MemoryService()
    service.begin = lambda store: Counting(service, store)  # type: ignore[method-assign]
    with accepting(service) as stage:
        stage.peer.says(STORE)
        for _ in range(2000):
            stage.peer.says(p_data((3, 0, bytes(16378))))
        stage.peer.says(p_data((3, LAST, b"")))
        assert stage.peer.hears_answer().status == 0
        stage.peer.release()
    assert set(sizes) == {16378}
    assert len(sizes) == 2000
    assert request().called_ae == "GATEWAY"
