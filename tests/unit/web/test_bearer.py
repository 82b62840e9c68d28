"""Bearer tokens: everything is checked, nothing may be missing, and a key server cannot be hammered by callers."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import pytest
from joserfc import jwk, jwt
from joserfc.jwk import KeySet

from gateway.config.schema import Bearer
from gateway.errors import DestinationDown, GatewayError
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


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"keys": []}', b'{"keys": [{"kty": "oct", "k": "AAAA"}]}', b'{"keys": 5}']
)
def test_a_key_set_that_is_none(data: bytes) -> None:
    with pytest.raises(GatewayError):
        key_set(data)


def test_private_and_encryption_keys_are_not_taken() -> None:
    with pytest.raises(GatewayError):
        key_set(json.dumps(KeySet([RSA]).as_dict(private=True)).encode())
