"""What is burned into pixels, and how it is taken out (PS3.15 E.3.1, Clean Pixel Data Option).

image.py      what a data set says of its pixels, checked
frames.py     where each frame's bytes lie: native, or in fragments with or without offset tables
boxes.py      rectangles and what they cover
native.py     blanks boxes in native pixels without copying them
jpeg.py       blanks boxes in JPEG DCT streams block by block: every other block keeps its bits
lossless.py   writes JPEG lossless
codecs.py     one port to decoders and encoders; what two of them read differently is held
working.py    what is done to one frame: decode, look, blank, encode, look again
pictures.py   makes of a frame what a text detector can look at
risk.py       which images may hold burned-in text
devices.py    the catalogue: which device burns in where
rebuilding.py puts new frames and attributes into a data set, as an edit plan

Decoders read hostile bytes: gateway/hosted/frames.py runs working.py in a process of its own, under limits.
"""
