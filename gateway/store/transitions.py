"""The states of a delivery as a table: (state, cause) -> state. What is not in it cannot happen, and raises.

The words are those of gateway.model.DeliveryState; what each failure means is docs/adr/0002.
"""

from __future__ import annotations

from enum import StrEnum

from gateway.model import DeliveryState

S = DeliveryState


class Cause(StrEnum):
    """Why a delivery changes its state."""

    LEASED = "leased"
    SENT = "sent"
    CONFIRMED = "confirmed"
    DESTINATION_DOWN = "destination-down"
    TRY_AGAIN = "try-again"
    CANNOT = "cannot"
    GIVEN_BACK = "given-back"
    CRASHED = "crashed"
    CRASHED_TOO_OFTEN = "crashed-too-often"
    RELEASED = "released"
    DISCARDED = "discarded"


TRANSITIONS: dict[tuple[DeliveryState, Cause], DeliveryState] = {
    (S.WAITING, Cause.LEASED): S.SENDING,
    (S.WAITING, Cause.CONFIRMED): S.DELIVERED,  # a worker tells it after its lease was taken back: it is a fact
    (S.WAITING, Cause.DISCARDED): S.DISCARDED,
    (S.WAITING, Cause.SENT): S.CONFIRMING,  # likewise
    (S.SENDING, Cause.CONFIRMED): S.DELIVERED,
    (S.SENDING, Cause.SENT): S.CONFIRMING,
    (S.CONFIRMING, Cause.CONFIRMED): S.DELIVERED,
    (S.CONFIRMING, Cause.TRY_AGAIN): S.WAITING,  # the destination says that it has it not: it is sent again
    (S.CONFIRMING, Cause.CANNOT): S.HELD,
    (S.SENDING, Cause.DESTINATION_DOWN): S.WAITING,
    (S.SENDING, Cause.TRY_AGAIN): S.WAITING,
    (S.SENDING, Cause.CANNOT): S.HELD,
    (S.SENDING, Cause.GIVEN_BACK): S.WAITING,
    (S.SENDING, Cause.CRASHED): S.WAITING,
    (S.SENDING, Cause.CRASHED_TOO_OFTEN): S.HELD,
    (S.HELD, Cause.CONFIRMED): S.DELIVERED,
    (S.HELD, Cause.SENT): S.CONFIRMING,
    (S.HELD, Cause.RELEASED): S.WAITING,
    (S.HELD, Cause.DISCARDED): S.DISCARDED,
}


class Impossible(Exception):
    """A change that the table does not have."""


def after(state: DeliveryState, cause: Cause) -> DeliveryState:
    """The state after `cause`. Raises Impossible."""
    try:
        return TRANSITIONS[state, cause]
    except KeyError:
        raise Impossible(f"{state} cannot be {cause}") from None


class CommitmentState(StrEnum):
    """The states of one transaction of storage commitment, in either role (PS3.4 Annex J)."""

    OPEN = "open"  # we are asked, and not all of its instances are decided
    DUE = "due"  # our request or our report is to be sent, from `next_try` on
    SENDING = "sending"  # a worker has it until `next_try`
    ASKED = "asked"  # our request was taken; its report is awaited until `deadline`
    ENDED = "ended"  # the report was taken, by us or by the peer
    GIVEN_UP = "given-up"  # its time is over


ENDS = frozenset({S.DELIVERED, S.DISCARDED})
