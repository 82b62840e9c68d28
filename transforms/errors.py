"""What a transform may raise. `reason` is a stable code; neither field ever holds a value of the data set."""

from __future__ import annotations


class TransformError(Exception):
    """A transform could not do its work to the end: the object must be held, nothing of it may leave."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class BadFraming(TransformError):
    """The bytes are not exactly one data set (PS3.5 section 7). `offset` counts from the data set's first byte."""

    def __init__(self, reason: str, offset: int, detail: str = "") -> None:
        super().__init__(reason, f"at byte {offset}{': ' + detail if detail else ''}")
        self.offset = offset


class BudgetExceeded(BadFraming):
    """Small input, large cost: a limit of `Limits` (depth, elements, inflated size or ratio) was passed."""
