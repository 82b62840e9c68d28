"""PS3.8 Table 9-10, compared cell by cell with pynetdicom's."""

from __future__ import annotations

from itertools import product

import pytest
from pynetdicom.fsm import ACTIONS, TRANSITION_TABLE

from gateway.dimse.pdu import PduType
from gateway.dimse.states import EVENT_OF_PDU, TABLE, Action, Cell, Event, Machine, State


def differences(table: dict[tuple[Event, State], Cell]) -> list[tuple[str, str]]:
    """The cells where a table and the judge disagree."""
    return [
        (event, state)
        for event, state in product(Event, State)
        if TRANSITION_TABLE.get((event, state)) != (table[event, state].action if (event, state) in table else None)
    ]


def test_every_cell_is_as_the_judge_has_it() -> None:
    assert differences(TABLE) == []
    assert len(Event) * len(State) == 247
    assert len(TABLE) == 123


def test_a_bad_twin_is_found() -> None:
    twin = dict(TABLE)
    del twin[Event.Evt17, State.Sta13]
    twin[Event.Evt10, State.Sta6] = Cell(Action.AA_8, (State.Sta13,))
    assert set(differences(twin)) == {("Evt17", "Sta13"), ("Evt10", "Sta6")}


def test_every_next_state_is_as_the_judge_has_it() -> None:
    for cell in TABLE.values():
        said = ACTIONS[cell.action][2]
        assert set(cell.next) == ({State(said)} if isinstance(said, str) else set(map(State, said)))


def test_every_action_is_used() -> None:
    assert {cell.action for cell in TABLE.values()} == set(Action)


def test_every_pdu_has_an_event_in_every_state_with_a_connection() -> None:
    """No PDU of a peer can meet a blank cell once there is a connection to read it from."""
    assert set(EVENT_OF_PDU) == set(PduType)
    for event, state in product([*EVENT_OF_PDU.values(), Event.Evt19, Event.Evt17], State):
        if state not in (State.Sta1, State.Sta4):
            assert (event, state) in TABLE


def test_a_release_collision_parts_requestor_and_acceptor() -> None:
    """PS3.8 7.2.2 and Table 9-8."""
    requestor = Machine(State.Sta7, requestor=True)
    assert requestor.on(Event.Evt12) is Action.AR_8
    assert requestor.state is State.Sta9
    assert [requestor.on(e) for e in (Event.Evt14, Event.Evt13)] == [Action.AR_9, Action.AR_3]
    assert requestor.state is State.Sta1
    acceptor = Machine(State.Sta7, requestor=False)
    acceptor.on(Event.Evt12)
    assert acceptor.state is State.Sta10
    assert [acceptor.on(e) for e in (Event.Evt13, Event.Evt14)] == [Action.AR_10, Action.AR_4]
    assert acceptor.state is State.Sta13


def test_a_blank_cell_is_our_mistake() -> None:
    with pytest.raises(KeyError):
        Machine(State.Sta1, requestor=True).on(Event.Evt10)


def test_a_request_may_be_rejected_by_the_provider() -> None:
    machine = Machine(State.Sta2, requestor=False)
    machine.on(Event.Evt6)
    assert machine.state is State.Sta3
    machine.rejected()
    assert machine.state is State.Sta13
