"""HL7 v2's own encoding (2.5.1 chapter 2.7): delimiters, escapes, segments. Texts in, texts out.

* `escaped` makes any text a value: delimiters, line ends and control characters become escape sequences, so that no
  value can end a field, a segment or an MLLP block.
* A field is a text, or components in a tuple, or subcomponents in a tuple within; a list of them is a field that
  repeats. Trailing empty parts are left out.
"""

from __future__ import annotations

from typing import Final, TypeAlias

ENCODING: Final = "^~\\&"
_ESCAPES: Final = {ord("|"): "\\F\\", ord("^"): "\\S\\", ord("&"): "\\T\\", ord("~"): "\\R\\", ord("\\"): "\\E\\"} | {
    code: f"\\X{code:02X}\\" for code in (*range(0x20), 0x7F)
}

Component: TypeAlias = "str | tuple[str, ...]"
Field: TypeAlias = "str | tuple[Component, ...]"


def escaped(text: str) -> str:
    """The text as a value (2.7.1, 2.7.5)."""
    return text.translate(_ESCAPES)


def segment(name: str, *fields: Field | list[Field]) -> str:
    """One segment, its values escaped, without its CR."""
    made = ["~".join(map(_field, field)) if isinstance(field, list) else _field(field) for field in fields]
    return "|".join([name, *_trimmed(made)])


def _field(field: Field) -> str:
    if isinstance(field, str):
        return escaped(field)
    return "^".join(_trimmed([_component(component) for component in field]))


def _component(component: Component) -> str:
    if isinstance(component, str):
        return escaped(component)
    return "&".join(_trimmed([escaped(part) for part in component]))


def _trimmed(parts: list[str]) -> list[str]:
    while parts and not parts[-1]:
        parts.pop()
    return parts
