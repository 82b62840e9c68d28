"""Real and made reports: what the verdicts leave of them; the judge of what an item says is pydicom."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pydicom
import pytest
import study
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from profiles.confidentiality import structured_content as table
from transforms.dataset import part10
from transforms.dataset.elements import UNDEFINED
from transforms.deidentify.content import ContentAction, ContentRules, Verdict, content_rules, value_rules
from transforms.deidentify.content_items import Head, after_item, peek, refers_by_position
from transforms.deidentify.content_values import MEASURED
from transforms.deidentify.rules import Action
from transforms.source import BytesSource

Dataset = Any
OPTIONS: tuple[tuple[str, ...], ...] = (
    (),
    ("clean-descriptors", "retain-modified-dates"),
    ("retain-uids", "retain-full-dates", "retain-device-identity", "retain-patient-characteristics"),
)
REPLACED = "ANONYMIZED"
PLAIN = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")
LISTED = {row[0] for row in table.ROWS}
_BY_TYPE = {
    "TEXT": "TextValue",
    "PNAME": "PersonName",
    "DATE": "Date",
    "TIME": "Time",
    "DATETIME": "DateTime",
    "UIDREF": "UID",
}


class Seen(NamedTuple):
    """One file's tree under one choice of options."""

    verdicts: Counter[tuple[str, str]]  # value type, action -> items judged
    below: Counter[str]  # value type -> items that went because one above them did
    removed: frozenset[str]  # codes of what was removed by its own verdict


def raw(item: Dataset, explicit: bool) -> bytes:
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, not explicit
    write_dataset(out, item)
    return out.getvalue()


def said(item: Dataset) -> Head:
    """What pydicom reads."""
    name = item.get("ConceptNameCodeSequence")
    concept = name[0] if name else {}
    value = concept.get("CodeValue") or concept.get("LongCodeValue") or concept.get("URNCodeValue") or ""
    texts = (item.get("ValueType"), value, concept.get("CodingSchemeDesignator"), item.get("RelationshipType"))
    return Head(*(str(text or "").strip(" \0") for text in texts))


def kinds(item: Dataset) -> Counter[str]:
    return Counter(said(each).value_type for each in items(item))


def treated(item: Dataset, verdict: Verdict, rules: ContentRules, pinned: bool, seen: list[Any]) -> None:
    """What the walk is to do, done on pydicom's tree: the value attributes, then the children."""
    for tag, rule in value_rules(verdict).items():
        if tag not in item or rule.action is Action.KEEP or not item[tag].value:
            continue
        if rule.action is Action.DUMMY and item[tag].VR == "SQ":
            item[tag].value = pydicom.Sequence([pydicom.Dataset()])
        elif rule.action is Action.EMPTY or tag == MEASURED:
            item[tag].value = []
        elif item[tag].VR in ("DA", "TM", "DT"):
            item[tag].value = {"DA": "19000101", "TM": "000000", "DT": "19000101000000"}[item[tag].VR]
        else:
            item[tag].value = "2.25.1" if item[tag].VR == "UI" else REPLACED
    kept = []
    for child in item.get("ContentSequence", ()):
        head = said(child)
        told = rules.verdict(head, verdict, pinned=pinned)
        if told.action is ContentAction.REMOVE_ITEM:
            seen.append((head, "removed", kinds(child) - Counter([head.value_type])))
            continue
        seen.append((head, told.action.value, Counter()))
        treated(child, told, rules, pinned, seen)
        kept.append(child)
    if "ContentSequence" in item:
        item.ContentSequence = pydicom.Sequence(kept)


def treat(data: Dataset, options: tuple[str, ...]) -> tuple[Dataset, Seen]:
    rules = content_rules(options)
    tree = deepcopy(data)
    pinned = refers_by_position(BytesSource(raw(data, True)))
    seen: list[Any] = []
    treated(tree, rules.root(said(tree)), rules, pinned, seen)
    below: Counter[str] = sum((lost for _, _, lost in seen), Counter())
    removed = frozenset(head.code for head, action, _ in seen if action == "removed")
    return tree, Seen(Counter((head.value_type, action) for head, action, _ in seen), below, removed)


def items(item: Dataset) -> Iterator[Dataset]:
    yield item
    for each in item.get("ContentSequence", ()):
        yield from items(each)


def planted(data: Dataset) -> Counter[str]:
    """Names, texts, dates and UIDs in the tree's values, of every item, whatever its value type."""
    return Counter(
        str(each[keyword].value)
        for each in items(data)
        for keyword in _BY_TYPE.values()
        if keyword in each and each[keyword].value
    )


def makers(data: Dataset) -> set[str]:
    """Manufacturers and models stay."""
    codes = {"121014", "121015", "113878", "113879", "121194", "121195"}
    return {str(each.TextValue) for each in items(data) if "TextValue" in each and said(each).code in codes}


def judge(data: Dataset, options: tuple[str, ...]) -> Seen:
    """The laws that hold for every tree."""
    tree, seen = treat(data, options)
    before, after = kinds(data), kinds(tree)
    for value_type in before:
        assert before[value_type] == after[value_type] + seen.verdicts[value_type, "removed"] + seen.below[value_type]
    assert seen.removed <= LISTED, "nothing goes but what the table lists, and what is below it"
    for keyword in ("MeasuredValueSequence", "ConceptCodeSequence"):
        were, are = (
            Counter(raw(each[keyword].value[0], True) for each in items(one) if each.get(keyword))
            for one in (data, tree)
        )
        assert are <= were, "numbers and codes stay as they are"
    if not options:
        left = set(planted(tree)) - makers(data)
        assert left <= {REPLACED, "19000101", "000000", "19000101000000", "2.25.1"}
    assert all(each.PersonName == REPLACED for each in items(tree) if each.get("PersonName"))
    return seen


@cache
def reports(files: tuple[Path, ...]) -> list[tuple[Path, Dataset]]:
    found = []
    for path in files:
        try:
            data = pydicom.dcmread(path, stop_before_pixels=True)
            if not data.get("ContentSequence"):
                continue
            raw(data, True)
        except Exception:
            continue
        found.append((path, data))
    return found


def template(data: Dataset) -> str:
    found = data.get("ContentTemplateSequence")
    return str(found[0].get("TemplateIdentifier", "")) if found else ""


@pytest.mark.parametrize("options", OPTIONS)
def test_real_trees(corpus_files: list[Path], options: tuple[str, ...]) -> None:
    templates: Counter[str] = Counter()
    for _, data in reports(tuple(corpus_files)):
        judge(data, options)
        templates[template(data)] += 1
    assert templates


def test_templates_of_the_corpus_are_met(shared: Path, corpus_files: list[Path]) -> None:
    met = {template(data) for _, data in reports(tuple(corpus_files))}
    assert {"10001", "1500", "2010"} <= met


def test_a_dose_report_keeps_every_number_and_loses_its_people(shared: Path) -> None:
    files = sorted((shared / "corpus" / "pyskindose").rglob("*.dcm"))
    assert files
    for path in files:
        data = pydicom.dcmread(path)
        seen = judge(data, ())
        numbers = sum(each.get("ValueType") == "NUM" for each in items(data))
        codes = sum(each.get("ValueType") == "CODE" for each in items(data))
        assert numbers > 100 and seen.verdicts["NUM", "keep"] == numbers
        assert seen.verdicts["CODE", "keep"] == codes
        assert seen.verdicts["DATETIME", "clean"] == sum(each.get("ValueType") == "DATETIME" for each in items(data))
        tree, _ = treat(data, ("retain-full-dates", "retain-uids"))
        for value_type in ("DATETIME", "UIDREF"):
            keyword = _BY_TYPE[value_type]
            before = [each[keyword].value for each in items(data) if each.get("ValueType") == value_type]
            after = [each[keyword].value for each in items(tree) if each.get("ValueType") == value_type]
            assert before == after or value_type == "UIDREF"


def test_the_made_report_and_key_object() -> None:
    objects = dict(study.study(slices=2, rows=16))
    told: dict[str, Seen] = {}
    for name in ("report.dcm", "key-images.dcm"):
        data = objects[name]
        seen = judge(data, ())
        told[name] = seen
        tree, _ = treat(data, ())
        text = str(tree.ContentSequence)
        assert "Befund" not in text and "Mustermann" not in text and "Quacksalber" not in text
    assert told["report.dcm"].verdicts[("PNAME", "clean")] == 1
    assert told["report.dcm"].verdicts[("TEXT", "clean")] == 3, "Finding is X/D: dummied, the section stays"
    assert told["key-images.dcm"].verdicts == {("TEXT", "removed"): 1, ("IMAGE", "keep"): 2}
    tree, _ = treat(objects["report.dcm"], ("clean-descriptors",))
    assert kinds(tree) == kinds(objects["report.dcm"])


def places(data: bytes, at: int, end: int, explicit: bool) -> Iterator[tuple[int, int, bool]]:
    """Content items in the order of the bytes: first element, the end to look to, whether a delimiter ends it."""
    while at + 8 <= end:
        tag = int.from_bytes(data[at : at + 2], "little") << 16 | int.from_bytes(data[at + 2 : at + 4], "little")
        if tag in (0xFFFEE00D, 0xFFFEE0DD):
            return
        long = explicit and data[at + 4 : at + 6] in (b"SQ", b"UT", b"UN", b"OB", b"OW", b"OF", b"UC", b"UR")
        width = 2 if explicit and not long else 4
        value = at + (12 if long else 8)
        length = int.from_bytes(data[value - width : value], "little")
        if tag == 0x0040A730 or length == UNDEFINED:
            stop = end if length == UNDEFINED else value + length
            while value + 8 <= stop and data[value : value + 4] == b"\xfe\xff\x00\xe0":
                size = int.from_bytes(data[value + 4 : value + 8], "little")
                last = stop if size == UNDEFINED else value + 8 + size
                if tag == 0x0040A730:
                    yield value + 8, last, size == UNDEFINED
                    yield from places(data, value + 8, last, explicit)
                if size == UNDEFINED:
                    last = after_item(BytesSource(data).pread, value + 8, stop, explicit)
                value = last
            at = value + 8 if length == UNDEFINED else stop
        else:
            at = value + length


def where(whole: bytes) -> Iterator[tuple[Dataset, int, int, bool]]:
    parsed = pydicom.dcmread(io.BytesIO(whole))
    start = part10.split(BytesSource(whole)).offset
    found = list(places(whole, start, len(whole), not parsed.is_implicit_VR))
    for each, place in zip(list(items(parsed))[1:], found, strict=True):
        yield (each, *place)


@pytest.mark.parametrize("explicit", [True, False])
@pytest.mark.parametrize("undefined", [True, False])
def test_heads_are_read_where_they_stand(explicit: bool, undefined: bool) -> None:
    data = dict(study.study(slices=1, rows=16))["report.dcm"]
    data.file_meta.TransferSyntaxUID = (
        pydicom.uid.ExplicitVRLittleEndian if explicit else pydicom.uid.ImplicitVRLittleEndian
    )
    for each in items(data):
        if "ContentSequence" in each:
            each["ContentSequence"].is_undefined_length = undefined
            for child in each.ContentSequence:
                child.is_undefined_length_sequence_item = undefined
    out = io.BytesIO()
    pydicom.dcmwrite(out, data, enforce_file_format=True, implicit_vr=not explicit, little_endian=True)
    whole = out.getvalue()
    forms = set()
    for each, at, end, delimited in where(whole):
        assert peek(BytesSource(whole).pread, at, end, explicit, delimited) == said(each)
        forms.add(delimited)
    assert forms == {undefined}


def test_heads_of_real_files_are_read_where_they_stand(corpus_files: list[Path]) -> None:
    looked = 0
    for path, data in reports(tuple(corpus_files)):
        if data.is_little_endian and data.file_meta.get("TransferSyntaxUID", "") in PLAIN:
            whole = path.read_bytes()
            explicit = not data.is_implicit_VR
            for each, at, end, delimited in where(whole):
                assert peek(BytesSource(whole).pread, at, end, explicit, delimited) == said(each), path.name
                looked += 1
    assert looked > 20
