"""Media as a destination of whole groups: all of a unit on a verified set, or nothing; what cannot go is held alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace as changed

from gateway.config.schema import Destination, HeldKey, MediaDestination
from gateway.deliver import media, staging
from gateway.deliver.media import MediaCarrier
from gateway.errors import DestinationDown, HoldObject, WaitObject
from gateway.media.errors import MediaError
from gateway.media.opening import open_medium
from gateway.media.progress import Told, progress
from gateway.media.secure import opener
from gateway.model import Result, Unit
from gateway.pipeline import Outgoing
from tests.contracts.test_destinations import NEEDS, outgoing
from tests.system.senders import ct, encoded
from tests.unit.security.pki import DAY, Pki
from transforms.errors import TransformError
from transforms.source import ByteSource, BytesSource

UNIT = Unit(1, "r", "study", "1.9", 0, "quiet", 3)


def carrier(tmp_path: Path, **more: object) -> MediaCarrier:
    block = MediaDestination.model_validate({"dir": str(tmp_path / "out"), "profile": "STD-GEN-CD", **more})
    assert Destination(media=block).whole and MediaCarrier.whole
    return MediaCarrier(block, tmp_path / "state", b"secret")


def things(tmp_path: Path) -> list[Path]:
    """What there is but the receipts."""
    return sorted((tmp_path / "out").iterdir()) if (tmp_path / "out").exists() else []


def members(*numbers: int) -> Iterator[Outgoing]:
    yield from map(outgoing, numbers)


@pytest.mark.parametrize(("form", "volume"), [("iso", "VOLUME1.ISO"), ("folder", "")])
def test_each_member_has_an_answer_and_stands_on_the_medium(tmp_path: Path, form: str, volume: str) -> None:
    session = carrier(tmp_path, format=form).open(NEEDS)
    answers = session.send(UNIT, members(1, 2, 3))
    session.close()
    assert {n: a.result for n, a in answers.items()} == dict.fromkeys((1, 2, 3), Result.DELIVERED)
    (thing,) = things(tmp_path)
    open_medium(thing / volume, None, tmp_path / "back")
    for number in (1, 2, 3):
        raw = (tmp_path / "back" / f"{outgoing(number).identity.sop_instance}.dcm").read_bytes()
        sent = BytesSource(raw[raw.index(encoded(ct(number))[:64]) :])
        import hashlib

        assert hashlib.sha256(sent.pread(0, sent.size)).hexdigest() == answers[number].sha256


def test_the_same_unit_again_is_the_same_thing_and_another_is_another(tmp_path: Path) -> None:
    to = carrier(tmp_path)
    for numbers, unit in (((1, 2), UNIT), ((1, 2), UNIT), ((3,), UNIT), ((4,), changed(UNIT, group=2, follow_up=1))):
        assert set(to.open(NEEDS).send(unit, members(*numbers))) == set(numbers)
    assert len(things(tmp_path)) == 3
    assert sum("late-1" in thing.name for thing in things(tmp_path)) == 1
    assert len({thing.name.split("-")[0] for thing in things(tmp_path)}) == 1, "one study, told by its name"


@pytest.mark.parametrize("error", [WaitObject("no-service", ""), OSError(28, "full"), HoldObject("x", "")])
def test_a_unit_that_breaks_off_leaves_nothing(tmp_path: Path, error: Exception) -> None:
    def broken() -> Iterator[Outgoing]:
        yield outgoing(1)
        raise error

    with pytest.raises((type(error), DestinationDown)):
        carrier(tmp_path).open(NEEDS).send(UNIT, broken())
    assert things(tmp_path) == [] and list((tmp_path / "state" / "media").iterdir()) == []


def test_what_the_profile_does_not_take_is_held_alone(tmp_path: Path) -> None:
    def one_compressed() -> Iterator[Outgoing]:
        from dataclasses import replace

        from pydicom.encaps import encapsulate

        yield outgoing(1)
        data = ct(2)
        data.PixelData = encapsulate([b"pixels"])
        data["PixelData"].VR, data["PixelData"].is_undefined_length = "OB", True
        raw = encoded(data)
        yield replace(outgoing(2), source=BytesSource(raw), syntax="1.2.840.10008.1.2.4.90")
        yield outgoing(3)

    answers = carrier(tmp_path).open(NEEDS).send(UNIT, one_compressed())
    assert {n: a.result for n, a in answers.items()} == {1: "delivered", 2: "held", 3: "delivered"}
    assert answers[2].reason == "media-profile"
    (thing,) = things(tmp_path)
    assert open_medium(thing / "VOLUME1.ISO", None, None).objects == 2


def test_what_has_no_form_for_media_is_held_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    convert = staging.convert.to_explicit_le

    def second_fails(source: ByteSource, uid: str) -> ByteSource:
        if source.pread(0, source.size) == encoded(ct(2)):
            raise TransformError("cannot-convert")
        return convert(source, uid)

    monkeypatch.setattr(staging.convert, "to_explicit_le", second_fails)
    answers = carrier(tmp_path).open(NEEDS).send(UNIT, members(1, 2, 3))
    assert {n: (a.result, a.reason) for n, a in answers.items()} == {
        1: ("delivered", ""), 2: ("held", "cannot-convert"), 3: ("delivered", ""),
    }  # fmt: skip


def test_a_member_of_another_patient_is_held_alone(tmp_path: Path) -> None:
    def another() -> Iterator[Outgoing]:
        from dataclasses import replace

        yield outgoing(1)
        data = ct(2)
        data.PatientID = "ANOTHER"
        yield replace(outgoing(2), source=BytesSource(encoded(data)))

    answers = carrier(tmp_path).open(NEEDS).send(UNIT, another())
    assert answers[2].reason == "directory-study-twice" and answers[1].result == "delivered"


def test_a_full_disk_waits_and_another_fault_of_the_set_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for reason, error in (("media-disk-full", DestinationDown), ("media-profile", HoldObject)):

        def failing(*_: object, reason: str = reason) -> None:
            raise MediaError(reason, "")

        monkeypatch.setattr(media, "make", failing)
        with pytest.raises(error) as caught:
            carrier(tmp_path).open(NEEDS).send(UNIT, members(1))
        assert caught.value.reason == reason and things(tmp_path) == []


def test_a_killed_try_leaves_nothing_that_stays(tmp_path: Path) -> None:
    def killed() -> Iterator[Outgoing]:
        yield outgoing(1)
        raise KeyboardInterrupt  # stands in for SIGKILL

    with pytest.raises(KeyboardInterrupt):
        carrier(tmp_path).open(NEEDS).send(UNIT, killed())
    for left in (tmp_path / "state" / "media", tmp_path / "out"):
        name = media.opaque(b"secret", "making", "1")
        (left / (name if left.name == "media" else f".{name}")).mkdir()
    assert set(carrier(tmp_path).open(NEEDS).send(UNIT, members(1, 2))) == {1, 2}
    assert len(things(tmp_path)) == 1
    assert [path.suffix for path in (tmp_path / "state" / "media").iterdir()] == [".json"]


def test_a_set_that_somebody_changed_is_an_obstacle_and_not_replaced(tmp_path: Path) -> None:
    carrier(tmp_path).open(NEEDS).send(UNIT, members(1, 2))
    (thing,) = things(tmp_path)
    (thing / "VOLUME1.ISO").write_bytes(b"changed")
    with pytest.raises(DestinationDown, match="media-differs"):
        carrier(tmp_path).open(NEEDS).send(UNIT, members(1, 2))
    assert (thing / "VOLUME1.ISO").read_bytes() == b"changed"


def test_no_member_is_no_thing(tmp_path: Path) -> None:
    assert carrier(tmp_path).open(NEEDS).send(UNIT, members()) == {}
    assert things(tmp_path) == []


def test_out_of_reach_is_down(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DestinationDown, match="media-unavailable"):
        carrier(tmp_path, dir=str(tmp_path / "file" / "below")).open(NEEDS)


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    (tmp_path / "pki").mkdir()
    return Pki(tmp_path / "pki")


def test_a_secure_set_opens_for_its_recipient_and_nothing_plain_was_ever_there(tmp_path: Path, pki: Pki) -> None:
    to = pki.issue("reader", pki.ca, kind="rsa2048", eku=(), usage=("key_encipherment",)).pair
    by = pki.issue("signer", pki.ca, kind="rsa2048", eku=("email",), usage=("digital_signature",)).pair
    keys = {"recipients": [str(to.certificate)], "sign": HeldKey(certificate=by.certificate, key=by.key)}
    out = carrier(tmp_path, profile="STD-GEN-SEC-USB-J2K", **keys)

    def watched() -> Iterator[Outgoing]:
        for each in members(1, 2):
            yield each
            assert things(tmp_path) == [], "members are staged elsewhere"

    answers = out.open(NEEDS).send(UNIT, watched())
    assert {a.result for a in answers.values()} == {Result.DELIVERED}
    (thing,) = things(tmp_path)
    assert not any(b"Mustermann" in path.read_bytes() for path in thing.rglob("*") if path.is_file())
    report = open_medium(thing, opener(to.certificate, to.key, None, pki.ca_file), None)
    assert report.objects == 2 and [verdict.trusted for verdict in report.signers] == [True]


def test_a_recipient_that_has_expired_waits_for_a_new_certificate(tmp_path: Path, pki: Pki) -> None:
    old = pki.issue("old", pki.ca, kind="rsa2048", eku=(), usage=("key_encipherment",), end=-DAY / 2).pair
    with pytest.raises(DestinationDown, match="media-keys"):
        carrier(tmp_path, profile="STD-GEN-SEC-CD", recipients=str(old.certificate)).open(NEEDS)


def test_names_tell_nothing(tmp_path: Path) -> None:
    carrier(tmp_path).open(NEEDS).send(UNIT, members(1, 2))
    each = outgoing(1)
    for path in [*(tmp_path / "out").rglob("*"), *(tmp_path / "state").rglob("*")]:
        name = str(path.relative_to(tmp_path))
        assert each.identity.sop_instance not in name and UNIT.uid not in name
        assert each.job.instance.stored.name not in name


def test_progress_is_told_while_it_is_made_and_not_after(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    told = Told(tmp_path / "media", 7)
    told("write", 5, 10)
    told("write", 9, 10)  # too soon to be worth a word
    assert progress(tmp_path, 7) == "write 50 %"
    told.end()
    assert progress(tmp_path, 7) == "" and progress(tmp_path, None) == ""
