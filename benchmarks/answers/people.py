"""Invented people and words, each from a seed: nobody has these names, and no harmless word holds them.

Rules of this file
* Names are made of syllables that spell no name and no word; a canary is a name that stands in one place only.
* Each character set of forms.py has its own script, so that a word can be written in it.
* Telephone numbers are 555-01xx, mail addresses end in example.org: reserved, nobody's.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

SYLLABLES: Final = (
    "zor", "vek", "qul", "jax", "wyb", "fyz", "kiv", "gux", "pyq", "tov", "myx", "ryk", "dwi", "hux", "lyv", "bwo",
    "xan", "zim", "quv", "jyl", "vux", "kwe", "gyz", "fwa",
)  # fmt: skip
LATIN: Final = ("zör", "vék", "ñul", "jåx", "wüb", "føz", "kîv", "gûx", "pëq", "tôv", "mÿx", "rýk", "dßi", "hæx")
GREEK: Final = ("ζορ", "βεκ", "ψυλ", "ξαχ", "φυζ", "κιβ", "γυξ", "θοβ", "μυξ", "ρυκ", "δωι", "ληβ")
KANJI: Final = "鷲鴉鮎鯉蛍蝶梟狸鯨鶴亀蟹槍盾笛琴鼓鐘鍵扉窓塔橋滝"
HANZI: Final = "鹭鸦鲇鲤萤蝶枭狸鲸鹤龟蟹枪盾笛琴鼓钟钥扉窗塔桥滩"
SCRIPTS: Final = {"ascii": SYLLABLES, "latin-1": LATIN, "utf-8": GREEK, "iso-2022-jp": KANJI, "gb18030": HANZI}


def word(chance: random.Random, script: str = "ascii") -> str:
    """A name of one script: 9 letters, or 5 signs where a sign is a syllable."""
    parts = SCRIPTS[script]
    if isinstance(parts, str):
        return "".join(chance.sample(parts, 5))
    return "".join(chance.sample(parts, 3)).capitalize()


def day(chance: random.Random, first: date, days: int) -> str:
    """A DA value. Days above 12, so that no part of it is a month as well."""
    found = first + timedelta(chance.randrange(days))
    return f"{found:%Y%m}{13 + found.day % 15:02d}"


@dataclass(frozen=True)
class Person:
    """A patient, and the people and places around one study. Dates as DA."""

    family: str
    given: str
    native: dict[str, str]  # script -> family and given name, one after the other
    patient_id: str
    issuer: str
    birth: str
    study_date: str
    telephone: str
    mail: str
    street: str
    city: str
    accession: str
    admission: str
    institution: str
    physician: str  # family name
    operator: str  # family name

    @property
    def name(self) -> str:
        """As PN."""
        return f"{self.family}^{self.given}"

    def known(self) -> dict[str, str]:
        """What may be looked for anywhere in an output, by label. Long enough not to occur by chance."""
        labels = (
            "family", "given", "patient_id", "issuer", "birth", "accession", "admission", "street", "institution",
            "physician", "operator", "mail",
        )  # fmt: skip
        return {label: getattr(self, label) for label in labels}


def person(seed: int, number: int) -> Person:
    """The patient with that number."""
    chance = random.Random(f"{seed}/person/{number}")
    family, given, physician, operator, city, street, house = (word(chance) for _ in range(7))
    issuer = word(chance)
    return Person(
        family=family,
        given=given,
        native={script: word(chance, script) + word(chance, script) for script in SCRIPTS},
        patient_id=f"MRN-{chance.randrange(10**7, 10**8)}",
        issuer=issuer,
        birth=day(chance, date(1935, 1, 1), 20000),
        study_date=day(chance, date(2012, 1, 1), 4000),
        telephone=f"555-01{chance.randrange(10, 99)}-{chance.randrange(1000, 9999)}",
        mail=f"{given.lower()}.{family.lower()}@example.org",
        street=f"{chance.randrange(100, 999)} {street} Road",
        city=city,
        accession=f"ACC{chance.randrange(10**8, 10**9)}",
        admission=f"ADM{chance.randrange(10**8, 10**9)}",
        institution=f"{house} Clinic",
        physician=physician,
        operator=operator,
    )
