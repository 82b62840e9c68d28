"""Blocks of gateway.yaml about keys of people: encrypted attributes and digital signatures (PS3.15 E.1.1, Annex C).

As in schema.py: a model checks what it can see alone; whether files can be used is what `check` looks at.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.config.block import Block, HeldKey
from gateway.config.units import FileRef

SignatureProfile = Literal["base", "creator", "authorization", "sr"]  # PS3.15 C.1 to C.4


class Verification(Block):
    """Only objects whose digital signatures are all right and trusted go on (docs/signatures.md)."""

    trust: FileRef  # anchors
    chain: FileRef | None = None  # authorities between anchors and signers
    crl: FileRef | None = None  # revocation lists; every certificate must be covered
    require: SignatureProfile | None = None  # a signature of this profile must be there


class Signing(HeldKey):
    """The gateway signs: an RSA certificate for signing, not the one for TLS."""

    profile: SignatureProfile = "base"
    mac: Literal["sha256", "sha384", "sha512"] = "sha256"
    purpose: str = ""  # code value of CID 7007


class EncryptedAttributes(Block):
    """What de-identification takes stays in the object, encrypted (PS3.15 E.1.1, docs/reidentification.md)."""

    recipients: tuple[FileRef, ...] = Field(min_length=1)  # certificates (RSA) of those who may go back, one a file
