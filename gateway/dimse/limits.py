"""What one association may cost, each limit known before anything is read or allocated.

Sizes are bytes, times are seconds. A time is a total: a peer that drips bytes does not move it.
"""

from __future__ import annotations

from dataclasses import dataclass

MIN_PDU = 4096  # below this every answer is in pieces and nothing is gained
MAX_PDU = 1 << 20  # a whole PDU is held in the buffer of its association


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one association, either way round. Raises ValueError where a value cannot be meant."""

    max_pdu: int = 131072  # PS3.8 D.1: announced to the peer; a longer P-DATA-TF is refused by its header
    send_pdu: int = 131072  # towards this peer, whatever it announces: old peers fail on large PDUs
    associate_pdu: int = 64 << 10  # A-ASSOCIATE-RQ and -AC
    command: int = 16 << 10  # one command set, however fragmented
    object_size: int = (4 << 30) - 2  # one data set
    artim: float = 30.0  # PS3.8 9.1.4: connecting, handshake and A-ASSOCIATE together
    idle: float = 600.0  # between two PDUs
    pdu_time: float = 60.0  # one PDU, from its first byte on; and one send
    stall: float = 120.0  # within a message: the longest pause, and what it may fall behind `min_rate` (pace.py)
    min_rate: int = 1024  # bytes a second of a message
    answer: float = 60.0  # SCU only: for any one answer
    close: float = 5.0  # Sta13: until the peer closes the connection

    def __post_init__(self) -> None:
        if not MIN_PDU <= self.max_pdu <= MAX_PDU:
            raise ValueError(f"max_pdu is between {MIN_PDU} and {MAX_PDU} bytes")
        if self.send_pdu < MIN_PDU:
            raise ValueError(f"send_pdu is at least {MIN_PDU} bytes")
        if min(self.artim, self.idle, self.pdu_time, self.stall, self.answer, self.close) <= 0:
            raise ValueError("a time limit is above zero seconds")
        if self.min_rate < 1:
            raise ValueError("min_rate is at least 1 byte a second")
