"""`mail:` destinations of gateway.yaml (docs/mail.md): the block, and what can be wrong with it.

As in schema.py: a model checks what it can see alone. The certificates it names are read by `check`, not here.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from gateway.config.block import Block, HeldKey
from gateway.config.document import Positions
from gateway.config.plain import given, text
from gateway.config.problems import Loc, Problem
from gateway.config.units import Duration, FileRefs, SecretRef, Size, listed

# RFC 5321 4.1.2 without quoting, ASCII: nothing that could end a header line or a command
_ADDRESS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")

DEFAULT_PROFILE: Final = "STD-GEN-SEC-ZIP-MAIL"  # PS3.11 Annex L


def address(value: Any) -> str:
    """`reader@example.org`: a mailbox, without a name beside it."""
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value) or ".." in value:
        raise ValueError("an address is written reader@example.org, without a name beside it")
    return value


Address = Annotated[str, BeforeValidator(address)]
Addresses = Annotated[tuple[Address, ...], BeforeValidator(listed)]


class Login(Block):
    """Who we are to the server (RFC 4954)."""

    user: str = Field(min_length=1, max_length=256)
    password: SecretRef


class MailDestination(Block):
    """People who get each closed group by e-mail, signed and encrypted (PS3.15 B.8, docs/mail.md)."""

    host: str
    port: int = Field(ge=1, le=65535)
    starttls: bool = False  # TLS begins with the command STARTTLS; else with the connection
    login: Login | None = None
    from_: Address = Field(alias="from")
    to: Addresses
    recipients: FileRefs  # certificates (RSA) of who can read it
    sign: HeldKey  # B.8 asks for it: who sends is authorized to
    profile: Literal["STD-GEN-SEC-ZIP-MAIL", "STD-GEN-ZIP-MAIL", "STD-DTL-SEC-ZIP-MAIL"] = DEFAULT_PROFILE
    size: Size = Field(20 << 20, ge=4 << 20, le=1 << 30)  # bytes of one message as it is sent; more becomes several
    timeout: Duration = Field(60.0, gt=0)  # connecting, each write, and any one answer


def problems(block: dict[str, Any], destination: dict[str, Any], loc: Loc, places: Positions) -> list[Problem]:
    """Every problem of the block under `mail`, beside `tls` or `unsafe_plaintext` of its destination."""
    found = []
    if not given(destination, "tls"):
        if given(block, "login"):
            message = "a password must not cross the network in plaintext: use tls"
            found.append(places.at_key((*loc, "login"), message))
        if block.get("starttls") is True:
            found.append(places.at_key((*loc, "starttls"), "STARTTLS begins TLS: give `tls`, not `unsafe_plaintext`"))
    found += [
        places.at_value((*loc, key), f"`{key}` is empty: nobody would get it")
        for key in ("to", "recipients")
        if block.get(key) == []
    ]
    if text(block, "host") == "":
        found.append(places.at_value((*loc, "host"), "the name or address of the server that takes our mail"))
    return found
