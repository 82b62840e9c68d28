"""One record of the audit trail as one line, and the hash that ties it to the one before.

    {"seq":7,"at":"2026-11-23T18:44:01.123456Z","prev":"HEX","message":"<?xml …","hash":"HEX"}

Rules of this file
* A line has one spelling only. `hash` is SHA-256 over the line's own bytes up to `,"hash":`, and these include the
  record before by `prev`. So there is no byte of a line that could change unseen.
* Values in, values out: no disk here. The files are trail.py's, the search for faults is verify.py's.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

GENESIS = "0" * 64  # `prev` of the first record
_HEX = re.compile(r"[0-9a-f]{64}")
_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


class Head(NamedTuple):
    """Where a trail ends: its last record's number (0 for none) and hash (64 hex digits)."""

    seq: int
    hash: str


EMPTY = Head(0, GENESIS)


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line."""

    seq: int
    at: str
    prev: str
    message: str
    hash: str


class _Unsealed(msgspec.Struct, frozen=True):
    seq: int
    at: str
    prev: str
    message: str


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Record).decode


def stamp(seconds: float) -> str:
    """Seconds since the epoch as the trail writes them, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seal(seq: int, at: str, prev: str, message: str) -> tuple[bytes, str]:
    """A record's line, with its line feed, and its hash."""
    start = _encode(_Unsealed(seq, at, prev, message))[:-1]
    digest = hashlib.sha256(start).hexdigest()
    return b"".join((start, b',"hash":"', digest.encode(), b'"}\n')), digest


def parse(line: bytes) -> Record:
    """The record in a line without its line feed. Raises ValueError where it is not the one spelling of a record.

    The hash is not judged: `intact` does that.
    """
    try:
        record = _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError("not a record") from error
    if record.seq < 1 or not _AT.fullmatch(record.at) or not _HEX.fullmatch(record.prev):
        raise ValueError("not a record")
    start = _encode(_Unsealed(record.seq, record.at, record.prev, record.message))[:-1]
    if not _HEX.fullmatch(record.hash) or line != b"".join((start, b',"hash":"', record.hash.encode(), b'"}')):
        raise ValueError("not a record as the trail writes it")
    return record


def intact(record: Record) -> bool:
    """Whether a record's hash is its own."""
    return seal(record.seq, record.at, record.prev, record.message)[1] == record.hash
