"""multipart/related: parts come out as they went in, whatever the pieces; limits hold before anything is kept."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.web.multipart import BadMultipart, Related


class Kept:
    """Remembers parts."""

    def __init__(self) -> None:
        self.parts: list[tuple[dict[str, str], bytes]] = []
        self._head: dict[str, str] = {}
        self._data = b""

    def head(self, headers: dict[str, str]) -> None:
        self._head, self._data = headers, b""

    def data(self, view: memoryview) -> None:
        self._data += bytes(view)

    def ended(self) -> None:
        self.parts.append((self._head, self._data))


def parsed(body: bytes, boundary: str = "b", step: int = 0, **limits: int) -> list[tuple[dict[str, str], bytes]]:
    kept = Kept()
    parser = Related(boundary, kept, parts=limits.get("parts", 100), part_head=limits.get("part_head", 4096))
    for at in range(0, len(body), step or len(body) or 1):
        parser.feed(body[at : at + (step or len(body))])
    parser.end()
    return kept.parts


def built(parts: list[bytes], boundary: bytes = b"b") -> bytes:
    return b"".join(b"--" + boundary + b"\r\nX: y\r\n\r\n" + p + b"\r\n" for p in parts) + b"--" + boundary + b"--"


nasty = st.lists(
    st.lists(st.sampled_from([b"\r", b"\n", b"-", b"--b", b"b", b"\r\n--", b"\r\n-", b"x", b"\0"]), max_size=12).map(
        b"".join
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=300)
@given(nasty, st.integers(1, 40))
def test_what_went_in_comes_out_in_any_pieces(parts: list[bytes], step: int) -> None:
    boundary = "frontier0"
    body = built(parts, boundary.encode())
    assert [data for _, data in parsed(body, boundary, step)] == parts


@settings(max_examples=300)
@given(st.binary(max_size=300), st.integers(1, 50))
def test_any_bytes_are_a_message_or_refused(body: bytes, step: int) -> None:
    try:
        parsed(body, "b", step)
    except BadMultipart as error:
        assert error.reason


@given(nasty, st.data())
def test_a_cut_message_is_never_whole(parts: list[bytes], data: st.DataObject) -> None:
    body = built(parts, b"frontier0")
    cut = data.draw(st.integers(0, len(body) - 1))
    with pytest.raises(BadMultipart):
        parsed(body[:cut], "frontier0")


@pytest.mark.parametrize("boundary", ["", "b" * 201, "b ", 'a"b', "a\\b", "ä", "a\nb"])
def test_a_boundary_is_as_rfc_2046_says(boundary: str) -> None:
    with pytest.raises(BadMultipart, match="boundary-malformed"):
        Related(boundary, Kept(), parts=1, part_head=256)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (built([b"1", b"2", b"3"]), "too-many-parts"),
        (b"--b\r\nA: " + b"x" * 400 + b"\r\n\r\n1\r\n--b--", "multipart-malformed"),
        (b"--b\r\n" + b"A: " + b"x" * 200 + b"\r\nB: " + b"x" * 200 + b"\r\n\r\n1\r\n--b--", "part-head-too-long"),
        (b"--b\r\nA: x\r\na: y\r\n\r\n1\r\n--b--", "part-head-malformed"),
        (b"--b\r\nA: \xff\r\n\r\n1\r\n--b--", "part-head-malformed"),
        (built([b"1"]) + b"x" * (1 << 17) + b"y" * (1 << 17), "multipart-epilogue"),
        (b"--b--", "multipart-malformed"),
    ],
)
def test_limits_and_malformed_heads(body: bytes, reason: str) -> None:
    with pytest.raises(BadMultipart) as caught:
        parsed(body, parts=2, part_head=256, step=1000)
    assert caught.value.reason in (reason, "multipart-empty", "multipart-truncated")
    assert reason == "multipart-malformed" or caught.value.reason == reason
