"""What goes wrong with CMS messages. `reason` begins with `cms-`; `detail` holds no content and no name."""

from __future__ import annotations

from gateway.errors import GatewayError


class NotOpened(GatewayError):
    """A secure file, or an envelope, of which nothing may be used."""


class NotWritten(GatewayError):
    """A secure file, or an envelope, that was not made: a recipient, a signer or an algorithm cannot be used."""
