"""OAuth2 client credentials (RFC 6749 4.4): an access token for a destination, kept until shortly before it expires.

Rules of this file
* Token and secret are never logged, and stand in no error.
* A token server that is away is a destination that is away: nothing counts against an object.
* One thread asks at a time; the others wait for its answer.
"""

from __future__ import annotations

import base64
import json
import re
import ssl
import threading
import time
from collections.abc import Callable
from urllib.parse import quote, urlencode

from gateway.config.schema import OAuth, Tls
from gateway.config.secrets import resolve
from gateway.errors import DestinationDown, GatewayError
from gateway.security.tls import client_context
from gateway.web.client import Client, Url

LIMIT = 64 << 10  # bytes of the token server's answer
_DEFAULT = 300.0  # seconds a token is kept that does not say how long it lives
_EARLY = 30.0  # seconds before its end a token is renewed; half of its life where that is shorter
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,8192}=*")  # RFC 6750 2.1


class Grant:
    """The token of one destination. Any thread."""

    def __init__(
        self,
        block: OAuth,
        context: ssl.SSLContext | None,
        timeout: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._block = block
        self._context = context
        self._timeout = timeout
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._token = ""
        self._until = float("-inf")

    def token(self) -> str:
        """An access token that has not expired. Raises DestinationDown."""
        with self._lock:
            now = self._monotonic()
            if now >= self._until:
                self._token, life = self._asked()
                self._until = now + life - min(_EARLY, life / 2)
            return self._token

    def refused(self, token: str) -> None:
        """The destination does not take this one (any more): ask for another next time."""
        with self._lock:
            if token == self._token:
                self._until = float("-inf")

    def _asked(self) -> tuple[str, float]:
        block = self._block
        form = {"grant_type": "client_credentials"}
        if block.scope:
            form["scope"] = " ".join(block.scope)
        if block.audience:
            form["audience"] = block.audience
        try:
            secret = resolve(block.client_secret)
        except GatewayError as error:  # ours to mend, and no fault of the object
            raise DestinationDown(error.reason, error.detail) from None
        # RFC 6749 2.3.1: each half is form-encoded before they are joined
        pair = f"{quote(block.client_id, safe='')}:{quote(secret, safe='')}"
        body = urlencode(form).encode()
        headers = {
            "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
            "Connection": "close",
        }
        url = Url.of(block.token_url)
        try:
            client = Client(url, self._context, self._timeout)
            try:
                answer = client.request("POST", url.path, headers, (body,), len(body), limit=LIMIT)
            finally:
                client.close()
        except DestinationDown as error:
            raise DestinationDown("token-server-unavailable", error.reason) from error
        if answer.status != 200:
            raise DestinationDown("token-refused-us", f"HTTP {answer.status}")
        return _read(answer.body)


def _read(body: bytes) -> tuple[str, float]:
    """Token and seconds it lives. Raises DestinationDown, quoting nothing."""
    try:
        told = json.loads(body)
        token, kind, life = told["access_token"], told["token_type"], told.get("expires_in", _DEFAULT)
        if (
            kind.lower() != "bearer"
            or not _TOKEN.fullmatch(token)
            or isinstance(life, bool)
            or not 0 < float(life) < 1e9
        ):
            raise ValueError
        return token, float(life)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise DestinationDown("token-answer-malformed", "the token server's answer is not RFC 6749 5.1") from None


def grant_of(block: OAuth, timeout: float) -> Grant:
    """The grant of a rule file's block. Raises ConfigRefused."""
    tls = Tls.model_validate({"profile": block.tls.profile, "trust": block.tls.trust, "crl": block.tls.crl})
    context = client_context(tls, block.tls.identity, anonymous=block.tls.identity is None)
    return Grant(block, context, timeout)
