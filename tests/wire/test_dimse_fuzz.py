"""Mutated bytes against the codec and against whole associations: only typed outcomes, bounded memory, then health.

The generator is seeded: a failure names the seed of its case. Seeds are dialogues of ours and, where the material
beside the project is there, captures of real ones (profuzzbench).
"""

from __future__ import annotations

import random
import socket
import tracemalloc
from dataclasses import replace

import pytest

from gateway.dimse import messages, pdu
from gateway.dimse.acceptor import Acceptor
from gateway.dimse.faults import FAULTS
from gateway.dimse.items import ContextAnswer, UserInformation
from gateway.dimse.negotiation import AcceptancePolicy, negotiate, precheck
from gateway.dimse.pdu import AssociateAccept, AssociateReader, PduType
from gateway.dimse.reception import Reception
from gateway.dimse.uids import APPLICATION_CONTEXT, EXPLICIT_LE, IMPLICIT_LE
from gateway.errors import RefusePeer
from tests.conftest import SHARED
from tests.unit.dimse.doubles import QUICK, MemoryService, MemorySink
from tests.unit.dimse.samples import associate_rq, echo_rq, full_user, p_data, store_rq
from tests.wire.playbook import accepting

LIMITS = replace(QUICK, idle=0.2, pdu_time=0.2, close=0.05)
EDGES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 0x7F, 0x80, 0xFF)


def split(stream: bytes) -> list[bytes]:
    """The PDUs of one direction of a capture, as far as they are whole."""
    found, at = [], 0
    while at + 6 <= len(stream):
        _, length = pdu.HEADER.unpack_from(stream, at)
        if at + 6 + length > len(stream):
            break
        found.append(stream[at : at + 6 + length])
        at += 6 + length
    return found


def dialogues() -> list[list[bytes]]:
    """Whole dialogues of a requestor, as PDUs."""
    command, data = store_rq(bytes(300))
    small = [p_data((3, 1, messages.c_store_rq(1, "1.2", "1.2")[:20])), p_data((3, 0, b"ab"), (3, 2, b"cd"))]
    found = [
        [associate_rq(), echo_rq(), command, data, echo_rq(2), pdu.RELEASE_RQ],
        [associate_rq(user=full_user()), p_data((1, 3, messages.c_echo_rq(1)), (3, 3, b"")), pdu.abort(0, 0)],
        [associate_rq(), *small, pdu.RELEASE_RQ],
    ]
    for path in sorted((SHARED / "corpus" / "profuzzbench").rglob("*.raw")):
        found.append(split(path.read_bytes()))
    return [each for each in found if each]


def mutated(rng: random.Random, stream: bytes) -> bytes:
    """A few of: a byte changed, a run removed, repeated or inserted, a length lie, the end cut off."""
    data = bytearray(stream)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at = rng.randrange(len(data)) if data else 0
        kind = rng.randrange(7)
        if kind == 0 and data:
            data[at] = rng.choice(EDGES)
        elif kind == 1 and data:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del data[at : at + rng.choice((1, 2, 4, 16))]
        elif kind == 3:
            data[at:at] = data[at : at + rng.choice((1, 4, 16, 64))]
        elif kind == 4:
            data[at:at] = rng.randbytes(rng.choice((1, 2, 6, 40)))
        elif kind == 5:
            data[at : at + 4] = rng.choice((0, 1, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF)).to_bytes(4, "big")
        else:
            del data[at:]
    return bytes(data)


def play(stream: bytes) -> str:
    """One requestor's bytes through reader, codec, negotiation and reception, without a socket: how it ended."""
    service = MemoryService()
    reception: Reception | None = None
    try:
        reader = AssociateReader()
        whole: bytes | None = None
        at = 0
        while whole is None:
            step = stream[at : at + reader.wanted]
            if not step:
                return "cut"
            at += len(step)
            whole = reader.feed(step)
        request = pdu.decode_associate_rq(whole[6:])
        if precheck(request) is not None:
            return "rejected"
        found = negotiate(request, AcceptancePolicy("any"), LIMITS)
        heard = pdu.decode_associate_ac(pdu.encode_associate_ac(found.accept)[6:])
        assert {answer.id: answer.syntax for answer in heard.contexts if answer.result == 0} == {
            context.id: context.syntax for context in found.contexts.values()
        }
        assert len(heard.contexts) == len(request.contexts)
        reception = Reception(service, found.contexts, found.peer_max_pdu, LIMITS)
        while at + 6 <= len(stream):
            kind, length = pdu.HEADER.unpack_from(stream, at)
            pdu.check_header(kind, length, LIMITS.max_pdu, LIMITS.associate_pdu)
            if at + 6 + length > len(stream):
                return "cut"
            body = memoryview(stream)[at + 6 : at + 6 + length]
            at += 6 + length
            if kind != PduType.P_DATA_TF:
                return f"pdu-{kind}"
            for value in pdu.pdvs(body):
                answer = reception.feed(*value)
                assert answer is None or answer[0] == PduType.P_DATA_TF
        return "cut"
    except RefusePeer as error:
        assert error.reason in FAULTS
        return error.reason
    finally:
        if reception is not None:
            reception.drop()
            for store, _ in service.stored:
                assert messages.is_uid(store.sop_instance)


def run(cases: int, seed: int) -> dict[str, int]:
    seeds = [b"".join(each) for each in dialogues()]
    outcomes: dict[str, int] = {}
    for case in range(cases):
        rng = random.Random(seed + case)
        try:
            outcome = play(mutated(rng, rng.choice(seeds)))
        except Exception as error:
            raise AssertionError(f"case {seed + case}") from error
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    return outcomes


def test_mutated_dialogues_have_typed_outcomes_only() -> None:
    tracemalloc.start()
    try:
        run(500, 0)
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        outcomes = run(5000, 500)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 1 << 20
    assert peak - before < 4 << 20
    outcomes = {key: outcomes.get(key, 0) + count for key, count in run(14500, 10000).items()}
    # The generator reaches every layer, not only the first check.
    for reached in ("rejected", "pdu-malformed", "pdu-unrecognized", "pdu-too-long", "context-unknown", "cut", "pdu-5"):
        assert outcomes.get(reached, 0) > 10, reached
    assert outcomes.get("command-malformed", 0) > 10
    assert outcomes.get("data-set-unexpected", 0) > 10


@pytest.mark.slow
def test_a_hundred_thousand_mutated_dialogues() -> None:
    assert sum(run(100_000, 1_000_000).values()) == 100_000


def test_the_generator_finds_a_bad_twin(monkeypatch: pytest.MonkeyPatch) -> None:
    """A codec that trusts a PDV's length is caught within a few thousand cases."""

    def trusting(body: memoryview):  # type: ignore[no-untyped-def]
        at = 0
        while at < len(body):
            length, context, control = pdu.PDV_HEADER.unpack_from(body, at)
            yield pdu.Pdv(context, control, body[at + 6 : at + 4 + length])
            at += 4 + length

    monkeypatch.setattr(pdu, "pdvs", trusting)
    with pytest.raises(AssertionError, match="case"):
        run(5000, 0)


@pytest.mark.parametrize("dialogue", range(len(dialogues())))
def test_every_dialogue_cut_at_every_byte_stores_nothing_half(dialogue: int) -> None:
    pdus = dialogues()[dialogue]
    stream = b"".join(pdus)
    for cut in range(0, len(stream), max(1, len(stream) // 3000)):
        assert play(stream[:cut]) in {"cut", "rejected", *FAULTS}


def answers() -> list[bytes]:
    answer = (ContextAnswer(1, 0, IMPLICIT_LE), ContextAnswer(3, 0, EXPLICIT_LE))
    accept = pdu.encode_associate_ac(AssociateAccept(answer, UserInformation(16384, "1.2"), APPLICATION_CONTEXT))
    request = messages.decode_command(messages.c_store_rq(1, "1.2", "1.2.3"))
    return [accept, messages.command_pdus(3, messages.response(request, 0xA700, "full"), 16384)]


def test_mutated_answers_have_typed_outcomes_only() -> None:
    accept, response = answers()
    kinds = {"ok": 0, "refused": 0}
    for case in range(10000):
        rng = random.Random(case)
        try:
            if case % 2:
                pdu.decode_associate_ac(mutated(rng, accept[6:]))
            else:
                for value in pdu.pdvs(memoryview(mutated(rng, response[6:]))):
                    messages.decode_command(bytes(value.fragment))
            kinds["ok"] += 1
        except RefusePeer as error:
            assert error.reason in FAULTS
            kinds["refused"] += 1
    assert min(kinds.values()) > 500


def over_a_socket(stream: bytes, service: MemoryService) -> None:
    """The same bytes over a real pair of sockets, with the request as it comes."""
    ours, theirs = socket.socketpair()
    reader, whole, at = AssociateReader(), None, 0
    try:
        while whole is None:
            step = stream[at : at + reader.wanted]
            if not step:
                return
            whole = reader.feed(step)
            at += len(step)
        theirs.settimeout(2)
        theirs.sendall(stream[at:])
        theirs.shutdown(socket.SHUT_WR)
        end = Acceptor(ours, whole, AcceptancePolicy("any"), service, LIMITS).run()
        assert end.reason in {*FAULTS, "released", "rejected"} - {"internal-error"}
    except RefusePeer:
        pass
    finally:
        ours.close()
        theirs.close()


def test_mutated_dialogues_over_sockets_and_a_healthy_one_afterwards() -> None:
    seeds = [b"".join(each) for each in dialogues()]
    seeds = [each for each in seeds if len(each) < 100_000]
    service = MemoryService()
    for case in range(600):
        rng = random.Random(case)
        over_a_socket(mutated(rng, rng.choice(seeds)), service)
    assert {end.reason for end in service.ends} >= {"connection-lost", "pdu-malformed", "released"}
    assert not any(end.reason == "internal-error" for end in service.ends)
    with accepting() as stage:
        stage.peer.says(*store_rq(b"healthy"))
        assert stage.peer.hears_answer().status == 0
        stage.peer.release()


def test_an_endless_object_costs_no_memory() -> None:
    """64 MiB in PDUs of every awkward size pass in the buffer of the association alone."""

    class Discarding(MemorySink):
        def write(self, chunk: memoryview) -> None:
            self.service.echoes += len(chunk)

    service = MemoryService()
    service.begin = lambda store: Discarding(service, store)  # type: ignore[method-assign]
    sizes = (2, 130, 4090, 16378, 65530, 131066)
    with accepting(service) as stage:
        stage.peer.says(store_rq(b"")[0])
        block = b"".join(p_data((3, 0, bytes(size))) for size in sizes)
        tracemalloc.start()
        try:
            for _ in range(300):
                stage.peer.says(block)
            stage.peer.says(p_data((3, 2, b"")))
            assert stage.peer.hears_answer().status == 0
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        stage.peer.release()
    assert service.echoes == 300 * sum(sizes)
    assert peak < 2 << 20
