"""Digital signatures of data sets (PS3.15 Annex C, PS3.3 C.12.1.1.3): what is signed, where signatures stand, edits.

tags      the attributes they are made of, and what may be signed
mac       the byte stream that a signature is over
reading   every signature of an object, at the top and in items
writing   signatures put in, and taken out

Pure: no key, no certificate is looked at here; gateway/security/signatures signs and judges.
Data sets are in Explicit VR little endian, compressed or not; transforms/dataset/convert.py makes others so.
"""
