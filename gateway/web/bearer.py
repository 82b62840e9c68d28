"""OAuth2 bearer tokens of callers (RFC 6750): JWTs (RFC 7519) signed by a key of a JWK set (RFC 7517).

Rules of this file
* Only the algorithms of the rule file, all of them asymmetric: a public key is never taken for a shared secret.
* Issuer, audience, expiry and scope are all checked, and none may be missing. A token is never logged.
* A key set comes from a file, or from a URL under limits; one that cannot be fetched lets nobody in (503).
* An unknown key id makes the set be fetched again, at most once in `COOLDOWN`: a caller cannot make us hammer a server.
* One fetch at a time, on a thread of its own. Who can be judged by the keys that are known goes on; few of the others
  wait for it, and not for long.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from joserfc import jwk, jws, jwt
from joserfc.errors import JoseError

from gateway.config.schema import Bearer, Tls
from gateway.errors import DestinationDown, GatewayError
from gateway.logs import fields
from gateway.security.tls import client_context
from gateway.web.client import Url, fetched

log = logging.getLogger("bearer")

TOKEN = 8 << 10  # bytes
KEYS = 256 << 10  # bytes of a key set
COOLDOWN = 60.0  # seconds
WAIT = 2.0  # seconds that a caller waits for keys that are being fetched
_MOST_WAITING = 8  # callers at once, each on a thread that others need, too
_FETCH_TIME = 10.0
_FAMILIES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
_LONGEST = 200  # characters of a subject


class TokenRefused(Exception):
    """No token, a wrong one, or none can be judged now. `error` is RFC 6750's word, "" where none was sent."""

    def __init__(self, status: int, reason: str, error: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.error = error


class Tokens:
    """Judges the tokens of one listener. Any thread."""

    def __init__(
        self,
        block: Bearer,
        load: Callable[[], bytes],
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`load` gives the key set's bytes; may raise DestinationDown."""
        self._block = block
        self._load = load
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._keys: list[jwk.Key] = []
        self._loaded = self._tried = float("-inf")
        self._fetching: threading.Event | None = None  # set when it is over
        self._waiting = 0

    def ready(self, wait: float = WAIT) -> bool:
        """Whether any token could be judged; waits so long for keys that are being fetched, and makes them be."""
        fetching = self._fetched()
        if fetching is not None and not self._usable():
            self._awaited(fetching, wait)
        return bool(self._usable())

    def subject(self, headers: list[str]) -> str:
        """Who the token of these Authorization headers speaks for: `bearer:ISSUER#SUB`. Raises TokenRefused."""
        if not headers:
            raise TokenRefused(401, "token-missing")
        scheme, _, token = headers[0].partition(" ")
        token = token.strip()
        if len(headers) > 1 or scheme.lower() != "bearer" or not token or len(token) > TOKEN or not token.isascii():
            raise TokenRefused(401, "token-malformed", "invalid_request")
        claims = self._verified(token)
        self._judge(claims)
        return f"bearer:{self._block.issuer}#{claims['sub']}"

    def _verified(self, token: str) -> dict[str, Any]:
        """The claims, their signature checked."""
        try:
            header = jws.extract_compact(token.encode()).headers()
            algorithm, kid = header.get("alg"), header.get("kid")
        except (JoseError, ValueError) as error:
            raise TokenRefused(401, "token-malformed", "invalid_token") from error
        if algorithm not in self._block.algorithms:
            raise TokenRefused(401, "token-algorithm", "invalid_token")
        for key in self._candidates(str(algorithm), kid):
            try:
                return dict(jwt.decode(token, key, algorithms=[str(algorithm)]).claims)
            except (JoseError, ValueError, TypeError):
                continue
        raise TokenRefused(401, "token-signature", "invalid_token")

    def _candidates(self, algorithm: str, kid: object) -> list[jwk.Key]:
        """The keys that may have signed: the one of that id, or all where no id is told."""
        for again in (False, True):
            fitting = [
                key
                for key in self._current(again)
                if key.key_type == _FAMILIES[algorithm[:2]]
                and (kid is None or key.kid == kid)
                and key.get("alg", algorithm) == algorithm
            ]
            if fitting:
                return fitting
        return []

    def _current(self, again: bool) -> list[jwk.Key]:
        """The keys that are known; `again`: those known before do not do. Raises TokenRefused."""
        fetching = self._fetched(again)
        known = self._usable()
        if fetching is not None and (again or not known):
            over = self._awaited(fetching, WAIT)
            known = self._usable() if over or not again else []
        if not known:
            raise TokenRefused(503, "keys-unavailable")
        return known

    def _usable(self) -> list[jwk.Key]:
        with self._lock:
            old = self._monotonic() - self._loaded > 2 * self._block.refresh
            return [] if old else list(self._keys)

    def _fetched(self, again: bool = False) -> threading.Event | None:
        """The fetch that is under way, begun here where one is due."""
        with self._lock:
            now = self._monotonic()
            due = again or not self._keys or now - self._loaded > self._block.refresh
            if self._fetching is None and due and now - self._tried > COOLDOWN:
                self._tried = now
                self._fetching = threading.Event()
                threading.Thread(target=self._fetch, args=(self._fetching, now), name="keys", daemon=True).start()
            return self._fetching

    def _fetch(self, over: threading.Event, now: float) -> None:
        found: list[jwk.Key] = []
        try:
            found = key_set(self._load())
        except (DestinationDown, GatewayError) as error:
            log.warning(fields("keys-unavailable", reason=error.reason, detail=error.detail))
        except Exception:
            log.exception(fields("internal-error", reason="keys-unavailable"))
        with self._lock:
            if found:
                self._keys, self._loaded = found, now
            self._fetching = None
        over.set()

    def _awaited(self, fetching: threading.Event, wait: float) -> bool:
        """Whether it was over in time."""
        with self._lock:
            if self._waiting >= _MOST_WAITING:
                return fetching.is_set()
            self._waiting += 1
        try:
            return fetching.wait(wait)
        finally:
            with self._lock:
                self._waiting -= 1

    def _judge(self, claims: dict[str, Any]) -> None:
        block, now = self._block, self._clock()
        audience = claims.get("aud")
        expires, begins = claims.get("exp"), claims.get("nbf", 0)
        if claims.get("iss") != block.issuer:
            raise TokenRefused(401, "token-issuer", "invalid_token")
        if block.audience not in (audience if isinstance(audience, list) else [audience]):
            raise TokenRefused(401, "token-audience", "invalid_token")
        if not isinstance(expires, int | float) or expires + block.leeway <= now:
            raise TokenRefused(401, "token-expired", "invalid_token")
        if not isinstance(begins, int | float) or begins - block.leeway > now:
            raise TokenRefused(401, "token-not-yet", "invalid_token")
        scope = claims.get("scope", "")
        granted = scope.split() if isinstance(scope, str) else scope if isinstance(scope, list) else []
        if not set(block.scope) <= {each for each in granted if isinstance(each, str)}:
            raise TokenRefused(403, "token-scope", "insufficient_scope")
        sub = claims.get("sub")
        if not isinstance(sub, str) or not 0 < len(sub) <= _LONGEST or not sub.isprintable():
            raise TokenRefused(401, "token-subject", "invalid_token")


def key_set(data: bytes) -> list[jwk.Key]:
    """The public keys for signatures of a JWK set. Raises GatewayError(keys-malformed), also where there is none."""
    try:
        found = json.loads(data)["keys"]
        keys = [
            jwk.import_key(each)
            for each in found
            if each.get("kty") in _FAMILIES.values() and each.get("use", "sig") == "sig" and "d" not in each
        ]
    except (ValueError, KeyError, TypeError, AttributeError, JoseError, RecursionError) as error:
        raise GatewayError("keys-malformed", "not a JWK set (RFC 7517)") from error
    if not keys:
        raise GatewayError("keys-malformed", "a JWK set without a public key for signatures lets nobody in")
    return keys


def tokens_of(block: Bearer) -> Tokens:
    """The judge of a rule file's block. Raises ConfigRefused, and GatewayError where its file is of no use."""
    if block.keys is not None:
        path: Path = block.keys
        key_set(read_keys(path))
        return Tokens(block, lambda: read_keys(path))
    assert block.keys_url is not None and block.tls is not None
    tls = Tls.model_validate({"profile": block.tls.profile, "trust": block.tls.trust, "crl": block.tls.crl})
    context = client_context(tls, block.tls.identity, anonymous=block.tls.identity is None)
    url = Url.of(block.keys_url)
    return Tokens(block, lambda: fetched(url, context, _FETCH_TIME, KEYS))


def read_keys(path: Path) -> bytes:
    """The bytes of a key set's file. Raises GatewayError."""
    try:
        with path.open("rb") as file:
            data = file.read(KEYS + 1)
    except OSError as error:
        raise GatewayError("keys-unavailable", f"{path.name}: {error.strerror}") from error
    if len(data) > KEYS:
        raise GatewayError("keys-malformed", f"{path.name}: longer than {KEYS} bytes")
    return data
