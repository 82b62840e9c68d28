"""SR documents as HL7 CDA R2 imaging reports (PS3.20), and those as pages for people.

    from_sr.convert(document, options, lineage, pictures) -> Cda      html.page(cda) -> bytes

* Annex C of PS3.20 is obeyed row by row where the SR is of TID 2000, 2005 or 2006; any other template keeps its own
  structure, as subsections with entries (plan.py).
* Nothing vanishes: every content item is in the narrative and in an entry, or in the loss report. Where the item at
  position 1.8.1 went is told by its name: `content/@ID` is i1.8.1 and the entry's id has the extension 1.8.1.
* The same document with the same options and lineage gives the same bytes, and its id is made of them (identity.py).

It reads the frozen model of transforms/sr and profiles/cda. It reads no DICOM, opens no image, keeps nothing.
"""
