"""The document has one spelling, and a reader refuses every other."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError
from gateway.manifest.model import FORMAT, Entry, Manifest, Scope, Totals, decode, encode

ENTRY = Entry(
    sop_instance="2.25.1", sop_class="1.2.840.10008.5.1.4.1.1.2", sha256="0" * 64, syntax="1.2.840.10008.1.2.1",
    received="hmac-sha256:" + "1" * 64, rules="2" * 64, software="dicom-gateway 0", time="2026-01-01T00:00:00Z",
)  # fmt: skip
GOOD = encode(Manifest(FORMAT, Scope(study="2.25.2"), Totals(1, held={"egress-hit": 2}), (ENTRY,)))


def reason(data: bytes) -> str:
    with pytest.raises(GatewayError) as caught:
        decode(data)
    return caught.value.reason


def test_what_is_written_is_read() -> None:
    assert encode(decode(GOOD)) == GOOD
    assert decode(GOOD).objects == (ENTRY,)


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told | {"more": 1},
        lambda told: told | {"objects": [told["objects"][0] | {"patient": "DOE"}]},
        lambda told: told | {"objects": []},
        lambda told: told | {"totals": told["totals"] | {"delivered": "1"}},
        lambda told: {key: told[key] for key in told if key != "scope"},
    ],
)
def test_what_is_not_of_this_format_is_refused(change) -> None:
    told = change(json.loads(GOOD))
    assert reason(json.dumps(told, sort_keys=True, separators=(",", ":")).encode() + b"\n") == "manifest-malformed"


def test_another_spelling_is_refused() -> None:
    assert reason(json.dumps(json.loads(GOOD), indent=1).encode()) == "manifest-malformed"
    assert reason(GOOD.rstrip(b"\n")) == "manifest-malformed"


def test_another_version_is_told_as_such() -> None:
    assert reason(GOOD.replace(b"manifest/1", b"manifest/2")) == "manifest-format"


@given(st.binary(max_size=200) | st.integers(0, len(GOOD)).map(lambda cut: GOOD[:cut]))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    if data != GOOD:
        assert reason(data) in ("manifest-malformed", "manifest-format")
