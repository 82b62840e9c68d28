"""PS3.20 as data: document, section and entry templates, and Annex C's mapping from SR.

* templates.py: chapters 7 to 10, each template by the name that code uses for it.
* mapping.py: Annex C, which SR section becomes which CDA section, and the concepts that have a place of their own.
* schemes.py: PS3.16 Tables 8-1 and 8-2, what a Coding Scheme Designator is as an OID.

`transforms/cda` reads it; nothing here runs.
"""

from __future__ import annotations

from profiles.cda.mapping import CONTEXT, SECTION_OF, TYPE_CODE
from profiles.cda.schemes import SCHEMES, Scheme
from profiles.cda.templates import ENTRIES, SECTIONS, TOP, Section

__all__ = ["CONTEXT", "ENTRIES", "SCHEMES", "SECTIONS", "SECTION_OF", "TOP", "TYPE_CODE", "Scheme", "Section"]
