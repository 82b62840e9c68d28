"""Every way an association fails, as the `reason` of errors.RefusePeer, and what its A-ABORT says.

Rules of this file
* A reason stands in exactly one row. The upper layer raises no other reason (a test holds it).
* `source` 0 is the service user (the DIMSE layer, PS3.7), 2 the service provider (PS3.8 Table 9-26).
* None: the transport is gone, there is nobody to tell.
"""

from __future__ import annotations

from typing import NamedTuple


class Abort(NamedTuple):
    """Source and reason of an A-ABORT PDU (PS3.8 Table 9-26)."""

    source: int
    reason: int


FAULTS: dict[str, Abort | None] = {
    # the bytes (PS3.8 9.3)
    "pdu-unrecognized": Abort(2, 1),
    "pdu-unexpected": Abort(2, 2),
    "pdu-malformed": Abort(2, 6),
    "pdu-too-long": Abort(2, 6),
    "context-unknown": Abort(2, 6),
    # the messages (PS3.7 9.3, 6.3)
    "command-malformed": Abort(0, 0),
    "command-too-long": Abort(0, 0),
    "command-unexpected": Abort(0, 0),
    "data-set-unexpected": Abort(0, 0),
    "answer-unexpected": Abort(0, 0),
    # the clock
    "idle-timeout": Abort(2, 0),
    "pdu-timeout": Abort(2, 0),
    "too-slow": Abort(2, 0),
    "answer-timeout": Abort(0, 0),
    # ours
    "shutting-down": Abort(2, 0),
    "internal-error": Abort(2, 0),
    "aborted-here": Abort(0, 0),
    # nobody there
    "aborted-by-peer": None,
    "connection-lost": None,
    "send-timeout": None,
}

SOURCES = {0: "service-user", 1: "reserved", 2: "service-provider"}
REASONS = {
    0: "reason-not-specified",
    1: "unrecognized-pdu",
    2: "unexpected-pdu",
    3: "reserved",
    4: "unrecognized-pdu-parameter",
    5: "unexpected-pdu-parameter",
    6: "invalid-pdu-parameter-value",
}
