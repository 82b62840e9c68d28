"""Interchange media (PS3.10, PS3.11, PS3.12): a set of objects becomes one verified File-set, and back.

making.py     the order of work: members -> survey -> volumes -> staging -> packing -> reconciled -> sealing
opening.py    a folder, ZIP or ISO image -> its objects, verified and decrypted; or what is wrong with it
listing.py    its DICOMDIR alone
medium.py     how any medium is read: folders here, images in iso9660.py, archives in zipped.py
secure.py     keys and passwords of users -> what encrypts, signs, opens and judges (PS3.15 D.1)
pages.py      README.TXT and the index page;  progress.py  how far a set is

The pure part is transforms/media, the tables are profiles/media. It knows no route and no ledger:
gateway/deliver/media.py and gateway/receive/media.py do.
"""
