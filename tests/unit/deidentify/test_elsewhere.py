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
from transforms.deidentify.walk import WINDOW, Walk
from transforms.errors import TransformError
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


def series(number: int, people: bytes, **change: tuple[int, str, bytes]) -> Elements:
    """One of many that differ in little; with what stands before, between and behind the markers' places."""
    extra: Elements = {
        0x00080020: ("DA", b"20240229"),
        0x00080021: ("DA", b"20240229"),
        0x00080050: ("SH", b"A1"),
        0x00080060: ("CS", b"CT"),
        0x00080090: ("PN", people),
        0x00081030: ("LO", b"Thorax of Doe"),
        0x00081115: ("SQ", [{0x00081155: ("UI", b"1.9.4711.1")}]),
        0x00090010: ("LO", b"VENDOR"),
        0x00091001: ("LO", b"JANE DOE"),
        0x00100010: ("PN", people),
        0x00120010: ("LO", b"Sponsor"),
        0x00120063: ("LO", b"by another"),
        0x00180015: ("CS", b"CHEST"),
        0x00180050: ("DS", b"1.25"),
        0x00181151: ("IS", b"250"),
        0x00200013: ("IS", b"%d" % number),
        0x00200032: ("DS", b"-1\\-2\\%d" % number),
        0x00200037: ("DS", b"1\\0\\0\\0\\1\\0"),
        0x00281050: ("DS", b"40"),
        0x00281051: ("DS", b"400"),
        0x00281055: ("LO", b"Doe"),
        0x00320012: ("LO", b"Doe"),
        0x00400244: ("DA", b"20240229"),
        0x00080018: ("UI", b"1.2.3.4.%d" % number),
    }
    return image(extra | {tag: (vr, value) for tag, vr, value in change.values()})


def told(data: bytes, uid: str, context: Context) -> object:
    """What becomes of bytes, or why nothing does."""
    try:
        return outcome(data, uid, TABLE, context)
    except TransformError as error:
        return error.reason, error.detail


def runs(elements: Elements, explicit: bool, context: Context) -> int:
    """How many elements of an object were done as in another."""
    before = Walk._same
    done: list[int] = []

    def counted(self: Walk, run: elsewhere.Same, start: int) -> int:
        after = before(self, run, start)
        done.append(run.count if after else 0)
        return after

    Walk._same = counted  # type: ignore[method-assign]
    try:
        outcome(encode(elements, explicit), EXPLICIT_LE if explicit else IMPLICIT_LE, TABLE, context)
    finally:
        Walk._same = before  # type: ignore[method-assign]
    return sum(done)


@pytest.mark.parametrize("explicit", [True, False])
def test_what_a_series_repeats_is_done_as_one(explicit: bool) -> None:
    context = Context(KEY, "test")
    assert runs(series(1, b"DOE^JANE"), explicit, context) == 0
    for number in range(2, 8):
        runs(series(number, b"DOE^JANE"), explicit, context)
    assert runs(series(9, b"DOE^JANE"), explicit, context) > (12 if explicit else 6)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 12),
            st.sampled_from(PEOPLE[:2]),
            st.lists(
                st.sampled_from(
                    (
                        (0x00080005, "CS", b"ISO_IR 192"),
                        (0x00080060, "CS", b"MR"),
                        (0x00080021, "DA", b"20240301"),
                        (0x00091001, "LO", b"ROE"),
                        (0x00091001, "UN", b"ROE"),
                        (0x00120062, "CS", b"NO"),
                        (0x00120064, "SQ", b""),
                        (0x00180014, "LO", b"first behind a marker"),
                        (0x00180050, "LO", b"Doe"),  # of another VR
                        (0x00181151, "IS", b"251"),
                        (0x00280303, "CS", b"UNMODIFIED"),
                        (0x00281055, "LO", b"Roe and Doe"),
                        (0x00400244, "DA", b"20240301"),
                        (0x60000010, "US", b"\2\0"),
                    )
                ),
                max_size=3,
            ),
            st.booleans(),
        ),
        min_size=3,
        max_size=14,
    ),
    st.booleans(),
)
def test_runs_change_nothing(
    found: list[tuple[int, bytes, list[tuple[int, str, bytes]], bool]], explicit: bool
) -> None:
    uid = EXPLICIT_LE if explicit else IMPLICIT_LE
    together = Context(KEY, "test")
    for number, people, changes, mixed in found:
        elements = series(number, people, **{str(at): each for at, each in enumerate(changes)})
        data = encode(elements, explicit)
        if mixed:  # what is not in order is done in the order in which it stands
            data = encode({tag: each for tag, each in elements.items() if tag >= 0x00180000}, explicit) + encode(
                {tag: each for tag, each in elements.items() if tag < 0x00180000}, explicit
            )
        expected = told(data, uid, Context(KEY, "test"))
        assert told(data, uid, together) == expected


def test_one_patients_runs_are_not_anothers() -> None:
    """The same bytes, but another patient: other dates and other names to be taken out."""
    context = Context(KEY, "test")
    for number in range(1, 6):
        outcome(encode(series(number, b"DOE^JANE"), True), EXPLICIT_LE, TABLE, context)
    other = encode(series(3, b"ROE^RICHARD", id=(0x00100020, "LO", b"MRN815")), True)
    fresh = outcome(other, EXPLICIT_LE, TABLE, Context(KEY, "test"))
    assert outcome(other, EXPLICIT_LE, TABLE, context) == fresh
    assert fresh[0].find(b"Doe") >= 0, "of Roe's text nothing of Doe's is taken out: else this shows nothing"
