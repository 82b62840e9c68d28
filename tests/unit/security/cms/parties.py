"""Recipients and signers of every kind, and short ways to seal and to open with them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from cryptography import x509

from gateway.security.cms.algorithms import Algorithms
from gateway.security.cms.envelopes import Reader
from gateway.security.cms.passwords import Password
from gateway.security.cms.reading import Opened, read
from gateway.security.cms.recipients import Holder
from gateway.security.cms.writing import Recipient, write
from gateway.security.signed import Signer
from tests.unit.security.pki import DAY, Issued, Pki
from transforms.source import BytesSource

PHRASE = "correct horse battery staple"


class Parties(Pki):
    """Who may read and who may sign; and who may not."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        mail = ("email",)
        encipher, agree = ("key_encipherment",), ("key_agreement",)
        issue = self.issue
        self.rsa = issue("rsa", self.ca, kind="rsa2048", eku=mail, usage=encipher, key_id=True)
        self.rsa2 = issue("rsa2", self.ca, kind="rsa3072", eku=(), usage=encipher)
        self.ec = {kind: issue(kind, self.ca, kind=kind, eku=mail, usage=agree) for kind in ("p256", "p384", "p521")}
        self.signer = issue("signer", self.ca, kind="rsa2048", eku=mail, usage=("digital_signature",), key_id=True)
        self.ec_signer = {
            kind: issue(f"signer-{kind}", self.ca, kind=kind, eku=mail) for kind in ("p256", "p384", "p521")
        }
        self.stranger = issue("stranger", self.other, kind="rsa2048", eku=mail)
        self.refused = {
            "expired": issue("expired", self.ca, kind="rsa2048", eku=mail, begin=-2 * DAY, end=-timedelta(hours=1)),
            "not valid before": issue("early", self.ca, kind="rsa2048", eku=mail, begin=timedelta(hours=1)),
            "keyEncipherment": issue("signs", self.ca, kind="rsa2048", eku=mail, usage=("digital_signature",)),
            "keyAgreement": issue("ecsigns", self.ca, eku=mail, usage=("digital_signature",)),
            "emailProtection": issue("server", self.ca, kind="rsa2048", eku=("server",), usage=encipher),
            "1024": issue("weak", self.ca, kind="rsa1024", eku=mail, usage=encipher),
            "p224": issue("curve", self.ca, kind="p224", eku=mail, usage=agree),
            "p192": issue("p192", self.ca, kind="p192", eku=mail),
            "authority": self.issue("rsa-ca", None, kind="rsa2048", ca=True),
        }


def signs(party: Issued, *chain: Issued) -> Signer:
    return Signer((party.certificate, *(each.certificate for each in chain)), party.key)


def opens(party: Issued, *, named: bool = True) -> Holder:
    return Holder(party.key, party.certificate if named else None)


def seal(
    data: bytes,
    to: Sequence[Issued | Password],
    signer: Signer | None = None,
    algorithms: Algorithms = Algorithms(),
) -> bytes:
    """A secure file."""
    out = io.BytesIO()
    recipients: list[Recipient] = [each if isinstance(each, Password) else each.certificate for each in to]
    write(BytesSource(data), out, recipients, signer=signer, algorithms=algorithms)
    return out.getvalue()


def unseal(sealed: bytes, by: Reader, trust: Sequence[x509.Certificate] | None = None) -> tuple[bytes, Opened]:
    """(content, what it was)."""
    out = io.BytesIO()
    opened = read(BytesSource(sealed), out, [by], trust=trust)
    return out.getvalue(), opened


def password() -> Password:
    return Password(PHRASE, iterations=1000)
