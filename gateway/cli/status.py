"""`dicom-gateway status`: every instance and destination, its state, why it waits and until when."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from msgspec import structs
from msgspec.structs import replace

from gateway.cli.common import DEFAULT_CONFIG, ConfigOption, columns, fail, loaded
from gateway.config.schema import State
from gateway.errors import GatewayError
from gateway.media.progress import progress
from gateway.model import DeliveryState
from gateway.store.reading import GroupTold, StatusRow, read_only, told_of


def status(
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document, for programs.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Also what is delivered, dropped or discarded, not only what is open.")
    ] = False,
    limit: Annotated[int, typer.Option(help="Rows at most.", min=1)] = 1000,
    groups: Annotated[
        bool, typer.Option("--groups", help="Studies and series that are delivered when complete, instead.")
    ] = False,
) -> None:
    """Show what the gateway has: per instance and destination its state, reason, attempts and next try.

    Works while the gateway serves and while it does not. UIDs are shown, patients are not.
    """
    settings = loaded(config)
    if groups:
        show_groups(settings.state, limit, as_json=as_json)
        return
    try:
        with read_only(settings.state) as ledger:
            counts = ledger.counts()
            rows = ledger.status(everything=everything, limit=limit)
    except GatewayError as error:
        fail(f"{error.reason}: {error.detail}")
    if as_json:
        document = {"serving": _serving(settings.state.dir), "counts": counts, "rows": [_plain(row) for row in rows]}
        json.dump(document, sys.stdout, indent=2)
        print()
        return
    print(_summary(counts, _serving(settings.state.dir)))
    rows = [_with_progress(row, settings.state.dir) for row in rows]
    if rows:
        columns(
            ("instance", "destination", "state", "reason", "attempts", "next try", "route", "SOP Instance UID"),
            map(_line, rows),
        )


def show_groups(state: State, limit: int, *, as_json: bool) -> None:
    """Open and closed groups, the newest first."""
    try:
        with read_only(state) as ledger:
            found = ledger.all_groups(limit)
    except GatewayError as error:
        fail(f"{error.reason}: {error.detail}")
    if as_json:
        json.dump([structs.asdict(each) for each in found], sys.stdout, indent=2)
        print()
    elif not found:
        print("no group")
    else:
        head = ("group", "route", "has", "state", "until", "never came", "UID")
        columns(head, map(_group, found))


def _group(told: GroupTold) -> tuple[str, ...]:
    state = f"open: {told.reason}" if told.until is not None else f"closed: {told.reason}"
    return (str(told.group), told.route, told_of(told), state, when(told.until), str(len(told.missing)), told.uid)


_HEAD = ("instance", "destination", "state", "reason", "attempts", "next try", "route", "SOP Instance UID")


def _serving(state: Path) -> bool:
    return (state / "run" / "serving.json").exists()


def _summary(counts: dict[str, int], serving: bool) -> str:
    told = ", ".join(f"{number} {word}" for word, number in counts.items() if number) or "nothing"
    return f"{'serving' if serving else 'not serving'}: {told}"


def _with_progress(row: StatusRow, state: Path) -> StatusRow:
    """What is being sent as a whole takes its time: how far it is."""
    if row.state == DeliveryState.SENDING and (told := progress(state, row.group)):
        return replace(row, reason="media", detail=told)
    return row


def _line(row: StatusRow) -> tuple[str, ...]:
    return (
        str(row.instance_id),
        row.destination or "-",
        row.state,
        f"{row.reason}: {row.detail}" if row.detail else row.reason or "-",
        str(row.attempts),
        when(row.next_try),
        row.route or "-",
        row.sop_instance,
    )


def when(moment: float | None) -> str:
    """Until when, from now."""
    if moment is None:
        return "-"
    left = moment - time.time()
    return "now" if left <= 0 else f"in {left:.0f} s"


def _plain(row: StatusRow) -> dict[str, object]:
    return {
        "instance": row.instance_id,
        "sop_instance": row.sop_instance,
        "study": row.study,
        "route": row.route,
        "destination": row.destination,
        "state": row.state,
        "reason": row.reason,
        "detail": row.detail,
        "attempts": row.attempts,
        "next_try": row.next_try,
        "sent_instance": row.sent_instance,
        "sent_sha256": row.sent_sha256,
        "group": row.group,
    }
