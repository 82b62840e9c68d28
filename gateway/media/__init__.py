"""Interchange media (PS3.10, PS3.11, PS3.12): a set of objects becomes one verified File-set, and back.

making.py    members -> survey -> volumes -> staged files -> packed -> re-read and reconciled -> its final name
opening.py   a folder, ZIP or ISO image -> its objects, verified and decrypted; or what is wrong with it
medium.py    how any medium is read: folders here, images in iso9660.py, archives in zipped.py

It knows no route and no ledger: gateway/deliver/media.py does.
"""
