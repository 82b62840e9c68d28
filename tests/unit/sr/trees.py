"""Generated documents: every value type, relationship, header field and reference, as hypothesis strategies.

Texts are such as a data set keeps: no padding at their ends, no escape sequences, one value.
"""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from profiles.sr.sop_classes import SOP_CLASSES
from transforms.sr import values
from transforms.sr.context import settled
from transforms.sr.header import (
    Author,
    CodingScheme,
    Equipment,
    Evidence,
    General,
    Identifier,
    Issuer,
    Participant,
    Patient,
    PatientIdentifier,
    Person,
    Request,
    Series,
    Study,
    Verifier,
)
from transforms.sr.model import Document, Item
from transforms.sr.read_items import RELATIONSHIPS
from transforms.sr.values import Code, SopReference

_letters = st.characters(blacklist_categories=["Cs"], blacklist_characters="\x1b\\\0")
_clean = st.text(_letters, max_size=30).map(lambda text: text.strip(" \0"))
words = _clean.filter(bool)
maybe = st.one_of(st.just(""), words)
plain = st.text("ABCXYZ0129.", max_size=12)  # of the default repertoire: CS, UI, DA, AS ...
prose = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x1b\0"), max_size=80).map(
    lambda text: text.rstrip(" \0")
)
uids = st.lists(st.integers(0, 10**8), min_size=1, max_size=4).map(lambda parts: "2.25." + ".".join(map(str, parts)))
dates = st.dates().map(lambda day: f"{day:%Y%m%d}".rjust(8, "0"))
times = st.times().map(lambda time: f"{time:%H%M%S.%f}")
date_times = st.builds(lambda day, time, zone: day + time + zone, dates, times, st.sampled_from(["", "+0000", "-0430"]))
decimals = st.one_of(
    st.integers(-(10**9), 10**9).map(str),
    st.from_regex(r"-?[0-9]{1,5}\.[0-9]{1,6}", fullmatch=True),
    st.from_regex(r"[0-9]\.[0-9]{1,3}E[+-][0-9]{1,2}", fullmatch=True),
)
floats32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
numbers = st.integers(1, 60000)

plain_codes = st.builds(
    Code, words, st.sampled_from(["DCM", "SCT", "99LOCAL", "UCUM"]), words, maybe, st.sampled_from(["short", "long"])
)
codes = st.one_of(
    plain_codes,
    st.builds(
        lambda code, same: replace(code, equivalents=tuple(same)), plain_codes, st.lists(plain_codes, max_size=2)
    ),
    st.builds(Code, plain.filter(bool), st.just(""), words, st.just(""), st.just("urn")),
)
some_codes = st.lists(codes, max_size=2).map(tuple)
references = st.builds(SopReference, uids, uids)


def _tuple(of: st.SearchStrategy[Any], **sizes: int) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(of, **sizes).map(tuple)  # type: ignore[arg-type]


@st.composite
def _graphic(draw: st.DrawFn, kinds: dict[str, tuple[int, int]], dimensions: int) -> tuple[str, tuple[float, ...]]:
    kind = draw(st.sampled_from(sorted(kinds)))
    points = draw(st.integers(*kinds[kind]))
    size = points * dimensions
    return kind, tuple(draw(st.lists(floats32, min_size=size, max_size=size)))


_2D = {"POINT": (1, 1), "MULTIPOINT": (1, 4), "POLYLINE": (2, 5), "CIRCLE": (2, 2), "ELLIPSE": (4, 4)}
_3D = {
    "POINT": (1, 1),
    "MULTIPOINT": (1, 4),
    "POLYLINE": (2, 5),
    "POLYGON": (4, 5),
    "ELLIPSE": (4, 4),
    "ELLIPSOID": (6, 6),
}

measured = st.builds(
    values.Num,
    decimals,
    codes,
    st.one_of(st.none(), codes),
    st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
    st.one_of(st.none(), st.tuples(st.integers(-(2**31), 2**31 - 1), st.integers(1, 2**32 - 1))),
)
temporal = st.one_of(
    st.builds(values.TCoord, st.just("POINT"), samples=_tuple(numbers, min_size=1, max_size=3)),
    st.builds(values.TCoord, st.just("SEGMENT"), offsets=_tuple(decimals, min_size=2, max_size=2)),
    st.builds(values.TCoord, st.just("BEGIN"), date_times=_tuple(date_times, min_size=1, max_size=1)),
)
axes = _tuple(st.builds(values.Axis, st.integers(0, 5), codes, st.one_of(st.none(), codes)), max_size=2)
cells = st.one_of(
    st.builds(values.Cell, st.integers(0, 5), numbers, st.just("DS"), _tuple(decimals, min_size=1, max_size=3)),
    st.builds(values.Cell, numbers, numbers, st.just("UL"), _tuple(st.integers(0, 2**32 - 1).map(str), min_size=1)),
    st.builds(values.Cell, numbers, numbers, st.just("FL"), _tuple(floats32.map(str), min_size=1, max_size=3)),
    st.builds(values.Cell, numbers, numbers, codes=some_codes, unit=codes, qualifier=st.one_of(st.none(), codes)),
)
leaves: dict[str, st.SearchStrategy[values.Value]] = {
    "TEXT": st.builds(values.Text, prose),
    "NUM": st.one_of(measured, st.builds(values.Num, st.just(""), st.none(), codes)),
    "CODE": st.builds(values.Coded, codes),
    "DATETIME": st.builds(values.DateTime, date_times),
    "DATE": st.builds(values.Date, dates),
    "TIME": st.builds(values.Time, times),
    "UIDREF": st.builds(values.UidRef, uids),
    "PNAME": st.builds(values.PName, st.lists(words, min_size=1, max_size=3).map("^".join)),
    "COMPOSITE": st.builds(values.Composite, references),
    "IMAGE": st.builds(
        values.Image,
        references,
        _tuple(numbers, max_size=3),
        _tuple(numbers, max_size=2),
        st.one_of(st.none(), references),
        st.one_of(st.none(), references),
    ),
    "WAVEFORM": st.builds(values.Waveform, references, _tuple(st.tuples(numbers, numbers), max_size=2)),
    "SCOORD": st.builds(lambda graphic: values.SCoord(*graphic), _graphic(_2D, 2)),
    "SCOORD3D": st.builds(lambda graphic, uid: values.SCoord3D(*graphic, uid), _graphic(_3D, 3), uids),
    "TCOORD": temporal,
    "TABLE": st.builds(values.Table, numbers, numbers, axes, axes, _tuple(cells, max_size=3)),
}
containers = st.builds(
    values.Container,
    st.sampled_from(["SEPARATE", "CONTINUOUS"]),
    st.one_of(st.none(), st.builds(values.Template, st.sampled_from(["1500", "300", "5200"]), st.just("DCMR"))),
)
_relationships = st.sampled_from(sorted(RELATIONSHIPS))


def _item(value: st.SearchStrategy[values.Value], children: st.SearchStrategy[list[Item]]) -> st.SearchStrategy[Item]:
    return st.builds(
        Item,
        _relationships,
        codes,
        value,
        children.map(tuple),
        observed_at=st.one_of(st.just(""), date_times),
        observation_uid=st.one_of(st.just(""), uids),
    )


_any_leaf = st.one_of(*leaves.values())
_nodes = st.recursive(
    _item(_any_leaf, st.just([])),
    lambda inner: _item(st.one_of(containers, _any_leaf), st.lists(inner, max_size=3)),
    max_leaves=12,
)


@st.composite
def roots(draw: st.DrawFn) -> Item:
    """A root with its tree, some of it by reference."""
    children = draw(st.lists(_nodes, max_size=5))
    root = settled(Item("", draw(codes), draw(containers), tuple(children)))
    targets = [item.position for item in root.walk() if not item.children and len(item.position) > 1]
    if targets and draw(st.booleans()):
        link = Item(draw(_relationships), None, values.ByReference(draw(st.sampled_from(targets))))
        root = settled(replace(root, children=(*root.children, link)))
    return root


# Fields of header classes whose VR takes the default repertoire only
_PLAIN = """instance date time birth_date birth_time sex age size weight identity_removed universal_type type device_uid
    completion verification preliminary content_date content_time creation_date creation_time timezone instance_number
    number modality study uid date_time"""


def _of(kind: Any, **given: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Every text field of a header class filled or not; `given` says the others."""
    plain_fields = _PLAIN.split()
    texts = {
        f.name: plain if f.name in plain_fields else maybe
        for f in dataclasses.fields(kind)
        if f.type == "str" and f.name not in given
    }
    return st.builds(kind, **texts, **given)


_persons = _of(Person, codes=some_codes, institution_codes=some_codes, telephones=_tuple(words, max_size=2))
_identifiers = st.builds(Identifier, maybe, _of(Issuer))
_patient_ids = _of(PatientIdentifier)
_authors = _of(Author, type=st.sampled_from(["PSN", "DEV"]), person=_persons)
_evidence = _tuple(st.builds(Evidence, uids, uids, references, some_codes), max_size=3)
_patients = _of(
    Patient,
    id=_patient_ids,
    other_ids=_tuple(_patient_ids.filter(lambda each: each.value != ""), max_size=2),
    deidentification_methods=_tuple(words, max_size=2),
    deidentification_codes=some_codes,
)
_studies = _of(
    Study,
    accession=_identifiers,
    referring=_persons,
    procedure_codes=some_codes,
    physicians_of_record=_tuple(words, max_size=2),
    readers=_tuple(words, max_size=2),
    admission=_identifiers,
)
_generals = _of(
    General,
    verifiers=_tuple(_of(Verifier, codes=some_codes), max_size=2),
    authors=_tuple(_authors, max_size=2),
    participants=_tuple(st.builds(Participant, plain, date_times, _authors), max_size=1),
    custodian_codes=some_codes,
    predecessors=_evidence,
    identical=_evidence,
    requests=_tuple(
        _of(
            Request,
            accession=_identifiers,
            placer_order=_identifiers,
            filler_order=_identifiers,
            procedure_codes=some_codes,
            reason_codes=some_codes,
            requesting=_persons,
        ),
        max_size=2,
    ),
    performed_codes=some_codes,
    current_evidence=_evidence,
    other_evidence=_evidence,
)


@st.composite
def headers(draw: st.DrawFn) -> Document:
    """A document whose header is generated, around a small tree."""
    return Document(
        sop_class=draw(st.sampled_from(sorted(SOP_CLASSES))),
        sop_instance=draw(uids),
        patient=draw(_patients),
        study=draw(_studies),
        series=draw(_of(Series)),
        equipment=draw(_of(Equipment, software=_tuple(words, max_size=2), institution_codes=some_codes)),
        general=draw(_generals),
        root=Item("", Code("121", "99T", "Report"), values.Container("SEPARATE")),
        character_set=("ISO_IR 192",),
        coding_schemes=draw(_tuple(_of(CodingScheme, designator=words), max_size=2)),
    )


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """A document whose tree is generated, with a small header."""
    root = draw(roots())
    return Document(
        "1.2.840.10008.5.1.4.1.1.88.35",
        "2.25.7",
        Patient("Doe^Jane", PatientIdentifier("4711")),
        Study("2.25.5"),
        Series("2.25.6", modality="SR"),
        Equipment(),
        General(completion="COMPLETE", verification="UNVERIFIED"),
        root,
        root.language,
        ("ISO_IR 192",),
    )
