"""A connected socket to a destination, plain or TLS, or DestinationDown with the cause in words.

Rules of this file
* `artim` bounds connecting and handshake together.
* A plaintext peer behind TLS, and the other way round, are named: it is the commonest mistake of a configuration.
"""

from __future__ import annotations

import socket
import ssl
import time

from gateway.errors import DestinationDown

# OpenSSL's words -> our reasons; anything else is `tls-failed`.
_TLS_REASONS = {
    "WRONG_VERSION_NUMBER": "peer-speaks-plaintext",
    "RECORD_LAYER_FAILURE": "peer-speaks-plaintext",
    "UNEXPECTED_EOF_WHILE_READING": "tls-handshake-cut",
    "CERTIFICATE_VERIFY_FAILED": "certificate-refused-here",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "certificate-required-by-peer",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "tls-nothing-in-common",
    "TLSV1_ALERT_PROTOCOL_VERSION": "tls-version-refused-by-peer",
    "UNSUPPORTED_PROTOCOL": "tls-version-refused-here",
    "TLSV1_ALERT_UNKNOWN_CA": "certificate-refused-by-peer",
    "SSLV3_ALERT_BAD_CERTIFICATE": "certificate-refused-by-peer",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "certificate-refused-by-peer",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "certificate-refused-by-peer",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "certificate-refused-by-peer",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "certificate-refused-by-peer",
}
_WORDS = {
    "peer-speaks-plaintext": "TLS was offered and plaintext came back: this port does not speak TLS",
    "peer-speaks-tls": "plaintext was sent and a TLS alert came back: this port wants TLS",
    "certificate-required-by-peer": "the peer wants a client certificate",
    "tls-handshake-cut": "the peer closed during the handshake: it may not speak TLS, or refuses our certificate",
}


def explain(reason: str, otherwise: str = "") -> DestinationDown:
    """A reason with its sentence."""
    return DestinationDown(reason, _WORDS.get(reason, otherwise))


def tls_down(error: ssl.SSLError) -> DestinationDown:
    """What a TLS error means for a destination."""
    said = error.reason or type(error).__name__
    reason = _TLS_REASONS.get(said, "tls-failed")
    if isinstance(error, ssl.SSLCertVerificationError):
        return DestinationDown("certificate-refused-here", error.verify_message)
    return explain(reason, said)


def dial(
    address: tuple[str, int], context: ssl.SSLContext | None, server_hostname: str | None, artim: float
) -> socket.socket:
    """Connect, and shake hands where there is a context. Raises DestinationDown."""
    deadline = time.monotonic() + artim
    try:
        sock = socket.create_connection(address, timeout=artim)
    except TimeoutError as error:
        raise DestinationDown("connect-timeout") from error
    except OSError as error:
        raise DestinationDown("connect-failed", error.strerror or type(error).__name__) from error
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if context is None:
        return sock
    try:
        sock.settimeout(max(0.001, deadline - time.monotonic()))
        return context.wrap_socket(sock, server_hostname=server_hostname or address[0])
    except TimeoutError as error:
        sock.close()
        raise DestinationDown("tls-timeout") from error
    except ssl.SSLError as error:
        sock.close()
        raise tls_down(error) from error
    except (OSError, ValueError) as error:
        sock.close()
        raise explain("tls-handshake-cut") from error
