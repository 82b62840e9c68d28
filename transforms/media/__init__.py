"""File-sets and their DICOMDIR (PS3.10 section 8, PS3.3 Annex F), as values: records of objects, their tree, its bytes.

records.py reads the keys of one object, tree.py arranges the records and gives File IDs, dicomdir.py writes the tree,
reading.py reads a DICOMDIR and says what is wrong with it.
"""
