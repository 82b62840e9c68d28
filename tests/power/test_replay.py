"""The model of a disk whose power is cut: what was synced is there, of the rest nothing, or some by chance."""

from __future__ import annotations

import random

from tests.power.histories import HONEST, INCOMING, LOG, NAME, OBJECTS, STATE, log, meta
from tests.power.replay import Disk
from tests.power.trace import read

DATA = meta() + b"data"


def there(lines: list[str], cut: int, folder: str, chance: random.Random | None = None) -> dict[str, bytes]:
    """Names and bytes of a folder after a cut behind that line."""
    disk = Disk(read(lines), STATE)
    return {n: inode.content(cut, chance) for n, inode in disk.folders[folder].names(cut, chance).items()}


def test_an_honest_history_is_there_from_the_sync_of_its_folder_on() -> None:
    lines = list(HONEST.values())
    at = list(HONEST).index("directory")
    for cut in range(len(lines)):
        assert there(lines, cut, OBJECTS) == ({NAME: DATA} if cut >= at else {})
        assert there(lines, cut, INCOMING) == {}


def test_a_name_without_a_synced_file_is_torn() -> None:
    lines = [line for step, line in HONEST.items() if step != "file"]
    assert there(lines, len(lines), OBJECTS) == {NAME: b""}


def test_by_chance_some_is_there_that_was_not_synced() -> None:
    lines = [line for step, line in HONEST.items() if step not in ("file", "directory")]
    seen = {str(there(lines, len(lines), OBJECTS, random.Random(seed))) for seed in range(60)}
    assert {"{}", str({NAME: b""}), str({NAME: DATA})} <= seen


def created(*more: str) -> list[str]:
    made = f'20 openat(3<{STATE}>, "{LOG}", O_RDWR|O_CREAT, 0600) = 6<{LOG}>'
    return [made, f"20 fsync(5<{STATE}>) = 0", *more]


SYNC = f"20 fdatasync(6<{LOG}>) = 0"
FAILED = f"20 fdatasync(6<{LOG}>) = -1 EIO (Input/output error)"


def test_writes_stand_at_their_offsets_and_lengths_are_cut() -> None:
    name = LOG.rpartition("/")[2]
    lines = created(log(b"aaaa", 0), log(b"bb", 6), SYNC, f"20 ftruncate(6<{LOG}>, 3) = 0", SYNC, log(b"c", 4))
    assert there(lines, 4, STATE) == {name: b"aaaa\0\0bb"}
    assert there(lines, 5, STATE) == {name: b"aaaa\0\0bb"}
    assert there(lines, 9, STATE) == {name: b"aaa"}


def test_what_a_failed_sync_had_to_bring_is_gone_for_good() -> None:
    name = LOG.rpartition("/")[2]
    lines = created(log(b"aa", 0), SYNC, log(b"bb", 2), FAILED, log(b"cc", 4), SYNC)
    assert there(lines, 9, STATE) == {name: b"aa\0\0cc"}
    again = created(log(b"aa", 0), FAILED, log(b"AA", 0), SYNC)
    assert there(again, 9, STATE) == {name: b"AA"}, "written again it is there again"


def test_a_sync_covers_only_what_had_returned_when_it_began() -> None:
    name = LOG.rpartition("/")[2]
    half = log(b"aa", 0, 21).replace(") = 2", " <unfinished ...>")
    lines = created(half, SYNC, "21 <... pwrite64 resumed>) = 2")
    assert there(lines, 9, STATE) == {name: b""}
