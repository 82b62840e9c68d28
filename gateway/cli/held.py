"""`dicom-gateway held`: what waits for a person, and what that person decides."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from gateway.audit.text import safe
from gateway.cli.asking import Ask, each
from gateway.cli.common import DEFAULT_CONFIG, ConfigOption, columns, fail, loaded
from gateway.config.schema import Config
from gateway.errors import GatewayError, HoldObject
from gateway.model import Decision, Verdict
from gateway.pipeline import redecide
from gateway.rulebook import compile_ruleset, take
from gateway.store.reading import HeldRow, read_only
from gateway.store.spool import Spool
from gateway.writer.messages import Discard, Release

app = typer.Typer(
    help="List, show, release or discard what the gateway holds. Each decision is audited with your login name.",
    no_args_is_help=True,
)

Ids = Annotated[list[int], typer.Argument(help="Numbers from `held list`.")]


@app.command("list")
def list_held(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """One line for each held instance: its number, why it is held and what to do."""
    rows = _rows(loaded(config))
    if not rows:
        print("nothing is held")
        return
    columns(
        ("instance", "destination", "since", "reason", "SOP Instance UID"),
        ((str(row.instance_id), row.destination or "(all)", row.since, row.reason, row.sop_instance) for row in rows),
    )


@app.command()
def show(
    instance: Annotated[int, typer.Argument(help="A number from `held list`.")], config: ConfigOption = DEFAULT_CONFIG
) -> None:
    """All that is known of one held instance, and what can be done about its reason."""
    rows = [row for row in _rows(loaded(config)) if row.instance_id == instance]
    if not rows:
        fail(f"instance {instance} is not held")
    for row in rows:
        print(f"instance      {row.instance_id}")
        print(f"SOP Instance  {safe(row.sop_instance)}")
        print(f"study         {safe(row.study)}")
        print(f"from          listener {row.listener}, {safe(row.calling_ae) or '-'} at {safe(row.address)}")
        print(f"route         {row.route or '(none)'}")
        print(f"destination   {row.destination or '(all)'}")
        print(f"held since    {row.since}")
        print(f"reason        {safe(row.reason)}{': ' + safe(row.detail) if row.detail else ''}")
        print(f"what to do    {ADVICE.get(row.reason, _OTHERWISE)}")


@app.command()
def release(instances: Ids, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Let held instances go on.

    An instance that no route took is matched anew, under the rule file as it is now. A delivery that was refused is
    tried again with its attempts reset.
    """
    settings, digest = take(config)
    ruleset = compile_ruleset(settings, digest)
    spool = Spool(settings.state.dir / "spool", reserve=0)

    def decide(ask: Ask, number: int) -> str:
        decision: Decision | None = None
        with read_only(settings.state) as ledger:
            instance, whole = ledger.held_instance(number)
        if whole:
            decision = redecide(instance, spool, ruleset)
            if decision.verdict is not Verdict.DELIVER:
                raise HoldObject("still-held", f"the rule file says: {decision.verdict} ({decision.reason})")
        ask(Release(number, decision, getpass.getuser()))
        return f"released {number}"

    each(settings, instances, decide)


@app.command()
def discard(
    instances: Ids,
    reason: Annotated[str, typer.Option(help="Why; it goes into the audit trail. Name no patient.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Give held instances up. Their bytes are deleted; the audit trail keeps that you did it, and why."""

    def decide(ask: Ask, number: int) -> str:
        ask(Discard(number, reason, getpass.getuser()))
        return f"discarded {number}"

    each(loaded(config), instances, decide)


def _rows(settings: Config) -> list[HeldRow]:
    try:
        with read_only(settings.state) as ledger:
            return ledger.held()
    except GatewayError as error:
        fail(f"{error.reason}: {error.detail}")


_OTHERWISE = "look the reason up in docs/reasons.md"
ADVICE: dict[str, str] = {
    "no-route": "add a route for it to the rule file, then `held release`; or `held discard`",
    "rule-missing": "a rule asks for a value that is not there: `explain` names it",
    "rule-type-error": "a value is not of its VR: `explain` names the predicate; correct rule or object",
    "rule-error": "a rule could not be applied: `explain` names it",
    "group-uid-missing": "the route groups by study or series and the object names none: have the sender correct it",
    "commitment-refused": "its destination does not keep it: ask its owner, then `held release` sends it again",
    "commitment-timeout": "its destination never said that it keeps it: ask its owner, then `held release`",
    "several-routes": "routes with different steps want it: match more narrowly, then `held release`",
    "conflict": "another object with this SOP Instance UID but other content came first; compare, then decide",
    "study-of-another-patient": "patients were merged or mistaken: find out, then `held release` or `held discard`",
    "series-of-another-study": "studies were merged or split: find out, then `held release` or `held discard`",
    "burned-in-unknown": "`pixels show` its group, then `pixels decide`: that releases all of them",
    "needs-decompression": "the destination takes no compressed syntax; send it elsewhere",
    "empty-patient-id": "a pseudonym needs a Patient ID: have the sender correct it, then `held discard`",
    "crashed-while-processing": "three processes died on it: report it, keep it",
    "key-changed": "put the old key back, or `held discard` and have it sent again",
}
