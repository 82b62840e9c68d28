"""Burned-in text in the gateway: the catalogue's files, what is done to an object, and what waits for a decision.

catalogue.py   the known devices (profiles/devices.py) and the site's own file
cleaning.py    one object: risky? known? look, blank, or hold
groups.py      held images by device and form, with a picture each
features.py    a program of the site's takes faces out
transcoding.py one object in another transfer syntax
"""
