"""One PKI for all tests here: keys are slow to make."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from pki import DAY, Issued, Pki


class Site(Pki):
    """The parties of the TLS matrix, by the names its table uses."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        issue = self.issue
        middle = issue("middle", self.ca, ca=True)
        self.parties: dict[str, Issued] = {
            "good": issue("good", self.ca),
            "good-rsa": issue("good-rsa", self.ca, kind="rsa2048"),
            "good-p384": issue("good-p384", self.ca, kind="p384"),
            "chain": issue("chain", middle, chain=(middle,)),
            "chain-missing": issue("chain-missing", middle),
            "expired": issue("expired", self.ca, begin=-2 * DAY, end=-timedelta(hours=1)),
            "not-yet": issue("not-yet", self.ca, begin=timedelta(hours=12)),
            "wrong-ca": issue("wrong-ca", self.other),
            "self-signed": issue("self-signed", None),
            "server-only": issue("server-only", self.ca, eku=("server",)),
            "client-only": issue("client-only", self.ca, eku=("client",)),
            "revoked": issue("revoked", self.ca),
            "rsa1024": issue("rsa1024", self.ca, kind="rsa1024"),
            "p192": issue("p192", self.ca, kind="p192"),
            "not-a-ca": issue("not-a-ca", issue("leaf", self.ca)),
            "other-host": issue("other-host", self.ca, hosts=("elsewhere.example",)),
        }
        self.parties["sha1"] = self._sha1()
        self.crl_file = self.crl("revoked", self.parties["revoked"])

    def _sha1(self) -> Issued:
        """cryptography signs with SHA-1 no more; the openssl command still does."""
        twin = self.issue("sha1", self.ca)
        pem, key = twin.pair.certificate, twin.pair.key
        extensions = self.folder / "sha1.ext"
        extensions.write_text("subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n")
        request = subprocess.run(
            ["openssl", "req", "-new", "-key", key, "-subj", "/CN=sha1"], check=True, capture_output=True
        ).stdout
        ca = self.ca.pair
        signing = ["openssl", "x509", "-req", "-sha1", "-days", "1", "-CA", ca.certificate, "-CAkey", ca.key]
        signing += ["-extfile", extensions]
        signed = subprocess.run(signing, check=True, capture_output=True, input=request).stdout
        pem.write_bytes(signed)
        return Issued("sha1", twin.pair, x509.load_pem_x509_certificate(signed), twin.key)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("pki"))
