"""Signed evidence: what was done to each object of a study or run, and what left (docs/manifests.md).

model.py    the document, and its one spelling
making.py   from the ledger's rows, or from a run's results, to a document; pure
keeping.py  signed, and kept: one file after the other, never over another
judging.py  a document against files
"""
