"""HTTP as DICOMweb speaks it (PS3.18), without deciding anything: media types, multipart, answers, tokens, a client.

Who stores what came over it is receive/stow.py; who sends is deliver/stow.py.
"""
