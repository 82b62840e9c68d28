"""What is neither header nor pixels: encapsulated documents and colour profiles, read strictly and written anew.

    icc.py      ICC profiles: the numbers stay, every text and name goes
    stl.py      STL surfaces: the triangles stay, header and names go
    wavefront.py  OBJ surfaces and their MTL materials: the geometry stays, comments and names go
    pdf.py      PDF: what can be read is read, and the pages are rebuilt from what was read

Rules of this package
* Bytes in, bytes out. What is written is made of what was understood, never the input with something cut out.
* What is not understood raises TransformError, and the caller removes or holds the document.
* It judges no text: who is named in it is transforms/deidentify/text's to say.
"""
