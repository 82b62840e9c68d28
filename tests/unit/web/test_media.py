"""Content-Type and Accept: what is malformed is refused, never guessed at."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.web import media


@pytest.mark.parametrize(
    ("text", "name", "parameters"),
    [
        ("application/dicom", "application/dicom", {}),
        (
            'Multipart/Related; TYPE="application/dicom"; boundary=a_b',
            media.RELATED,
            {"type": "application/dicom", "boundary": "a_b"},
        ),
        ("multipart/related;type=application/dicom;boundary=x", media.RELATED, {"type": media.DICOM, "boundary": "x"}),
        ('a/b; c="d \\"e\\" \\\\"', "a/b", {"c": 'd "e" \\'}),
        ("a/b;", "a/b", {}),
        ("a/b ; ; c=d", "a/b", {"c": "d"}),
    ],
)
def test_what_is_a_media_type(text: str, name: str, parameters: dict[str, str]) -> None:
    found = media.parse(text)
    assert (found.name, found.parameters) == (name, parameters)


@pytest.mark.parametrize(
    "text", ["", "a", "a/", "/b", "a/b c", "a/b; c=d; C=e", 'a/b; c="d', "a/b, c/d", "a/b; c=" + "d" * 5000, "a b/c"]
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError):
        media.parse(text)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", media.JSON),
        ("*/*", media.JSON),
        ("application/dicom+json", media.JSON),
        ("application/dicom+xml", media.XML),
        ("application/dicom+xml;q=0, application/dicom+json", media.JSON),
        ('multipart/related; type="application/dicom+xml"', media.XML),
        ("text/html, application/dicom+xml;q=0.5", media.XML),
        ("text/html", ""),
        ("application/dicom+json;q=0", ""),
    ],
)
def test_which_answer_is_wanted(accept: str, kind: str) -> None:
    assert media.answer_kind(accept) == kind


@given(st.text(max_size=200))
def test_any_text_is_a_type_or_a_value_error(text: str) -> None:
    for parse in (media.parse, media.answer_kind):
        try:
            parse(text)
        except ValueError:
            pass
