"""The document: which objects left, as what, and what was done to them. Values only.

    {"format":"dicom-gateway-manifest/1","objects":[...],"scope":{...},"totals":{...}}

Rules of this file
* One spelling: JSON in ASCII where it can be, keys sorted, no spaces, one line end. Equal documents are equal bytes.
* `objects` is what was confirmed, and nothing else. What waits or is held is counted in `totals`, without a name.
* No identity of a patient, no UID or hash of an original that was de-identified, no path: `received` is then a keyed
  digest (docs/manifests.md), `file` a name of ours.
* A reader of this format refuses what it does not know: another content is another format.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from gateway.errors import GatewayError

FORMAT: Final = "dicom-gateway-manifest/1"
MAX_BYTES: Final = 256 << 20


class Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One object that left. UIDs are those it has now."""

    sop_instance: str
    sop_class: str
    study: str = ""
    sha256: str  # of the data set that left
    syntax: str  # the transfer syntax it left in
    file: str = ""  # beneath the folder it was written to
    file_sha256: str = ""  # of that whole file
    received: str  # sha256:HEX of the data set received; hmac-sha256:HEX where it was de-identified
    rules: str  # SHA-256 of the rules it was decided by
    keys: tuple[str, ...] = ()  # ids of the keys that were used
    steps: tuple[str, ...] = ()  # what ran to its end
    methods: tuple[str, ...] = ()  # CID 7050, as claimed in the object
    egress: str = ""  # "clean/VERSION" where the egress check ran: it found nothing
    software: str
    time: str  # when it was confirmed, UTC


class Scope(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the manifest is about: a study at a destination, or one run of `deid`."""

    study: str = ""  # as it is now
    destination: str = ""  # id in gateway.yaml
    run: str = ""  # id of a run of `deid`: a digest of its objects


class Totals(Struct, frozen=True, forbid_unknown_fields=True):
    """How many objects of the scope are where. What is not `delivered` is in no other field of the document."""

    delivered: int
    waiting: int = 0
    held: dict[str, int] = {}  # reason -> how many
    given_up: dict[str, int] = {}  # dropped by a route, discarded by a person, skipped by a run -> how many


class Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole document."""

    format: str
    scope: Scope
    totals: Totals
    objects: tuple[Entry, ...]


_decoder = msgspec.json.Decoder(Manifest, strict=True)


def encode(manifest: Manifest) -> bytes:
    """The document's one spelling."""
    return msgspec.json.encode(manifest, order="sorted") + b"\n"


def decode(data: bytes) -> Manifest:
    """A document. Raises GatewayError (manifest-malformed, manifest-format)."""
    try:
        found = _decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        try:
            told = msgspec.json.decode(data, type=_Format).format
        except (msgspec.MsgspecError, ValueError, RecursionError):
            told = ""
        if told.startswith("dicom-gateway-manifest/") and told != FORMAT:
            raise GatewayError("manifest-format", "it is of another version than this command reads") from None
        raise GatewayError("manifest-malformed", "it is no manifest") from None
    if found.format != FORMAT:
        raise GatewayError("manifest-format", "it is of another version than this command reads")
    if encode(found) != data or found.totals.delivered != len(found.objects):
        raise GatewayError("manifest-malformed", "it is not spelled as manifests are")
    return found


class _Format(Struct):
    format: str
