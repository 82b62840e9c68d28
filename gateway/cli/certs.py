"""`dicom-gateway certs`: a development PKI, and what a certificate says that the rule file needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certs.dev import DAYS, make
from gateway.cli.common import fail
from gateway.security.identity import fingerprint_of, subject_of

app = typer.Typer(help="Certificates for trials, and a look at yours.", no_args_is_help=True)


@app.command()
def dev(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to; made if it is not there.")],
    name: Annotated[list[str] | None, typer.Option(help="A further host name or address of the servers.")] = None,
) -> None:
    """Make a development PKI. Never for production."""
    try:
        written = make(folder, tuple(name or ()))
    except FileExistsError as error:
        fail(str(error))
    except (OSError, ValueError) as error:
        fail(f"{folder}: {getattr(error, 'strerror', None) or error}")
    print(f"{len(written)} files in {folder}, valid for {DAYS} days. For trials only: never use them in production.")


@app.command()
def show(file: Annotated[Path, typer.Argument(help="A certificate (PEM).")]) -> None:
    """Print subject (as `ae_map` wants it), validity and fingerprint of each certificate in a file."""
    try:
        found = x509.load_pem_x509_certificates(file.read_bytes())
    except OSError as error:
        fail(f"{file}: {error.strerror}")
    except ValueError:
        fail(f"{file}: no certificate (PEM) that can be read")
    for certificate in found:
        der = certificate.public_bytes(Encoding.DER)
        print(f"subject:     {subject_of(der)}")
        print(f"valid until: {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC")
        print(f"SHA-256:     {fingerprint_of(der)}")
