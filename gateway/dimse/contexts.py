"""What a requestor proposes for what it holds. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from gateway.dimse.uids import EXPLICIT_LE, IMPLICIT_LE, UNCOMPRESSED

MAX_CONTEXTS = 128  # odd numbers of one byte (PS3.8 9.3.2.2)


class ProposedContext(NamedTuple):
    """An abstract syntax and the transfer syntaxes proposed for it, the preferred one first."""

    abstract: str
    transfer_syntaxes: tuple[str, ...]


def contexts_for(objects: Iterable[tuple[str, str]]) -> list[ProposedContext]:
    """Contexts for objects of (SOP class, transfer syntax): each syntax alone, so that the peer cannot choose another.

    Implicit VR little endian is offered for every class (PS3.5 10.1), Explicit beside it where an uncompressed object
    may be converted. Where 128 do not suffice, the extra offers go first. Raises ValueError where what is held alone
    needs more than 128.
    """
    own = list(dict.fromkeys(objects))
    if len(own) > MAX_CONTEXTS:
        raise ValueError(f"{len(own)} pairs of SOP class and transfer syntax; an association carries {MAX_CONTEXTS}")
    implicit = [(sop_class, IMPLICIT_LE) for sop_class, _ in own]
    explicit = [(sop_class, EXPLICIT_LE) for sop_class, syntax in own if syntax in UNCOMPRESSED]
    wanted = list(dict.fromkeys([*own, *implicit, *explicit]))[:MAX_CONTEXTS]
    return [ProposedContext(sop_class, (syntax,)) for sop_class, syntax in wanted]
