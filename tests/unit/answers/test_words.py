"""Texts are compared as MIDI-B compares them, oddities included."""

from __future__ import annotations

import pytest

from benchmarks.answers.words import compare, words


@pytest.mark.parametrize(
    ("value", "text", "kept", "removed"),
    [
        ("12", "12.0", True, False),  # numbers as numbers
        ("120", "12", False, True),  # and not as parts of each other
        ("CT chest", "CT chest", True, False),
        ("Routine CT CHEST, axial", "ct chest", True, False),  # case does not count, a part is enough
        ("chest CT", "CT of the chest", True, False),  # word by word, function words apart
        ("CT abdomen", "CT chest", False, False),  # half of it is there: neither kept nor removed
        ("", "Kelvaro", False, True),
        ("SUBJECT1", "1 Main", False, False),  # a word counts as a part of another: a dummy with a digit collides
        ("<x> kelvaro", "<kelvaro>", True, False),
    ],
)
def test_kept_and_removed(value: str, text: str, kept: bool, removed: bool) -> None:
    assert compare(value, text, keep=True) is kept
    assert compare(value, text, keep=False) is removed


def test_nothing_but_function_words_cannot_be_judged() -> None:
    assert compare("CT", "of the", keep=True) is None and compare("CT", "...", keep=False) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Dr. Kelvaro's patient, seen on 2018-10-16.", ["dr.", "kelvaro", "patient", "seen", "2018-10-16"]),
        ("KELVARO^TIRA (x)", ["kelvaro^tira", "x"]),
        ("a@example.org; 12:30, 1,5", ["example.org", "12:30", "1,5"]),
    ],
)
def test_words(text: str, found: list[str]) -> None:
    cut = words(text)
    assert [each for each in cut if each != "'s"] == found
