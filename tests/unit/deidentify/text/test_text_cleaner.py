"""Text is cleaned of everybody and left alone otherwise: recall on generated phrases, precision on a list."""

from __future__ import annotations

import re
from pathlib import Path

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.deidentify.building import encode, image, parsed, result
from tests.unit.deidentify.text.phrases import DATES, HARMLESS, NUMBERS, PEOPLE, phrases
from transforms.dataset import framing
from transforms.dataset.syntax import EXPLICIT_LE, IMPLICIT_LE
from transforms.deidentify.profile import compile_profile
from transforms.deidentify.text import Cleaner, Identities, clean_value, identities
from transforms.deidentify.text.cleaner import fold
from transforms.errors import BadFraming, TransformError
from transforms.source import BytesSource

NUMBER_VALUES = frozenset({("", b"MRN-4711-0815"), ("", b"HW4711081")})


def found_in(data: bytes, explicit: bool = True) -> Identities:
    source = BytesSource(data)
    return identities(source, framing.check(source, EXPLICIT_LE if explicit else IMPLICIT_LE))


def known(*people: str) -> Cleaner:
    return Cleaner(Identities(frozenset(("ISO_IR 192", person.encode()) for person in people), NUMBER_VALUES))


EVERYBODY = known(*PEOPLE)


def words(person: str) -> set[str]:
    folded = fold(person)[0]
    found = set(re.findall(r"[^\W\d_]{3,}", folded))
    return found | {word.replace("ae", "a").replace("oe", "o").replace("ue", "u") for word in found}


def test_nobody_is_left_of_any_phrase() -> None:
    seen = 0
    for person, phrase in phrases():
        left = fold(known(person).clean(phrase))[0]
        assert not words(person) & set(re.findall(r"[^\W\d_]{3,}", left)), f"{phrase!r} -> {left!r}"
        seen += 1
    assert seen > 400


@pytest.mark.parametrize("what", [*DATES, *NUMBERS])
@pytest.mark.parametrize("template", ["CT head {}", "{} knee", "born {}, left hip", "({}) axial"])
def test_dates_and_numbers_go_whatever_is_known(what: str, template: str) -> None:
    left = Cleaner(Identities()).clean(template.format(what))
    assert what not in left and not re.search(r"\d{3}", left), left
    assert any(word in left for word in ("head", "knee", "hip", "axial"))


def test_harmless_words_stay_as_they_are() -> None:
    assert len(HARMLESS) > 170
    lost = [text for text in HARMLESS if EVERYBODY.clean(text) != text]
    assert lost == []


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Mrs. Doe, age 93 years, hip", "age, hip"),
        ("Dr. Karl Knopf called", "called"),
        ("Prof. Dr. med. Hans Meier: Kopf", "Kopf"),
        ("Patient: Hans Meier", ""),
        ("Nurse Ratched present, chest", "present, chest"),
        ("18 yo male", "18 yo male"),
        ("10:15 axial", "axial"),
    ],
)
def test_people_nobody_knows(text: str, left: str) -> None:
    assert Cleaner(Identities()).clean(text) == left


def test_a_name_that_is_a_word_goes_with_a_name_beside_it() -> None:
    cleaner = Cleaner(Identities(frozenset({("", b"Doe^Hand")})))
    assert cleaner.clean("Hand 3 views") == "Hand 3 views"
    assert cleaner.clean("Hand Doe, 3 views") == "3 views"


@given(st.text(max_size=200))
def test_what_is_clean_stays_clean(text: str) -> None:
    once = EVERYBODY.clean(text)
    assert EVERYBODY.clean(once) == once


@given(st.lists(st.sampled_from([*PEOPLE, *DATES, *NUMBERS, *HARMLESS, ",", " ", "Dr. ", "("]), max_size=12))
def test_no_mixture_lets_a_name_through(parts: list[str]) -> None:
    left = set(re.findall(r"[^\W\d_]{3,}", fold(EVERYBODY.clean(" ".join(parts)))[0]))
    for person in PEOPLE:
        assert not words(person) & left - {"van"}


@pytest.mark.parametrize(
    "unit", ["a", "1", "1-", "Dr. ", "a^", "1.", " ", "x-1", "Dr. A ", "1 2/", "Name: ", "(", "a@", "A,"]
)
def test_hostile_text_costs_no_more_than_its_length(unit: str) -> None:
    """The sizes are such that a quadratic pattern would not end in the time a test run has."""
    for size in (1 << 14, 1 << 16):
        EVERYBODY.clean((unit * size)[:size])


@pytest.mark.parametrize(
    ("charset", "codec"),
    [("ISO_IR 100", "latin-1"), ("ISO_IR 192", "utf-8"), ("GB18030", "gb18030"), ("", "ascii")],
)
def test_values_in_their_character_set(charset: str, codec: str) -> None:
    name = "Müller" if codec != "ascii" else "Mueller"
    cleaner = Cleaner(Identities(frozenset({(charset, f"{name}^Hans".encode(codec))})))
    raw = f"Kopf von {name}, nativ".encode(codec)
    assert clean_value(raw, "LO", (charset,), cleaner).decode(codec) == "Kopf von, nativ"
    harmless = "Schädel" if codec != "ascii" else "Kopf"
    raw = f"{harmless} nativ ".encode(codec)
    assert clean_value(raw, "LO", (charset,), cleaner) is raw


def test_japanese_with_code_extensions() -> None:
    charset = ("", "ISO 2022 IR 87")
    name = "Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B".encode("latin-1")
    cleaner = Cleaner(Identities(frozenset({("\\".join(charset), name)})))
    text = "CT Yamada \x1b$B;3ED\x1b(B head".encode("latin-1")
    left = clean_value(text, "LO", charset, cleaner)
    assert b"Yamada" not in left and b";3ED" not in left and b"head" in left


@pytest.mark.parametrize(("raw", "charset"), [(b"\xff\xfe\xe4", "ISO_IR 192"), (b"M\xfc", "NO SUCH SET")])
def test_what_cannot_be_read_is_an_error(raw: bytes, charset: str) -> None:
    with pytest.raises(TransformError, match="charset-undecodable"):
        clean_value(raw, "LO", (charset,), EVERYBODY)


def test_values_of_many_are_cleaned_one_by_one() -> None:
    assert clean_value(b"head\\Erika Mustermann\\neck", "LO", ("",), known("Mustermann^Erika")) == b"head\\\\neck"


def test_identities_are_found_at_every_depth_and_in_both_forms() -> None:
    nested = {0x00100010: ("PN", b"NESTED^NAME"), 0x00100020: ("LO", b"NESTED-4711")}
    elements = image({0x00081115: ("SQ", [{0x00081115: ("SQ", [nested])}]), 0x00080080: ("LO", b"St. Nowhere")})
    for explicit in (True, False):
        for undefined in (True, False):
            found = found_in(encode(elements, explicit, undefined=undefined), explicit)
            assert {raw for _, raw in found.names} == {b"DOE^JANE", b"NESTED^NAME"}
            assert {raw for _, raw in found.numbers} == {b"MRN4711", b"NESTED-4711"}
            assert {raw for _, raw in found.places} == {b"St. Nowhere"}
            assert "NESTED" not in repr(found)


@pytest.mark.parametrize("undefined", [True, False])
def test_an_items_character_set_ends_with_the_item(undefined: bool) -> None:
    item = {0x00080005: ("CS", b"ISO_IR 192"), 0x00100010: ("PN", b"IN^ITEM")}
    elements = image({0x00081115: ("SQ", [item, {}]), 0x00101001: ("PN", b"AFTER^IT")})
    found = found_in(encode(elements, True, undefined=undefined))
    assert ("ISO_IR 192", b"IN^ITEM") in found.names
    assert ("ISO_IR 100", b"AFTER^IT") in found.names and ("ISO_IR 100", b"DOE^JANE") in found.names


def test_truncated_and_mutated_objects_give_identities_or_a_typed_error() -> None:
    data = encode(image({0x00081115: ("SQ", [{0x00100010: ("PN", b"A^B")}])}), True)
    for cut in range(len(data)):
        try:
            found_in(data[:cut])
        except BadFraming:
            pass
    for place in range(len(data)):
        for byte in (0, 0x7F, 0xFF):
            try:
                found_in(data[:place] + bytes([byte]) + data[place + 1 :])
            except BadFraming:
                pass


def test_through_the_engine_in_items_with_their_own_character_set() -> None:
    item = {0x00080005: ("CS", b"ISO_IR 192"), 0x0008103E: ("LO", "Kopf Müller nativ".encode())}
    elements = image({
        0x00100010: ("PN", "Müller^Hans".encode("latin-1")),
        0x0008103E: ("LO", "Hals Müller".encode("latin-1")),
        0x00081115: ("SQ", [item]),
    })  # fmt: skip
    data = parsed(result(encode(elements, True), table=compile_profile("basic", ("clean-descriptors",))))
    assert data.SeriesDescription == "Hals" and data.ReferencedSeriesSequence[0].SeriesDescription == "Kopf nativ"


def test_a_wrong_character_set_holds_the_object() -> None:
    elements = image({0x00080005: ("CS", b"ISO_IR 192"), 0x0008103E: ("LO", b"M\xfcller")})
    with pytest.raises(TransformError, match="charset-undecodable"):
        result(encode(elements, True), table=compile_profile("basic", ("clean-descriptors",)))


def test_descriptions_of_real_objects_mostly_stay(corpus_files: list[Path]) -> None:
    kept = lost = 0
    for path in corpus_files:
        try:
            data = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SeriesDescription", "ProtocolName"])
            texts = [str(data.get(name, "")) for name in ("SeriesDescription", "ProtocolName")]
        except Exception:
            continue
        for text in filter(None, texts):
            left = Cleaner(Identities()).clean(text)
            before, after = len(text.split()), len(left.split())
            kept, lost = kept + after, lost + before - after
    assert kept > 100 and lost < 0.1 * (kept + lost)
