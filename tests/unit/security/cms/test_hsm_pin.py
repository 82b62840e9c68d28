"""A wrong PIN is asked for once: who tries it for ever locks the token."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from gateway.errors import GatewayError
from gateway.security.cms import hsm

URI = "pkcs11:token=site;object=key?module-path=/usr/lib/none.so"


def test_a_wrong_pin_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fault(Exception): ...

    class PinIncorrect(Fault): ...

    class AlreadyIn(Fault): ...

    tried: list[str] = []

    def login(*, user_pin: str) -> None:
        tried.append(user_pin)
        raise PinIncorrect

    token = SimpleNamespace(open=login)
    library = SimpleNamespace(get_token=lambda **_: token)
    faults = {"PKCS11Error": Fault, "PinIncorrect": PinIncorrect, "UserAlreadyLoggedIn": AlreadyIn}
    monkeypatch.setitem(sys.modules, "pkcs11", SimpleNamespace(lib=lambda _: library, **faults))
    monkeypatch.setattr(hsm, "_REFUSED", set(), raising=False)
    for pin in (b"1111", b"1111", b"1111", b"2222", b"1111"):
        with pytest.raises(GatewayError, match="PinIncorrect"):
            hsm.open_key(URI, pin)
    assert tried == ["1111", "2222"]
