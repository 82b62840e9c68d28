"""Devices known to burn text into their images: where, in the words of a site's own file (docs/pixels.md).

What stands here is public knowledge of other sites; none of it was seen by us. So each entry says `text: look`, the
default: its boxes are blanked, and the image is looked at all the same. A site vouches in its own file.
"""

from __future__ import annotations

from typing import Any, Final

KNOWN: Final[dict[str, Any]] = {
    "devices": [
        {
            "name": "ge-lightspeed-dose-report",
            "match": {
                "manufacturer": "GE*", "model": "LightSpeed*", "modality": "CT", "image_type": "*SCREEN SAVE*",
                "rows": 512, "columns": 512,
            },
            "boxes": [{"left": 0, "top": 0, "width": 512, "height": 121}],
            "why": "the dose report has the patient in its upper part",
        },
        {
            "name": "ziehm-1024",
            "match": {"manufacturer": "Ziehm*", "modality": "XA", "rows": 1024, "columns": 1024},
            "boxes": [
                {"left": 0, "top": 0, "width": 196, "height": 148},
                {"left": 0, "top": 940, "width": 189, "height": 66},
                {"left": 706, "top": 0, "width": 317, "height": 66},
            ],
            "why": "patient, time and hospital stand in three corners",
        },
    ]
}  # fmt: skip
