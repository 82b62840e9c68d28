"""What `send` and `echo` share: the address, the TLS they speak, and how a failure is told."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.common import fail
from gateway.errors import ConfigRefused
from gateway.security.tls import client_context_from

Called = Annotated[str, typer.Option("--called", help="AE title of the peer.")]
Calling = Annotated[str, typer.Option("--calling", help="Our AE title.")]
Cert = Annotated[Path | None, typer.Option("--cert", help="Our certificate (PEM, with its chain).")]
Key = Annotated[Path | None, typer.Option("--key", help="Our private key (PEM).")]
Ca = Annotated[Path | None, typer.Option("--ca", help="The certificates that may vouch for the peer (PEM).")]
Plaintext = Annotated[bool, typer.Option("--plaintext", help="No TLS: whoever listens in reads all of it.")]
NoHost = Annotated[bool, typer.Option("--any-host", help="The peer's certificate need not name the host.")]
Timeout = Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds to wait for any one answer.")]


def address(text: str) -> tuple[str, int]:
    """`HOST:PORT` or `[IPV6]:PORT`; exit 2 for anything else."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
        fail(f"{text}: an address is HOST:PORT")
    return host, int(port)


def titles(*aes: str) -> None:
    """AE titles as PS3.5 6.2 has them; exit 2 for anything else."""
    for ae in aes:
        if not 1 <= len(ae.strip()) <= 16 or not all(0x20 <= ord(c) < 0x7F and c != "\\" for c in ae):
            fail(f"{ae!r}: an AE title has 1 to 16 characters of ASCII, without backslash")


def context(
    cert: Path | None, key: Path | None, ca: Path | None, plaintext: bool, any_host: bool
) -> ssl.SSLContext | None:
    """The TLS to speak, by the default profile (PS3.15 B.12); exit 2 where what was given does not make one."""
    if plaintext:
        if cert or key or ca:
            fail("--plaintext and a certificate exclude each other")
        return None
    if not (cert and key and ca):
        fail("TLS needs --cert, --key and --ca; without TLS say --plaintext")
    try:
        return client_context_from(cert, key, ca, not any_host)
    except ConfigRefused as error:
        fail(error.detail)
