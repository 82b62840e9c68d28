"""Writes pages of text as PDF 1.4: Helvetica, no compression, nothing else. The same pages give the same bytes."""

from __future__ import annotations

from typing import Final

from transforms.documents.pdf import Page, Piece

_ESCAPED: Final = str.maketrans({"\\": r"\\", "(": r"\(", ")": r"\)"})


def written(pages: tuple[Page, ...]) -> bytes:
    """A PDF of these pages."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids[{kids}]/Count {len(pages)}>>".encode(),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ]
    for page in pages:
        content = b"\n".join(map(_set, page.pieces))
        box = " ".join(map(_number, page.box))
        objects += [
            f"<</Type/Page/Parent 2 0 R/MediaBox[{box}]/Rotate {page.rotation}/Contents {len(objects) + 2} 0 R"
            "/Resources<</Font<</F 3 0 R>>>>>>".encode(),
            b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
        ]
    out = bytearray(b"%PDF-1.4\n")
    places = []
    for number, each in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj%s\nendobj\n" % (number, each)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    return bytes(out)


def _set(piece: Piece) -> bytes:
    matrix = " ".join(map(_number, piece.matrix))
    shown = piece.text.translate(_ESCAPED).encode("cp1252")
    return f"BT /F {_number(piece.size)} Tf {matrix} Tm (".encode() + shown + b") Tj ET"


def _number(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".") if value else "0"
