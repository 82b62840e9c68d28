"""Media types: Content-Type and Accept (RFC 9110 8.3, 12.5.1), as far as DICOMweb needs them (PS3.18 8.7).

Rules of this file
* What is malformed raises ValueError and is never guessed at; a parameter that stands twice is malformed.
* A value may hold `/` without quotes: `type=application/dicom` is not RFC 9110, but it is what most senders write.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

DICOM = "application/dicom"
JSON = "application/dicom+json"
XML = "application/dicom+xml"
OCTETS = "application/octet-stream"
RELATED = "multipart/related"

MOST = 4096  # bytes of one header value
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_NAME = re.compile(rf"\s*({_WORD}/{_WORD})\s*")
_PARAMETER = re.compile(rf'\s*;\s*(?:({_WORD})=(?:"((?:[^"\\\x00-\x1f]|\\[\x20-\x7e])*)"|([^\s;,"]+))\s*)?')
_QUOTED_PAIR = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class MediaType:
    """`multipart/related; type="application/dicom"`: name and parameter names in lower case, values as they stand."""

    name: str
    parameters: dict[str, str] = field(default_factory=dict)


def parse(text: str) -> MediaType:
    """One media type. Raises ValueError."""
    found, at = _one(text, 0)
    if at != len(text):
        raise ValueError("not one media type")
    return found


def accepted(text: str) -> list[MediaType]:
    """The media types of an Accept header that are not refused by `q=0`, as they stand. Raises ValueError."""
    kinds = []
    at = 0
    while text.strip():
        found, at = _one(text, at)
        if float(found.parameters.pop("q", "1")) > 0:
            kinds.append(found)
        if at == len(text):
            break
        if text[at] != ",":
            raise ValueError("media types are separated by commas")
        at += 1
    return kinds


def answer_kind(accept: str) -> str:
    """Which of JSON and XML an Accept header wants of a Store answer; "" where neither. Raises ValueError."""
    if not accept.strip():
        return JSON  # PS3.18 10.5.3: the default
    for kind in accepted(accept):
        name = kind.parameters.get("type", "").lower() if kind.name == RELATED else kind.name
        if name in (JSON, "application/json", "*/*", "application/*"):
            return JSON
        if name in (XML, "application/xml", "text/xml"):
            return XML
    return ""


def _one(text: str, at: int) -> tuple[MediaType, int]:
    if len(text) > MOST:
        raise ValueError("a media type that long is none")
    named = _NAME.match(text, at)
    if named is None:
        raise ValueError("not a media type")
    at = named.end()
    parameters: dict[str, str] = {}
    while (found := _PARAMETER.match(text, at)) is not None:
        at = found.end()
        if found[1] is None:  # a lone semicolon
            continue
        key = found[1].lower()
        if key in parameters:
            raise ValueError("a parameter stands twice")
        parameters[key] = found[3] if found[2] is None else _QUOTED_PAIR.sub(r"\1", found[2])
    return MediaType(named[1].lower(), parameters), at
