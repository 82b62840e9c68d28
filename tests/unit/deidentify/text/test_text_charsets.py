"""Texts with code extensions: strict both ways, and without Python's warnings, which are the whole process's."""

import warnings

import pytest

from transforms.deidentify.text.charsets import decode, encode
from transforms.errors import TransformError

_KOREAN = ("ISO_IR 100", "ISO 2022 IR 149")


@pytest.mark.parametrize("raw", [b"a \x1b$)C\xc8", b"\x1b$)B\xc8\xab", b"\x1b$)"], ids=["half", "unknown", "cut"])
def test_what_cannot_be_read_is_refused_whoever_sets_the_warnings(raw: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warnings, "warn", lambda *_, **__: None)  # another thread has just put the filters back
    with pytest.raises(TransformError, match="charset"):
        decode(raw, _KOREAN)


def test_what_cannot_be_written_is_refused_whoever_sets_the_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warnings, "warn", lambda *_, **__: None)
    with pytest.raises(TransformError, match="charset"):
        encode("Д 홍 น", ("", "ISO 2022 IR 100"))


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        (_KOREAN, "검사\n홍길동 é\r\n길동\\값"),
        (("", "ISO 2022 IR 87"), "山田\n太郎 a\n"),
        (("", "ISO 2022 IR 58"), "第一行文字。\r\n第二行文字 ab\r\n"),
        (("", "ISO 2022 IR 126", "ISO 2022 IR 144"), "Διονυσιος Люкceмбypг\tД"),
    ],
)
def test_a_text_of_lines_is_read_as_it_was_written(charset: tuple[str, ...], text: str) -> None:
    written = encode(text, charset)
    assert decode(written, charset) == text
    for line in written.split(b"\n"):  # PS3.5 6.1.2.5.3: each line begins with the first character set
        assert line.isascii() or b"\x1b" in line or line.decode("latin-1") in text


def test_chinese_is_written_with_its_escape_sequence() -> None:
    assert encode("王", ("", "ISO 2022 IR 58")) == b"\x1b$)A\xcd\xf5"
    assert decode(b"\x1b$)A\xcd\xf5\r\n\x1b$)A\xcd\xf5", ("", "ISO 2022 IR 58")) == "王\r\n王"
