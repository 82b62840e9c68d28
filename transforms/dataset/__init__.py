"""The byte-exact data set: strict framing, values, conversion between transfer syntaxes, Part 10 files.

syntax    the transfer syntaxes and what each means for the bytes
elements  VR tables and element headers
framing   are these bytes exactly one data set? -> Index of its top-level elements
values    text out of a framed data set
convert   Implicit <-> Explicit VR, big -> little endian, inflating, canonical digest
part10    preamble and File Meta Information
attributes  a data set put together from values
"""
