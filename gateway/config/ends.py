"""Cross references of listeners, peers and destinations: one kind each, how each is secured, who may call.

Rules of this file
* Exactly one of `tls` and `unsafe_plaintext`; the second needs a reason that a reader can judge.
* Where a certificate is verified its trust anchors are named; nothing falls back to the system's.
* Each folder is one end's alone: two destinations would replace each other's files, and what is delivered into a
  watched folder would come in again.
"""

from __future__ import annotations

from os.path import normpath
from pathlib import PurePath
from typing import Any

from cryptography import x509

from gateway.config import commitment, kinds, mail, media
from gateway.config.document import Positions
from gateway.config.kinds import MADE_THERE
from gateway.config.plain import given, items, mapping, text, words
from gateway.config.problems import Loc, Problem, nearest

DESTINATION_KINDS = tuple(kinds.DESTINATIONS)
LISTENER_KINDS = ("dimse", "stow", "folder", "media")
SECURED = ("dimse", "stow", "mllp", "http", "mail")  # kinds that speak over a network


def problems(data: Any, places: Positions) -> list[Problem]:
    """Every problem of the two ends."""
    found = _listeners(data, places)
    destinations = mapping(data, "destinations")
    for name, block in destinations.items():
        found += _destination(block, ("destinations", name), data, places)
    for name, block in mapping(data, "peers").items():
        found += _names(mapping(block, "tls"), ("peers", name, "tls"), places)
    return found + _folders(data, places)


def _folders(data: Any, places: Positions) -> list[Problem]:
    """Folders that two would use. Compared by their names alone: what a link leads to is the operator's."""
    out: list[tuple[str, Loc, PurePath]] = [
        (f"destination {name!r}", ("destinations", name, kind, "dir"), where)
        for name, block in mapping(data, "destinations").items()
        for kind in ("folder", "media")
        if (where := _folder(mapping(block, kind))) is not None
    ]
    come_in: list[tuple[str, Loc, PurePath]] = [
        (f"listener {text(block, 'id') or '?'!r}", ("listeners", number, kind, "dir"), where)
        for number, block in items(data, "listeners")
        for kind in ("folder", "media")
        if (where := _folder(mapping(block, kind))) is not None
    ]
    state = _folder(mapping(data, "state"))
    found = []
    for number, (_, loc, where) in enumerate(out):
        if (other := next((who for who, _, there in out[:number] if there == where), None)) is not None:
            found.append(places.at_value(loc, f"{other} writes there: one would replace the other's files"))
    for number, (_, loc, where) in enumerate(come_in):
        nested = (
            who for who, _, there in come_in[:number] if where.is_relative_to(there) or there.is_relative_to(where)
        )
        if (other := next(nested, None)) is not None:
            found.append(places.at_value(loc, f"{other} watches it: each file belongs to one"))
        if (other := next((who for who, _, there in out if there.is_relative_to(where)), None)) is not None:
            found.append(places.at_value(loc, f"{other} writes there: what was delivered would come in again"))
        if state is not None and (state.is_relative_to(where) or where.is_relative_to(state)):
            found.append(places.at_value(loc, "the gateway's own state is there"))
    return found


def _folder(block: dict[str, Any]) -> PurePath | None:
    where = text(block, "dir")
    return None if where is None else PurePath(normpath(where.removeprefix("file:")))


def _names(settings: dict[str, Any], loc: Loc, places: Positions) -> list[Problem]:
    """A warning where the host's name does not count."""
    if settings.get("check_host") is not False:
        return []
    message = "whoever has a certificate under `trust` may stand there: the name in it is not looked at"
    return [places.warn((*loc, "check_host"), message)]


def _listeners(data: Any, places: Positions) -> list[Problem]:
    found: list[Problem] = []
    seen: set[str] = set()
    bound: dict[tuple[object, object], str] = {}
    listeners = items(data, "listeners")
    if isinstance(data, dict) and isinstance(data.get("listeners"), list) and not listeners:
        found.append(places.at_key(("listeners",), "there is no listener: nothing can come in"))
    for number, block in listeners:
        if not isinstance(block, dict):
            continue
        loc: Loc = ("listeners", number)
        name = text(block, "id") or "?"
        if name in seen:
            found.append(places.at_value((*loc, "id"), f"a second listener {name!r}"))
        seen.add(name)
        named = [kind for kind in LISTENER_KINDS if given(block, kind)]
        if len(named) != 1:
            shown = "none of them" if not named else " and ".join(named)
            message = f"a listener is exactly one of {', '.join(LISTENER_KINDS)}; this has {shown}"
            found.append(places.at_value(loc, message))
            continue
        kind = named[0]
        inner = mapping(block, kind)
        port = inner.get("port")
        if isinstance(port, int) and port:
            other = bound.setdefault((inner.get("host"), port), name)
            if other != name:
                found.append(places.at_value((*loc, kind, "port"), f"listener {other!r} has port {port} already"))
        if kind not in SECURED:
            found += _off_network(block, kind, loc, places)
            found += media.listener_problems(inner, (*loc, kind), places) if kind == "media" else []
            continue
        found += _secured(block, loc, data, places, "client certificates")
        if "check_host" in mapping(block, "tls"):
            found.append(places.at_key((*loc, "tls", "check_host"), "`check_host` belongs to destinations"))
        if kind == "dimse":
            found += _titles(block, inner, (*loc, "dimse"), places)
        if kind == "stow":
            found += _callers(block, inner, (*loc, "stow"), places)
    return found


def _callers(block: dict[str, Any], stow: dict[str, Any], loc: Loc, places: Positions) -> list[Problem]:
    """Who may call a STOW listener: certificate subjects and tokens."""
    found: list[Problem] = []
    subjects = words(stow, "subjects")
    if stow.get("subjects") == []:
        found.append(places.at_value((*loc, "subjects"), "nobody may call; leave it out to let any certificate in"))
    if subjects and not given(block, "tls"):
        found.append(places.at_key((*loc, "subjects"), "`subjects` need tls: without it there is no certificate"))
    for below, name in subjects:
        found += _subject(name, (*loc, *below), places)
    bearer = mapping(stow, "bearer")
    here = (*loc, "bearer")
    if given(stow, "bearer"):
        if given(bearer, "keys") == given(bearer, "keys_url"):
            found.append(places.at_value(here, "`bearer` has exactly one of `keys: file:PATH` and `keys_url`"))
        if given(bearer, "keys_url") != given(bearer, "tls"):
            found.append(
                places.at_value(here, "`keys_url` and `tls` go together: the keys are fetched from who is verified")
            )
        if given(block, "unsafe_plaintext"):
            found.append(places.warn(here, "tokens cross the network in plaintext: who reads one may use it"))
        if bearer.get("algorithms") == []:
            found.append(places.at_value((*here, "algorithms"), "no algorithm: no token could be taken"))
    return found


def _titles(block: dict[str, Any], dimse: dict[str, Any], loc: Loc, places: Positions) -> list[Problem]:
    found: list[Problem] = []
    if isinstance(dimse.get("ae"), list) and not dimse["ae"]:
        found.append(places.at_value((*loc, "ae"), "a listener has at least one AE title"))
    calling = [name for _, name in words(dimse, "calling_ae")]
    if isinstance(dimse.get("calling_ae"), list) and not calling:
        found.append(places.at_value((*loc, "calling_ae"), "nobody may call; leave it out to let any certificate in"))
    entries = items(dimse, "ae_map")
    if isinstance(dimse.get("ae_map"), list) and not entries:
        found.append(places.at_value((*loc, "ae_map"), "an empty ae_map; leave it out to let any certificate in"))
    if entries and not given(block, "tls"):
        found.append(places.at_key((*loc, "ae_map"), "an ae_map needs tls: without it there is no certificate"))
    elif entries and text(mapping(block, "tls"), "client_cert") == "optional":
        message = "with an ae_map a caller without a certificate is never let in: write client_cert: required"
        found.append(places.warn((*loc, "ae_map"), message))
    for number, entry in entries:
        here = (*loc, "ae_map", number)
        found += _subject(text(entry, "subject"), (*here, "subject"), places)
        if isinstance(entry, dict) and entry.get("ae") == []:
            found.append(
                places.at_value((*here, "ae"), "this subject may use no AE title: name one, or remove the line")
            )
        for below, name in words(entry, "ae"):
            if calling and name not in calling:
                message = f"{name!r} is not in calling_ae, so it is never let in"
                found.append(places.at_value((*here, *below), message, nearest(name, calling)))
    return found


def _subject(subject: str | None, loc: Loc, places: Positions) -> list[Problem]:
    """Subjects are compared as RFC 4514 text, so one that is written otherwise would never match."""
    if subject is None or subject.startswith("certificate without subject "):  # security/identity.py names it so
        return []
    try:
        normal = x509.Name.from_rfc4514_string(subject).rfc4514_string()
    except ValueError:
        return [places.at_value(loc, "a subject is written as RFC 4514 says: CN=CT1,O=Hospital,C=DE")]
    if normal != subject:
        return [places.at_value(loc, "a subject is compared letter by letter", normal)]
    return []


def _made_there(block: dict[str, Any], kind: str, loc: Loc, places: Positions) -> list[Problem]:
    """`mdm` and `encapsulate` beside a kind that takes what they make; not both: one document leaves once."""
    found = [
        places.at_key((*loc, name), f"a {kind} does not take what `{name}` makes: it is for {', '.join(sorted(fits))}")
        for name, fits in MADE_THERE.items()
        if given(block, name) and kind not in fits
    ]
    if all(given(block, name) for name in MADE_THERE):
        found.append(places.at_value(loc, f"a destination has one of {' and '.join(MADE_THERE)}: make it two"))
    return found


def _destination(block: Any, loc: Loc, data: Any, places: Positions) -> list[Problem]:
    if not isinstance(block, dict):
        return []
    kinds = [kind for kind in DESTINATION_KINDS if given(block, kind)]
    if len(kinds) != 1:
        shown = "none of them" if not kinds else " and ".join(kinds)
        return [
            places.at_value(loc, f"a destination is exactly one of {', '.join(DESTINATION_KINDS)}; this has {shown}")
        ]
    made = _made_there(block, kinds[0], loc, places)
    if kinds[0] not in SECURED:
        found = made + _off_network(block, kinds[0], loc, places)
        return found + (media.problems(mapping(block, "media"), (*loc, "media"), places) if kinds[0] == "media" else [])
    found = made + _secured(block, loc, data, places, "the destination's certificate")
    found += _names(mapping(block, "tls"), (*loc, "tls"), places)
    found += commitment.of_destination(block, loc, data, places)
    if "client_cert" in mapping(block, "tls"):
        found.append(places.at_key((*loc, "tls", "client_cert"), "`client_cert` belongs to listeners"))
    if kinds[0] == "mail":
        found += mail.problems(mapping(block, "mail"), block, (*loc, "mail"), places)
    url = text(mapping(block, kinds[0]), "url")
    if url is not None and url.startswith("http:") == given(block, "tls"):
        wanted = "https, because `tls` is given" if given(block, "tls") else "http, because it is `unsafe_plaintext`"
        found.append(places.at_value((*loc, kinds[0], "url"), f"this URL begins with {wanted}"))
    if given(mapping(block, "http"), "authorization") and not given(block, "tls"):
        message = "a credential must not cross the network in plaintext: use tls"
        found.append(places.at_key((*loc, "http", "authorization"), message))
    if given(mapping(block, "stow"), "oauth") and not given(block, "tls"):
        found.append(places.at_key((*loc, "stow", "oauth"), "a token must not cross the network in plaintext: use tls"))
    return found


def _off_network(block: dict[str, Any], kind: str, loc: Loc, places: Positions) -> list[Problem]:
    return [
        places.at_key((*loc, key), f"a {kind} has no {key!r}: it is not on a network")
        for key in ("tls", "unsafe_plaintext")
        if given(block, key)
    ]


def _secured(block: dict[str, Any], loc: Loc, data: Any, places: Positions, verified: str) -> list[Problem]:
    tls, plain = given(block, "tls"), "unsafe_plaintext" in block
    if tls == plain:
        both = "has both" if tls else "has neither"
        return [places.at_value(loc, f"exactly one of `tls` and `unsafe_plaintext: why`; this {both}")]
    if plain:
        if not (text(block, "unsafe_plaintext") or "").strip():
            return [places.at_value((*loc, "unsafe_plaintext"), "`unsafe_plaintext` needs the reason, as text")]
        return [places.warn((*loc, "unsafe_plaintext"), "patients' data crosses the network in plaintext")]
    found = []
    settings = mapping(block, "tls")
    if loc[0] == "listeners" and text(settings, "client_cert") == "optional" and not given(settings, "trust"):
        if not given(mapping(block, "stow"), "bearer"):
            found.append(
                places.warn((*loc, "tls"), "nobody who calls is known: without `trust` no certificate is asked for")
            )
    elif loc[0] == "listeners" and text(settings, "client_cert") == "optional" and not _known(block):
        message = "who shows no certificate is let in, too: write client_cert: required"
        found.append(places.warn((*loc, "tls", "client_cert"), message))
    elif not given(settings, "trust"):
        found.append(places.at_value((*loc, "tls"), f"`tls` needs `trust`: the anchors to check {verified} by"))
    if not given(settings, "identity") and not given(data, "identity"):
        found.append(
            places.at_value((*loc, "tls"), "`tls` needs a certificate: an `identity` here or for the whole file")
        )
    return found


def _known(block: dict[str, Any]) -> bool:
    """Whether every caller of a listener is known by something else than the certificate that it may leave out."""
    return any(given(mapping(block, "stow"), key) for key in ("bearer", "subjects")) or given(
        mapping(block, "dimse"), "ae_map"
    )
