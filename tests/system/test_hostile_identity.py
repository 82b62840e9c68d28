"""AE spoofing: 20 certificates x 20 calling AE titles on one gateway; only the listed pairs pass, all others alert."""

from __future__ import annotations

import socket
import ssl
import subprocess
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.dimse import pdu
from gateway.dimse.pdu import PduType
from tests.system.harness import RULES, Gateway, Site, wait_for
from tests.unit.dimse.samples import associate_rq

SIZE = 20
REFUSED = bytes((PduType.ASSOCIATE_RJ, 0, 0, 0, 0, 4, 0, 1, 1, 3))  # permanent, service user, calling AE title
# A pair that is listed: each certificate its own title, and every third one a second that is also another's.
LISTED = {(n, n) for n in range(SIZE)} | {(n, (n + 7) % SIZE) for n in range(0, SIZE, 3)}


def title(number: int) -> str:
    return f"SCANNER{number}"


def client(site: Site, number: int, key: ec.EllipticCurvePrivateKey) -> ssl.SSLContext:
    """A party whose certificate the site's own authority has signed, CN=scanner NUMBER."""
    certs = site.folder / "certs"
    authority = x509.load_pem_x509_certificate((certs / "ca.pem").read_bytes())
    signing = serialization.load_pem_private_key((certs / "ca.key").read_bytes(), None)
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"scanner {number}")]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    )
    signed = builder.sign(signing, hashes.SHA256())  # type: ignore[arg-type]
    pem = site.folder / f"scanner{number}.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + secret)
    context = ssl.create_default_context(cafile=certs / "ca.pem")
    context.load_cert_chain(pem)
    return context


def calls(gateway: Gateway, context: ssl.SSLContext, calling: str) -> bytes:
    """The answer to an A-ASSOCIATE-RQ: its type where it is accepted, else the whole PDU."""
    with (
        socket.create_connection(("127.0.0.1", gateway.port), 20) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as sock,
    ):
        sock.sendall(associate_rq(calling_ae=calling))
        answer = sock.recv(1 << 16)
        if answer[:1] == bytes((PduType.ASSOCIATE_AC,)):
            sock.sendall(pdu.RELEASE_RQ)
            sock.recv(1 << 16)
            return answer[:1]
        return answer


def test_only_listed_pairs_of_certificate_and_title_pass(site: Site, sinks, gateways) -> None:
    lines = [
        f"{{subject: 'CN=scanner {n}', ae: [{', '.join(title(a) for m, a in sorted(LISTED) if m == n)}]}}"
        for n in range(SIZE)
    ]
    text = RULES.format(port=sinks(site).port, sink_security="tls: {trust: file:certs/ca.pem}", steps="")
    site.write(text.replace("port: 0}", f"port: 0, ae_map: [{', '.join(lines)}]}}"))
    gateway: Gateway = gateways(site).start()
    key = ec.generate_private_key(ec.SECP256R1())  # one for all: it is the subject that is judged
    wrong = []
    for number in range(SIZE):
        context = client(site, number, key)
        for asked in range(SIZE):
            answer = calls(gateway, context, title(asked))
            wanted = bytes((PduType.ASSOCIATE_AC,)) if (number, asked) in LISTED else REFUSED
            if answer != wanted:
                wrong.append((number, asked, answer))
    assert wrong == []
    assert calls(gateway, site.context(), title(0)) == REFUSED, "a certificate of no line"

    def audited() -> list[str] | None:
        shown = gateway.command("audit", "show", "-n", "100000", "--config", "gateway.yaml").stdout.decode()
        alerts = [line for line in shown.splitlines() if "calling-ae-refused" in line]
        return alerts if len(alerts) >= SIZE * SIZE - len(LISTED) + 1 else None

    alerts = wait_for(audited, 20, 0.5)
    assert len(alerts) == SIZE * SIZE - len(LISTED) + 1
    for number in range(SIZE):
        for asked in range(SIZE):
            about = [a for a in alerts if f"AETITLES={title(asked)}, CN=scanner {number}]" in a]
            assert len(about) == ((number, asked) not in LISTED), (number, asked, about)


def test_openssl_s_client_without_a_certificate_learns_nothing(site: Site, sinks, gateways, program) -> None:
    """An outside judge: the handshake of a stranger ends in an alert of TLS, before any word of DICOM."""
    text = RULES.format(port=sinks(site).port, sink_security="tls: {trust: file:certs/ca.pem}", steps="")
    site.write(text)
    gateway: Gateway = gateways(site).start()
    command = [program("openssl"), "s_client", "-connect", f"127.0.0.1:{gateway.port}", "-quiet", "-ign_eof"]
    done = subprocess.run(command, input=associate_rq(), capture_output=True, timeout=60, check=False)
    assert done.returncode != 0 and done.stdout == b""
    assert b"certificate required" in done.stderr
