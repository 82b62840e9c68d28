"""A serving gateway's e-mail: a complete study leaves over STARTTLS with a login, through faults, once."""

from __future__ import annotations

import ssl

from tests.system.harness import RULES, Gateway, Site, wait_for
from tests.system.mailboxes import USER, WORD, Mailbox
from tests.system.senders import Sender, ct

DESTINATION = """  reader:
    mail:
      host: 127.0.0.1
      port: {port}
      starttls: true
      login: {{user: {user}, password: file:mail.key}}
      from: gateway@hospital.example
      to: reader@cro.example
      recipients: certs/reader.pem
      sign: {{certificate: certs/media-signer.pem, key: certs/media-signer.key}}
    tls: {{trust: file:certs/ca.pem}}
    retry: {{for: 1h, backoff: 200ms..1s}}
deidentify:
"""


def rules(site: Site, box: Mailbox) -> None:
    (site.folder / "mail.key").write_text(WORD + "\n")
    (site.folder / "mail.key").chmod(0o600)
    group = "group: {by: study, quiet: 1s, max_wait: 60s}\n    "
    text = RULES.format(port=9, sink_security="unsafe_plaintext: never called", steps="steps: [{deidentify: trial}]")
    text = text.replace("deidentify:\n", DESTINATION.format(port=box.port, user=USER), 1)
    text = text.replace("deliver: [archive]", f"{group}deliver: [reader]")
    site.write(text.replace("{profile: basic, ", "{profile: basic, media: true, "))


def server(site: Site) -> ssl.SSLContext:
    context = site.context(server=True, who="archive")
    context.verify_mode = ssl.CERT_NONE
    return context


def test_a_study_leaves_by_mail_once_whatever_the_server_does(site: Site, gateways) -> None:
    with Mailbox(server(site), starttls=True, login=True) as box:
        rules(site, box)
        checked = Gateway(site).command("check", "gateway.yaml")
        assert checked.returncode == 0, checked.stdout + checked.stderr
        answers = iter(["421 restarting", "451 later"])
        box.data = lambda _: next(answers, "250 OK")
        gateway: Gateway = gateways(site).start()
        assert Sender(site, gateway).send([ct(number, study=1) for number in range(5)]) == []
        assert {row["state"] for row in gateway.settled()} == {"delivered"}
        assert box.came == 3 and len(box.taken) == 1
        (raw,) = box.taken
        (message,) = box.messages
        assert (message["From"], message["To"]) == ("gateway@hospital.example", "reader@cro.example")

        (site.folder / "mail.eml").write_bytes(raw)
        openssl(site, "-decrypt", "-in", "mail.eml", "-recip", "certs/reader.pem", "-inkey", "certs/reader.key")
        (site.folder / "out").rename(site.folder / "inner")
        openssl(site, "-verify", "-in", "inner", "-CAfile", "certs/ca.pem")
        from email import message_from_bytes

        archive = message_from_bytes((site.folder / "out").read_bytes()).get_payload()[1]
        (site.folder / "DICOM.ZIP").write_bytes(archive.get_payload(decode=True))
        keys = ("--cert", "certs/reader.pem", "--key", "certs/reader.key", "--ca", "certs/ca.pem")
        opened = gateway.command("media", "verify", *keys, "DICOM.ZIP")
        assert opened.returncode == 0 and b"5 objects" in opened.stdout, opened.stderr

        assert gateway.stop() == 0
        assert gateway.command("audit", "verify").returncode == 0
        shown = gateway.command("audit", "show").stdout
        assert b"mailto:reader@cro.example" in shown
        for told in (b"Mustermann", WORD.encode(), ct(1).PatientID.encode()):
            assert told not in gateway.log.read_bytes() and told not in raw


def test_what_the_server_refuses_is_held_with_its_reason(site: Site, gateways) -> None:
    with Mailbox(server(site), starttls=True, login=True) as box:
        rules(site, box)
        box.rcpt = lambda _: "550 nobody here of this name"
        gateway: Gateway = gateways(site).start()
        assert Sender(site, gateway).send([ct(1)]) == []
        (row,) = wait_for(lambda: [r for r in gateway.status()["rows"] if r["state"] == "held"])
        assert row["reason"] == "mail-recipient-refused" and box.came == 0
        box.rcpt = lambda _: "250 OK"
        released = gateway.command("held", "release", "1")
        assert released.returncode == 0, released.stderr
        wait_for(lambda: len(box.taken) == 1)
        assert gateway.stop() == 0
        assert b"nobody here" not in gateway.log.read_bytes()


def openssl(site: Site, *arguments: str) -> None:
    import subprocess

    done = subprocess.run(
        ["openssl", "cms", *arguments, "-out", "out"], cwd=site.folder, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
