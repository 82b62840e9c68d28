"""What every part of a document is written with: the writer, the terms, the site's options, and the losses met.

Rules of this file
* One method a datatype of HL7 v3 (CDA R2 datatypes): the same value is written the same way everywhere.
* What has no value gets the nullFlavor that fits: NI, MSK where a de-identified document had it taken out.
* A value that the datatype has no place for is never bent: nullFlavor, the text beside it, and a line in the losses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from transforms.cda import times
from transforms.cda.names import Name, parted
from transforms.cda.options import Options, Picture
from transforms.cda.terms import OID, Term, Terms
from transforms.cda.wado import Links, quoted
from transforms.cda.xml import Attributes, Writer
from transforms.loss import Losses
from transforms.sr.model import Document, Item, Position
from transforms.sr.values import Code, Image

Pictures = Callable[[Image], "Picture | str"]  # or why there is none
MOST_PICTURES: Final = 100  # of a document


class Making:
    """One document being made. `writer` is where its parts write to."""

    def __init__(self, document: Document, options: Options, pictures: Pictures | None = None) -> None:
        self.writer = Writer()
        self.document = document
        self.options = options
        self.losses = Losses()
        self.terms = Terms(document.coding_schemes, options.coding_schemes)
        self.links = Links(document, options)
        self.said: set[str] = set()  # attributes that the model has no field for and the CDA has a place for
        self._pictures = pictures
        self._pictured: dict[Position, Picture] = {}
        self.zone = document.general.timezone
        self.masked = document.patient.identity_removed.strip().upper() == "YES"
        self.absent = "MSK" if self.masked else "NI"

    def take(self) -> tuple[bytes, ...]:
        """What was written so far, out of the writer."""
        return self.writer.done()

    def others(self, path: str) -> tuple[str, ...]:
        """An attribute of the object that the SR model has no field for."""
        self.said.add(path)
        return next((each.values for each in self.document.others if each.path == path), ())

    def other(self, path: str) -> str:
        """Its text."""
        return "\\".join(self.others(path))

    def picture(self, item: Item) -> Picture | None:
        """The picture of an IMAGE item, asked for once; only what stands in a section's `pictured` has one."""
        return self._pictured.get(item.position)

    def depict(self, item: Item) -> None:
        """Ask the shell for the picture of an item before the narrative of its section is written."""
        if self._pictures is None or not isinstance(item.value, Image):
            return
        where = ".".join(map(str, item.position))
        full = len(self._pictured) == MOST_PICTURES
        found = f"a document has at most {MOST_PICTURES} of them" if full else self._pictures(item.value)
        if isinstance(found, str):
            self.losses.left_out(where, f"picture: {found}")
            return
        self._pictured[item.position] = found
        if found.without:
            self.losses.changed(where, f"picture: shown without {found.without}")

    # -- identifiers ---------------------------------------------------------------------------------------------------

    def uid(self, name: str, uid: str, where: str) -> None:
        """II of a UID. One that is no OID (a leading zero, a letter) stands as it is, under no root."""
        if OID.match(uid):
            self.writer.leaf(name, {"root": uid})
        elif uid:
            self.writer.leaf(name, {"nullFlavor": "OTH", "extension": uid})
            self.losses.changed(where, "a UID that is no OID stands as extension without a root")
        else:
            self.writer.leaf(name, {"nullFlavor": self.absent})

    def number(self, name: str, extension: str, root: str, where: str) -> None:
        """II of a number that somebody assigned; without an OID of who did, it stands under no root."""
        if not extension:
            self.writer.leaf(name, {"nullFlavor": self.absent})
        elif OID.match(root):
            self.writer.leaf(name, {"root": root, "extension": extension})
        else:
            self.writer.leaf(name, {"nullFlavor": "UNK", "extension": extension})
            self.losses.defaulted(where, "the OID of who assigned the number is not known: nullFlavor UNK")

    def position(self, position: Position) -> None:
        """The id of the entry or section that a content item became."""
        self.named(".".join(map(str, position)))

    def named(self, extension: str) -> None:
        """The id of what was made of no content item, or of one by its position."""
        root = self.document.sop_instance
        if OID.match(root):
            self.writer.leaf("id", {"root": root, "extension": extension})
        else:
            self.writer.leaf("id", {"nullFlavor": "OTH", "extension": f"{root} {extension}"})

    # -- codes ---------------------------------------------------------------------------------------------------------

    def code(
        self, name: str, code: Code | None, where: str, *, type: str = "", also: Callable[[], None] | None = None
    ) -> None:
        """CD of a code, with its translations. `type`: xsi:type of a value. `also` writes the qualifiers."""
        start: dict[str, str] = {"xsi:type": type} if type else {}
        if code is None:
            self.writer.leaf(name, start | {"nullFlavor": "NI"})
            return
        first, *rest = self.terms.of(code)
        if not rest and first.known and also is None:
            self.writer.leaf(name, start | attributes(first))
            return
        if not first.known:
            self.losses.changed(
                where, f"no OID is known of the coding scheme {first.scheme or 'of a URN'}: kept as text"
            )
        with self.writer.element(name, start | (attributes(first) if first.known else {"nullFlavor": "OTH"})):
            if not first.known:
                self.writer.leaf("originalText", text=as_text(first))
            if also is not None:
                also()
            for term in rest:
                if term.known:
                    self.writer.leaf("translation", attributes(term))
                else:
                    with self.writer.element("translation", {"nullFlavor": "OTH"}):
                        self.writer.leaf("originalText", text=as_text(term))

    def concept(self, name: str, value: str, meaning: str, scheme: str = "DCM", *, type: str = "") -> None:
        """CD of a code that PS3.20 fixes."""
        self.code(name, Code(value, scheme, meaning), "", type=type)

    # -- times ---------------------------------------------------------------------------------------------------------

    def time(self, name: str, value: str | None, where: str, attributes: Attributes | None = None) -> None:
        """TS of what times.py made. None: what was sent is no time."""
        start = dict(attributes or {})
        if value:
            self.writer.leaf(name, start | {"value": value})
            return
        if value is None:
            self.losses.left_out(where, "no date or time as DICOM writes one")
        self.writer.leaf(name, start | {"nullFlavor": self.absent if value == "" else "OTH"})

    def from_low(self, name: str, value: str | None, where: str) -> None:
        """IVL<TS> that begins then."""
        with self.writer.element(name):
            self.time("low", value, where)

    def observed(self, item: Item) -> None:
        """effectiveTime of an entry: when the item was observed (0040,A032)."""
        self.time("effectiveTime", times.date_time(item.observed_at, self.zone), ".".join(map(str, item.position)))

    # -- people, places ------------------------------------------------------------------------------------------------

    def person(self, name: str, value: str) -> None:
        """PN of a PN value, one element a component group."""
        groups = parted(value)
        if not groups:
            self.writer.leaf(name, {"nullFlavor": self.absent})
        for each in groups:
            with self.writer.element(name, {"use": each.use} if len(groups) > 1 or each.use != "ABC" else {}):
                self.parts(each)

    def parts(self, name: Name) -> None:
        """The parts of a name."""
        for part, text in (
            ("prefix", name.prefix), ("given", name.given), ("given", name.middle),
            ("family", name.family), ("suffix", name.suffix),
        ):  # fmt: skip
            if text:
                self.writer.leaf(part, text=text)

    def text_or_null(self, name: str, text: str) -> None:
        """ST, ON, EN, AD of a text."""
        if text:
            self.writer.leaf(name, text=text)
        else:
            self.writer.leaf(name, {"nullFlavor": self.absent})

    def telecom(self, *numbers: str) -> None:
        """TEL of telephone numbers."""
        given = [number for number in numbers if number.strip()]
        for number in given:
            self.writer.leaf("telecom", {"value": "tel:" + quoted(number.strip(" "), b"+()")})
        if not given:
            self.writer.leaf("telecom", {"nullFlavor": self.absent})

    def identified_by(self, codes: tuple[Code, ...], where: str) -> None:
        """II of persons or organizations that DICOM identifies by codes (C.3: code value as identifier)."""
        if not codes:
            self.writer.leaf("id", {"nullFlavor": self.absent})
        for code in codes:
            term = self.terms.of(code)[0]
            self.number("id", code.value, term.oid or self.options.authorities.person, where)
            if code.meaning or not term.oid:
                self.losses.left_out(where, "meaning and designator of a code that became an identifier (C.3)")


def attributes(term: Term) -> dict[str, str]:
    """A term as the attributes of CD."""
    found = {"code": term.code, "codeSystem": term.oid, "codeSystemName": term.scheme}
    if term.version:
        found["codeSystemVersion"] = term.version
    if term.meaning:
        found["displayName"] = term.meaning
    return found


def as_text(term: Term) -> str:
    """A term that HL7 has no place for, as DICOM people write it: X-Ray Study (11123, 99WUHID)."""
    scheme = " ".join(part for part in (term.scheme, term.version) if part)
    code = f"({', '.join(part for part in (term.code, scheme) if part)})"
    return f"{term.meaning} {code}" if term.meaning else code
