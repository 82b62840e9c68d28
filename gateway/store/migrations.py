"""An older ledger brought to the schema of this gateway, where that can be done without guessing.

Rules of this file
* Forward only, one step a version, all of them in the transaction that opens the ledger: it is of one version or of
  the other, whenever the power fails.
* A step adds; it takes nothing away and reads no object. What it cannot know of old rows stays empty, and whoever asks
  takes empty for "not known".
* Statements are what SQLite and PostgreSQL both understand. A schema that is made new is the same as one brought here.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

STEPS: dict[int, tuple[str, ...]] = {  # from this version to the next
    6: (
        "ALTER TABLE instances ADD COLUMN series VARCHAR(64) DEFAULT '' NOT NULL",
        "CREATE INDEX instances_series ON instances (series, study)",
    ),
}


def bring(connection: Connection, found: str, wanted: int) -> bool:
    """Bring a ledger of version `found` to `wanted`; False, and nothing is done, where no steps lead there."""
    versions = range(int(found), wanted) if found.isascii() and found.isdigit() else range(0)
    if not versions or any(version not in STEPS for version in versions):
        return False
    for version in versions:
        for statement in STEPS[version]:
            connection.execute(text(statement))
    return True
