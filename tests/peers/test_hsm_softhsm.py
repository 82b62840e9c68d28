"""Keys on a PKCS #11 token (SoftHSM2): they open and sign as keys in files do, and never leave the token."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from cryptography.hazmat.primitives import serialization
from typer.testing import CliRunner

from gateway.cli import media as media_command
from gateway.cli.check import outside
from gateway.config.load import examine_bytes
from gateway.config.schema import Config, Step
from gateway.deliver.mail import ordered as mail_order
from gateway.deliver.media import ordered as media_order
from gateway.errors import GatewayError, WaitObject
from gateway.media.secure import CmsProtection
from gateway.model import Identity
from gateway.receive.media import readers
from gateway.security import signed, signers
from gateway.security.cms.algorithms import Algorithms
from gateway.security.cms.errors import NotOpened
from gateway.security.cms.keys import read_holder, read_signer
from gateway.security.cms.recipients import Holder
from gateway.security.signatures.judging import State
from gateway.security.signatures.making import Wish, sign
from gateway.steps.contract import Around, Passing
from gateway.steps.sign import run as run_step
from gateway.steps.sign import signer
from tests.unit.media.objects import files
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


def test_media_are_signed_and_opened_by_keys_on_the_token(
    token: Token, parties: Parties, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THE_PIN", PIN.decode())
    files(tmp_path / "in", 1)
    signer = parties.signer.pair.certificate
    signing = ["--signer", signer, "--signer-key", token.uri(parties.signer), "--pin", "env:THE_PIN"]
    to = ["--recipient", parties.rsa.pair.certificate]

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(media_command.app, [str(each) for each in arguments])

    done = run("create", "--profile", "STD-GEN-SEC-USB-J2K", "--out", tmp_path / "set", *to, *signing, tmp_path / "in")
    assert done.exit_code == 0, done.output
    who = ["--cert", parties.rsa.pair.certificate, "--key", token.uri(parties.rsa), "--ca", parties.ca_file]
    for pin in (["--pin", "env:THE_PIN"], []):  # this process has logged in already
        done = run("verify", *who, *pin, tmp_path / "set")
        assert done.exit_code == 0 and "signed by CN=signer, trusted" in done.stdout, done.output
    assert run("verify", *who[:2], "--key", token.uri(parties.signer), tmp_path / "set").exit_code == 2
    assert run("create", *to, "--profile", "STD-GEN-SEC-CD", "--out", tmp_path / "no", *signing[:2], "--signer-key",
               token.uri("nobody"), tmp_path / "in").exit_code == 2  # fmt: skip
    assert not (tmp_path / "no").exists()


RULE_FILE = """\
version: 1
state: {{dir: ./state}}
listeners:
  - {{id: a, dimse: {{ae: GATEWAY, port: 2762}}, unsafe_plaintext: a test}}
  - {{id: discs, media: {{dir: ./in, identity: {{certificate: {rsa}.pem, key: '{rsa_key}', pin: env:THE_PIN}}}}}}
destinations:
  discs: {{media: {{dir: ./out, profile: STD-GEN-SEC-CD, recipients: {rsa}.pem, sign: {sign}}}}}
  mail:
    mail: {{host: localhost, port: 25, from: a@x.example, to: b@y.example, recipients: {rsa}.pem, sign: {sign}}}
    unsafe_plaintext: a test
manifest: {{dir: ./manifests, sign: {sign}}}
routes:
  - {{id: one, match: {{Modality: CT}}, group: {{by: study}}, steps: [{{sign: {step}}}], deliver: [discs, mail]}}
  - {{id: rest, otherwise: hold}}
"""


def rule_file(token: Token, parties: Parties, **more: str) -> tuple[Config | None, list[str]]:
    held = f"certificate: signer.pem, key: '{token.uri(parties.signer)}', pin: env:THE_PIN"
    values = {
        "rsa": "rsa",
        "rsa_key": token.uri(parties.rsa),
        "sign": f"{{{held}}}",
        "step": f"{{{held}, profile: base}}",
    }
    text = RULE_FILE.format(**{**values, **more})
    config, found = examine_bytes(text.encode(), "gateway.yaml", parties.folder)
    if config is not None:
        found = [*found, *outside(config)]
    return config, [str(each) for each in found if each.severity == "error"]


def test_a_rule_file_names_keys_on_the_token(
    token: Token, parties: Parties, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THE_PIN", PIN.decode())
    config, errors = rule_file(token, parties)
    assert errors == [] and config is not None
    again = Config.model_validate_json(config.model_dump_json(by_alias=True))
    assert again.model_dump() == config.model_dump(), "as workers read it back"
    step = config.routes[0].steps[0].sign
    assert step is not None and config.manifest is not None
    for by in (signer(step), signers.read_signer(config.manifest.sign)):
        made, _ = sign(BytesSource(IMAGE), EXPLICIT_LE, by, Wish("base"), now=NOW, signature_uid="2.25.1")
        assert judged(whole(made), parties).state is State.VALID
    said = signed.sign(b"a manifest", signers.read_signer(config.manifest.sign), NOW)
    assert signed.verify(said, [parties.ca.certificate], NOW).content == b"a manifest"
    media, mail = config.destinations["discs"].media, config.destinations["mail"].mail
    assert media is not None and mail is not None
    for order in (media_order(media).protection, mail_order(mail).keys):
        assert isinstance(order, CmsProtection)
        out = io.BytesIO()
        order.protect(BytesSource(b"content"), out)
        (holder,), _, _ = readers(config.listeners[1].media)  # type: ignore[arg-type]
        assert isinstance(holder, Holder)
        assert unseal(out.getvalue(), holder, [parties.ca.certificate])[0] == b"content"


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("pkcs11:token=site;object=nobody?module-path=MODULE", "token-unusable"),
        ("pkcs11:token=site;object=signer?module-path=MODULE&pin-value=4711", "a PIN does not belong"),
        ("pkcs11:token=site;object=rsa?module-path=MODULE", "certificate"),
        ("signer.key", "belongs to a key on a token"),
    ],
)
def test_a_key_that_a_rule_file_names_wrongly_is_told(
    token: Token, parties: Parties, key: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THE_PIN", PIN.decode())
    held = f"certificate: signer.pem, key: '{key.replace('MODULE', token.module)}', pin: env:THE_PIN"
    _, errors = rule_file(token, parties, sign=f"{{{held}}}", step=f"{{{held}}}")
    assert len(errors) >= 3 and all("gateway.yaml:" in each and "4711" not in each for each in errors)
    assert any(told in each for each in errors), errors


def test_a_token_that_fails_is_waited_for_and_opened_anew(
    token: Token, parties: Parties, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pkcs11

    monkeypatch.setenv("THE_PIN", PIN.decode())
    uri = token.uri(parties.signer)
    by = read_signer(uri, parties.signer.pair.certificate, PIN)

    class Gone:
        def sign(self, *_: object, **__: object) -> bytes:
            raise pkcs11.exceptions.DeviceRemoved

    with monkeypatch.context() as patched:
        patched.setattr(by.key, "_key", Gone())
        step = Step.model_validate(
            {"sign": {"certificate": str(parties.signer.pair.certificate), "key": uri, "pin": "env:THE_PIN"}}
        )
        with pytest.raises(WaitObject, match="token-failed"):
            around = Around(None, None, None)  # type: ignore[arg-type]  # nothing of it is asked before the token
            run_step(Passing(BytesSource(IMAGE), EXPLICIT_LE, Identity("1.2", "1.3", "1.4", "1.5", "")), step, around)
    again = read_signer(uri, parties.signer.pair.certificate, PIN)
    assert again.key is not by.key
    made, _ = sign(BytesSource(IMAGE), EXPLICIT_LE, again, Wish("base"), now=NOW, signature_uid="2.25.1")
    assert judged(whole(made), parties).state is State.VALID
