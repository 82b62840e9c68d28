"""Storage commitment, PDU by PDU: what is no question is answered with its own status; reports go between messages."""

from __future__ import annotations

import threading
import time

import pytest

from gateway.dimse import messages
from gateway.dimse.commitment import PUSH_MODEL, PUSH_MODEL_INSTANCE, read_report, write_report, write_request
from gateway.dimse.items import ProposedContext
from gateway.dimse.messages import N_ACTION_RSP, N_EVENT_REPORT_RQ, N_EVENT_REPORT_RSP
from gateway.dimse.negotiation import AcceptancePolicy
from gateway.dimse.pdu import COMMAND, LAST, PduType, pdvs
from gateway.dimse.uids import EXPLICIT_LE, VERIFICATION
from gateway.errors import StorageFailed
from gateway.model import CommitmentReport, CommitmentRequest, Reference
from tests.unit.dimse.doubles import MemoryService
from tests.unit.dimse.samples import CT, associate_rq, echo_rq, p_data, store_rq
from tests.wire.playbook import accepting

REQUEST = CommitmentRequest("2.25.5", (Reference(CT, "1.2.3"),))
REPORT = CommitmentReport("2.25.6", (Reference(CT, "1.2.4"),))


class Service(MemoryService):
    """Remembers what was asked and reported, and has one report to give."""

    def __init__(self, mine: CommitmentReport | None = None, fails: bool = False) -> None:
        super().__init__()
        self.mine = mine
        self.fails = fails
        self.asked: list[CommitmentRequest] = []
        self.heard: list[CommitmentReport] = []
        self.answers: list[int] = []

    def commit(self, request: CommitmentRequest) -> int:
        if self.fails:
            raise StorageFailed("disk-full")
        self.asked.append(request)
        return 0

    def committed(self, report: CommitmentReport) -> int:
        self.heard.append(report)
        return 0

    def reports(self) -> CommitmentReport | None:
        mine, self.mine = self.mine, None
        return mine

    def reported(self, report: CommitmentReport, status: int) -> None:
        self.answers.append(status)


def stage(service: Service):
    contexts = (
        ProposedContext(1, VERIFICATION, (EXPLICIT_LE,)),
        ProposedContext(3, CT, (EXPLICIT_LE,)),
        ProposedContext(5, PUSH_MODEL, (EXPLICIT_LE,)),
    )
    return accepting(service, associate_rq(contexts=contexts), AcceptancePolicy(commitment=True))


def action(data: bytes, sop_class: str = PUSH_MODEL, instance: str = PUSH_MODEL_INSTANCE, kind: int = 1) -> bytes:
    command = messages.n_action_rq(7, sop_class, instance, kind)
    return p_data((5, COMMAND | LAST, command)) + p_data((5, LAST, data))


def test_a_question_and_a_report_are_taken_and_answered() -> None:
    service = Service()
    with stage(service) as it:
        it.peer.says(action(write_request(REQUEST, EXPLICIT_LE)))
        answer = it.peer.hears_answer()
        assert (answer.field, answer.status, answer.responded_to, answer.type_id) == (N_ACTION_RSP, 0, 7, 1)
        command = messages.n_event_report_rq(8, PUSH_MODEL, PUSH_MODEL_INSTANCE, 1)
        data = write_report(REPORT, EXPLICIT_LE)
        it.peer.says(p_data((5, COMMAND | LAST, command)), p_data((5, 0, data[:9])), p_data((5, LAST, data[9:])))
        answer = it.peer.hears_answer()
        assert (answer.field, answer.status, answer.type_id) == (N_EVENT_REPORT_RSP, 0, 1)
        it.peer.release()
    assert (service.asked, service.heard) == ([REQUEST], [REPORT])


GOOD = write_request(REQUEST, EXPLICIT_LE)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (action(b""), 0x0115),
        (action(GOOD[:-1]), 0x0115),
        (action(GOOD, kind=2), 0x0123),
        (action(GOOD, instance="1.2.3"), 0x0112),
        (action(GOOD, sop_class=CT), 0x0122),
        (p_data((5, COMMAND | LAST, messages.c_store_rq(7, PUSH_MODEL, "1.2"))) + p_data((5, LAST, GOOD)), 0x0122),
        (p_data((3, COMMAND | LAST, messages.n_action_rq(7, CT, "1.2", 1))) + p_data((3, LAST, GOOD)), 0x0211),
    ],
)
def test_what_is_no_question_has_its_own_answer(said: bytes, status: int) -> None:
    service = Service()
    with stage(service) as it:
        it.peer.says(said)
        assert it.peer.hears_answer().status == status
        it.peer.says(echo_rq())
        assert it.peer.hears_answer().status == 0, "and the association goes on"
        it.peer.release()
    assert service.asked == []


def test_what_cannot_be_made_durable_is_not_promised() -> None:
    with stage(Service(fails=True)) as it:
        it.peer.says(action(GOOD))
        assert it.peer.hears_answer().status == 0x0213


def test_a_report_of_ours_goes_between_two_messages_and_its_answer_is_heard() -> None:
    service = Service()
    with stage(service) as it:
        under_way = threading.Event()
        service.on_begin = lambda _: under_way.set()
        it.peer.says(store_rq(b"\x08\0\x05\0CS\0\0")[0])
        assert under_way.wait(10)
        service.mine = REPORT
        time.sleep(0.1)
        it.peer.says(store_rq(b"\x08\0\x05\0CS\0\0")[1])
        assert it.peer.hears_answer().is_response
        command = it.peer.hears_answer_or_request()
        assert (command.field, command.type_id) == (N_EVENT_REPORT_RQ, 1)
        kind, body = it.peer.hears()
        assert kind == PduType.P_DATA_TF
        (value,) = pdvs(memoryview(body))
        assert read_report(bytes(value.fragment), EXPLICIT_LE, 1) == REPORT
        it.peer.says(echo_rq(9))
        assert it.peer.hears_answer().responded_to == 9, "it may ask something before it answers"
        it.peer.says(p_data((5, COMMAND | LAST, messages.response(command, 0x0110))))
        it.peer.says(echo_rq(10))
        it.peer.hears_answer()
        it.peer.release()
    assert service.answers == [0x0110]


def test_an_answer_to_nothing_ends_the_association() -> None:
    with stage(Service()) as it:
        command = messages.decode_command(messages.n_event_report_rq(1, PUSH_MODEL, PUSH_MODEL_INSTANCE, 1))
        it.peer.says(p_data((5, COMMAND | LAST, messages.response(command, 0))))
        it.peer.hears_abort()
