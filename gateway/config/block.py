"""What every block of gateway.yaml is, and the one block that all others share: a certificate with its key."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from gateway.config.units import FileRef


class Block(BaseModel):
    """Base of every block: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, hide_input_in_errors=True)


class KeyPair(Block):
    """A certificate (PEM, with its chain) and its private key (PEM)."""

    certificate: FileRef
    key: FileRef
