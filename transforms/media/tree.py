"""Records of many objects as one tree: patients, studies, series, objects; File IDs; and the keys the creator supplies.

Rules of this file
* One PATIENT record a Patient ID, as PS3.11 D.3.3 asks, one STUDY a Study Instance UID, one SERIES a Series Instance
  UID; the order is that of the objects. A study of two patients or a series of two studies raises: somebody would look
  for an image under the wrong name.
* File IDs are ours (PS3.10 8.2: up to 8 components of up to 8 of A-Z 0-9 _) and count; nothing of an object shows.
* What an object does not say is supplied in the directory only (PS3.11 D.3.3.1, note), never in the object; `supplied`
  counts it by attribute.
* Without a Patient ID the patient is the study's own: two studies of nobody are not one patient.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from transforms.dataset.elements import dictionary_vr, header_bytes
from transforms.errors import TransformError
from transforms.media.dicomdir import File, Node
from transforms.media.records import Described, Record, named

TOP: Final = "DICOM"  # the folder of all objects
_UNKNOWN_DATE, _UNKNOWN_TIME = b"19000101", b"000000"
_PATIENT_ID, _STUDY_DATE, _STUDY_TIME, _STUDY_ID = 0x00100020, 0x00080020, 0x00080030, 0x00200010
_SERIES_NUMBER, _INSTANCE_NUMBER = 0x00200011, 0x00200013

# What is supplied, of the record's number among its siblings
_SUPPLY: Final[dict[int, Callable[[int], bytes]]] = {
    _PATIENT_ID: lambda number: b"UNKNOWN%d" % number,
    _STUDY_DATE: lambda number: _UNKNOWN_DATE,
    _STUDY_TIME: lambda number: _UNKNOWN_TIME,
    _STUDY_ID: lambda number: b"%d" % number,
    _SERIES_NUMBER: lambda number: b"%d" % number,
    _INSTANCE_NUMBER: lambda number: b"%d" % number,
}


@dataclass(slots=True)
class _Branch:
    """A record that others stand beneath, and its file names."""

    node: Node
    name: str  # component of File IDs
    parent: str = ""  # which patient or study it belongs to
    seen: bytes = b""  # Patient's Name


@dataclass(slots=True)
class Tree:
    """A File-set's directory while it grows. `add` gives each object its File ID."""

    roots: list[Node] = field(default_factory=list)
    supplied: Counter[str] = field(default_factory=Counter)  # attribute -> in how many records
    renamed: int = 0  # objects whose patient has another name than the first object of that Patient ID
    count: int = 0
    _patients: dict[str, _Branch] = field(default_factory=dict)
    _studies: dict[str, _Branch] = field(default_factory=dict)
    _series: dict[str, _Branch] = field(default_factory=dict)
    _issuers: dict[bytes, bytes] = field(default_factory=dict)

    def add(self, described: Described, syntax: str) -> tuple[str, ...]:
        """Put one object into the directory; its File ID.

        Raises TransformError: directory-patient-twice, directory-study-twice, directory-series-twice.
        """
        self.count += 1
        if len(described.levels) == 1:
            return self._leaf(self.roots, described.levels[0], described, syntax, (TOP, "ROOTED"))
        patient, study, series, own = described.levels
        who = self._patient_key(described)
        above = self._study(described, who, patient, study)
        if described.name != self._patients[who].seen:
            self.renamed += 1
        branch = self._series.get(described.series)
        if branch is None:
            node = self._grown(above.node.children, series)
            branch = _Branch(node, f"S{len(above.node.children):07d}", described.study)
            self._series[described.series] = branch
        if branch.parent != described.study:
            raise TransformError("directory-series-twice", "a Series Instance UID stands in two studies")
        return self._leaf(branch.node.children, own, described, syntax, (TOP, above.name, branch.name))

    def _patient_key(self, described: Described) -> str:
        """Which patient it is. Raises where one Patient ID comes from two issuers."""
        number, issuer = described.patient
        if not number:
            return f"study {described.study}"
        known = self._issuers.get(number, b"") or issuer  # an object that does not say its issuer may be anybody's
        self._issuers[number] = known
        if issuer not in (b"", known):
            raise TransformError(
                "directory-patient-twice", "one Patient ID of two issuers: a File-set can hold only one of them"
            )
        return f"patient {number.hex()}"

    def _study(self, described: Described, who: str, patient: Record, study: Record) -> _Branch:
        branch = self._studies.get(described.study)
        if branch is None:
            over = self._patients.get(who)
            if over is None:
                over = _Branch(self._grown(self.roots, patient), "", "", described.name)
                self._patients[who] = over
            node = self._grown(over.node.children, study)
            branch = _Branch(node, f"ST{len(self._studies) + 1:06d}", who)
            self._studies[described.study] = branch
        if branch.parent != who:
            raise TransformError("directory-study-twice", "a Study Instance UID stands under two Patient IDs")
        return branch

    def _leaf(
        self, siblings: list[Node], record: Record, described: Described, syntax: str, folder: tuple[str, ...]
    ) -> tuple[str, ...]:
        node = self._grown(siblings, record)
        file_id = (*folder, f"I{len(siblings):07d}")
        node.file = File(file_id, described.sop_class, described.sop_instance, syntax)
        return file_id

    def _grown(self, siblings: list[Node], record: Record) -> Node:
        """A record as the last of its siblings, with what must be supplied."""
        keys = dict(record.keys)
        for tag in record.wanting:
            raw = _SUPPLY[tag](len(siblings) + 1)
            raw += b" " * (len(raw) % 2)
            keys[tag] = header_bytes(tag, dictionary_vr(tag), len(raw)) + raw
            self.supplied[named(tag)] += 1
        node = Node(record.type, keys)
        siblings.append(node)
        return node
