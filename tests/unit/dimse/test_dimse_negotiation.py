"""Every edge of a presentation context, and what is rejected whoever asks."""

from __future__ import annotations

import pytest

from gateway.dimse.contexts import MAX_CONTEXTS, contexts_for
from gateway.dimse.items import ProposedContext, RoleSelection, UserInformation
from gateway.dimse.limits import Limits
from gateway.dimse.negotiation import AcceptancePolicy, negotiate, precheck
from gateway.dimse.uids import (
    DEFLATED,
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    OTHER_CLASSES,
    STORABLE_SYNTAXES,
    STORAGE_CLASSES,
    UNSTORABLE_SYNTAXES,
    VERIFICATION,
    is_storage,
    name_of,
)
from tests.unit.dimse.samples import CT, JPEG_LOSSY, JPIP, SR, request

FIND = "1.2.840.10008.5.1.4.1.2.2.1"
COMMITMENT = "1.2.840.10008.1.20.1"
PRIVATE = "1.3.46.670589.5.0.1.1"
RETIRED_US = "1.2.840.10008.5.1.4.1.1.6"


def answer(
    abstract: str, *syntaxes: str, policy: AcceptancePolicy = AcceptancePolicy(), **changes: object
) -> tuple[int, str]:
    context = ProposedContext(1, abstract, syntaxes)
    found = negotiate(request(contexts=(context,), **changes), policy, Limits())
    (only,) = found.accept.contexts
    assert (1 in found.contexts) == (only.result == 0)
    return only.result, only.syntax if only.result == 0 else ""


@pytest.mark.parametrize(
    ("abstract", "syntaxes", "expected"),
    [
        (VERIFICATION, (IMPLICIT_LE,), (0, IMPLICIT_LE)),
        (CT, (IMPLICIT_LE,), (0, IMPLICIT_LE)),
        (CT, (EXPLICIT_BE, EXPLICIT_LE), (0, EXPLICIT_BE)),
        (CT, (DEFLATED, EXPLICIT_LE), (0, DEFLATED)),
        (CT, (JPEG_LOSSY, EXPLICIT_LE), (0, JPEG_LOSSY)),
        (CT, (EXPLICIT_LE, JPEG_LOSSY), (0, EXPLICIT_LE)),
        (CT, (JPIP, EXPLICIT_LE), (0, EXPLICIT_LE)),
        (CT, (JPIP,), (4, "")),
        (CT, ("1.2.840.113619.5.2",), (4, "")),
        (CT, ("1.2.840.113619.5.2", IMPLICIT_LE), (0, IMPLICIT_LE)),
        (RETIRED_US, (IMPLICIT_LE,), (0, IMPLICIT_LE)),
        (FIND, (IMPLICIT_LE,), (3, "")),
        (COMMITMENT, (IMPLICIT_LE,), (3, "")),
        (PRIVATE, (IMPLICIT_LE,), (3, "")),
        ("1.2.840.10008.1.3.10", (IMPLICIT_LE,), (3, "")),
    ],
)
def test_one_syntax_is_taken_and_it_is_the_one_the_sender_holds(
    abstract: str, syntaxes: tuple[str, ...], expected: tuple[int, str]
) -> None:
    assert answer(abstract, *syntaxes) == expected


@pytest.mark.parametrize("syntax", sorted(UNSTORABLE_SYNTAXES))
def test_an_unstorable_syntax_is_never_taken(syntax: str) -> None:
    assert answer(CT, syntax) == (4, "")
    assert answer(CT, syntax, policy=AcceptancePolicy("any")) == (4, "")


@pytest.mark.parametrize("syntax", sorted(STORABLE_SYNTAXES))
def test_every_storable_syntax_is_taken_first_or_last(syntax: str) -> None:
    assert answer(SR, syntax, EXPLICIT_LE) == (0, syntax)
    assert answer(SR, JPIP, syntax) == (0, syntax)


def test_the_syntaxes_of_the_standard_are_all_judged() -> None:
    assert {"1.2.840.10008.1.2.4.94", "1.2.840.10008.1.2.4.95"} <= UNSTORABLE_SYNTAXES.keys()
    assert {"1.2.840.10008.1.2.4.204", "1.2.840.10008.1.2.4.205"} <= UNSTORABLE_SYNTAXES.keys()
    assert {IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE, DEFLATED, JPEG_LOSSY, "1.2.840.10008.1.2.4.203"} <= STORABLE_SYNTAXES
    assert len(STORABLE_SYNTAXES) + len(UNSTORABLE_SYNTAXES) >= 59


def test_any_takes_what_nobody_knows_but_no_other_service() -> None:
    policy = AcceptancePolicy("any")
    assert answer(PRIVATE, IMPLICIT_LE, policy=policy) == (0, IMPLICIT_LE)
    assert all(not policy.takes(uid) for uid in OTHER_CLASSES - {VERIFICATION})
    assert answer(FIND, IMPLICIT_LE, policy=policy)[0] == 3


def test_an_extra_class_is_taken_by_name() -> None:
    policy = AcceptancePolicy(extra_sop_classes=frozenset({PRIVATE}))
    assert answer(PRIVATE, EXPLICIT_LE, policy=policy) == (0, EXPLICIT_LE)
    assert answer(PRIVATE + ".1", EXPLICIT_LE, policy=policy)[0] == 3


def test_storage_classes_are_those_of_the_standard() -> None:
    from pynetdicom.presentation import AllStoragePresentationContexts

    judge = {str(context.abstract_syntax) for context in AllStoragePresentationContexts}
    assert len(judge) > 150
    assert all(map(is_storage, judge))
    assert all("Storage" in name_of(uid) for uid in STORAGE_CLASSES)
    assert len(STORAGE_CLASSES) > 200


def test_a_class_newer_than_the_dictionary_is_a_storage_class() -> None:
    label_map, protocol_find = "1.2.840.10008.5.1.4.1.1.66.7", "1.2.840.10008.5.1.4.1.1.200.4"
    assert is_storage(label_map)
    assert protocol_find in OTHER_CLASSES
    assert not is_storage(protocol_find)
    assert not is_storage("1.2.840.10008.5.1.4.1.10")


def test_every_context_is_answered_in_order() -> None:
    proposed = tuple(ProposedContext(255 - 2 * i, (CT, FIND, PRIVATE)[i % 3], (EXPLICIT_LE,)) for i in range(128))
    found = negotiate(request(contexts=proposed), AcceptancePolicy(), Limits())
    assert [a.id for a in found.accept.contexts] == [c.id for c in proposed]
    assert [a.result for a in found.accept.contexts] == [(0, 3, 3)[i % 3] for i in range(128)]
    assert len(found.contexts) == 43


def test_the_same_class_may_have_a_context_for_each_syntax() -> None:
    proposed = tuple(ProposedContext(2 * i + 1, CT, (uid,)) for i, uid in enumerate((JPEG_LOSSY, JPIP, IMPLICIT_LE)))
    found = negotiate(request(contexts=proposed), AcceptancePolicy(), Limits())
    assert {number: context.syntax for number, context in found.contexts.items()} == {1: JPEG_LOSSY, 5: IMPLICIT_LE}


def test_roles_are_never_granted_beyond_scu() -> None:
    """PS3.7 D.3.3.4."""
    user = UserInformation(roles=(RoleSelection(CT, True, True), RoleSelection(FIND, True, False)))
    found = negotiate(request(user=user), AcceptancePolicy(), Limits())
    assert found.accept.user.roles == (RoleSelection(CT, True, False),)
    only_scp = UserInformation(roles=(RoleSelection(CT, False, True),))
    assert answer(CT, EXPLICIT_LE, user=only_scp) == (1, "")


def test_the_window_is_never_taken_up() -> None:
    from tests.unit.dimse.samples import full_user

    found = negotiate(request(user=full_user()), AcceptancePolicy(), Limits())
    user = found.accept.user
    assert (user.window, user.extended, user.identity_answer) == (None, (), None)


@pytest.mark.parametrize(("announced", "expected"), [(0, 131072), (16384, 16384), (1 << 30, 131072), (4096, 4096)])
def test_what_we_may_send(announced: int, expected: int) -> None:
    found = negotiate(request(user=UserInformation(announced)), AcceptancePolicy(), Limits())
    assert found.peer_max_pdu == expected
    assert negotiate(request(), AcceptancePolicy(), Limits(send_pdu=4096)).peer_max_pdu == 4096


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({"protocol_version": 3}, None),  # only bit 0 is tested
        ({"protocol_version": 2}, (1, 2, 2)),
        ({"application_context": "1.2.3"}, (1, 1, 2)),
        ({"called_ae": ""}, (1, 1, 7)),
        ({"calling_ae": ""}, (1, 1, 3)),
        ({"calling_ae": "A\r\nB"}, (1, 1, 3)),
        ({"calling_ae": "A\\B"}, (1, 1, 3)),
        ({"calling_ae": "\xc4"}, (1, 1, 3)),
        ({"user": UserInformation(10)}, (1, 1, 1)),
    ],
)
def test_what_is_rejected_whoever_asks(changes: dict[str, object], expected: tuple[int, int, int] | None) -> None:
    assert precheck(request(**changes)) == expected


def test_proposals_keep_what_is_held_and_offer_conversion() -> None:
    found = contexts_for([(CT, EXPLICIT_LE), (CT, EXPLICIT_LE), (SR, IMPLICIT_LE), ("1.2.9", JPEG_LOSSY)])
    assert all(len(context.transfer_syntaxes) == 1 for context in found)
    pairs = [(context.abstract, context.transfer_syntaxes[0]) for context in found]
    assert len(set(pairs)) == len(pairs)
    assert pairs[:3] == [(CT, EXPLICIT_LE), (SR, IMPLICIT_LE), ("1.2.9", JPEG_LOSSY)]
    assert set(pairs[3:]) == {(CT, IMPLICIT_LE), ("1.2.9", IMPLICIT_LE), (SR, EXPLICIT_LE)}


def test_proposals_keep_to_128() -> None:
    many = [(f"1.2.{i}", JPEG_LOSSY) for i in range(100)]
    found = contexts_for(many)
    assert len(found) == MAX_CONTEXTS
    assert {(c.abstract, *c.transfer_syntaxes) for c in found} >= set(many)
    with pytest.raises(ValueError, match="129"):
        contexts_for([(f"1.2.{i}", JPEG_LOSSY) for i in range(129)])


def test_limits_refuse_what_cannot_be_meant() -> None:
    for wrong in ({"max_pdu": 0}, {"max_pdu": 2 << 20}, {"send_pdu": 100}, {"idle": 0.0}, {"artim": -1.0}):
        with pytest.raises(ValueError):
            Limits(**wrong)  # type: ignore[arg-type]
