"""The gateway's errors, sorted by what to do next and whose fault it was.

Rules of this file
* Few classes. A class is a decision about what happens next, never a place where something went wrong.
* `reason` is a stable, lower-case code of words and hyphens; operators grep for it and tables key on it.
* `detail` is for people. It never holds a value out of a data set: no name, no id, no date.
"""

from __future__ import annotations


class GatewayError(Exception):
    """Base of everything this package raises on purpose."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class RefuseObject(GatewayError):
    """The sender's fault, this object only: answer with `status`, store nothing, keep the association."""

    def __init__(self, reason: str, status: int, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.status = status


class RefusePeer(GatewayError):
    """The peer's fault: end the connection. `security` marks what must raise a Security Alert (PS3.15 A.5.3.11)."""

    def __init__(self, reason: str, detail: str = "", *, security: bool = False) -> None:
        super().__init__(reason, detail)
        self.security = security


class HoldObject(GatewayError):
    """Nobody can go on without a person: keep the object, show the reason, send nothing."""


class WaitObject(GatewayError):
    """Something this object needs beside its destination is not there now: nothing is counted, it is tried again."""


class DestinationDown(GatewayError):
    """The destination's fault: no object loses an attempt; try again later, not before `retry_after` seconds."""

    def __init__(self, reason: str, detail: str = "", *, retry_after: float = 0.0) -> None:
        super().__init__(reason, detail)
        self.retry_after = retry_after


class StorageFailed(GatewayError):
    """Our fault: what was promised to be durable may not be. Acknowledge nothing more (0xA700 / 503)."""


class ConfigRefused(GatewayError):
    """The configuration cannot be used; `problems` holds every problem found, each with file:line:column."""

    def __init__(self, problems: tuple[object, ...]) -> None:
        super().__init__("configuration-refused", "\n".join(str(p) for p in problems))
        self.problems = problems
