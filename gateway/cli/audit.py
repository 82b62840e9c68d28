"""`dicom-gateway audit`: prove that the trail is whole, and read it."""

from __future__ import annotations

import sys
import time
from collections import deque
from pathlib import Path
from typing import Annotated

import typer
from lxml import etree  # type: ignore[import-untyped]

from gateway.audit.chain import Head, Record
from gateway.audit.text import restored, safe
from gateway.audit.trail import read
from gateway.audit.verify import Finding
from gateway.audit.verify import verify as find_faults
from gateway.cli.common import DEFAULT_CONFIG, ConfigOption, fail, loaded
from gateway.errors import GatewayError
from gateway.store.reading import read_only

app = typer.Typer(help="The audit trail (PS3.15 A.5): verify its hash chain, read it.", no_args_is_help=True)

FolderOption = Annotated[
    Path | None, typer.Option("--dir", help="A trail's folder by itself, without a ledger that knows where it ends.")
]
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
_MASK = "***"


@app.command()
def verify(config: ConfigOption = DEFAULT_CONFIG, folder: FolderOption = None) -> None:
    """Exit 0 where no record was changed, removed, reordered or put in and the end is the one the ledger knows; else 1.

    Each fault is told with file and line. With --dir the end of the trail is not proved.
    """
    head, where = None, folder
    if where is None:
        settings = loaded(config)
        where = settings.state.dir / "audit"
        try:
            with read_only(settings.state) as ledger:
                head = Head(*ledger.audit_head())  # before the trail: it may only grow meanwhile
        except GatewayError as error:
            fail(f"{error.reason}: {error.detail}")
    elif not where.is_dir():
        fail(f"{where}: no such folder")
    faults, records = _verified(where, head)
    for fault in faults:
        print(fault)
    proof = (
        "its end is not proved: no ledger was asked" if head is None else f"the ledger saw it up to record {head.seq}"
    )
    print(
        f"{len(faults)} faults in {records} records" if faults else f"intact: {records} records; {proof}",
        file=sys.stderr,
    )
    if faults:
        raise typer.Exit(1)


@app.command()
def show(
    config: ConfigOption = DEFAULT_CONFIG,
    folder: FolderOption = None,
    last: Annotated[int, typer.Option("--last", "-n", help="How many events, from the end.", min=1)] = 50,
    identities: Annotated[bool, typer.Option("--identities", help="Show Patient IDs.")] = False,
) -> None:
    """The last events: time, what, outcome, who, which study. Patient IDs are masked unless asked for."""
    where = folder or loaded(config).state.dir / "audit"
    if not where.is_dir():
        fail(f"{where}: there is no trail yet")
    for file, line, record in deque(read(where), maxlen=last):
        print(told(record, identities=identities) if record else f"{file}:{line}: no record")


def told(record: Record, *, identities: bool = False) -> str:
    """One event on one line."""
    try:
        message = etree.fromstring(record.message.encode(), _PARSER)
    except (etree.XMLSyntaxError, ValueError):
        return f"{record.seq} {record.at} (a message that cannot be read)"
    event = message.find("EventIdentification")
    name = _text(message.find("EventIdentification/EventTypeCode"), "originalText")
    parts = [str(record.seq), record.at, _text(message.find("EventIdentification/EventID"), "originalText")]
    if name:
        parts[-1] += f" ({name})"
    outcome = _text(event, "EventOutcomeIndicator")
    if outcome != "0":
        parts.append(f"outcome={outcome}")
    reason = message.findtext("EventIdentification/EventOutcomeDescription")
    if reason:
        parts.append(f'reason="{_clean(reason)}"')
    parts += [_participant(each) for each in message.findall("ActiveParticipant")]
    parts += [_object(each, identities) for each in message.findall("ParticipantObjectIdentification")]
    return " ".join(part for part in parts if part)


def _participant(element: etree._Element) -> str:
    role = _text(element.find("RoleIDCode"), "originalText").removesuffix(" Role ID").lower() or "participant"
    who = [_text(element, key) for key in ("UserID", "AlternativeUserID", "UserName")]
    where = _text(element, "NetworkAccessPointID")
    shown = [each for each in (*who, where) if each]
    return f"{role}=[{', '.join(dict.fromkeys(shown))}]"


def _object(element: etree._Element, identities: bool) -> str:
    kind = _text(element.find("ParticipantObjectIDTypeCode"), "csd-code")
    value = _text(element, "ParticipantObjectID")
    if kind == "2":
        return f"patient={value if identities or not value else _MASK}"
    if kind == "110180":
        instances = sum(
            int(number) for each in element.iter("SOPClass") if (number := each.get("NumberOfInstances", "")).isdigit()
        )
        anonymized = " anonymized" if element.findtext(".//Anonymized") == "true" else ""
        return f"study={value} instances={instances}{anonymized}"
    return "" if kind == "110182" else f"{kind.lower()}={value}"


def _text(element: etree._Element | None, key: str) -> str:
    return "" if element is None else _clean(element.get(key) or "")


def _clean(text: str) -> str:
    """As messages.py wrote it; and harmless where somebody else wrote it."""
    return safe(restored(text))


def _verified(folder: Path, head: Head | None) -> tuple[list[Finding], int]:
    """Faults and number of records. A line without an end may be one that is just being written: look again."""
    for _ in range(3):
        faults = find_faults(folder, head)
        if not any(fault.kind == "incomplete" for fault in faults):
            break
        time.sleep(0.3)
    return faults, sum(1 for _ in read(folder)) if folder.is_dir() else 0
