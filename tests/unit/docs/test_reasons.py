"""Every reason that the code can give stands in docs/reasons.md, so that an operator finds what to do."""

from __future__ import annotations

import re

from tests.conftest import ROOT

KINDS = (
    "TransformError|GatewayError|HoldObject|WaitObject|RefuseObject|RefusePeer|StorageFailed|BadFraming"
    "|BudgetExceeded|DestinationDown|unreadable|[.]fail|NotSigned|NotOpened|NotWritten|MediaError"
)
RAISED = re.compile(rf'(?:{KINDS})\(\s*"([a-z0-9-]+)"')


def missing(text: str) -> set[str]:
    found = set()
    for package in ("gateway", "transforms"):
        for path in (ROOT / package).rglob("*.py"):
            found |= {code for code in RAISED.findall(path.read_text()) if f"`{code}`" not in text}
    return found


def test_every_reason_is_explained() -> None:
    assert missing((ROOT / "docs" / "reasons.md").read_text()) == set()


def test_a_missing_one_is_noticed() -> None:
    text = (ROOT / "docs" / "reasons.md").read_text()
    assert "disk-full" in missing(text.replace("`disk-full`", "disk-full"))
