"""What is remembered of other objects saves time and changes nothing: every object as if it were the first."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.deidentify.building import KEY, Elements, encode, image
from transforms.dataset.syntax import EXPLICIT_LE, IMPLICIT_LE
from transforms.deidentify import elsewhere
from transforms.deidentify.engine import Context, deidentify
from transforms.deidentify.profile import ActionTable, compile_profile
from transforms.deidentify.walk import WINDOW
from transforms.source import BytesSource

OPTIONS = ("clean-descriptors", "clean-structured-content", "retain-modified-dates", "retain-patient-characteristics")
TABLE = compile_profile("basic", OPTIONS)
PEOPLE = (b"DOE^JANE", b"ROE^RICHARD", b"MUSTERMANN^ERIKA")
TEXTS = (b"Thorax of Doe", b"Knee, Roe, seen by Doe", b"MUSTERMANN", b"plain", b"", b"22.03.1961")
REFERENCES = (b"1.9.4711.1", b"1.9.4711.2")


def outcome(
    data: bytes, uid: str, table: ActionTable, context: Context
) -> tuple[bytes, frozenset[str], tuple[str, ...]]:
    done = deidentify(BytesSource(data), uid, table, context)
    return done.plan.pread(0, done.plan.size), done.references, done.codes


@st.composite
def objects(draw: st.DrawFn) -> Elements:
    texts, people = st.sampled_from(TEXTS), st.sampled_from(PEOPLE)
    item: Elements = {
        0x00080104: ("LO", draw(texts)),
        0x00081155: ("UI", draw(st.sampled_from(REFERENCES))),
        0x00081199: ("SQ", [{0x00081030: ("LO", draw(texts)), 0x00100010: ("PN", draw(people))}]),
    }
    return image(
        {
            0x00080005: ("CS", draw(st.sampled_from((b"ISO_IR 100", b"ISO_IR 192")))),
            0x00080020: ("DA", draw(st.sampled_from((b"20240229", b"20240301", b"nodate  ")))),
            0x00080050: ("SH", draw(st.sampled_from((b"A1", b"")))),
            0x00080090: ("PN", draw(people)),
            0x00081030: ("LO", draw(texts)),
            0x00081115: ("SQ", [item]),
            0x00081032: ("SQ", [{0x00080104: ("LO", draw(texts))}]),
            0x00100010: ("PN", draw(people)),
            0x00101010: ("AS", draw(st.sampled_from((b"094Y", b"033Y")))),
            0x00104000: ("LT", draw(texts)),
            0x00180015: ("CS", b"CHEST "),
            0x00281055: ("LO", draw(texts)),
        }
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(objects(), min_size=2, max_size=12), st.booleans(), st.booleans())
def test_an_object_becomes_the_same_whatever_came_before(found: list[Elements], explicit: bool, defined: bool) -> None:
    together = Context(KEY, "test")
    uid = EXPLICIT_LE if explicit else IMPLICIT_LE
    for elements in found:
        data = encode(elements, explicit, undefined=not defined)
        assert outcome(data, uid, TABLE, together) == outcome(data, uid, TABLE, Context(KEY, "test"))


def test_it_is_remembered_at_all() -> None:
    context = Context(KEY, "test")
    data = encode(image({0x00081030: ("LO", b"Thorax of Doe")}), True)
    outcome(data, EXPLICIT_LE, TABLE, context)
    before = elsewhere.alike.cache_info().hits
    outcome(data, EXPLICIT_LE, TABLE, context)
    assert elsewhere.alike.cache_info().hits > before


def test_who_listens_to_the_uids_hears_of_each_again() -> None:
    context = Context(KEY, "test")
    data = encode(image({0x00081115: ("SQ", [{0x00081155: ("UI", b"1.9.4711.1")}])}), True)
    outcome(data, EXPLICIT_LE, TABLE, context)
    heard = context.uids(TABLE.generation).hear()
    outcome(data, EXPLICIT_LE, TABLE, context)
    assert b"1.9.4711.1" in heard


@pytest.mark.parametrize("before", range(WINDOW - 60, WINDOW + 1))
def test_an_element_across_the_end_of_a_window_is_not_half_remembered(before: int) -> None:
    context = Context(KEY, "test")
    text = b"Thorax of Doe, and again of Doe "
    for length in (before & ~1, 0):  # the long comment pushes what follows across the window's end
        elements = image({0x00104000: ("UT", b"x" * length), 0x00180015: ("CS", b"CHEST "), 0x00281055: ("LO", text)})
        data = encode(elements, True)
        assert outcome(data, EXPLICIT_LE, TABLE, context) == outcome(data, EXPLICIT_LE, TABLE, Context(KEY, "test"))
