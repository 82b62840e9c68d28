"""The one process that owns the ledger, the audit outbox and the hash chain; and how workers speak to it."""
