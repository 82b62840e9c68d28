"""The planted objects: every canary is there and is found, in whatever form a leak would have it."""

from __future__ import annotations

import base64
import io

import planted
import pydicom
import pytest

OBJECTS = {each.name: each for each in planted.planted(5)}


@pytest.mark.parametrize("name", OBJECTS)
def test_every_canary_is_in_the_object(name: str) -> None:
    each = OBJECTS[name]
    found = {line.rsplit(" (", 1)[0] for line in planted.survivors(each.content, each.canaries)}
    assert found == set(each.canaries)
    assert all(word.encode() in each.content for word in each.kept.values())


@pytest.mark.parametrize("name", OBJECTS)
def test_each_canary_stands_for_one_place(name: str) -> None:
    """Replace the planted word: nothing else of the same object changes (UIDs and repeated text apart)."""
    each = OBJECTS[name]
    for leak, word in each.canaries.items():
        times = each.content.count(word.encode())
        assert times == 1 or leak.startswith("uid:") or "/UT" in leak, leak


def test_the_leak_classes_are_there() -> None:
    classes = {leak.split(":")[0] for each in OBJECTS.values() for leak in each.canaries}
    assert classes == {
        "attachment", "curve", "header", "meta", "nested", "overlay", "private", "retired", "rim", "sr", "text", "uid",
        "un", "unknown",
    }  # fmt: skip


def test_all_sixteen_repeats_of_curves_and_overlays() -> None:
    canaries = OBJECTS["planted-explicit"].canaries
    for kind in ("curve", "overlay"):
        assert len({leak.split("/")[0] for leak in canaries if leak.startswith(kind)}) == 16


@pytest.mark.parametrize(
    "hide",
    [
        lambda word: word.lower().encode(),
        lambda word: word.encode("utf-16-le"),
        lambda word: word.encode()[::-1],
        lambda word: word.encode().hex().encode(),
        lambda word: base64.b64encode(b"x" + word.encode() + b"y"),
        lambda word: base64.b64encode(b"xy" + word.encode() + b"y"),
    ],
)
def test_a_hidden_survivor_is_found(hide: object) -> None:
    canaries = {"a": "ZQABCDEFGHIJ"}
    assert planted.survivors(b"..." + hide(canaries["a"]) + b"...", canaries)  # type: ignore[operator]
    assert planted.survivors(b"nothing of it", canaries) == []


def test_pydicom_reads_them() -> None:
    for each in OBJECTS.values():
        assert len(pydicom.dcmread(io.BytesIO(each.content))) > 30


def test_seeds_share_no_canary() -> None:
    other = {word for each in planted.planted(6) for word in each.canaries.values()}
    assert not other & {word for each in OBJECTS.values() for word in each.canaries.values()}
