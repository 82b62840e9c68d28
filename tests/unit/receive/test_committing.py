"""Objects of one request on their way to durable: each is told once, in batches, and the first of a UID stays first."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import StorageFailed
from gateway.model import Decision, Identity, Instance, Origin, Verdict
from gateway.pipeline import Examined
from gateway.receive.committing import BATCH, BEHIND, MOST, Committing
from gateway.store.spool import Incoming, Spool
from gateway.writer.messages import Committed

HOLD = Decision(Verdict.HOLD, "", "no-route")


class Writer:
    """Remembers what it was told together; `wait` runs before it answers."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.wait: Callable[[], object] = lambda: None
        self.error: Exception | None = None

    def said(self) -> list[str]:
        return [uid for call in self.calls for uid in call]

    def received_all(self, some: Sequence[tuple[Instance, object]]) -> list[Committed | StorageFailed]:
        self.calls.append([instance.identity.sop_instance for instance, _ in some])
        self.wait()
        if self.error is not None:
            raise self.error
        return [
            StorageFailed("disk-full") if each.identity.sop_instance == "1.13" else Committed("stored", 1)
            for each, _ in some
        ]


class Site:
    """A spool, a writer and threads."""

    def __init__(self, folder: Path, threads: int = 16) -> None:
        self.spool = Spool(folder / "spool", reserve=0)
        self.writer = Writer()
        self.told: list[tuple[int, str]] = []
        self.threads = ThreadPoolExecutor(threads)
        self.committing = Committing(self.threads, self.writer, self._told)  # type: ignore[arg-type]

    def _told(self, number: int, error: Exception | None) -> None:
        self.told.append((number, "" if error is None else getattr(error, "reason", type(error).__name__)))

    def add(self, number: int, uid: str = "", seal: Callable[[Incoming], Any] = Incoming.seal) -> Incoming:
        """One object, which is sealed as `seal` has it."""
        incoming = self.spool.create(b"m" * 340)
        incoming.write(b"data")
        wrapped: Any = _Sealing(incoming, seal)
        identity = Identity("1.2", uid or f"1.{number}")
        examined = Examined(wrapped, identity, Origin("in", "a" * 32, "x"), "1.2", HOLD, frozenset())
        self.committing.add(number, examined)
        return incoming

    def left(self) -> list[str]:
        return [path.name for path in (self.spool.folder / "incoming").iterdir()]


class _Sealing:
    def __init__(self, incoming: Incoming, how: Callable[[Incoming], Any]) -> None:
        self._incoming, self._how = incoming, how

    def seal(self) -> Any:
        return self._how(self._incoming)

    def abort(self) -> None:
        self._incoming.abort()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.threads.shutdown()


def failing(incoming: Incoming) -> Any:
    raise StorageFailed("storage-error")


def test_each_is_told_once_and_a_failure_is_its_own(site: Site) -> None:
    for number in range(40):
        site.add(number, seal=failing if number == 7 else Incoming.seal)
    site.committing.finish()
    expected = dict.fromkeys(range(40), "") | {7: "storage-error", 13: "disk-full"}
    assert sorted(site.told) == sorted(expected.items())
    assert site.left() == [] and "1.7" not in site.writer.said()


def test_what_gathers_while_the_writer_is_busy_is_told_together(site: Site) -> None:
    first, go = threading.Event(), threading.Event()

    def wait() -> None:
        first.set()
        go.wait(10)

    site.writer.wait = wait
    site.add(0)
    assert first.wait(10)
    for number in range(1, BEHIND + 1):  # not enough for a second thread
        site.add(number)
    time.sleep(0.1)
    assert site.writer.calls == [["1.0"]] and site.told == []
    go.set()
    site.committing.finish()
    assert site.writer.calls[0] == ["1.0"]
    assert sorted(site.writer.said()[1:]) == [f"1.{number}" for number in range(1, BEHIND + 1)]
    assert len(site.writer.calls) <= 3  # `finish` helps, and may take some of them from the thread that was there


def test_a_slow_disk_gets_more_threads_but_not_more_files(site: Site) -> None:
    lock, go = threading.Lock(), threading.Event()
    now = [0, 0]

    def slow(incoming: Incoming) -> Any:
        with lock:
            now[0] += 1
            now[1] = max(now)
        go.wait(10)
        with lock:
            now[0] -= 1
        return incoming.seal()

    def all_of_them() -> None:
        for number in range(MOST + 5):
            site.add(number, seal=slow)

    adding = threading.Thread(target=all_of_them)
    adding.start()
    deadline = time.monotonic() + 10
    while now[1] < 2:
        assert time.monotonic() < deadline, "nobody helped"
        time.sleep(0.01)
    time.sleep(0.1)
    assert adding.is_alive() and len(site.left()) == MOST + 1, "one more has come, and waits"
    go.set()
    adding.join(10)
    site.committing.finish()
    assert sorted(site.told) == [(n, "disk-full" if n == 13 else "") for n in range(MOST + 5)]


def test_two_of_one_uid_are_never_under_way_together(site: Site) -> None:
    site.writer.wait = lambda: time.sleep(0.05)
    for number in range(3):
        site.add(number, uid="1.99")
    site.committing.finish()
    assert site.writer.calls == [["1.99"]] * 3
    assert site.told == [(0, ""), (1, ""), (2, "")]


def test_a_writer_that_breaks_has_stored_nothing(site: Site) -> None:
    site.writer.error = KeyError("x")
    for number in range(20):
        site.add(number)
    site.committing.finish()
    assert sorted(site.told) == [(number, "KeyError") for number in range(20)]


def test_without_a_thread_to_spare_the_caller_does_it(tmp_path: Path) -> None:
    site = Site(tmp_path, threads=1)
    go = threading.Event()
    site.threads.submit(go.wait, 10)
    for number in range(BATCH):
        site.add(number)
    site.committing.finish()
    assert sorted(site.told) == [(number, "") for number in range(BATCH)]
    go.set()
    site.threads.shutdown()
