"""The development PKI: whole, strict, never overwritten."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from certs.dev import AUTHORITIES, PARTIES, make
from gateway.config.schema import KeyPair, Tls
from gateway.security.tls import problems


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dev") / "certs"
    return folder, make(folder, ("gateway.example", "192.0.2.7"))


def pair(folder, name: str) -> KeyPair:
    return KeyPair(certificate=folder / f"{name}.pem", key=folder / f"{name}.key")


def test_every_file_is_there_and_no_key_is_readable_by_others(made) -> None:
    folder, written = made
    stems = {*AUTHORITIES, *(party.name for party in PARTIES)}
    assert {file.name for file in written} == {f"{stem}{end}" for stem in stems for end in (".pem", ".key")} | {
        "README.md"
    }
    assert all(file.is_file() for file in written)
    for file in written:
        if file.suffix == ".key":
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert "Never for production" in (folder / "README.md").read_text()


def test_certificates_are_short_lived_p256_sha256_and_rsa_for_media(made) -> None:
    _folder, written = made
    for file in written:
        if file.suffix == ".pem":
            certificate = x509.load_pem_x509_certificate(file.read_bytes())
            media = file.stem in ("reader", "media-signer")
            assert isinstance(certificate.public_key(), rsa.RSAPublicKey if media else ec.EllipticCurvePublicKey)
            assert certificate.public_key().key_size == (2048 if media else 256)
            assert certificate.signature_hash_algorithm.name == "sha256"
            assert certificate.not_valid_after_utc <= datetime.now(UTC) + timedelta(days=30)


def test_what_is_good_is_found_good_and_what_is_bad_is_not(made) -> None:
    folder, _ = made
    trust = Tls(trust=folder / "ca.pem")
    for name in ("gateway", "archive"):
        assert problems(trust, pair(folder, name), server=True) == []
        assert problems(trust, pair(folder, name), server=False) == []
    assert problems(trust, pair(folder, "modality"), server=False) == []
    assert "serverAuth" in problems(trust, pair(folder, "modality"), server=True)[0]
    assert "expired" in problems(trust, pair(folder, "expired"), server=False)[0]


def test_servers_are_named_as_asked(made) -> None:
    folder, _ = made
    certificate = x509.load_pem_x509_certificate((folder / "gateway.pem").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "gateway.example"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "192.0.2.7"]


@pytest.mark.parametrize("there", ["ca.key", "expired.pem"])
def test_nothing_is_overwritten_and_nothing_is_half_made(tmp_path, there: str) -> None:
    (tmp_path / there).write_text("mine")
    with pytest.raises(FileExistsError, match="never overwritten"):
        make(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "mine"
