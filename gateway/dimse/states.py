"""The upper layer protocol machine: PS3.8 Table 9-10, states, events and actions by the standard's names.

Rules of this file
* TABLE is Table 9-10, cell by cell. A cell that is blank there is absent here: the event cannot happen in that state.
* A cell with two next states (AE-6, AR-8) names both; the action's outcome picks one.
* Actions are names. connection, acceptor and client do them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """PS3.8 Tables 9-1 to 9-5."""

    Sta1 = "Sta1"  # idle
    Sta2 = "Sta2"  # connection open, awaiting A-ASSOCIATE-RQ
    Sta3 = "Sta3"  # awaiting the local A-ASSOCIATE response
    Sta4 = "Sta4"  # awaiting the transport connection
    Sta5 = "Sta5"  # awaiting A-ASSOCIATE-AC or -RJ
    Sta6 = "Sta6"  # association established, ready for data
    Sta7 = "Sta7"  # awaiting A-RELEASE-RP
    Sta8 = "Sta8"  # awaiting the local A-RELEASE response
    Sta9 = "Sta9"  # release collision, requestor: awaiting the local response
    Sta10 = "Sta10"  # release collision, acceptor: awaiting A-RELEASE-RP
    Sta11 = "Sta11"  # release collision, requestor: awaiting A-RELEASE-RP
    Sta12 = "Sta12"  # release collision, acceptor: awaiting the local response
    Sta13 = "Sta13"  # awaiting the close of the connection


class Event(StrEnum):
    """The rows of Table 9-10."""

    Evt1 = "Evt1"  # A-ASSOCIATE request (local)
    Evt2 = "Evt2"  # transport connection confirmed
    Evt3 = "Evt3"  # A-ASSOCIATE-AC PDU
    Evt4 = "Evt4"  # A-ASSOCIATE-RJ PDU
    Evt5 = "Evt5"  # transport connection indication
    Evt6 = "Evt6"  # A-ASSOCIATE-RQ PDU
    Evt7 = "Evt7"  # A-ASSOCIATE response, accept (local)
    Evt8 = "Evt8"  # A-ASSOCIATE response, reject (local)
    Evt9 = "Evt9"  # P-DATA request (local)
    Evt10 = "Evt10"  # P-DATA-TF PDU
    Evt11 = "Evt11"  # A-RELEASE request (local)
    Evt12 = "Evt12"  # A-RELEASE-RQ PDU
    Evt13 = "Evt13"  # A-RELEASE-RP PDU
    Evt14 = "Evt14"  # A-RELEASE response (local)
    Evt15 = "Evt15"  # A-ABORT request (local)
    Evt16 = "Evt16"  # A-ABORT PDU
    Evt17 = "Evt17"  # transport connection closed
    Evt18 = "Evt18"  # ARTIM expired
    Evt19 = "Evt19"  # unrecognized or invalid PDU


class Action(StrEnum):
    """PS3.8 Tables 9-6 to 9-9."""

    AE_1 = "AE-1"
    AE_2 = "AE-2"
    AE_3 = "AE-3"
    AE_4 = "AE-4"
    AE_5 = "AE-5"
    AE_6 = "AE-6"
    AE_7 = "AE-7"
    AE_8 = "AE-8"
    DT_1 = "DT-1"
    DT_2 = "DT-2"
    AR_1 = "AR-1"
    AR_2 = "AR-2"
    AR_3 = "AR-3"
    AR_4 = "AR-4"
    AR_5 = "AR-5"
    AR_6 = "AR-6"
    AR_7 = "AR-7"
    AR_8 = "AR-8"
    AR_9 = "AR-9"
    AR_10 = "AR-10"
    AA_1 = "AA-1"
    AA_2 = "AA-2"
    AA_3 = "AA-3"
    AA_4 = "AA-4"
    AA_5 = "AA-5"
    AA_6 = "AA-6"
    AA_7 = "AA-7"
    AA_8 = "AA-8"


class Cell(NamedTuple):
    """An action and the states it may lead to."""

    action: Action
    next: tuple[State, ...]


# Each action leads to the same state(s) wherever it stands, but for those of a release: PS3.8 Tables 9-6 to 9-9.
_NEXT: dict[str, str] = {
    "AE-1": "4",
    "AE-2": "5",
    "AE-3": "6",
    "AE-4": "1",
    "AE-5": "2",
    "AE-6": "3 13",
    "AE-7": "6",
    "AE-8": "13",
    "DT-1": "6",
    "DT-2": "6",
    "AR-1": "7",
    "AR-2": "8",
    "AR-3": "1",
    "AR-4": "13",
    "AR-5": "1",
    "AR-6": "7",
    "AR-7": "8",
    "AR-8": "9 10",  # requestor, acceptor
    "AR-9": "11",
    "AR-10": "12",
    "AA-1": "13",
    "AA-2": "1",
    "AA-3": "1",
    "AA-4": "1",
    "AA-5": "1",
    "AA-6": "13",
    "AA-7": "13",
    "AA-8": "13",
}

# Rows are events, columns Sta1 to Sta13, as printed in Table 9-10; "-" is a blank cell.
_ROWS = """
Evt1   AE-1 -    -    -    -    -    -    -    -    -     -    -    -
Evt2   -    -    -    AE-2 -    -    -    -    -    -     -    -    -
Evt3   -    AA-1 AA-8 -    AE-3 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8 AA-8 AA-6
Evt4   -    AA-1 AA-8 -    AE-4 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8 AA-8 AA-6
Evt5   AE-5 -    -    -    -    -    -    -    -    -     -    -    -
Evt6   -    AE-6 AA-8 -    AA-8 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8 AA-8 AA-7
Evt7   -    -    AE-7 -    -    -    -    -    -    -     -    -    -
Evt8   -    -    AE-8 -    -    -    -    -    -    -     -    -    -
Evt9   -    -    -    -    -    DT-1 -    AR-7 -    -     -    -    -
Evt10  -    AA-1 AA-8 -    AA-8 DT-2 AR-6 AA-8 AA-8 AA-8  AA-8 AA-8 AA-6
Evt11  -    -    -    -    -    AR-1 -    -    -    -     -    -    -
Evt12  -    AA-1 AA-8 -    AA-8 AR-2 AR-8 AA-8 AA-8 AA-8  AA-8 AA-8 AA-6
Evt13  -    AA-1 AA-8 -    AA-8 AA-8 AR-3 AA-8 AA-8 AR-10 AR-3 AA-8 AA-6
Evt14  -    -    -    -    -    -    -    AR-4 AR-9 -     -    AR-4 -
Evt15  -    -    AA-1 AA-2 AA-1 AA-1 AA-1 AA-1 AA-1 AA-1  AA-1 AA-1 -
Evt16  -    AA-2 AA-3 -    AA-3 AA-3 AA-3 AA-3 AA-3 AA-3  AA-3 AA-3 AA-2
Evt17  -    AA-5 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4  AA-4 AA-4 AR-5
Evt18  -    AA-2 -    -    -    -    -    -    -    -     -    -    AA-2
Evt19  -    AA-1 AA-8 -    AA-8 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8 AA-8 AA-7
"""


def _table() -> dict[tuple[Event, State], Cell]:
    table = {}
    for line in _ROWS.strip().splitlines():
        event, *cells = line.split()
        for state, cell in zip(State, cells, strict=True):
            if cell != "-":
                after = tuple(State(f"Sta{number}") for number in _NEXT[cell].split())
                table[Event(event), state] = Cell(Action(cell), after)
    return table


TABLE: dict[tuple[Event, State], Cell] = _table()

# The event of each PDU type (PS3.8 9.3.1).
EVENT_OF_PDU = {
    1: Event.Evt6,
    2: Event.Evt3,
    3: Event.Evt4,
    4: Event.Evt10,
    5: Event.Evt12,
    6: Event.Evt13,
    7: Event.Evt16,
}


class Machine:
    """The state of one association. `requestor` decides AR-8."""

    __slots__ = ("requestor", "state")

    def __init__(self, state: State, *, requestor: bool) -> None:
        self.state = state
        self.requestor = requestor

    def on(self, event: Event) -> Action:
        """What to do on an event; the state moves. AE-6 moves to Sta3: a provider's own rejection calls `rejected`.

        Raises KeyError on a blank cell: the shell did something it may not do in this state.
        """
        action, after = TABLE[event, self.state]
        self.state = after[-1] if action is Action.AR_8 and not self.requestor else after[0]
        return action

    def rejected(self) -> None:
        """AE-6 found the request unacceptable: its second next state."""
        self.state = State.Sta13
