"""One connection to the server that takes our mail: RFC 5321, STARTTLS (RFC 3207), AUTH (RFC 4954), SIZE (RFC 1870).

Rules of this file
* With a context nothing but EHLO and STARTTLS crosses the network before TLS: where the server does not offer it, or
  says more than it was asked before TLS begins, there is no mail.
* All recipients or none: one that is refused ends the message before any of it is sent.
* Sent is 250 after the message's end, and nothing else. Where that answer does not come it is not known what the
  server did: Unconfirmed. 4xx is later, 5xx is never (RFC 5321 4.2.1); 421 is the server's end, whenever it comes.
* An answer has an end: in time and in length. No text of it is kept or told: it may repeat what we said.

smtplib speaks; here is what it must not do, and what its errors mean.
"""

from __future__ import annotations

import os
import smtplib
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from gateway.config.mail import MailDestination
from gateway.config.secrets import resolve
from gateway.dimse.dial import dial, tls_down
from gateway.errors import DestinationDown, GatewayError

_MOST: Final = 64 << 10  # bytes of one answer, all its lines
_PIECE: Final = 64 << 10
_LEAST_PASSWORD: Final = 1  # others chose it


class Refused(NamedTuple):
    """What the server said of a message that it did not take."""

    code: int
    reason: str

    @property
    def later(self) -> bool:
        """It may take it another time."""
        return 400 <= self.code < 500


class Unconfirmed(DestinationDown):
    """The whole message went, and no answer came: the server may have it."""


class _Smtp(smtplib.SMTP):
    """smtplib over a socket of ours, with answers that end."""

    def __init__(self, to: MailDestination, context: ssl.SSLContext | None) -> None:
        super().__init__(local_hostname=to.from_.rpartition("@")[2], timeout=to.timeout)
        self._context = None if to.starttls else context
        self._wait = to.timeout
        self.held = bytearray()  # of answers, not yet read

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return dial((host, port), self._context, host, timeout)

    def getreply(self) -> tuple[int, bytes]:
        """One whole answer, under one deadline. Raises OSError, DestinationDown (mail-answer-malformed)."""
        deadline = time.monotonic() + self._wait
        found: list[bytes] = []
        while True:
            line = self._line(deadline).rstrip(b"\r")
            found.append(line[4:])
            if not line[:3].isdigit() or line[3:4] not in (b"", b" ", b"-"):
                raise DestinationDown("mail-answer-malformed", "what answers is no SMTP server")
            if sum(map(len, found)) > _MOST:
                raise DestinationDown("mail-answer-malformed", "an answer is too long")
            if line[3:4] != b"-":
                return int(line[:3]), b"\n".join(found)

    def _line(self, deadline: float) -> bytes:
        assert self.sock is not None
        while b"\n" not in self.held:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self.sock.settimeout(left)
            part = self.sock.recv(4096)
            if not part:
                raise ConnectionResetError
            self.held += part
            if len(self.held) > _MOST:
                raise DestinationDown("mail-answer-malformed", "an answer is too long")
        line, _, rest = bytes(self.held).partition(b"\n")
        self.held = bytearray(rest)
        self.sock.settimeout(self._wait)
        return line


class Submission:
    """A server that listens to us. Raises DestinationDown wherever it says nothing of a message."""

    def __init__(self, to: MailDestination, context: ssl.SSLContext | None) -> None:
        self._to = to
        self._smtp = _Smtp(to, context)
        try:
            with _faults():
                self._begin(context)
        except BaseException:
            self.close(orderly=False)
            raise

    def _begin(self, context: ssl.SSLContext | None) -> None:
        to, smtp = self._to, self._smtp
        smtp._host = to.host  # type: ignore[attr-defined]  # what starttls() holds the certificate against
        code, _ = smtp.connect(to.host, to.port)
        self._expect(code, 220)
        self._expect(smtp.ehlo()[0], 250)
        if to.starttls:
            if context is None or not smtp.has_extn("starttls"):
                raise DestinationDown("mail-no-starttls", "the server does not offer STARTTLS: nothing is sent")
            self._expect(smtp.docmd("STARTTLS")[0], 220)
            if smtp.held:  # RFC 3207 section 6: somebody speaks before TLS does
                raise DestinationDown("mail-answer-malformed", "more came before TLS than was asked for")
            assert smtp.sock is not None
            smtp.sock = context.wrap_socket(smtp.sock, server_hostname=to.host)
            smtp.esmtp_features.clear()
            smtp.ehlo_resp = smtp.helo_resp = None
            self._expect(smtp.ehlo()[0], 250)
        if to.login is not None:
            try:
                word = resolve(to.login.password, least=_LEAST_PASSWORD).decode("utf-8", "replace")
            except GatewayError as error:
                raise DestinationDown("mail-login", str(error)) from None
            try:
                smtp.login(to.login.user, word)
            except (smtplib.SMTPAuthenticationError, smtplib.SMTPServerDisconnected):
                raise
            except smtplib.SMTPException:
                raise DestinationDown("mail-login", "the server offers no login that is known here") from None
            except UnicodeEncodeError:
                raise DestinationDown("mail-login", "user and password have to be ASCII") from None

    def _expect(self, code: int, wanted: int) -> None:
        if code != wanted:
            raise DestinationDown("mail-unavailable", f"SMTP {code}")

    def alive(self) -> bool:
        """Whether it still listens."""
        try:
            with _faults():
                return self._smtp.noop()[0] == 250
        except DestinationDown:
            return False

    def send(self, message: Path) -> Refused | None:
        """One message, a file as message.py writes it; None: it was taken. Raises DestinationDown, Unconfirmed."""
        size = message.stat().st_size
        with _faults():
            smtp = self._smtp
            limit = smtp.esmtp_features.get("size", "")
            if limit.isdigit() and 0 < int(limit) < size:
                return Refused(552, "mail-too-large")
            options = [f"SIZE={size}"] if smtp.has_extn("size") else []
            for code, reason in self._envelope(options):
                if code not in (250, 251):
                    return self._not_taken(code, reason)
            code, _ = smtp.docmd("DATA")
            if code != 354:
                return self._not_taken(code, "mail-refused")
        with message.open("rb") as file, _faults():
            while piece := file.read(_PIECE):
                self._write(piece)
        try:
            with _faults():
                self._write(b".\r\n")
                code, _ = smtp.getreply()
        except DestinationDown as error:
            raise Unconfirmed("mail-unconfirmed", error.reason) from error
        if code == 250:
            return None
        return self._not_taken(code, "mail-too-large" if code == 552 else "mail-refused", reset=False)

    def _envelope(self, options: Sequence[str]) -> Iterator[tuple[int, str]]:
        yield self._smtp.mail(self._to.from_, options)[0], "mail-refused"
        for each in self._to.to:
            yield self._smtp.rcpt(each)[0], "mail-recipient-refused"

    def _not_taken(self, code: int, reason: str, *, reset: bool = True) -> Refused:
        if code == 421 or not 400 <= code < 600:
            raise DestinationDown("mail-unavailable", f"SMTP {code}")
        if reset:
            try:
                self._smtp.docmd("RSET")
            except (OSError, GatewayError):  # it hung up: what it said of the message stands
                self._smtp.close()
        if code == 552:
            reason = "mail-too-large"
        return Refused(code, "mail-not-now" if code < 500 else reason)

    def _write(self, data: bytes) -> None:
        assert self._smtp.sock is not None
        self._smtp.sock.sendall(data)

    def close(self, *, orderly: bool = True) -> None:
        """End it. Never raises."""
        try:
            if orderly:
                self._smtp.docmd("QUIT")
        except (OSError, GatewayError):
            pass
        finally:
            self._smtp.close()


@contextmanager
def _faults() -> Iterator[None]:
    """What goes wrong on the way, as DestinationDown."""
    try:
        yield
    except smtplib.SMTPAuthenticationError as error:
        reason = "mail-unavailable" if 400 <= error.smtp_code < 500 else "mail-login"
        raise DestinationDown(reason, f"SMTP {error.smtp_code}") from None
    except TimeoutError as error:
        raise DestinationDown("answer-timeout") from error
    except ssl.SSLError as error:
        raise tls_down(error) from error
    except smtplib.SMTPException:  # its text is the server's
        raise DestinationDown("connection-lost") from None
    except OSError as error:
        raise DestinationDown("connection-lost", os.strerror(error.errno) if error.errno else "") from error
