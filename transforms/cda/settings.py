"""A `reports` block, or the file of `convert --options`, as Options: every key is known, every OID is one.

Raises TransformError(report-options) with the key that is wrong, and what may stand there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from transforms.cda.options import Authorities, Options, Organization, Recipient
from transforms.cda.terms import OID
from transforms.errors import TransformError

_ORGANIZATIONS: Final = ("custodian", "provider", "facility")
_OIDS: Final = frozenset({"id_root", "root", "patient", "accession", "order", "admission", "person"})
_MAPS: Final = ("named", "coding_schemes")


def read(given: Mapping[str, Any]) -> Options:
    """The options that a mapping of plain values says."""
    plain = dict(_known(given, Options, ""))
    for name in _ORGANIZATIONS:
        if name in plain:
            plain[name] = Organization(**_known(_mapping(plain[name], name), Organization, f"{name}."))
    if "authorities" in plain:
        authorities = _mapping(plain["authorities"], "authorities")
        plain["authorities"] = Authorities(**_known(authorities, Authorities, "authorities."))
    if "recipients" in plain:
        several = plain["recipients"]
        if not isinstance(several, (list, tuple)):
            raise _wrong("recipients", "write a list of {name: ..., organization: ...}")
        plain["recipients"] = tuple(
            Recipient(**_known(_mapping(each, "recipients"), Recipient, "recipients.")) for each in several
        )
    if plain.get("confidentiality", "N") not in ("N", "R", "V"):
        raise _wrong("confidentiality", "N, R or V")
    if plain.get("wado_style", "rs") not in ("rs", "uri"):
        raise _wrong("wado_style", "rs or uri")
    for name in ("unverified", "partial"):
        if plain.get(name, "mark") not in ("mark", "hold"):
            raise _wrong(name, "mark or hold")
    if not str(plain.get("wado") or "https://").startswith(("https://", "http://")):
        raise _wrong("wado", "an http or https URL")
    return Options(**plain)


def _known(given: Mapping[str, Any], kind: type, path: str) -> dict[str, Any]:
    names = [field.name for field in fields(kind)]
    for key, value in given.items():
        if key not in names:
            raise _wrong(f"{path}{key}", f"there are {', '.join(names)}")
        if key in _MAPS:
            for designator, oid in _mapping(value, f"{path}{key}").items():
                _oid(f"{path}{key}.{designator}", oid)
        elif key in _OIDS and value:
            _oid(f"{path}{key}", value)
        elif not isinstance(value, (str, Mapping, list, tuple)):
            raise _wrong(f"{path}{key}", "a text (in quotes, where it looks like a number)")
    return dict(given)


def _oid(path: str, value: object) -> None:
    if not isinstance(value, str) or not OID.match(value):
        raise _wrong(path, "an OID, such as 2.16.840.1.113883.19.5")


def _mapping(value: object, path: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(path, "write `key: value` lines")
    return value


def _wrong(path: str, said: str) -> TransformError:
    return TransformError("report-options", f"{path}: {said}")
