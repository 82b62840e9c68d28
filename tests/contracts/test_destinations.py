"""What every destination obeys (gateway/deliver/contract.py), run over each line of the table of destinations."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from dataclasses import replace as dataclass_replace
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.config.annotations import HttpDestination
from gateway.config.kinds import Kind
from gateway.config.schema import (
    Destination,
    DimseDestination,
    FolderDestination,
    MllpDestination,
    StowDestination,
)
from gateway.deliver.contract import Carrier, Need
from gateway.deliver.dimse import DimseCarrier
from gateway.deliver.folder import FolderCarrier
from gateway.deliver.http import HttpCarrier, HttpSession
from gateway.deliver.mllp import MllpCarrier
from gateway.deliver.stow import StowCarrier
from gateway.deliver.table import CARRIERS
from gateway.errors import DestinationDown, HoldObject
from gateway.model import Decision, Identity, Instance, Job, Origin, Result, Stored, Verdict
from gateway.pipeline import Outgoing
from tests.system.harness import Sink, free_port
from tests.system.receivers import Receiver
from tests.system.senders import CT, ct, encoded
from tests.system.takers import Taker
from tests.wire.web import serving
from transforms.dataset import convert, part10, syntax
from transforms.source import CHUNK, BytesSource, chunks


@dataclass
class Stage:
    """One destination under test and how to look behind it."""

    carrier: Carrier
    arrived: Callable[[], list[str]]  # SHA-256 of each data set that is there
    broken: Carrier  # the same kind, out of reach
    outgoing: Callable[..., Outgoing]  # something this kind takes
    syntax: str = syntax.EXPLICIT_LE  # of it


@pytest.fixture(params=sorted(CARRIERS.keys() - {"media", "mail"}))  # they take whole groups alone: tests of their own
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    if request.param == "folder":
        folder = tmp_path / "out"

        def files() -> list[str]:
            found = []
            for path in folder.rglob("*.dcm"):
                data = path.read_bytes()
                found.append(hashlib.sha256(data[part10.split(BytesSource(data)).offset :]).hexdigest())
            return found

        (tmp_path / "file").write_text("not a folder")
        yield Stage(
            FolderCarrier(FolderDestination(dir=folder), b"secret"),
            files,
            FolderCarrier(FolderDestination(dir=tmp_path / "file" / "below"), b"secret"),
            outgoing,
        )
        return
    if request.param == "stow":

        def stow(port: int) -> Carrier:
            block = StowDestination(url=f"http://127.0.0.1:{port}/dicom-web", timeout="2s")
            return StowCarrier(Destination(stow=block, unsafe_plaintext="a test"), None, None)

        with serving(tmp_path) as server:
            instances = server.writer.instances
            yield Stage(
                stow(server.port), lambda: [each.stored.sha256 for each in instances], stow(free_port()), outgoing
            )
        return
    if request.param == "http":
        taker = Taker()
        yield Stage(http(taker.port), lambda: [sha(each) for each in taker.bodies], http(free_port()), annotation, "")
        taker.close()
        return
    if request.param == "mllp":
        receiver = Receiver()

        def messages() -> list[str]:
            return [hashlib.sha256(each.encode()).hexdigest() for each in receiver.messages]

        yield Stage(mllp(receiver.port), messages, mllp(free_port()), message, "")
        receiver.close()
        return
    sink = Sink()

    def dimse(port: int) -> Carrier:
        block = DimseDestination(host="127.0.0.1", port=port, ae="ARCHIVE", timeout="2s")
        return DimseCarrier(Destination(dimse=block, unsafe_plaintext="a test"), {}, None)

    yield Stage(
        dimse(sink.port),
        lambda: [h for hashes in sink.received.values() for h in hashes],
        dimse(free_port()),
        outgoing,
    )
    sink.close()


def mllp(port: int) -> Carrier:
    block = MllpDestination(host="127.0.0.1", port=port, timeout="2s")
    return MllpCarrier(Destination(mllp=block, unsafe_plaintext="a test"), None)


def http(port: int) -> Carrier:
    block = HttpDestination(url=f"http://127.0.0.1:{port}/aims", timeout="2s")
    return HttpCarrier(Destination(http=block, unsafe_plaintext="a test"), None)


def annotation(number: int = 1) -> Outgoing:
    made = message(number)
    return Outgoing(made.job, made.source, "", made.identity, kind=Kind.AIM)


def message(number: int = 1) -> Outgoing:
    raw = f"MSH|^~\\&|A|B|C|D|20261126||MDM^T02^MDM_T02|{number}|P|2.5.1\rEVN||20261126\r".encode()
    made = outgoing(number)
    job = Job(number, number, replace(made.job.instance, stored=Stored(f"t{number}", 0, len(raw), sha(raw))), "d", 0)
    return Outgoing(job, BytesSource(raw), "", made.identity, kind=Kind.HL7V2)


def sha(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def outgoing(number: int = 1, uid: str = syntax.EXPLICIT_LE) -> Outgoing:
    data = ct(number)
    identity = Identity(CT, str(data.SOPInstanceUID), str(data.StudyInstanceUID))
    raw = encoded(data)
    instance = Instance(
        identity,
        Origin("hospital", "a", "127.0.0.1"),
        Stored(f"token{number}", 0, len(raw), hashlib.sha256(raw).hexdigest()),
        uid,
        0.0,
        Decision(Verdict.DELIVER, "r"),
    )
    return Outgoing(Job(number, number, instance, "d", 0), BytesSource(raw), uid, identity)


NEEDS = [Need(CT, syntax.EXPLICIT_LE)]


def test_delivered_means_it_is_there_byte_for_byte(stage: Stage) -> None:
    session = stage.carrier.open(NEEDS)
    sent = [stage.outgoing(n) for n in range(3)]
    for each in sent:
        assert session.send(each).result is Result.DELIVERED
    session.close()
    assert sorted(stage.arrived()) == sorted(each.job.instance.stored.sha256 for each in sent)


def test_the_answer_names_what_was_sent(stage: Stage, tmp_path: Path) -> None:
    """The hash of the data set that arrived; in a folder also the file and its hash."""
    session = stage.carrier.open(NEEDS)
    answer = session.send(stage.outgoing())
    session.close()
    assert [answer.sha256] == stage.arrived()
    assert answer.syntax == stage.syntax
    if answer.file:
        assert hashlib.sha256((tmp_path / "out" / answer.file).read_bytes()).hexdigest() == answer.file_sha256


def test_the_same_object_again_is_no_second_object(stage: Stage) -> None:
    for _ in range(2):
        session = stage.carrier.open(NEEDS)
        assert session.send(stage.outgoing()).result is Result.DELIVERED
        session.close()
    assert len(set(stage.arrived())) == 1


def test_out_of_reach_is_down_and_says_nothing_of_the_object(stage: Stage) -> None:
    with pytest.raises(DestinationDown) as caught:
        stage.broken.open(NEEDS).send(stage.outgoing())
    assert caught.value.reason


def test_an_object_that_cannot_be_read_to_its_end_leaves_nothing(stage: Stage) -> None:
    class Short(BytesSource):
        def pread(self, offset: int, length: int) -> bytes:
            raise OSError(5, "spool")

    whole = stage.outgoing()
    broken = Outgoing(whole.job, Short(b"x" * 4096), whole.syntax, whole.identity, kind=whole.kind)
    session = stage.carrier.open(NEEDS)
    with pytest.raises((OSError, DestinationDown)):
        session.send(broken)
    session.close(orderly=False)
    assert stage.arrived() == []


def test_a_session_has_an_id_of_its_own(stage: Stage) -> None:
    first, second = stage.carrier.open(NEEDS), stage.carrier.open(NEEDS)
    assert first.association != second.association and len(first.association) == 32
    first.close()
    second.close()


def test_a_compressed_object_is_held_where_only_uncompressed_ones_are_taken() -> None:
    sink = Sink()
    block = DimseDestination(host="127.0.0.1", port=sink.port, ae="ARCHIVE", uncompressed_only=True)
    carrier = DimseCarrier(Destination(dimse=block, unsafe_plaintext="a test"), {}, None)
    jpeg = "1.2.840.10008.1.2.4.70"
    session = carrier.open([Need(CT, jpeg), Need(CT, syntax.EXPLICIT_LE)])
    answer = session.send(outgoing(1, jpeg))
    assert (answer.result, answer.reason) == (Result.HELD, "needs-decompression")
    assert session.send(outgoing(2)).result is Result.DELIVERED
    session.close()
    sink.close()


def test_a_peer_that_takes_only_implicit_gets_implicit() -> None:
    sink = Sink(syntaxes=[syntax.IMPLICIT_LE])
    block = DimseDestination(host="127.0.0.1", port=sink.port, ae="ARCHIVE")
    carrier = DimseCarrier(Destination(dimse=block, unsafe_plaintext="a test"), {}, None)
    session = carrier.open(NEEDS)
    each = outgoing(3)
    answer = session.send(each)
    assert answer.result is Result.DELIVERED
    session.close()
    (uid,) = sink.datasets
    assert sink.syntaxes[uid] == answer.syntax == syntax.IMPLICIT_LE
    assert answer.sha256 == hashlib.sha256(sink.datasets[uid]).hexdigest() != each.job.instance.stored.sha256
    raw = sink.datasets[uid]
    back = b"".join(chunks(convert.to_explicit_le(BytesSource(raw), syntax.IMPLICIT_LE)))
    assert back == each.source.pread(0, each.source.size)
    sink.close()


def test_names_in_a_folder_tell_nothing(tmp_path: Path) -> None:
    carrier = FolderCarrier(FolderDestination(dir=tmp_path / "out"), b"secret")
    session = carrier.open(NEEDS)
    each = outgoing()
    session.send(each)
    for path in (tmp_path / "out").rglob("*"):
        name = str(path.relative_to(tmp_path))
        assert each.identity.sop_instance not in name and each.identity.study not in name
        assert each.job.instance.stored.name not in name


def test_half_a_file_stays_in_no_folder(tmp_path: Path) -> None:
    """Neither of a try that was held in the middle, nor, once it is tried again, of one that was killed."""

    class Rotten(BytesSource):
        def pread(self, offset: int, length: int) -> bytes:
            if offset:
                raise HoldObject("spool-damaged")
            return super().pread(offset, length)

    out = tmp_path / "out"
    whole = outgoing()
    session = FolderCarrier(FolderDestination(dir=out, layout="flat"), b"secret").open(NEEDS)
    with pytest.raises(HoldObject):
        session.send(dataclass_replace(whole, source=Rotten(bytes(2 * CHUNK))))
    assert list(out.iterdir()) == []
    session.send(whole)
    (file,) = out.iterdir()
    killed = out / f".{file.name}.{whole.job.delivery}"
    killed.write_bytes(b"half")
    session.send(whole)
    assert list(out.iterdir()) == [file]


def test_a_credential_that_is_gone_keeps_the_destination_and_no_object_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_SUCH_SECRET", raising=False)
    block = HttpDestination(url="http://127.0.0.1:9/aims", authorization="env:NO_SUCH_SECRET")
    session = HttpSession(block, None)
    with pytest.raises(DestinationDown, match="secret-missing"):
        session.send(dataclass_replace(outgoing(), kind=Kind.AIM))
