"""De-identification by PS3.15 Annex E: from bytes, a compiled profile and a key to a finished edit plan.

    engine    one object: `deidentify(source, syntax, table, context)` -> Deidentified
    profile   profile, options and overrides compiled into the table the walk reads
    rules     what is done with an element, and why (docs/adr/0003)
    walk      one pass over the raw headers; actions does what the rules say; edit is the plan while it grows
    context   the project's key: replacement UIDs and pseudonyms; uids: which of them are structural
    dummies, fitting, pixels   what stands for a value, what a value may be, how long an image is

Options, structured content, pixels, private elements and re-identification are not here yet.
"""
