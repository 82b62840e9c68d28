"""The blocks of gateway.yaml for annotations: AIM and its servers. They obey what schema.py says of all blocks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.config.block import Block
from gateway.config.units import Duration, Identifiers, SecretRef, WebUrl


class HttpDestination(Block):
    """A server that takes AIM and CDA documents by HTTP POST, such as ePAD's (docs/annotations.md)."""

    url: WebUrl
    form: str | None = Field(None, pattern=r"[A-Za-z0-9_-]{1,64}")  # send a form with the document in this field
    authorization: SecretRef | None = None  # the whole value of the Authorization header
    connections: int = Field(2, ge=1, le=32)  # studies sent in parallel, per worker
    idle: Duration = 10.0
    timeout: Duration = Field(60.0, gt=0)  # connecting, each write, and any one answer


class Annotations(Block):
    """What a site says of AIM (docs/annotations.md)."""

    fields: bool = True  # an SR also says what TID 1500 has no row for
    pixel_origin: Literal["corner", "center"] = "corner"  # what (0, 0) is in AIM, of the first pixel
    images: Identifiers = ()  # listeners whose images in the spool say what a document leaves out


class Aim(Annotations):
    """SR as AIM."""

    version: Literal["4.0", "4.2"] = "4.2"
