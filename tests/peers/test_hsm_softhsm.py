"""Keys on a PKCS #11 token (SoftHSM2): they open and sign as keys in files do, and never leave the token."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from gateway.errors import GatewayError
from gateway.security.cms.algorithms import Algorithms
from gateway.security.cms.errors import NotOpened
from gateway.security.cms.keys import read_holder, read_signer
from gateway.security.signatures.judging import State
from gateway.security.signatures.making import Wish, sign
from tests.unit.security.cms.parties import Parties, opens, seal, unseal
from tests.unit.security.pki import Issued
from tests.unit.signatures.objects import IMAGE, NOW, judged, whole
from transforms.dataset.syntax import EXPLICIT_LE
from transforms.source import BytesSource

pytestmark = pytest.mark.peers
PIN = b"4711"
MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")


class Token:
    """A token of SoftHSM2 in a folder, with keys of these parties by their names."""

    def __init__(self, program: str, folder: Path, parties: Parties) -> None:
        self.module = next(each for each in MODULES if Path(each).exists())
        (folder / "tokens").mkdir()
        (folder / "softhsm2.conf").write_text(
            f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\n"
        )
        os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")  # the module reads it in this process
        self._run(program, "--init-token", "--free", "--label", "site", "--so-pin", "1234", "--pin", PIN.decode())
        wanted = (parties.rsa, parties.signer, parties.ec["p256"], parties.ec_signer["p384"])
        for number, party in enumerate(wanted, 1):
            file = folder / f"{party.name}.pk8"
            file.write_bytes(
                party.key.private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                )
            )
            arguments = ["--import", file, "--token", "site", "--label", party.name, "--id", f"{number:02X}"]
            self._run(program, *arguments, "--pin", PIN.decode())
            file.unlink()
        self._allow_agreement(parties.ec["p256"].name)

    def _allow_agreement(self, name: str) -> None:
        """softhsm2-util imports keys that may sign, but not agree."""
        import pkcs11

        token = pkcs11.lib(self.module).get_token(token_label="site")
        with token.open(rw=True, user_pin=PIN.decode()) as session:
            key = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label=name)
            key[pkcs11.Attribute.DERIVE] = True

    def _run(self, program: str, *arguments: object) -> None:
        subprocess.run([program, *map(str, arguments)], check=True, capture_output=True)

    def uri(self, party: Issued | str, token: str = "site") -> str:
        name = party if isinstance(party, str) else party.name
        return f"pkcs11:token={token};object={name}?module-path={self.module}"


@pytest.fixture(scope="module")
def parties(tmp_path_factory: pytest.TempPathFactory) -> Parties:
    return Parties(tmp_path_factory.mktemp("hsm"))


@pytest.fixture(scope="module")
def token(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory, parties: Parties) -> Token:
    pytest.importorskip("pkcs11")
    return Token(program("softhsm2-util"), tmp_path_factory.mktemp("token"), parties)


def test_a_key_that_cannot_be_used_is_told_without_the_pin(token: Token, parties: Parties) -> None:
    """First of all: once a process has logged in, the token asks for no PIN."""
    good = token.uri(parties.rsa)
    for uri, pin in (
        (good, b"0815"),
        (good, None),
        (token.uri("nobody"), PIN),
        (token.uri(parties.rsa, "elsewhere"), PIN),
        (good.replace(token.module, "/nowhere.so"), PIN),
        (good + "&pin-value=4711", None),
        ("pkcs11:object=rsa", PIN),
    ):
        with pytest.raises(GatewayError, match="token-unusable") as refused:
            read_holder(uri, None, pin)
        assert "4711" not in str(refused.value)
        assert "0815" not in str(refused.value)
    with pytest.raises(GatewayError, match="not that of the certificate"):
        read_holder(good, parties.rsa2.pair.certificate, PIN)
    with pytest.raises(GatewayError, match="certificate is missing"):
        read_signer(good, None, PIN)


def test_secure_files_open_with_keys_on_the_token(token: Token, parties: Parties) -> None:
    sealed = seal(b"content", [parties.rsa, parties.ec["p256"]])
    for party in (parties.rsa, parties.ec["p256"]):
        for certificate in (party.pair.certificate, None):
            holder = read_holder(token.uri(party), certificate, PIN)
            assert unseal(sealed, holder)[0] == b"content"
            assert PIN.decode() not in repr(holder)
    wrong = read_holder(token.uri(parties.signer), None, PIN)
    with pytest.raises(NotOpened, match="damaged"):
        unseal(sealed, wrong)
    for at in (100, 200, len(sealed) - 3):
        with pytest.raises(NotOpened):
            changed = sealed[:at] + bytes((sealed[at] ^ 1,)) + sealed[at + 1 :]
            unseal(changed, read_holder(token.uri(parties.rsa), parties.rsa.pair.certificate, PIN))


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
def test_secure_files_are_signed_by_keys_on_the_token(token: Token, parties: Parties, digest: str) -> None:
    trust = [parties.ca.certificate]
    for party, pss in ((parties.signer, False), (parties.signer, True), (parties.ec_signer["p384"], False)):
        signer = read_signer(token.uri(party), party.pair.certificate, PIN)
        sealed = seal(b"content", [parties.rsa], signer, Algorithms(digest=digest, pss=pss))
        data, opened = unseal(sealed, opens(parties.rsa), trust)
        assert (data, opened.signatures[0].certificate) == (b"content", party.certificate)


def test_objects_are_signed_by_keys_on_the_token(token: Token, parties: Parties) -> None:
    signer = read_signer(token.uri(parties.signer), parties.signer.pair.certificate, PIN)
    made, _ = sign(BytesSource(IMAGE), EXPLICIT_LE, signer, Wish("base"), now=NOW, signature_uid="2.25.1")
    assert judged(whole(made), parties).state is State.VALID


def test_what_the_token_cannot_do_is_told(token: Token, parties: Parties) -> None:
    """SoftHSM2 knows RSAES-OAEP with SHA-1 only; nothing else is tried in its place."""
    sealed = seal(b"content", [parties.rsa], None, Algorithms(oaep=True))
    with pytest.raises(GatewayError, match="token-failed"):
        unseal(sealed, read_holder(token.uri(parties.rsa), parties.rsa.pair.certificate, PIN))
