"""Bearer tokens: everything is checked, nothing may be missing, and a key server cannot be hammered by callers."""

from __future__ import annotations

import base64
import hmac
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwk, jwt
from joserfc.jwk import KeySet

from gateway.config.schema import Bearer
from gateway.errors import DestinationDown, GatewayError
from gateway.web import bearer
from gateway.web.bearer import TokenRefused, Tokens, key_set

NOW = 1_700_000_000.0
RSA = jwk.RSAKey.generate_key(2048, {"kid": "one"})
OTHER = jwk.RSAKey.generate_key(2048, {"kid": "two"})
EC = jwk.ECKey.generate_key("P-256", {"kid": "curve"})
BLOCK = Bearer.model_validate(
    {"issuer": "https://example.org", "audience": "stow", "scope": ["dicom.store"], "keys": "keys.json"}
)
CLAIMS = {
    "iss": "https://example.org", "aud": "stow", "sub": "ct1", "exp": NOW + 60, "scope": "dicom.store other"
}  # fmt: skip


def public(*keys: Any) -> bytes:
    return json.dumps(KeySet(list(keys)).as_dict(private=False)).encode()


def tokens(*keys: Any) -> Tokens:
    return Tokens(BLOCK, lambda: public(*(keys or (RSA, EC))), clock=lambda: NOW)


def signed(claims: dict[str, Any], key: Any = RSA, alg: str = "RS256", **header: Any) -> str:
    return jwt.encode({"alg": alg, "kid": key.kid, **header}, claims, key, algorithms=[alg])


def test_a_good_token_says_who() -> None:
    assert tokens().subject([f"Bearer {signed(CLAIMS)}"]) == "bearer:https://example.org#ct1"
    assert tokens().subject([f"bearer {signed(CLAIMS, EC, 'ES256')}"])
    assert tokens().subject([f"Bearer {signed(CLAIMS | {'aud': ['x', 'stow']})}"])


@pytest.mark.parametrize(
    ("change", "reason", "status"),
    [
        ({"iss": "https://example.com"}, "token-issuer", 401),
        ({"iss": None}, "token-issuer", 401),
        ({"aud": "qido"}, "token-audience", 401),
        ({"aud": ["a", "b"]}, "token-audience", 401),
        ({"exp": NOW - 31}, "token-expired", 401),
        ({"exp": None}, "token-expired", 401),
        ({"exp": "soon"}, "token-expired", 401),
        ({"exp": True}, "token-expired", 401),
        ({"nbf": NOW + 60}, "token-not-yet", 401),
        ({"scope": "dicom.read"}, "token-scope", 403),
        ({"scope": None}, "token-scope", 403),
        ({"sub": None}, "token-subject", 401),
        ({"sub": "a\nb"}, "token-subject", 401),
        ({"sub": "x" * 300}, "token-subject", 401),
    ],
)
def test_a_claim_that_is_wrong_or_missing(change: dict[str, Any], reason: str, status: int) -> None:
    claims = {key: value for key, value in (CLAIMS | change).items() if value is not None}
    with pytest.raises(TokenRefused) as caught:
        tokens().subject([f"Bearer {signed(claims)}"])
    assert (caught.value.reason, caught.value.status) == (reason, status)


def unsigned(header: dict[str, Any], claims: dict[str, Any] = CLAIMS, signature: bytes = b"") -> str:
    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    return ".".join([part(json.dumps(header).encode()), part(json.dumps(claims).encode()), part(signature)])


def test_signatures_that_are_none() -> None:
    good = signed(CLAIMS)
    forged = good.rsplit(".", 1)[0] + "." + "A" * len(good.rsplit(".", 1)[1])
    text = unsigned({"alg": "HS256", "kid": "one"}).removesuffix(".")
    mac = hmac.digest(RSA.as_pem(private=False), text.encode(), "sha256")
    hmac_with_public_key = f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    for token in (
        forged,
        signed(CLAIMS, OTHER),
        signed(CLAIMS, OTHER, kid="one"),
        unsigned({"alg": "none"}),
        unsigned({"alg": "RS256", "kid": "one"}),
        unsigned({"alg": "RS256", "kid": "one", "jwk": OTHER.as_dict(private=False)}),
        hmac_with_public_key,
        signed(CLAIMS, RSA, "RS512"),
    ):
        with pytest.raises(TokenRefused) as caught:
            tokens().subject([f"Bearer {token}"])
        assert caught.value.status == 401


@pytest.mark.parametrize(
    "headers",
    [[], ["Basic abc"], ["Bearer"], ["Bearer a.b"], ["Bearer " + "a" * 9000], ["Bearer ä.b.c"], ["Bearer a.b.c"] * 2],
)
def test_headers_that_hold_no_token(headers: list[str]) -> None:
    with pytest.raises(TokenRefused) as caught:
        tokens().subject(headers)
    assert caught.value.status == 401


def test_new_keys_are_found_and_the_key_server_is_left_in_peace() -> None:
    asked: list[float] = []
    now = [0.0]
    served = [public(RSA)]

    def load() -> bytes:
        asked.append(now[0])
        return served[0]

    judge = Tokens(BLOCK, load, clock=lambda: NOW, monotonic=lambda: now[0])
    assert judge.subject([f"Bearer {signed(CLAIMS)}"])
    for _ in range(100):
        with pytest.raises(TokenRefused):
            judge.subject([f"Bearer {signed(CLAIMS, OTHER)}"])
    assert len(asked) == 1
    served[0], now[0] = public(RSA, OTHER), 61.0
    assert judge.subject([f"Bearer {signed(CLAIMS, OTHER)}"])
    assert len(asked) == 2


def test_without_keys_nobody_comes_in() -> None:
    def load() -> bytes:
        raise DestinationDown("connect-failed")

    with pytest.raises(TokenRefused) as caught:
        Tokens(BLOCK, load, clock=lambda: NOW).subject([f"Bearer {signed(CLAIMS)}"])
    assert (caught.value.status, caught.value.reason) == (503, "keys-unavailable")


class Slow:
    """A key server that answers when it is let."""

    def __init__(self, *keys: Any) -> None:
        self.keys = keys
        self.asked = 0
        self.let = threading.Event()

    def __call__(self) -> bytes:
        self.asked += 1
        self.let.wait(20)
        return public(*self.keys)


def until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def refusal(judge: Tokens, token: str) -> tuple[int, str]:
    with pytest.raises(TokenRefused) as caught:
        judge.subject([f"Bearer {token}"])
    return caught.value.status, caught.value.reason


def timed(do: Callable[[], object]) -> float:
    began = time.monotonic()
    do()
    return time.monotonic() - began


def test_while_keys_are_renewed_everybody_is_judged_by_those_that_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    now, slow = [0.0], Slow(RSA, OTHER)
    slow.let.set()
    judge = Tokens(BLOCK, slow, clock=lambda: NOW, monotonic=lambda: now[0])
    assert judge.ready() and slow.asked == 1
    slow.let.clear()
    now[0] = BLOCK.refresh + 1
    good = [f"Bearer {signed(CLAIMS)}"]
    assert timed(lambda: [judge.subject(good) for _ in range(50)]) < bearer.WAIT / 2
    assert judge.ready() and slow.asked == 2, "one fetch at a time"
    slow.let.set()
    until(lambda: judge._fetching is None)
    now[0] = 3 * BLOCK.refresh
    assert judge.subject(good), "the new ones count from when they were asked for"


def test_who_needs_keys_that_do_not_come_is_told_soon_and_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bearer, "WAIT", 0.3)
    slow = Slow(RSA)
    judge = Tokens(BLOCK, slow, clock=lambda: NOW)
    told: list[tuple[int, str]] = []
    threads = [threading.Thread(target=lambda: told.append(refusal(judge, signed(CLAIMS)))) for _ in range(40)]
    spent = timed(lambda: ([each.start() for each in threads], [each.join() for each in threads]))
    assert set(told) == {(503, "keys-unavailable")} and len(told) == 40
    assert spent < 5 and slow.asked == 1
    assert not judge.ready(0)
    slow.let.set()
    until(lambda: judge.ready(0))
    assert judge.subject([f"Bearer {signed(CLAIMS)}"])


def test_a_key_that_nobody_knows_yet_is_waited_for_and_then_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bearer, "WAIT", 0.2)
    now, slow = [0.0], Slow(RSA)
    slow.let.set()
    judge = Tokens(BLOCK, slow, clock=lambda: NOW, monotonic=lambda: now[0])
    assert judge.ready()
    slow.let.clear()
    slow.keys, now[0] = (RSA, OTHER), 61.0
    assert refusal(judge, signed(CLAIMS, OTHER)) == (503, "keys-unavailable")
    assert judge.subject([f"Bearer {signed(CLAIMS)}"]), "others go on"
    slow.let.set()
    until(lambda: judge._fetching is None)
    assert judge.subject([f"Bearer {signed(CLAIMS, OTHER)}"]) and slow.asked == 2


def test_whatever_a_fetch_ends_with_another_follows() -> None:
    now, ends = [0.0], [ValueError("a fault of ours"), DestinationDown("connect-failed")]

    def load() -> bytes:
        if ends:
            raise ends.pop(0)
        return public(RSA)

    judge = Tokens(BLOCK, load, clock=lambda: NOW, monotonic=lambda: now[0])
    for expected in (False, False, True):
        assert judge.ready() is expected and judge.ready() is expected
        now[0] += 61


def test_keys_that_are_too_old_let_nobody_in() -> None:
    now, ends = [0.0], [public(RSA)]
    judge = Tokens(BLOCK, lambda: ends.pop(), clock=lambda: NOW, monotonic=lambda: now[0])
    assert judge.ready()
    now[0] = 2 * BLOCK.refresh + 1
    assert not judge.ready() and refusal(judge, signed(CLAIMS)) == (503, "keys-unavailable")


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"keys": []}', b'{"keys": [{"kty": "oct", "k": "AAAA"}]}', b'{"keys": 5}']
)
def test_a_key_set_that_is_none(data: bytes) -> None:
    with pytest.raises(GatewayError):
        key_set(data)


def test_private_and_encryption_keys_are_not_taken() -> None:
    with pytest.raises(GatewayError):
        key_set(json.dumps(KeySet([RSA]).as_dict(private=True)).encode())
