"""`dicom-gateway patients`: the officer's way back, and which key is which."""

from __future__ import annotations

import csv
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.cli.common import DEFAULT_CONFIG, ConfigOption, columns, fail, loaded
from gateway.config.secrets import open_to_others, resolve
from gateway.errors import GatewayError
from gateway.patients.escrow import COLUMNS, MAX_BYTES, open_table
from gateway.rulebook import key_id

app = typer.Typer(help="Patients' pseudonyms: the escrow table, and the keys.", no_args_is_help=True)


@app.command("open")
def open_(
    file: Annotated[Path, typer.Argument(help="The escrow table.")],
    key: Annotated[Path, typer.Option("--key", help="The officer's private key (PEM, not encrypted, mode 0600).")],
    certificate: Annotated[Path, typer.Option("--cert", help="The officer's certificate (PEM).")],
) -> None:
    """Print the escrow table as CSV. It identifies patients: run it where the officer works, not on the gateway.

    Exit 0 where every row was opened, 1 where some are damaged or for another officer.
    """
    rows, closed = open_table(_read(file, MAX_BYTES), _certificate(certificate), _key(key))
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(COLUMNS)
    out.writerows(rows)
    if closed:
        print(f"dicom-gateway: {closed} rows are damaged, or not for this key", file=sys.stderr)
        raise typer.Exit(1)


@app.command()
def keys(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Print the id of each project's key: to know a backup when you see it. An id says nothing of its key."""
    rows = []
    for name, block in loaded(config).deidentify.items():
        try:
            rows.append((name, block.project or name, key_id(resolve(block.key)), str(block.key)))
        except GatewayError as error:
            fail(f"deidentify {name}: {error}")
    columns(("DEIDENTIFY", "PROJECT", "KEY ID", "KEY"), rows)


def _read(file: Path, limit: int) -> bytes:
    try:
        with file.open("rb") as source:
            data = source.read(limit + 1)
    except OSError as error:
        fail(f"{file}: {os.strerror(error.errno or 5)}")
    if len(data) > limit:
        fail(f"{file}: larger than {limit} bytes")
    return data


def _certificate(file: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(_read(file, 1 << 20))
    except ValueError:
        fail(f"{file}: no certificate (PEM) that can be read")


def _key(file: Path) -> rsa.RSAPrivateKey:
    if why := open_to_others(file):
        fail(f"{file}: {why}")
    try:
        found = serialization.load_pem_private_key(_read(file, 1 << 20), None)
    except (ValueError, TypeError):  # TypeError: it is encrypted
        fail(f"{file}: no private key (PEM, without a password) that can be read")
    if not isinstance(found, rsa.RSAPrivateKey):
        fail(f"{file}: the officer's key is RSA")
    return found
