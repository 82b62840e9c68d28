"""A token that cannot now is waited for; a message that is not right is told. SoftHSM2 answers both with one code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from gateway.errors import GatewayError
from gateway.security.cms.hsm import RsaKey

pkcs11 = pytest.importorskip("pkcs11")
KEY = rsa.generate_private_key(65537, 2048)
SCHEME = padding.PKCS1v15()
GOOD = KEY.public_key().encrypt(b"the key", SCHEME)
BAD = bytes(256)


class Token:
    """Decrypts what is right; else, and while it is out of order, raises what it is told to."""

    def __init__(self, fault: type[Exception], out_of_order: int = 0) -> None:
        self.fault = fault
        self.left = out_of_order

    def decrypt(self, data: bytes, **_: Any) -> bytes:
        self.left -= 1
        if data == BAD or self.left >= 0:
            raise self.fault
        return KEY.decrypt(data, SCHEME)


def held(fault: type[Exception], out_of_order: int = 0) -> RsaKey:
    return RsaKey(Token(fault, out_of_order), KEY.public_key())


@pytest.mark.parametrize("fault", ["GeneralError", "EncryptedDataInvalid", "EncryptedDataLenRange"])
def test_a_message_that_is_not_right_is_told_whatever_the_token_calls_it(fault: str) -> None:
    key = held(getattr(pkcs11, fault))
    with pytest.raises(ValueError, match="does not decrypt"):
        key.decrypt(BAD, SCHEME)
    assert not key.failed and key.decrypt(GOOD, SCHEME) == b"the key"


@pytest.mark.parametrize("fault", ["GeneralError", "DeviceError", "DeviceRemoved", "FunctionFailed", "HostMemory"])
def test_a_token_that_cannot_now_is_no_fault_of_the_message(fault: str) -> None:
    for message in (GOOD, BAD):
        key = held(getattr(pkcs11, fault), out_of_order=9)
        with pytest.raises(GatewayError, match="token-failed"):
            key.decrypt(message, SCHEME)
        assert key.failed, "it is opened anew the next time"


def test_one_that_could_not_for_a_moment_is_asked_again() -> None:
    assert held(pkcs11.GeneralError, out_of_order=1).decrypt(GOOD, SCHEME) == b"the key"


def test_one_that_decrypts_to_something_else_is_out_of_order(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Callable[[], bytes]] = [_raise, lambda: b"something else"]
    key = held(pkcs11.GeneralError)
    monkeypatch.setattr(key._key, "decrypt", lambda *_, **__: answers.pop(0)())
    with pytest.raises(GatewayError, match="token-failed"):
        key.decrypt(GOOD, SCHEME)


def _raise() -> bytes:
    raise pkcs11.GeneralError
