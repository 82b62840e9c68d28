"""The egress check: an independent last look at every de-identified object, before a byte of it leaves.

* It shares no code with transforms/deidentify, and import-linter keeps it so: one fault must not hide another. It has
  its own element scanner, its own tables and its own idea of what identifies.
* `harvest` takes the identifiers of an original, `check` searches for them in what would leave: everything but native
  Pixel Data, whole, at every depth and in every encoding that a fault could put them in.
* A hit says of which class it is, how it was encoded and where: never the value.

It judges no pixels, and what no original of the study said it cannot find.
"""

VERSION = "1"  # told in manifests; another number where it finds other things
