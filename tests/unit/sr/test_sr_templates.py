"""The template of a document is named: by itself, its class or its title."""

from __future__ import annotations

from dataclasses import replace

from profiles.sr.sop_classes import KEY_OBJECTS
from profiles.sr.templates import CHILDREN, ROOTS, TEMPLATES
from tests.unit.sr.test_sr_model import document
from transforms.sr.model import Document, Item
from transforms.sr.templates import template_of
from transforms.sr.values import Code, Container, Template


def titled(scheme: str, code: str, template: Template | None = None, *children: Item) -> Document:
    root = Item("", Code(code, scheme, "A title"), Container("SEPARATE", template), children)
    return replace(document(), root=root)


def test_identification_goes_first() -> None:
    found = template_of(titled("DCM", "126000", Template("5200")))
    assert (found.tid, found.by) == ("5200", "identification")
    assert template_of(titled("DCM", "126000", Template("77", "99ACME"))).name == "77 of 99ACME"
    assert template_of(titled("DCM", "126000", Template("9999"))).name == "TID 9999"


def test_titles_and_classes_tell_it() -> None:
    assert template_of(titled("DCM", "126000")).tid == "1500"
    assert template_of(titled("LN", "18748-4")).tid == "2000"
    assert template_of(titled("99X", "18748-4")).by == "nothing"
    assert template_of(replace(titled("DCM", "113000"), sop_class=KEY_OBJECTS)).tid == "2010"


def test_dose_of_ct_is_known_by_its_content() -> None:
    ct = Item("CONTAINS", Code("113811", "DCM", "CT Accumulated Dose Data"), Container("SEPARATE"))
    assert template_of(titled("DCM", "113701")).tid == "10001"
    assert template_of(titled("DCM", "113701", None, ct)).tid == "10011"


def test_every_template_has_its_name() -> None:
    assert {*ROOTS.values(), *(tid for each in CHILDREN.values() for tid in each.values())} <= TEMPLATES.keys()
