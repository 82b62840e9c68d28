"""What every block of gateway.yaml is, and the blocks that others share: a certificate with its key."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, model_validator

from gateway.config.units import FileRef, KeyRef, SecretRef


class Block(BaseModel):
    """Base of every block: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, hide_input_in_errors=True)


class KeyPair(Block):
    """A certificate (PEM, with its chain) and its private key (PEM)."""

    certificate: FileRef
    key: FileRef


class HeldKey(Block):
    """A certificate (PEM, with its chain); its private key in a file (PEM), or on a PKCS #11 token, where it stays."""

    certificate: FileRef
    key: KeyRef
    pin: SecretRef | None = None  # of the token

    @model_validator(mode="after")
    def _pin_of_a_token(self) -> HeldKey:
        if self.pin is not None and not isinstance(self.key, str):
            raise ValueError("a `pin` belongs to a key on a token: key: 'pkcs11:token=...;object=...?module-path=...'")
        return self
