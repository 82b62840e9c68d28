"""`dicom-gateway echo`: does the peer answer a C-ECHO (PS3.7 9.1.5)?"""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from gateway.cli.calling import Ca, Called, Calling, Cert, Key, NoHost, Plaintext, Timeout, address, context, titles
from gateway.dimse.client import Association, ProposedContext
from gateway.dimse.uids import IMPLICIT_LE, VERIFICATION
from gateway.errors import DestinationDown


def echo(
    peer: Annotated[str, typer.Argument(metavar="HOST:PORT")],
    called: Called,
    calling: Calling = "DCMGW",
    cert: Cert = None,
    key: Key = None,
    ca: Ca = None,
    plaintext: Plaintext = False,
    any_host: NoHost = False,
    timeout: Timeout = 30.0,
) -> None:
    """Ask a peer whether it is there. Exit 0: it is; 1: it is not, with the reason."""
    where = address(peer)
    titles(called, calling)
    tls = context(cert, key, ca, plaintext, any_host)
    begun = time.monotonic()
    try:
        with Association.open(
            where,
            tls,
            calling_ae=calling,
            called_ae=called,
            contexts=[ProposedContext(VERIFICATION, (IMPLICIT_LE,))],
            timeout=timeout,
        ) as association:
            status = association.echo() if association.accepted else None
    except DestinationDown as error:
        print(f"{peer}: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    if status != 0:
        said = "does not accept Verification" if status is None else f"answered status {status:04X}H"
        print(f"{peer}: {said}", file=sys.stderr)
        raise typer.Exit(1)
    print(f"{peer}: {called} answers in {(time.monotonic() - begun) * 1000:.0f} ms{'' if tls else ', in plaintext'}")
