"""What media and mail say alike of a unit that was not made: what passes waits, what a person must change is held."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.deliver.staging import meaning
from gateway.errors import DestinationDown, GatewayError, HoldObject, WaitObject
from gateway.media import mailing
from gateway.media.errors import MediaError, from_os
from gateway.media.members import FileMember
from gateway.model import Result
from gateway.security.cms.errors import NotWritten
from gateway.security.signed import NotSigned
from tests.contracts.test_destinations import NEEDS
from tests.contracts.test_mail_destination import Post
from tests.contracts.test_media_destination import UNIT, carrier, media, members
from tests.system.mailboxes import Mailbox

PASSES = ["disk-full", "input-changed", "keys", "not-reconciled", "output", "output-exists", "unreadable"]
HELD = ["too-large", "profile", "format"]
Try = Callable[[], tuple[str, str]]


def tried(send: Callable[[], object]) -> tuple[str, str]:
    """(what it is, why) of both members, however it was said."""
    try:
        answers = send()
    except (DestinationDown, HoldObject) as error:
        return ("down" if isinstance(error, DestinationDown) else "held", error.reason)
    assert isinstance(answers, dict)
    (found,) = {(each.result.value, each.reason) for each in answers.values()}
    return found


@pytest.fixture(scope="module")
def parties(tmp_path_factory: pytest.TempPathFactory) -> Post:
    return Post(tmp_path_factory.mktemp("pki"))


@pytest.fixture(params=["media", "mail"])
def unit(request: pytest.FixtureRequest, tmp_path: Path, parties: Post) -> Iterator[Try]:
    """A try to send two members by one of the two."""
    if request.param == "media":
        yield lambda: tried(lambda: carrier(tmp_path).open(NEEDS).send(UNIT, members(1, 2)))
        return
    parties.folder = tmp_path
    with Mailbox() as box:
        yield lambda: tried(lambda: parties.session(box).send(UNIT, members(1, 2)))


def breaking(monkeypatch: pytest.MonkeyPatch, error: GatewayError) -> None:
    def make(*_: object) -> None:
        raise error

    monkeypatch.setattr(media, "make", make)
    monkeypatch.setattr(mailing, "make", make)


@pytest.mark.parametrize(
    ("error", "expected"),
    [(MediaError(f"media-{name}", ""), ("down", f"media-{name}")) for name in PASSES]
    + [(MediaError(f"media-{name}", ""), ("held", f"media-{name}")) for name in HELD]
    + [
        (GatewayError("token-failed", "DeviceError"), ("down", "media-keys")),
        (NotWritten("cms-usage", "not valid now"), ("down", "media-keys")),
        (NotSigned("cms-time", "over"), ("down", "media-keys")),
        (NotWritten("cms-too-large", "5 GB"), ("held", "media-too-large")),
    ],
    ids=lambda found: found.reason if isinstance(found, GatewayError) else found[0],
)
def test_what_making_it_says(
    unit: Try, monkeypatch: pytest.MonkeyPatch, error: GatewayError, expected: tuple[str, str]
) -> None:
    breaking(monkeypatch, error)
    assert unit() == expected
    monkeypatch.undo()
    assert unit() == (Result.DELIVERED.value, ""), "the next try makes it"


@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE, errno.ENOSPC])
def test_a_disk_that_does_not_answer_says_nothing_of_a_member(
    unit: Try, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The file is ours and was written a moment ago."""

    def unread(self: FileMember) -> None:
        raise from_os(OSError(number, ""), self.label)

    monkeypatch.setattr(FileMember, "open", unread)
    assert unit() == ("down", "media-disk-full" if number == errno.ENOSPC else "media-unreadable")


@pytest.mark.parametrize("error", [WaitObject("no-service"), DestinationDown("mail-login"), HoldObject("x")])
def test_what_is_decided_already_stays(error: GatewayError) -> None:
    assert meaning(error) is error
