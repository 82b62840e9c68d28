"""Every worker opens the file at the same moment, when the first association of a new gateway comes."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from gateway.errors import StorageFailed
from gateway.store.identities import Identities


def test_many_who_begin_at_once_all_write(tmp_path: Path) -> None:
    """SQLite answers "database is locked" at once where two turn a new file into WAL, whatever the timeout."""
    for attempt in range(20):
        path = tmp_path / f"{attempt}" / "identities.sqlite"
        stores = [Identities(path) for _ in range(8)]
        together = threading.Barrier(len(stores))
        failed: list[str] = []

        def begin(number: int, store: Identities, together: threading.Barrier, failed: list[str]) -> None:
            together.wait()
            try:
                store.put("1.2.3", [("name", f"N{number}")], 1.0)
            except StorageFailed as error:
                failed.append(error.detail)

        threads = [threading.Thread(target=begin, args=(n, s, together, failed)) for n, s in enumerate(stores)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        assert len(stores[0].after("1.2.3", 0)[0]) == len(stores)
        for store in stores:
            store.close()


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    path, elsewhere = tmp_path / "identities.sqlite", tmp_path / "elsewhere"
    elsewhere.touch()
    path.symlink_to(elsewhere)
    with pytest.raises(StorageFailed):
        Identities(path).put("1.2.3", [("name", "N")], 1.0)
    assert elsewhere.read_bytes() == b""
