"""Certified time stamps from a local authority, which is `openssl ts` behind HTTP; dcmsign takes them too."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from gateway.errors import GatewayError
from gateway.security.signatures import stamps
from gateway.security.signatures.judging import State, Trust, judge
from gateway.security.signatures.making import Wish, sign
from gateway.security.signed import NotSigned, Signer
from tests.unit.security.pki import EKU, NOW, Issued, Pki, name_of, new_key
from transforms.dataset.syntax import EXPLICIT_LE
from transforms.signatures.writing import element
from transforms.source import BytesSource, chunks

pytestmark = pytest.mark.peers
DATA = element(0x00080016, "UI", b"1.2") + element(0x00080018, "UI", b"1.2.3") + element(0x00100010, "PN", b"Doe^Jane")
CONFIG = """[tsa]
default_tsa = site
[site]
serial = {folder}/serial
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
"""


class Authority:
    """A time stamp authority on loopback. `spoil` changes its answers."""

    def __init__(self, program: str, folder: Path, party: Issued, spoil: Callable[[bytes], bytes]) -> None:
        (folder / "tsa.cnf").write_text(CONFIG.format(folder=folder))
        (folder / "serial").write_text("01")

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                query, reply = folder / "query", folder / "reply"
                query.write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
                command = [program, "ts", "-reply", "-config", folder / "tsa.cnf", "-queryfile", query, "-out", reply]
                command += ["-signer", party.pair.certificate, "-inkey", party.pair.key]
                subprocess.run(command, check=True, capture_output=True)
                body = spoil(reply.read_bytes())
                self.send_response(200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("stamps"))


@pytest.fixture(scope="module")
def signer(pki: Pki) -> Issued:
    return pki.issue("signer", pki.ca, kind="rsa2048", eku=("email",))


@pytest.fixture
def authority(program: Callable[[str], str], tmp_path: Path) -> Iterator[Callable[..., Authority]]:
    made: list[Authority] = []

    def start(party: Issued, spoil: Callable[[bytes], bytes] = bytes) -> Authority:
        made.append(Authority(program("openssl"), tmp_path, party, spoil))
        return made[-1]

    yield start
    for each in made:
        each.close()


def stamper(pki: Pki, issuer: Issued, name: str, *, critical: bool = True) -> Issued:
    """A certificate for time stamping, as RFC 3161 section 2.3 has it."""
    party = pki.issue(name, issuer, kind="rsa2048", eku=())
    key = new_key("rsa2048")
    builder = x509.CertificateBuilder().subject_name(name_of(name)).issuer_name(issuer.certificate.subject)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(NOW - timedelta(days=1)).not_valid_after(NOW + timedelta(days=1))
    builder = builder.add_extension(x509.ExtendedKeyUsage([EKU["stamp"]]), critical=critical)
    certificate = builder.sign(issuer.key, hashes.SHA256())
    party.pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    party.pair.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return Issued(name, party.pair, certificate, key)


def stamped(signer: Issued, url: str) -> bytes:
    by = Signer((signer.certificate,), signer.key)
    stamp = stamps.authority(url)
    out, _ = sign(BytesSource(DATA), EXPLICIT_LE, by, Wish("base"), now=NOW, signature_uid="2.25.1", stamp=stamp)
    return b"".join(chunks(out))


def test_a_certified_time_is_told_and_believed(
    pki: Pki, signer: Issued, authority: Callable[..., Authority], program: Callable[[str], str], tmp_path: Path
) -> None:
    data = stamped(signer, authority(stamper(pki, pki.ca, "tsa")).url)
    (verdict,) = judge(BytesSource(data), EXPLICIT_LE, Trust([pki.ca.certificate]), datetime.now(UTC)).verdicts
    assert (verdict.state, verdict.stamped) == (State.VALID, True)
    assert verdict.at is not None
    assert abs(verdict.at - datetime.now(UTC)) < timedelta(minutes=2)
    from transforms.dataset import part10

    file = tmp_path / "stamped.dcm"
    file.write_bytes(part10.meta("1.2", "1.2.3", EXPLICIT_LE) + data)
    command = [program("dcmsign"), "--verify", "+rg", "+tr", "+cf", str(pki.ca.pair.certificate), str(file)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_a_stamp_that_is_wrong_makes_the_signature_untrusted(
    pki: Pki, signer: Issued, authority: Callable[..., Authority]
) -> None:
    for party in (stamper(pki, pki.other, "tsa-other"),):
        data = stamped(signer, authority(party).url)
        (verdict,) = judge(BytesSource(data), EXPLICIT_LE, Trust([pki.ca.certificate]), datetime.now(UTC)).verdicts
        assert (verdict.state, verdict.reason) == (State.UNTRUSTED, "cms-timestamp")


def test_a_stamp_of_another_signature_is_found(pki: Pki, signer: Issued, authority: Callable[..., Authority]) -> None:
    url = authority(stamper(pki, pki.ca, "tsa2")).url
    token = stamps.authority(url)(b"a signature")
    trust = [pki.ca.certificate]
    now = datetime.now(UTC)
    assert stamps.verify(token, b"a signature", trust, (), now) <= now + timedelta(seconds=5)
    with pytest.raises(NotSigned, match="another signature"):
        stamps.verify(token, b"b signature", trust, (), now)
    for at in range(0, len(token), 7):
        changed = token[:at] + bytes((token[at] ^ 1,)) + token[at + 1 :]
        try:
            stamps.verify(changed, b"a signature", trust, (), now)
        except NotSigned as error:
            assert error.reason == "cms-timestamp"
            continue
        assert at > token.index(b"\xa0")  # a byte of what is not signed: a certificate that is not needed


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda reply: reply[:-20], "timestamp-refused"),
        (lambda reply: b"", "timestamp-refused"),
        (lambda reply: reply.replace(b"\x02\x01\x00", b"\x02\x01\x02", 1), "timestamp-refused"),
        (lambda reply: bytes(2 << 20), "timestamp-refused"),
    ],
)
def test_an_answer_that_is_none_is_refused(
    pki: Pki, authority: Callable[..., Authority], spoil: Callable[[bytes], bytes], reason: str
) -> None:
    party = stamper(pki, pki.ca, "tsa3")
    with pytest.raises(GatewayError, match=reason):
        stamps.authority(authority(party, spoil).url)(b"a signature")


def test_an_authority_that_is_not_there_is_told() -> None:
    with pytest.raises(GatewayError, match="timestamp-unavailable"):
        stamps.authority("http://127.0.0.1:1/", timeout=2)(b"a signature")
