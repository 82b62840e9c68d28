"""De-identification measured as MIDI-B does: planted identifiers, an answer key in its schema, its ten actions.

    python -m benchmarks.answers make OUT [--count N] [--option NAME] [--corpus DIR]
    python -m benchmarks.answers score --key KEY.sqlite --out FOLDER --mapping FOLDER

* `make` writes objects with labelled identifiers of invented people, and the key that says what must become of each.
* `score` reads outputs, the two mapping tables and a key, MIDI-B's own or ours, and tells what is wrong and where.
* Nothing here imports the de-identifier that is judged: pydicom reads, the tables are this package's own.

A figure on a set of ours is a figure on our own set; docs/answers.md says what that is worth.
"""
