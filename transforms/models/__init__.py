"""Data sets in the web's words: DICOM JSON (PS3.18 Annex F) and the Native DICOM Model in XML (PS3.19 A.1), read only.

model.py        what both say, and the limits of it
json_model.py   JSON -> model
native.py       XML -> model
encode.py       model -> Explicit VR little endian, with bulk data spliced in
"""
