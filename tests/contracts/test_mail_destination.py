"""E-mail as a destination of whole groups, against a real SMTP server: what arrives, and what each fault does."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from gateway.config.mail import MailDestination
from gateway.config.schema import Destination, Tls
from gateway.deliver import mail
from gateway.deliver.mail import MailCarrier, MailSession
from gateway.errors import DestinationDown, HoldObject, WaitObject
from gateway.mail.smtp import Submission
from gateway.model import Result
from gateway.pipeline import Outgoing
from gateway.security.cms import ber
from gateway.security.cms.reading import open_envelope
from gateway.security.cms.recipients import Holder
from gateway.security.tls import client_context
from tests.contracts.test_destinations import NEEDS, outgoing
from tests.contracts.test_media_destination import UNIT, members
from tests.system.harness import free_port
from tests.system.mailboxes import USER, WORD, Mailbox
from tests.system.senders import ct, encoded
from tests.unit.security.pki import DAY, Issued, Pki
from transforms.source import BytesSource

BIG = 3 << 20  # bytes of an object's pixels: two do not fit into one message of 6 MiB
SMALL_MESSAGES = {"profile": "STD-GEN-ZIP-MAIL", "size": "10MiB"}


class Post:
    """A hospital, a reader, and how the one mails to the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pki = Pki(folder)
        self.reader = self.issue("reader", "key_encipherment")
        self.signer = self.issue("signer", "digital_signature")

    def issue(self, name: str, usage: str, **more: Any) -> Issued:
        return self.pki.issue(name, self.pki.ca, kind="rsa2048", eku=("email",), usage=(usage,), **more)

    def block(self, port: int, **more: object) -> MailDestination:
        pair = self.signer.pair
        return MailDestination.model_validate(
            {
                "host": "127.0.0.1", "port": port, "timeout": "2s",
                "from": "gateway@hospital.example", "to": ["reader@cro.example", "second@cro.example"],
                "recipients": [str(self.reader.pair.certificate)],
                "sign": {"certificate": str(pair.certificate), "key": str(pair.key)},
                **more,
            }
        )  # fmt: skip

    def session(self, box: Mailbox | int, *, tls: bool = False, **more: object) -> MailSession:
        port = box if isinstance(box, int) else box.port
        context = client_context(Tls(trust=self.pki.ca_file), None, anonymous=True) if tls else None
        carrier = MailCarrier(self.block(port, **more), context, self.folder / "state", b"secret")
        assert carrier.whole and Destination(mail=self.block(port)).whole
        return carrier.open(NEEDS)

    def opened(self, raw: bytes) -> dict[str, bytes]:
        """The File-set in a message, by name."""
        sealed = message_from_bytes(raw).get_payload(decode=True)
        assert isinstance(sealed, bytes)
        inner = open_envelope(sealed, [Holder(self.reader.key, self.reader.certificate)], _mime)
        found = message_from_bytes(inner).get_payload()
        assert isinstance(found, list)
        (archive,) = [part for part in found[0].walk() if part.get_content_type() == "application/zip"]
        with zipfile.ZipFile(io.BytesIO(archive.get_payload(decode=True))) as unpacked:  # type: ignore[arg-type]
            return {name: unpacked.read(name) for name in unpacked.namelist()}

    def records(self) -> list[dict[str, Any]]:
        found = (json.loads(path.read_text()) for path in (self.folder / "state" / "mail").rglob("*.json"))
        return sorted(found, key=lambda each: (each["of"], each["number"]))


def _mime(data: bytes) -> bool:
    return data.startswith(b"Content-Type: multipart/signed")


@pytest.fixture(scope="module")
def parties(tmp_path_factory: pytest.TempPathFactory) -> Post:
    return Post(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def post(parties: Post, tmp_path: Path) -> Post:
    """The same people, with a state directory of their own."""
    parties.folder = tmp_path
    return parties


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with Mailbox(data_size_limit=64 << 20) as made:
        yield made


def big(*numbers: int) -> Iterator[Outgoing]:
    """Objects of which each needs a message of its own."""
    for number in numbers:
        data = ct(number)
        data.Rows, data.Columns = 1024, BIG // 2048
        data.PixelData = bytes(BIG)
        yield replace(outgoing(number), source=BytesSource(encoded(data)))


def results(answers: Any) -> dict[int, tuple[str, str]]:
    return {number: (answer.result, answer.reason) for number, answer in answers.items()}


def test_a_group_is_one_message_that_its_reader_opens(post: Post, box: Mailbox) -> None:
    answers = post.session(box, profile="STD-GEN-ZIP-MAIL").send(UNIT, members(1, 2, 3))
    assert {answer.result for answer in answers.values()} == {Result.DELIVERED} and set(answers) == {1, 2, 3}
    (raw,) = box.taken
    files = post.opened(raw)
    assert "DICOMDIR" in files and len([name for name in files if name.startswith("DICOM/")]) == 3
    hashes = {hashlib.sha256(data[data.index(encoded(ct(1))[:16]) :]).hexdigest() for name, data in files.items()
              if name.startswith("DICOM/")}  # fmt: skip
    assert {answer.sha256 for answer in answers.values()} == hashes
    assert box.envelopes == [("gateway@hospital.example", ["reader@cro.example", "second@cro.example"])]


def test_what_stands_outside_tells_nothing(post: Post, box: Mailbox) -> None:
    post.session(box, profile="STD-GEN-ZIP-MAIL").send(UNIT, members(1, 2))
    (raw,) = box.taken
    head, _, body = raw.partition(b"\r\n\r\n")
    (message,) = box.messages
    assert set(message) == {
        "From", "To", "Subject", "Date", "Message-ID", "MIME-Version",
        "Content-Type", "Content-Transfer-Encoding", "Content-Disposition",
    }  # fmt: skip
    assert message["Subject"] == "DICOM-ZIP"
    each = outgoing(1)
    for told in (
        each.identity.sop_instance,
        each.identity.study,
        UNIT.uid,
        each.job.instance.stored.name,
        "Mustermann",
    ):
        assert told.encode() not in head + body
    for path in (post.folder / "state").rglob("*"):
        assert each.identity.sop_instance not in path.name and UNIT.uid not in path.name
    assert all(len(line) <= 78 and not line.startswith(b".") for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")


def test_of_a_secure_profile_the_files_are_secure_too(post: Post, box: Mailbox) -> None:
    post.session(box).send(UNIT, members(1))
    files = post.opened(box.taken[0])
    assert files["DICOMDIR"][:1] == bytes((ber.SEQUENCE,)) and b"DICM" not in files["DICOMDIR"][:256]


def test_what_is_too_long_becomes_several_messages_each_complete(post: Post, box: Mailbox) -> None:
    answers = post.session(box, **SMALL_MESSAGES).send(UNIT, big(1, 2, 3))
    assert {answer.result for answer in answers.values()} == {Result.DELIVERED}
    assert [message["Subject"] for message in box.messages] == ["DICOM-ZIP 1/3", "DICOM-ZIP 2/3", "DICOM-ZIP 3/3"]
    assert len({message["Message-ID"] for message in box.messages}) == 3
    for raw in box.taken:
        files = post.opened(raw)
        assert "DICOMDIR" in files and sum(name.startswith("DICOM/") for name in files) == 1
        assert len(raw) <= 10 << 20


def test_an_object_that_fits_into_no_message_is_held_alone(post: Post, box: Mailbox) -> None:
    def one_too_big() -> Iterator[Outgoing]:
        yield outgoing(1)
        data = ct(2)
        data.Rows, data.Columns, data.PixelData = 2048, 2048, bytes(8 << 20)
        yield replace(outgoing(2), source=BytesSource(encoded(data)))

    answers = post.session(box, **SMALL_MESSAGES).send(UNIT, one_too_big())
    assert results(answers) == {1: ("delivered", ""), 2: ("held", "media-too-large")}
    assert len(box.taken) == 1


def test_the_same_object_twice_that_fits_into_no_message_is_held_twice(post: Post, box: Mailbox) -> None:
    def twice() -> Iterator[Outgoing]:
        data = ct(1)
        data.Rows, data.Columns, data.PixelData = 2048, 2048, bytes(8 << 20)
        for number in (1, 2):
            yield replace(outgoing(number), source=BytesSource(encoded(data)), identity=outgoing(1).identity)
        yield outgoing(3)

    answers = post.session(box, **SMALL_MESSAGES).send(UNIT, twice())
    held = ("held", "media-too-large")
    assert results(answers) == {1: held, 2: held, 3: ("delivered", "")}


def test_the_same_object_twice_goes_once_and_both_are_delivered(post: Post, box: Mailbox) -> None:
    def twice() -> Iterator[Outgoing]:
        yield outgoing(1)
        again = outgoing(2)
        yield replace(again, source=BytesSource(encoded(ct(1))), identity=outgoing(1).identity)

    assert results(post.session(box).send(UNIT, twice())) == {1: ("delivered", ""), 2: ("delivered", "")}
    assert sum(name.startswith("DICOM/") for name in post.opened(box.taken[0])) == 1


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("451 later", ("waits", "mail-not-now")),
        ("452 full", ("waits", "mail-not-now")),
        ("550 no", ("held", "mail-refused")),
        ("552 too much", ("held", "mail-too-large")),
        ("554 never", ("held", "mail-refused")),
    ],
)
def test_what_the_server_says_of_a_message(post: Post, box: Mailbox, code: str, expected: tuple[str, str]) -> None:
    box.data = lambda _: code
    session = post.session(box)
    answers = session.send(UNIT, members(1, 2))
    session.close()
    assert results(answers) == {1: expected, 2: expected} and box.taken == []
    assert answers[1].status == int(code[:3])
    box.data = lambda _: "250 OK"
    assert results(post.session(box).send(UNIT, members(1, 2))) == dict.fromkeys((1, 2), ("delivered", ""))
    assert len(box.taken) == 1, "and once"


@pytest.mark.parametrize(
    ("code", "expected"),
    [("450 greylisted", ("waits", "mail-not-now")), ("550 nobody", ("held", "mail-recipient-refused"))],
)
def test_all_recipients_or_none(post: Post, box: Mailbox, code: str, expected: tuple[str, str]) -> None:
    box.rcpt = lambda address: code if address.startswith("second") else "250 OK"
    answers = post.session(box, **SMALL_MESSAGES).send(UNIT, big(1, 2))
    assert results(answers) == {1: expected, 2: expected} and box.came == 0


def test_the_second_of_three_messages_fails_alone(post: Post, box: Mailbox) -> None:
    box.data = lambda number: "550 no" if number == 2 else "250 OK"
    answers = post.session(box, **SMALL_MESSAGES).send(UNIT, big(1, 2, 3))
    assert results(answers) == {1: ("delivered", ""), 2: ("held", "mail-refused"), 3: ("delivered", "")}
    box.data = lambda _: "250 OK"
    answers = post.session(box, **SMALL_MESSAGES).send(UNIT, big(2))  # a person released it
    assert results(answers) == {2: ("delivered", "")}
    assert [message["Subject"] for message in box.messages] == ["DICOM-ZIP 1/3", "DICOM-ZIP 3/3", "DICOM-ZIP 2/3"]


def test_a_server_that_goes_after_the_first_message_keeps_it_delivered(post: Post, box: Mailbox) -> None:
    box.data = lambda number: "250 OK" if number == 1 else "421 going down"
    answers = post.session(box, **SMALL_MESSAGES).send(UNIT, big(1, 2, 3))
    assert results(answers) == {1: ("delivered", ""), 2: ("down", "mail-unavailable"), 3: ("down", "mail-unavailable")}
    box.data = lambda _: "250 OK"
    assert set(post.session(box, **SMALL_MESSAGES).send(UNIT, big(2, 3))) == {2, 3}
    assert [message["Subject"] for message in box.messages] == ["DICOM-ZIP 1/3", "DICOM-ZIP 2/3", "DICOM-ZIP 3/3"]


def test_a_lost_answer_is_sent_again_under_its_name_and_told(
    post: Post, box: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    box.hang_up_after_data = True
    with pytest.raises(DestinationDown, match="mail-unconfirmed"):
        post.session(box).send(UNIT, members(1, 2))
    assert len(box.taken) == 1, "the server has it, and we cannot know"
    assert [each["state"] for each in post.records()] == ["trying"]
    box.hang_up_after_data = False
    with caplog.at_level(logging.WARNING):
        assert set(post.session(box).send(UNIT, members(1, 2))) == {1, 2}
    assert "mail-again" in caplog.text
    first, second = box.messages
    assert first["Message-ID"] == second["Message-ID"]
    assert [each["state"] for each in post.records()] == ["taken"]


def test_what_was_taken_is_not_sent_again_after_a_crash(post: Post, box: Mailbox) -> None:
    """A kill between the server's answer and the writer's: the unit comes again, and no message leaves."""
    first = post.session(box).send(UNIT, members(1, 2))
    again = post.session(box).send(UNIT, members(1, 2))
    assert first == again and len(box.taken) == 1
    assert set(post.session(box).send(UNIT, members(3))) == {3} and len(box.taken) == 2, (
        "another object is another mail"
    )


def test_a_kill_while_a_message_leaves_is_told_and_sent_again(
    post: Post, box: Mailbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def killed(self: Submission, message: Path) -> None:
        raise KeyboardInterrupt  # stands in for SIGKILL

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Submission, "send", killed)
        post.session(box).send(UNIT, members(1))
    with caplog.at_level(logging.WARNING):
        assert set(post.session(box).send(UNIT, members(1))) == {1}
    assert "mail-again" in caplog.text and len(box.taken) == 1


def test_a_connection_that_breaks_in_the_middle_of_data(post: Post, box: Mailbox) -> None:
    box.break_after = 200_000
    with pytest.raises(DestinationDown, match=r"connection-lost|mail-unconfirmed"):
        post.session(box, size="10MiB").send(UNIT, big(1))  # not deflated: it is encrypted
    assert box.broken and box.taken == []
    box.break_after = 0
    assert set(post.session(box, size="10MiB").send(UNIT, big(1))) == {1} and len(box.taken) == 1


def test_a_slow_answer_is_waited_for_and_a_too_slow_one_is_not_known(post: Post, box: Mailbox) -> None:
    box.pause = 0.5
    assert set(post.session(box).send(UNIT, members(1))) == {1}
    box.pause = 3.0
    with pytest.raises(DestinationDown, match="mail-unconfirmed"):
        post.session(box).send(UNIT, members(2))


def test_a_server_that_announces_a_smaller_size_gets_nothing(post: Post) -> None:
    with Mailbox(data_size_limit=10_000) as small:
        answers = post.session(small).send(UNIT, members(1))
        assert results(answers) == {1: ("held", "mail-too-large")} and small.came == 0


@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # aiosmtpd does not count TLS that was there from the beginning
@pytest.mark.parametrize("starttls", [True, False])
def test_tls_and_login(post: Post, starttls: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_WORD", WORD)
    login = {"login": {"user": USER, "password": "env:MAIL_WORD"}, "starttls": starttls}
    server = server_context(post)
    with Mailbox(server, starttls=starttls, login=True) as guarded:
        assert set(post.session(guarded, tls=True, **login).send(UNIT, members(1))) == {1}
        assert len(guarded.taken) == 1 and guarded.given in (["AUTH LOGIN"], ["AUTH PLAIN"])
        monkeypatch.setenv("MAIL_WORD", "another word")
        with pytest.raises(DestinationDown, match="mail-login") as caught:
            post.session(guarded, tls=True, **login)
        assert "another word" not in str(caught.value) and USER not in str(caught.value)
        monkeypatch.delenv("MAIL_WORD")
        with pytest.raises(DestinationDown, match="mail-login"):
            post.session(guarded, tls=True, **login)


def test_a_server_that_nobody_vouches_for_gets_no_word(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_WORD", WORD)
    login = {"login": {"user": USER, "password": "env:MAIL_WORD"}, "starttls": True}
    foreign = post.pki.issue("foreign", post.pki.other)
    with Mailbox(server_context(post, foreign), starttls=True, login=True) as stranger:
        with pytest.raises(DestinationDown, match="certificate-refused-here"):
            post.session(stranger, tls=True, **login)
        assert stranger.given == []


def test_without_starttls_there_is_no_mail(post: Post, box: Mailbox) -> None:
    with pytest.raises(DestinationDown, match="mail-no-starttls"):
        post.session(box, tls=True, starttls=True)
    assert box.came == 0


def server_context(post: Post, who: Issued | None = None) -> Any:
    import ssl

    pair = (who or post.pki.issue("mailserver", post.pki.ca)).pair
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    return context


def test_out_of_reach_is_down(post: Post) -> None:
    with pytest.raises(DestinationDown, match="connect-failed"):
        post.session(free_port())


def test_a_recipient_that_has_expired_waits_for_a_new_certificate(post: Post, box: Mailbox) -> None:
    old = post.issue("old", "key_encipherment", end=-DAY / 2)
    with pytest.raises(DestinationDown, match="media-keys"):
        post.session(box, recipients=[str(old.pair.certificate)])


@pytest.mark.parametrize("error", [WaitObject("no-service", ""), OSError(28, "full"), HoldObject("x", "")])
def test_a_unit_that_breaks_off_sends_nothing(post: Post, box: Mailbox, error: Exception) -> None:
    def broken() -> Iterator[Outgoing]:
        yield outgoing(1)
        raise error

    with pytest.raises((type(error), DestinationDown)):
        post.session(box).send(UNIT, broken())
    assert box.came == 0 and not list((post.folder / "state" / "mail").iterdir())


def test_no_member_is_no_mail(post: Post, box: Mailbox) -> None:
    assert post.session(box).send(UNIT, members()) == {} and box.came == 0


def test_a_connection_that_went_while_the_message_was_made_is_made_again(
    post: Post, box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = post.session(box)
    assert session._server is not None
    session._server._smtp.close()
    assert set(session.send(UNIT, members(1))) == {1}
    assert post.records()[0]["state"] == mail.TAKEN
