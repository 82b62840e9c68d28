"""Writes the tables of conformance.md, dicomweb.md and media.md from what the product does. A test holds them together.

    .venv/bin/python docs/conformance.py          rewrites them

Only what stands between `<!-- table: NAME -->` and `<!-- end -->` is written here; the rest is prose for people.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from gateway.config.schema import DimseDestination, DimseLimits, DimseListener, StowLimits
from gateway.dimse.gathering import INVALID_ARGUMENT, RESOURCE_LIMITATION
from gateway.dimse.negotiation import AcceptancePolicy
from gateway.dimse.reception import CLASS_NOT_SUPPORTED, MISTYPED_ARGUMENT, NO_SUCH_ACTION, NO_SUCH_INSTANCE
from gateway.dimse.status import Disposition, meaning
from gateway.dimse.uids import (
    APPLICATION_CONTEXT,
    STORABLE_SYNTAXES,
    STORAGE_CLASSES,
    UNSTORABLE_SYNTAXES,
    VERIFICATION,
    name_of,
)
from gateway.model import Failure
from gateway.receive.capabilities import STORE_KINDS
from gateway.receive.commitment import PROCESSING_FAILURE
from gateway.receive.stow_metadata import IMAGES, PREFIX, VIDEOS
from gateway.web.multipart import BOUNDARY
from profiles.media import load, names
from profiles.media.records import ADDITIONAL, KEYS
from profiles.tls.bcp195 import PROFILES
from transforms.dataset.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

DOCUMENT = Path(__file__).resolve().with_suffix(".md")
DOCUMENTS = (DOCUMENT, DOCUMENT.with_name("dicomweb.md"), DOCUMENT.with_name("media.md"))
BLOCK = re.compile(r"(<!-- table: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    """A Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "".join("| " + " | ".join(str(cell) for cell in line) + " |\n" for line in lines)


def order(uid: str) -> tuple[int, ...]:
    """UIDs in the order of their numbers."""
    return tuple(int(part) for part in uid.split("."))


def stow_limits() -> str:
    """Limits of a STOW-RS listener."""
    limits = StowLimits()
    rows = [(f"`{name}`", f"`{value}`") for name, value in limits.model_dump().items()]
    return table(("Limit", "Default (bytes, seconds, or a count)"), [*rows, ("boundary", f"`{BOUNDARY}` characters")])


def stow_types() -> str:
    """What a Store request may hold."""
    return table(("Content-Type",), ((f"`{each}`",) for each in STORE_KINDS))


def stow_images() -> str:
    """Media types of compressed bulk data, and the transfer syntaxes they may be in."""
    rows = (
        (f"`{kind}`", "one frame" if kind in IMAGES else "all frames", ", ".join(f"`{PREFIX}{each}`" for each in known))
        for kind, known in (IMAGES | VIDEOS).items()
    )
    return table(("Media type", "A part holds", "Transfer syntaxes, the default first"), rows)


def sop_classes() -> str:
    """What an SCP of ours accepts with `accept: known`."""
    policy = AcceptancePolicy()
    taken = [uid for uid in sorted({VERIFICATION, *STORAGE_CLASSES}, key=order) if policy.takes(uid)]
    return table(("SOP Class", "UID"), ((name_of(uid), f"`{uid}`") for uid in taken))


def transfer_syntaxes() -> str:
    """Syntaxes that are kept and passed on as they are."""
    return table(("Transfer Syntax", "UID"), ((name_of(u), f"`{u}`") for u in sorted(STORABLE_SYNTAXES, key=order)))


def refused_syntaxes() -> str:
    """Syntaxes that no presentation context is accepted with."""
    rows = ((name_of(u), f"`{u}`", why) for u, why in sorted(UNSTORABLE_SYNTAXES.items(), key=lambda r: order(r[0])))
    return table(("Transfer Syntax", "UID", "Why not"), rows)


def association() -> str:
    """What A-ASSOCIATE says, and the limits of an association."""
    limits, listener, destination = DimseLimits(), DimseListener(ae=("GATEWAY",), port=0), DimseDestination
    fields = destination.model_fields
    return table(
        ("What", "Value", "Where it is set"),
        (
            ("Application context name", f"`{APPLICATION_CONTEXT}`", "fixed"),
            ("Implementation class UID", f"`{IMPLEMENTATION_CLASS_UID}`", "fixed"),
            ("Implementation version name", f"`{IMPLEMENTATION_VERSION_NAME}`", "fixed"),
            ("Maximum PDU length announced, SCP", limits.max_pdu, "`limits.max_pdu`, `peers`"),
            ("Maximum PDU length announced, SCU", fields["max_pdu"].default, "`max_pdu` of the destination"),
            ("Longest A-ASSOCIATE-RQ", limits.associate_rq, "`limits.associate_rq`"),
            ("ARTIM: connection, handshake and A-ASSOCIATE-RQ in all", f"{limits.artim:g} s", "`limits.artim`"),
            ("One PDU in all", f"{limits.pdu_time:g} s", "`limits.pdu_time`"),
            ("Longest pause within a message", f"{limits.stall:g} s", "`limits.stall`"),
            ("Slowest message", f"{limits.min_rate} bytes a second", "`limits.min_rate`"),
            ("Idle association", f"{limits.idle:g} s", "`limits.idle`, `peers`"),
            ("Associations, all peers together", limits.associations, "`limits.associations`"),
            ("Associations of one peer", limits.associations_per_peer, "`limits.associations_per_peer`"),
            ("Largest data set", f"{limits.object_size} bytes", "`limits.object_size`"),
            ("SOP classes", listener.accept, "`accept`, `extra_sop_classes`"),
            ("Asynchronous operations", "1 performed, 1 invoked", "fixed"),
            ("SCU answers awaited", f"{fields['timeout'].default:g} s", "`timeout` of the destination"),
        ),
    )


def statuses() -> str:
    """What a destination's C-STORE status does, all 65,536 of them in runs."""
    rows: list[list[object]] = []
    for status in range(0x10000):
        found = meaning(status)
        if rows and rows[-1][2] == found:
            rows[-1][1] = status
        else:
            rows.append([status, status, found])
    words = {
        Disposition.DELIVERED: "delivered",
        Disposition.WARNING: "delivered, with the warning noted",
        Disposition.RETRY: "tried again, counted",
        Disposition.REFUSED: "held",
    }
    return table(
        ("Status", "What becomes of the object", "Reason"),
        ((f"{a:04X}" if a == b else f"{a:04X} to {b:04X}", words[m.disposition], f"`{m.reason}`") for a, b, m in rows),
    )


def tls() -> str:
    """The profiles of PS3.15 Annex B, with their suites."""
    return table(
        ("`profile`", "PS3.15", "Versions", "Suites offered", "Certificates"),
        (
            (
                f"`{p.name}`",
                f"{p.section}, {p.title}",
                ", ".join(version.value for version in p.versions),
                "<br>".join(f"{suite.iana}" for suite in p.suites),
                f"RSA >= {p.rsa_bits} bits, EC >= {p.ec_bits} bits, {', '.join(sorted(p.hashes))}",
            )
            for p in PROFILES.values()
        ),
    )


def media_profiles() -> str:
    """The application profiles of PS3.11 that media are made for and read by."""
    rows = []
    for name in names():
        each = load(name)
        syntaxes = "<br>".join(name_of(uid) for uid in each.syntaxes) or "each of 2.4"
        classes = ", ".join(name_of(uid) for uid in each.sop_classes) or "each of 2.3 that has a directory record"
        rows.append((f"`{name}`", each.annex, each.medium.name, ", ".join(each.medium.formats), classes, syntaxes))
    return table(("Profile", "Annex", "Medium", "Written as", "SOP classes", "Transfer syntaxes"), rows)


def directory_records() -> str:
    """The directory records of PS3.3 Annex F, and the type of each key."""
    more = ADDITIONAL["basic"], ADDITIONAL["extended"]
    rows = []
    for record, keys in KEYS.items():
        told = [
            ", ".join(f"{keyword} {kind}" for keyword, kind in found.get(record, ()))
            for found in ({record: keys}, *more)
        ]
        rows.append((record, *told))
    return table(("Record", "Keys and types", "Table D.3-2 adds", "Table H.3-2 adds"), rows)


def commitment() -> str:
    """What an N-ACTION or N-EVENT-REPORT is answered with, and what a report says of an instance."""
    words = {
        Failure.PROCESSING: "held, dropped, refused, on a route that commits to nothing, or not there in time",
        Failure.NO_SUCH_INSTANCE: "never came, or was given up by a person",
        Failure.CLASS_CONFLICT: "came under another SOP class",
    }
    answers = (
        (0x0000, "durably taken"),
        (PROCESSING_FAILURE, "N-ACTION: another request under a known Transaction UID"),
        (NO_SUCH_INSTANCE, "not the well-known SOP instance"),
        (INVALID_ARGUMENT, "not a data set of PS3.4 Annex J; N-EVENT-REPORT: of no transaction of ours with this peer"),
        (CLASS_NOT_SUPPORTED, "SOP class is not that of the context"),
        (NO_SUCH_ACTION, "N-ACTION: Action Type ID is not 1"),
        (MISTYPED_ARGUMENT, "no data set"),
        (RESOURCE_LIMITATION, "cannot be made durable now, more than the limit, or too much waits"),
    )
    rows = [("answer", f"{status:04X}", text) for status, text in answers]
    rows += [("Failure Reason in our report", f"{reason:04X}", text) for reason, text in words.items()]
    return table(("What", "Value", "Means"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "association": association,
    "sop-classes": sop_classes,
    "transfer-syntaxes": transfer_syntaxes,
    "refused-syntaxes": refused_syntaxes,
    "statuses": statuses,
    "commitment": commitment,
    "stow-types": stow_types,
    "stow-images": stow_images,
    "stow-limits": stow_limits,
    "tls": tls,
    "media-profiles": media_profiles,
    "directory-records": directory_records,
}


def rendered(text: str) -> str:
    """The document with its tables as the product is now. Raises KeyError on a table that no one makes."""
    return BLOCK.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}{found[3]}", text)


if __name__ == "__main__":
    for each in DOCUMENTS:
        each.write_text(rendered(each.read_text(encoding="utf-8")), encoding="utf-8")
