"""AIM v4 as frozen values: one class for each type of the schema (rv44), and what AIM 4.2 adds (PS3.21).

Rules of this package
* Names are the schema's in Python's spelling: `type_code` is `typeCode`. schema.py derives the XML from the classes.
* A tuple of a class is a collection; its element is named as the field, the elements in it as the class.
* Classes that say "Abstract" stand in XML only as one of their kinds (xsi:type).
"""
