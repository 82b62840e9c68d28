"""Observation context and language hold where the standard says, and below."""

from __future__ import annotations

from transforms.sr.context import settled
from transforms.sr.model import Item
from transforms.sr.values import Code, Coded, Container, Num, PName, Text, UidRef, Value


def _code(value: str) -> Code:
    return Code(value, "DCM", f"Meaning of {value}")


def context(code: str, value: Value, *children: Item) -> Item:
    return Item("HAS OBS CONTEXT", _code(code), value, children)


def container(*children: Item) -> Item:
    return Item("CONTAINS", _code("121070"), Container("SEPARATE"), children)


FINDING = Item("CONTAINS", _code("121071"), Text("a finding"))
PERSON = context("121005", Coded(_code("121006")))
DEVICE = context("121005", Coded(_code("121007")))


def test_an_observer_holds_below_and_not_beside() -> None:
    role = Item("HAS PROPERTIES", _code("121010"), Coded(_code("121082")))
    here = container(PERSON, context("121008", PName("Smith^John"), role), container(FINDING))
    root = settled(container(here, container(FINDING)))
    within, beside = root.at((1, 1, 3, 1)), root.at((1, 2, 1))
    assert within is not None and beside is not None
    (observer,) = within.context.observers
    assert (observer.type, observer.name, observer.organization_role) == ("PSN", "Smith^John", _code("121082"))
    assert beside.context.observers == root.context.observers == ()


def test_observers_follow_each_other() -> None:
    root = settled(
        container(
            PERSON,
            context("121008", PName("Smith^John")),
            PERSON,
            context("121008", PName("Blitz^Richard")),
            DEVICE,
            context("121012", UidRef("2.25.1")),
            context("121013", Text("CADtool")),
        )
    )
    assert [(each.type, each.name, each.uid) for each in root.context.observers] == [
        ("PSN", "Smith^John", ""),
        ("PSN", "Blitz^Richard", ""),
        ("DEV", "CADtool", "2.25.1"),
    ]


def test_a_new_observer_leaves_subject_and_procedure() -> None:
    fetus = [
        context("121024", Coded(_code("121026"))),
        context("121030", Text("Fetus B")),
        context("121037", Num("2", Code("1", "UCUM", "no units"))),
        context("121018", UidRef("2.25.8")),
    ]
    root = settled(container(*fetus, container(context("121008", PName("Smith^John")), FINDING)))
    found = root.at((1, 5, 2))
    assert found is not None
    assert found.context.subject is not None and found.context.procedure is not None
    assert found.context.subject.kind == _code("121026")
    assert (found.context.subject.id, found.context.subject.number) == ("Fetus B", "2")
    assert found.context.procedure.study == "2.25.8"
    assert found.context.observers[0].name == "Smith^John"


def test_language_holds_below() -> None:
    german = Code("de", "RFC5646", "German")
    language = Item("HAS CONCEPT MOD", _code("121049"), Coded(german))
    root = settled(container(container(language, FINDING), FINDING))
    within, beside = root.at((1, 1, 2)), root.at((1, 2))
    assert within is not None and within.language == german
    assert beside is not None and beside.language is None


def test_nothing_is_taken_from_the_tree() -> None:
    root = container(PERSON, context("121008", PName("Smith^John")), FINDING)
    assert [item.value for item in settled(root).walk()] == [item.value for item in root.walk()]
