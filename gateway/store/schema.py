"""The ledger's tables. `engine.py` refuses a ledger of another VERSION that `migrations.py` cannot bring to this one.

An instance is kept as one MessagePack value (gateway.model.Instance) beside the few columns that are searched.
Each index is there for one statement of ledger.py or reading.py that would otherwise read a whole backlog.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
)

VERSION = 7  # with each change of a table a step in migrations.py
metadata = MetaData()
_ID = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself only in an INTEGER key

TO_ASK = "commitment-to-ask"  # reason of a delivery whose commitment no transaction asks for
IS_TO_ASK = f"reason = '{TO_ASK}'"  # a literal: SQLite uses a partial index for nothing else

meta = Table("meta", metadata, Column("key", String, primary_key=True), Column("value", String, nullable=False))

instances = Table(
    "instances",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("sop_instance", String(64), nullable=False, index=True),
    Column("sha256", String(64), nullable=False),
    Column("association", String(32), nullable=False),
    Column("study", String(64), nullable=False),
    Column("series", String(64), nullable=False, server_default=""),  # "" also of what came before version 7
    Column("sop_class", String(64), nullable=False),
    Column("patient_id", String, nullable=False),
    Column("spool", String(64), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("received", Float, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Index("instances_open", "state", "id"),
    Index("instances_brought", "association", "study"),
    Index("instances_patients", "study", "patient_id"),
    Index("instances_series", "series", "study"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("instance", _ID, ForeignKey("instances.id"), nullable=False, index=True),
    Column("destination", String(64), nullable=False),
    Column("study", String(64), nullable=False),  # of the instance, so that what is due is found in one index
    Column("state", String(16), nullable=False),
    Column("reason", String(64), nullable=False, default=""),
    Column("detail", String(256), nullable=False, default=""),  # of what is held, for people
    Column("attempts", Integer, nullable=False, default=0),
    Column("crashes", Integer, nullable=False, default=0),
    Column("next_try", Float),
    Column("first_try", Float),
    Column("worker", String(64), nullable=False, default=""),
    Column("association", String(32), nullable=False, default=""),
    Column("status", Integer),
    Column("sent_instance", String(64), nullable=False, default=""),
    Column("sent_study", String(64), nullable=False, default=""),
    Column("sent_sha256", String(64), nullable=False, default=""),
    Column("steps", String, nullable=False, default=""),
    Column("anonymized", Integer, nullable=False, default=0),
    Column("grouped", _ID, ForeignKey("groups.id")),  # the group it waited for; NULL where the route groups nothing
    Column("evidence", LargeBinary, nullable=False, default=b""),  # gateway.model.Evidence of what is delivered
    Column("updated", Float, nullable=False),
    Index("deliveries_oldest", "destination", "state", "id", "next_try", "study"),
    Index("deliveries_due", "destination", "state", "next_try"),
    Index("deliveries_took", "association", "sent_study"),
    Index("deliveries_leased", "state", "worker"),
    Index("deliveries_to_ask", "next_try", "destination", sqlite_where=text(IS_TO_ASK)),
    Index("deliveries_grouped", "grouped", "destination", "state", sqlite_where=text("grouped IS NOT NULL")),
)

groups = Table(
    "groups",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("route", String(64), nullable=False),
    Column("kind", String(8), nullable=False),  # study or series
    Column("uid", String(64), nullable=False),  # of it, as received
    Column("number", Integer, nullable=False),  # 0 is the first of the study or series, n the n-th follow-up
    Column("opened", Float, nullable=False),
    Column("last", Float, nullable=False),
    Column("quiet", Float, nullable=False),
    Column("max_wait", Float, nullable=False),
    Column("expected", Integer, nullable=False),
    Column("look", Float, nullable=False),  # when it is to be judged again
    Column("closed", Float),  # NULL: open
    Column("why", String(16), nullable=False),  # it was closed
    UniqueConstraint("route", "uid", "number"),
    Index("groups_look", "closed", "look"),
)

bringing = Table(
    "bringing",
    metadata,
    Column("grouped", _ID, ForeignKey("groups.id"), primary_key=True),
    Column("association", String(32), primary_key=True, index=True),
)

group_references = Table(  # of open groups all that members refer to; of closed ones what never came
    "group_references",
    metadata,
    Column("grouped", _ID, ForeignKey("groups.id"), primary_key=True),
    Column("sop_instance", String(64), primary_key=True),
)

commitments = Table(  # transactions of storage commitment; no rows but these say what a peer may rely on
    "commitments",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("role", String(3), nullable=False),  # scp: we were asked; scu: we ask
    Column("transaction_uid", String(64), nullable=False),
    Column("peer", String(16), nullable=False),  # its AE title
    Column("ae", String(16), nullable=False),  # ours
    Column("destination", String(64), nullable=False, default=""),  # scu
    Column("listener", String(64), nullable=False, default=""),  # scp
    Column("association", String(32), nullable=False, default=""),  # scp: on which it was asked
    Column("state", String(16), nullable=False),
    Column("reason", String(64), nullable=False, default=""),
    Column("asked", Float, nullable=False),
    Column("deadline", Float, nullable=False),
    Column("next_try", Float),
    Column("tries", Integer, nullable=False, default=0),
    Column("worker", String(64), nullable=False, default=""),
    UniqueConstraint("role", "transaction_uid", "peer"),
    Index("commitments_due", "state", "next_try"),
)

commitment_items = Table(
    "commitment_items",
    metadata,
    Column("commitment", _ID, ForeignKey("commitments.id"), primary_key=True),
    Column("sop_instance", String(64), primary_key=True),
    Column("sop_class", String(64), nullable=False),
    Column("delivery", _ID),  # scu
    Column("outcome", Integer),  # NULL: not yet; 0: committed; a Failure Reason; SUPERSEDED: asked for anew
)
SUPERSEDED = -1

associations = Table(
    "associations",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("value", LargeBinary, nullable=False),  # writer.messages.Opened
    Column("worker", String(64), nullable=False),
    Column("open", Integer, nullable=False),
    Index("associations_open", "open", "worker"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("seq", _ID, primary_key=True, autoincrement=False),
    Column("message", LargeBinary, nullable=False),
)
