"""Keys and certificates out of files: PEM, encrypted PEM, PKCS #12; what is wrong is told without their content."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import pkcs12
from parties import Parties, seal, unseal

from gateway.errors import GatewayError
from gateway.security.cms.keys import read_certificates, read_holder, read_signer

SECRET = b"open sesame, please"


def test_a_key_of_each_kind_of_file_opens(parties: Parties, tmp_path: Path) -> None:
    party = parties.rsa
    encrypted = tmp_path / "encrypted.pem"
    encrypted.write_bytes(
        party.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(SECRET),
        )
    )
    bundle = tmp_path / "bundle.p12"
    bundle.write_bytes(
        pkcs12.serialize_key_and_certificates(
            b"name",
            party.key,
            party.certificate,
            [parties.ca.certificate],
            serialization.BestAvailableEncryption(SECRET),
        )
    )
    sealed = seal(b"content", [party, parties.rsa2])
    for holder in (
        read_holder(party.pair.key, party.pair.certificate),
        read_holder(str(party.pair.key)),
        read_holder(encrypted, party.pair.certificate, SECRET),
        read_holder(bundle, password=SECRET),
    ):
        assert unseal(sealed, holder)[0] == b"content"
    assert read_holder(bundle, password=SECRET).certificate == party.certificate
    assert read_signer(bundle, password=SECRET).chain == (party.certificate, parties.ca.certificate)
    assert read_signer(party.pair.key, party.pair.certificate).chain == (party.certificate,)


@pytest.mark.parametrize("password", [None, b"another phrase"])
def test_a_wrong_password_is_told_without_it(parties: Parties, tmp_path: Path, password: bytes | None) -> None:
    bundle = tmp_path / "bundle.p12"
    bundle.write_bytes(
        pkcs12.serialize_key_and_certificates(
            None, parties.rsa.key, parties.rsa.certificate, None, serialization.BestAvailableEncryption(SECRET)
        )
    )
    with pytest.raises(GatewayError, match="key-unusable") as refused:
        read_holder(bundle, password=password)
    assert "sesame" not in str(refused.value)
    assert "another" not in str(refused.value)


def test_what_is_no_usable_key_is_told(parties: Parties, tmp_path: Path) -> None:
    other = tmp_path / "ed25519.pem"
    other.write_bytes(
        ed25519.Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    rubbish = tmp_path / "rubbish"
    rubbish.write_bytes(b"\x30\x82 rubbish")
    for path, why in (
        (other, "neither RSA nor EC"),
        (rubbish, "no key"),
        (parties.rsa.pair.certificate, "no private key"),
        (tmp_path / "missing", "no such file"),
        (tmp_path, "is a directory"),
    ):
        with pytest.raises(GatewayError, match=why):
            read_holder(path)
    with pytest.raises(GatewayError, match="not encrypted and takes"):
        read_holder(parties.rsa.pair.key, password=SECRET)
    with pytest.raises(GatewayError, match="not that of the certificate"):
        read_holder(parties.rsa.pair.key, parties.rsa2.pair.certificate)
    with pytest.raises(GatewayError, match="certificate is missing"):
        read_signer(parties.rsa.pair.key)
    with pytest.raises(GatewayError, match="certificate-unreadable"):
        read_certificates(rubbish)


def test_certificates_are_pem_or_der(parties: Parties, tmp_path: Path) -> None:
    der = tmp_path / "cert.der"
    der.write_bytes(parties.rsa.certificate.public_bytes(serialization.Encoding.DER))
    assert read_certificates(der) == read_certificates(parties.rsa.pair.certificate) == [parties.rsa.certificate]
