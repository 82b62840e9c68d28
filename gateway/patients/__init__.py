"""Where patients' pseudonyms come from when the key does not make them: a table, or a service; and who may go back.

    lookup.py    one object -> the pseudonym it leaves under, or a reason to hold it or to wait
    csvmap.py    a table read whole at each (re)load, every mistake told with its line
    service.py   a map service, over https.py
    given.py     what was given once is remembered on disk: another answer later is never used, and is told
    escrow.py    the encrypted table of who is who
    check.py     what `dicom-gateway check` says of all these

Nothing here touches an object, and nothing here logs or raises an identifier.
"""
