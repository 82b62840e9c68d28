"""What the gateway promised to keep: bytes (spool), states (ledger), and what a crash leaves behind (inflight).

spool.py        durable files with names of ours; files.py reads them
schema.py       the tables; engine.py opens them
ledger.py       every change of state, inside the writer's transaction
transitions.py  the states of a delivery, as a table
retry.py        when to try again, pure
reading.py      what `status` and `held` show, read-only
inflight.py     which object a dead process was working on
"""
