"""Private keys on PKCS #11 tokens (extra `hsm`): they sign and decrypt there, and never leave.

Rules of this file
* A key is named by an RFC 7512 URI: pkcs11:token=LABEL;object=LABEL;id=%01?module-path=/usr/lib/...so. The PIN comes
  from elsewhere; one in the URI is refused, for it would stand in every list of processes.
* A token's keys look like cryptography's, as far as signing.py, recipients.py and making.py use them.
* A key stays open for the life of the process, until it fails: who logs in anew for each file locks a token out.
* A PIN that was wrong is not tried again before a restart: tokens lock themselves after a few, and inboxes and
  destinations try for ever.
* Hashing is done here, the token gets digests. What it cannot do is told (token-failed), never done in another way.
* What does not decrypt is the token's fault or the message's: where its answer says neither, it is given what we know.

Reasons: token-unusable (no module, no token, no such key, wrong PIN), token-failed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, Final
from urllib.parse import parse_qsl, unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature

from gateway.errors import GatewayError

SCHEME: Final = "pkcs11:"
# What stands before the digest in a PKCS #1 v1.5 signature (RFC 8017 section 9.2)
_DIGEST_INFO: Final = {
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}

_PROBE: Final = b"does this token decrypt"
_OPENING: Final = Lock()
_REFUSED: Final[set[tuple[str, bytes | None, bytes]]] = set()  # (module, token, digest of the PIN)
_OPEN: Final[dict[str, tuple[RsaKey | EcKey, tuple[x509.Certificate, ...]]]] = {}  # by URI


def open_key(uri: str, pin: bytes | None) -> tuple[RsaKey | EcKey, tuple[x509.Certificate, ...]]:
    """(the key, its certificate where the token has it). Raises GatewayError (token-unusable)."""
    with _OPENING:
        found = _OPEN.get(uri)
        if found is None or found[0].failed:
            found = _OPEN[uri] = _opened(uri, pin)
    return found


def _opened(uri: str, pin: bytes | None) -> tuple[RsaKey | EcKey, tuple[x509.Certificate, ...]]:
    wanted, module = _parsed(uri)
    try:
        import pkcs11
    except ImportError:
        raise GatewayError("token-unusable", "PKCS #11 needs the extra `hsm`: pip install dicom-gateway[hsm]") from None
    named = {name: value for name, value in wanted.items() if name != "token"}
    tried = module, wanted.get("token"), hashlib.sha256(pin or b"").digest()
    if tried in _REFUSED:
        raise GatewayError("token-unusable", f"{module}: PinIncorrect; this PIN is not tried again before a restart")
    try:
        library = pkcs11.lib(module)
        token = library.get_token(token_label=wanted.get("token", b"").decode("utf-8"))
        session = _session(token, pin)
        found = _only(session, pkcs11.ObjectClass.PRIVATE_KEY, named)
        same: dict[str, bytes] = {"id": found.id} if found.id else named
        public = _public(_only(session, pkcs11.ObjectClass.PUBLIC_KEY, same))
        certificates = [
            x509.load_der_x509_certificate(each[pkcs11.Attribute.VALUE])
            for each in session.get_objects(_template(pkcs11.ObjectClass.CERTIFICATE, same))
        ]
    except pkcs11.PKCS11Error as error:
        if isinstance(error, pkcs11.PinIncorrect):
            _REFUSED.add(tried)
        raise GatewayError("token-unusable", f"{module}: {type(error).__name__}") from None
    except (RuntimeError, ValueError, UnicodeDecodeError) as error:  # no module there, or what it has cannot be read
        raise GatewayError("token-unusable", f"{module}: {type(error).__name__}") from None
    key = RsaKey(found, public) if isinstance(public, rsa.RSAPublicKey) else EcKey(found, public)
    return key, tuple(certificates)


def _session(token: Any, pin: bytes | None) -> Any:
    """Where another key of this process has logged in already, the token knows us and asks for no PIN again."""
    import pkcs11

    try:
        return token.open(user_pin=None if pin is None else pin.decode("utf-8"))
    except pkcs11.UserAlreadyLoggedIn:
        return token.open()


class _TokenKey:
    """One private key on a token; its session is for one thread at a time."""

    def __init__(self, key: Any) -> None:
        self._key = key
        self._lock = Lock()
        self.failed = False  # the token did not do what it was asked: it is opened anew the next time

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    @contextmanager
    def _asked(self) -> Iterator[Any]:
        import pkcs11

        with self._lock:
            try:
                yield self._key
            except pkcs11.PKCS11Error as error:
                self.failed = True
                raise GatewayError("token-failed", type(error).__name__) from None
            except AttributeError:  # so the library says it
                raise GatewayError("token-failed", "the token does not allow this key to do that") from None


class RsaKey(_TokenKey):
    """As cryptography's RSAPrivateKey: `sign` and `decrypt`."""

    def __init__(self, key: Any, public: rsa.RSAPublicKey) -> None:
        super().__init__(key)
        self._public = public

    def public_key(self) -> rsa.RSAPublicKey:
        """Its public key."""
        return self._public

    def sign(
        self, data: bytes, scheme: padding.AsymmetricPadding, algorithm: hashes.HashAlgorithm | Prehashed
    ) -> bytes:
        """PKCS #1 v1.5, or RSASSA-PSS with a salt of the digest's length."""
        from pkcs11 import MGF, Mechanism

        digest, name = _digest(data, algorithm)
        with self._asked() as key:
            if isinstance(scheme, padding.PKCS1v15):
                signature: bytes = key.sign(_DIGEST_INFO[name] + digest, mechanism=Mechanism.RSA_PKCS)
            else:
                parameters = (Mechanism[name.upper()], MGF[name.upper()], len(digest))
                signature = key.sign(digest, mechanism=Mechanism.RSA_PKCS_PSS, mechanism_param=parameters)
        return signature

    def decrypt(self, data: bytes, scheme: padding.AsymmetricPadding) -> bytes:
        """PKCS #1 v1.5, or RSAES-OAEP. Raises ValueError where the padding is not right."""
        from pkcs11 import EncryptedDataInvalid, EncryptedDataLenRange, GeneralError, PKCS11Error

        with self._asked() as key:
            try:
                return _decrypted(key, data, scheme)
            except (EncryptedDataInvalid, EncryptedDataLenRange):
                raise ValueError("it does not decrypt") from None  # as cryptography says it
            except GeneralError as error:  # SoftHSM2 means the padding by it; others that they cannot now
                if _decrypted(key, self._public.encrypt(_PROBE, scheme), scheme) != _PROBE:
                    raise PKCS11Error from error
            try:
                return _decrypted(key, data, scheme)
            except GeneralError:
                raise ValueError("it does not decrypt") from None


class EcKey(_TokenKey):
    """As cryptography's EllipticCurvePrivateKey: `sign` and `exchange`."""

    def __init__(self, key: Any, public: ec.EllipticCurvePublicKey) -> None:
        super().__init__(key)
        self._public = public

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """Its public key."""
        return self._public

    def sign(self, data: bytes, scheme: ec.ECDSA) -> bytes:
        """ECDSA, in DER."""
        from pkcs11 import Mechanism

        digest, _ = _digest(data, scheme.algorithm)
        with self._asked() as key:
            raw: bytes = key.sign(digest, mechanism=Mechanism.ECDSA)
        half = len(raw) // 2
        return encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))

    def exchange(self, _algorithm: ec.ECDH, peer: ec.EllipticCurvePublicKey) -> bytes:
        """The shared secret of ECDH."""
        from pkcs11 import KDF, Attribute, KeyType, Mechanism

        point = peer.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        size = (self._public.curve.key_size + 7) // 8
        with self._asked() as key:
            derived = key.derive_key(
                KeyType.GENERIC_SECRET,
                size * 8,
                mechanism=Mechanism.ECDH1_DERIVE,
                mechanism_param=(KDF.NULL, None, point),
                template={Attribute.SENSITIVE: False, Attribute.EXTRACTABLE: True, Attribute.TOKEN: False},
            )
            secret: bytes = derived[Attribute.VALUE]
        return secret.rjust(size, b"\0")


def _decrypted(key: Any, data: bytes, scheme: padding.AsymmetricPadding) -> bytes:
    from pkcs11 import MGF, Mechanism

    if isinstance(scheme, padding.PKCS1v15):
        clear: bytes = key.decrypt(data, mechanism=Mechanism.RSA_PKCS)
    else:
        assert isinstance(scheme, padding.OAEP)
        name = scheme.algorithm.name.upper()
        parameters = (Mechanism.SHA_1 if name == "SHA1" else Mechanism[name], MGF[name], None)
        clear = key.decrypt(data, mechanism=Mechanism.RSA_PKCS_OAEP, mechanism_param=parameters)
    return clear


def _parsed(uri: str) -> tuple[dict[str, bytes], str]:
    """(token, label and id, module). Raises GatewayError."""
    path, _, query = uri.removeprefix(SCHEME).partition("?")
    asked = dict(parse_qsl(query))
    if "pin-value" in asked:
        raise GatewayError("token-unusable", "a PIN does not belong into the URI; give it by reference")
    module = asked.get("module-path", "")
    names = {"token": "token", "object": "label", "id": "id"}
    found = {
        names[name]: unquote_to_bytes(value)
        for name, _, value in (each.partition("=") for each in path.split(";"))
        if name in names
    }
    if not module or "token" not in found or not {"label", "id"} & set(found):
        raise GatewayError("token-unusable", "needed: pkcs11:token=...;object=...?module-path=... (RFC 7512)")
    return found, module


def _template(kind: Any, named: dict[str, bytes]) -> dict[Any, Any]:
    from pkcs11 import Attribute

    template: dict[Any, Any] = {Attribute.CLASS: kind}
    if "id" in named:
        template[Attribute.ID] = named["id"]
    if "label" in named:
        template[Attribute.LABEL] = named["label"].decode("utf-8")
    return template


def _only(session: Any, kind: Any, named: dict[str, bytes]) -> Any:
    found = list(session.get_objects(_template(kind, named)))
    if len(found) != 1:
        word = "private key" if "PRIVATE" in kind.name else "public key"
        raise GatewayError("token-unusable", f"{len(found)} objects on the token are this {word}")
    return found[0]


def _public(found: Any) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey:
    import pkcs11
    from pkcs11.util.ec import encode_ec_public_key

    key: object
    if found.key_type == pkcs11.KeyType.RSA:
        numbers = found[pkcs11.Attribute.PUBLIC_EXPONENT], found[pkcs11.Attribute.MODULUS]
        key = rsa.RSAPublicNumbers(*(int.from_bytes(each, "big") for each in numbers)).public_key()
    else:
        key = serialization.load_der_public_key(encode_ec_public_key(found))
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise ValueError("neither RSA nor EC")
    return key


def _digest(data: bytes, algorithm: object) -> tuple[bytes, str]:
    if isinstance(algorithm, Prehashed):
        name = {32: "sha256", 48: "sha384", 64: "sha512"}[algorithm.digest_size]
        return data, name
    assert isinstance(algorithm, hashes.HashAlgorithm)
    running = hashes.Hash(algorithm)
    running.update(data)
    return running.finalize(), algorithm.name
