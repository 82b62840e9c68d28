"""Reads a plain command line of `dicom-gateway deid` without Typer: what reads types and draws help takes longer to
start than a hundred images take.

Rules of this file
* It takes a command line whole or not at all: whatever it does not know to the letter - help, an option in another
  form, twice, without its value, a wrong number - is Typer's, which then says what is wrong (deid_command.py).
* What it takes it reads as Typer would. A test compares the two, and their options.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, get_args

from gateway.cli.deid import Asked, Documents

# option -> field of Asked
TEXTS: Final = {"--profile": "profile", "--project": "project", "--issuer": "issuer"}
PATHS: Final = {
    "--key": "key_file",
    "--key-file": "key_file",
    "--out": "out",
    "--devices": "devices",
    "--report": "report",
    "--patients": "patients",
    "--mapping": "mapping",
    "--manifest": "manifest",
}
FLAGS: Final = {"--names": "names", "--allow-merge": "allow_merge"}
REPEATED: Final = {"--option": "option", "--recipient": "recipient"}
_NEEDED: Final = ("key_file", "out")


def read(words: Sequence[str]) -> Asked | None:
    """What is asked for after `dicom-gateway deid`; None where Typer is to read it."""
    inputs: list[Path] = []
    found: dict[str, Any] = {}
    more: dict[str, list[str]] = {field: [] for field in REPEATED.values()}
    rest = iter(words)
    for word in rest:
        if not word:
            return None
        if not word.startswith("-"):
            inputs.append(Path(word))
            continue
        if word in FLAGS:
            field, value = FLAGS[word], True
        else:
            text = next(rest, "")
            if not text or text.startswith("-"):
                return None
            if word in REPEATED:
                more[REPEATED[word]].append(text)
                continue
            field, value = _one(word, text, rest)
        if not field or field in found:
            return None
        found[field] = value
    if not inputs or any(field not in found for field in _NEEDED):
        return None
    return Asked(tuple(inputs), **found, option=tuple(more["option"]), recipient=tuple(map(Path, more["recipient"])))


def _one(word: str, text: str, rest: Any) -> tuple[str, Any]:
    """The field that an option fills, and its value; "" where it is not one that is known here."""
    if word in TEXTS:
        return TEXTS[word], text
    if word in PATHS:
        return PATHS[word], Path(text)
    if word == "--documents" and text in get_args(Documents):
        return "documents", text
    if word == "--processes" and text.isascii() and text.isdecimal() and len(text) < 5:
        return "processes", int(text)
    if word == "--sign":
        second = next(rest, "")
        if second and not second.startswith("-"):
            return "sign", (Path(text), Path(second))
    return "", None
