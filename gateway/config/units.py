"""The scalar types of gateway.yaml: how each is written, and what it is in memory.

A wrong one raises ValueError with a sentence that says what to write instead. No sentence repeats the value: what
stands where a path or a reference belongs may be a secret.
"""

from __future__ import annotations

import math
import re
import unicodedata
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainValidator, ValidationInfo

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"(\d+)\s*(B|KiB|MiB|GiB)?")
_BYTES = {None: 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_CONTROLS = ("Cc", "Cs", "Zl", "Zp")  # controls, surrogates, separators of lines and paragraphs
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_URL = re.compile(
    r"https://(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9.-]{1,253})(?::([0-9]{1,5}))?(/[!$&-;=@-Z_a-z~%]{0,1024})?"
)
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]{1,64}){0,8}/?")
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def duration(value: Any) -> float:
    """`90s` -> 90.0 seconds."""
    if isinstance(value, float | int) and not isinstance(value, bool) and 0 <= value < math.inf:
        return float(value)
    found = _DURATION.fullmatch(str(value).strip())
    if not found:
        raise ValueError("a duration is a number and a unit: 500ms, 30s, 5m, 4h, 3d")
    return float(found[1]) * _SECONDS[found[2]]


def size(value: Any) -> int:
    """`64KiB` -> 65536 bytes."""
    found = _SIZE.fullmatch(str(value).strip())
    if not found:
        raise ValueError("a size is a number and a unit: 512B, 64KiB, 16MiB, 4GiB")
    return int(found[1]) * _BYTES[found[2]]


def backoff(value: Any) -> tuple[float, float]:
    """`5s..1h` -> (5.0, 3600.0): first and longest pause in seconds."""
    if isinstance(value, tuple | list) and len(value) == 2:  # read back from JSON
        return duration(value[0]), duration(value[1])
    first, dots, longest = str(value).partition("..")
    if not dots:
        raise ValueError("a backoff is first and longest pause: 5s..1h")
    low, high = duration(first), duration(longest)
    if not 0 < low <= high:
        raise ValueError("a backoff's first pause is above zero and not longer than its longest")
    return low, high


def ae_title(value: Any) -> str:
    """1 to 16 characters of the default repertoire, no backslash, no control, not all spaces (PS3.5 6.2, VR AE)."""
    text = str(value).strip(" ")
    if not 1 <= len(text) <= 16 or not all(0x20 <= ord(c) < 0x7F and c != "\\" for c in text):
        raise ValueError("an AE title has 1 to 16 characters of ASCII, without backslash")
    return text


def assigner(value: Any) -> str:
    """An Issuer of Patient ID: 1 to 64 characters without backslash and controls (PS3.5 6.2, VR LO)."""
    text = unicodedata.normalize("NFC", value).strip(" ") if isinstance(value, str) else ""
    if not 1 <= len(text) <= 64 or any(c == "\\" or unicodedata.category(c) in _CONTROLS for c in text):
        raise ValueError("an issuer has 1 to 64 characters, without backslash and controls")
    return text


def identifier(value: Any) -> str:
    """A name the file gives to a block of its own."""
    if not isinstance(value, str) or not _IDENTIFIER.fullmatch(value):
        raise ValueError("a name has 1 to 64 letters, digits, dots, hyphens or underscores")
    return value


def file_ref(value: Any, info: ValidationInfo) -> str:
    """`file:PATH` or PATH. Relative ones count from the file's folder, which load.py gives as the context's `base`."""
    if isinstance(value, Path):
        return str(value)
    if not isinstance(value, str) or not value.removeprefix("file:"):
        raise ValueError("a path is written as file:PATH or PATH")
    if value.startswith("env:"):
        raise ValueError("a path is written as file:PATH, not env:")
    return str(_base(info) / value.removeprefix("file:"))


def key_ref(value: Any, info: ValidationInfo) -> Path | str:
    """A private key: a file as above, or a key on a PKCS #11 token by its RFC 7512 URI, `pkcs11:...`."""
    if isinstance(value, str) and value.startswith("pkcs11:"):
        if "pin-value" in value:
            raise ValueError("a PIN does not belong into the URI: name it by `pin`")
        return value
    return Path(file_ref(value, info))


def _base(info: ValidationInfo) -> Path:
    return Path(info.context["base"]) if info.context else Path()


class Secret(str):
    """Where a secret is: `env:NAME` or `file:PATH`. Never the secret itself."""

    __slots__ = ()


def secret_ref(value: Any, info: ValidationInfo) -> Secret:
    """`env:NAME` or `file:PATH`; anything else might be the secret itself, and is refused unseen."""
    if not isinstance(value, str) or not value.startswith(("env:", "file:")) or len(value) > 4096:
        raise ValueError("a secret is named, not written: env:NAME or file:PATH")
    kind, _, where = value.partition(":")
    if kind == "file" and where:
        return Secret(f"file:{_base(info) / where}")
    if not _VARIABLE.fullmatch(where):
        raise ValueError("a secret is named, not written: env:NAME or file:PATH")
    return Secret(value)


def https_url(value: Any) -> str:
    """`https://example.org[:port][/path]`: no user, query or fragment, which could hold a secret or a patient."""
    found = _URL.fullmatch(value) if isinstance(value, str) else None
    if not found or not 0 < int(found[2] or 443) < 65536:
        raise ValueError("a service is written https://example.org:8443/path, without user, query and fragment")
    return str(value)


def web_url(value: Any) -> str:
    """As `https_url`, or `http://` for a destination that says why it is plaintext."""
    if isinstance(value, str) and value.startswith("http://"):
        https_url(value.replace("http", "https", 1))
        return value
    return https_url(value)


def url_path(value: Any) -> str:
    """`/dicom-web`: begins with a slash, ends without one, plain segments; `/` alone is the root and becomes ""."""
    found = _PATH.fullmatch(value) if isinstance(value, str) else None
    if not found or "/../" in f"{value}/" or "/./" in f"{value}/":
        raise ValueError("a path is written /dicom-web: plain segments, no query")
    return str(value).rstrip("/")


def command_word(value: Any, info: ValidationInfo) -> str:
    """A word of a command line; `file:PATH` is a file beside the rule file, as everywhere."""
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("a command is a list of words")
    return file_ref(value, info) if value.startswith("file:") else value


def listed(value: Any) -> Any:
    """A single value where a list may stand."""
    return (value,) if isinstance(value, str) else value


def set_value(value: Any) -> tuple[str, ...]:
    """One value, a list of them, or null and [] for an attribute that is there and empty; kept as text."""
    values = value if isinstance(value, list | tuple) else [] if value is None else [value]
    if not all(isinstance(each, str | int | float) and not isinstance(each, bool) for each in values):
        raise ValueError("a value is text or a number, or a list of them; put true, false and null in quotes")
    return tuple(str(each) for each in values)


Duration = Annotated[float, BeforeValidator(duration)]
Size = Annotated[int, BeforeValidator(size)]
Backoff = Annotated[tuple[float, float], BeforeValidator(backoff)]
AETitle = Annotated[str, BeforeValidator(ae_title)]
Identifier = Annotated[str, BeforeValidator(identifier)]
Assigner = Annotated[str, BeforeValidator(assigner)]
FileRef = Annotated[Path, BeforeValidator(file_ref)]
KeyRef = Annotated[Path | str, PlainValidator(key_ref)]  # BeforeValidator: read back from JSON, a URI became a Path
HttpsUrl = Annotated[str, BeforeValidator(https_url)]
WebUrl = Annotated[str, BeforeValidator(web_url)]
UrlPath = Annotated[str, BeforeValidator(url_path)]
SecretRef = Annotated[str, BeforeValidator(secret_ref)]
AETitles = Annotated[tuple[AETitle, ...], BeforeValidator(listed)]
Identifiers = Annotated[tuple[Identifier, ...], BeforeValidator(listed)]
FileRefs = Annotated[tuple[FileRef, ...], BeforeValidator(listed)]
CommandWord = Annotated[str, BeforeValidator(command_word)]
Words = Annotated[tuple[str, ...], BeforeValidator(listed)]
SetValue = Annotated[tuple[str, ...], BeforeValidator(set_value)]
