"""A real SMTP server (aiosmtpd) that keeps what it takes, and fails as it is told to."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from email import message_from_bytes
from email.message import Message
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.system.harness import free_port

USER, WORD = "gateway", "a password of the tests"


class _Server(SMTP):
    """aiosmtpd, and a connection that breaks after so many bytes of a client's."""

    box: Mailbox

    def data_received(self, data: bytes) -> None:
        self.seen = getattr(self, "seen", 0) + len(data)
        if self.box.break_after and self.seen > self.box.break_after:
            self.box.broken += 1
            self.transport.abort()
            return
        super().data_received(data)


class Mailbox(Controller):
    """One server on loopback. `taken` are the messages that it said 250 to; faults are attributes."""

    def __init__(
        self, context: ssl.SSLContext | None = None, *, starttls: bool = False, login: bool = False, **more: Any
    ):
        self.taken: list[bytes] = []
        self.envelopes: list[tuple[str, list[str]]] = []
        self.given: list[str] = []  # commands of interest, in order
        self.rcpt: Callable[[str], str] = lambda _: "250 OK"
        self.data: Callable[[int], str] = lambda _: "250 OK"  # of how many messages came so far
        self.came = 0
        self.hang_up_after_data = False  # takes it, and says nothing
        self.break_after = 0  # bytes; 0: never
        self.broken = 0
        self.pause = 0.0  # seconds before the answer to DATA
        more |= {"authenticator": self._judge, "auth_required": True} if login else {}
        more |= {"tls_context": context, "require_starttls": True} if starttls else {}
        more |= {"auth_require_tls": False} if login and not starttls else {}
        super().__init__(
            self, hostname="127.0.0.1", port=free_port(), ssl_context=None if starttls else context, **more
        )

    def factory(self) -> SMTP:
        made = _Server(self.handler, **self.SMTP_kwargs)
        made.box = self
        return made

    def _judge(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.given.append(f"AUTH {mechanism}")
        return AuthResult(success=(data.login, data.password) == (USER.encode(), WORD.encode()), handled=False)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.rcpt(address)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.came += 1
        if self.pause:
            import asyncio

            await asyncio.sleep(self.pause)
        answer = self.data(self.came)
        if answer.startswith("250"):
            assert isinstance(envelope.original_content, bytes)
            self.taken.append(envelope.original_content)
            self.envelopes.append((envelope.mail_from or "", list(envelope.rcpt_tos)))
        if self.hang_up_after_data:
            assert server.transport is not None
            server.transport.abort()
        return answer

    @property
    def messages(self) -> list[Message]:
        """What was taken, parsed."""
        return [message_from_bytes(each) for each in self.taken]

    def __enter__(self) -> Mailbox:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
