"""Free text without identities (PS3.15 E.3.5, Clean Descriptors).

    identities.py   who and what identifies in an object: names, numbers, places, as they stand in it
    patterns.py     what looks like an identity wherever it stands: dates, telephone numbers, titles with a name
    cleaner.py      takes both out of a text, and leaves the rest as it was
    values.py       the same for the bytes of a value, in its character set

What is removed is replaced by nothing. Recall goes first: a word too many is a loss, a name too many is a leak.
"""

from transforms.deidentify.text.cleaner import Cleaner, Remover, cleaner_for
from transforms.deidentify.text.identities import Identities, identities
from transforms.deidentify.text.values import clean_value

__all__ = ["Cleaner", "Identities", "Remover", "clean_value", "cleaner_for", "identities"]
