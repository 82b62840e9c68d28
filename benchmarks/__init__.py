"""The same work for the gateway and for programs nobody here wrote, side by side, on this machine.

    python -m benchmarks [--quick] [--work ingest|deidentify|end-to-end]... [--write]

Rules of this folder
* Only ratios inside one round count: systems take turns within each round, each in fresh directories.
* All get the same bytes from the same sender, over the same TLS. A figure of an object lost, a pixel changed or, in the
  gateway's case, an identity left is no figure: the run fails.
* What a peer leaks is counted and told. Nothing is measured against a peer that does not do the same work without
  saying so beside it.

What it does not do: claim anything about another machine.
"""
