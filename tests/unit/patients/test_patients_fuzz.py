"""Whatever a service answers, whatever stands in a table: a reason, no other exception, no wrong pseudonym."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import HoldObject, WaitObject
from gateway.patients import https
from gateway.patients import service as service_module
from gateway.patients.service import MapService
from tests.unit.patients.patients_stage import Officer, ask, block, officer, patients
from tests.unit.patients.test_patients_escrow import opened
from tests.unit.security.pki import Pki
from transforms.deidentify.patient import Patient, problem

GOOD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'19\r\n{"pseudonym": "T42-0001"}\r\n0\r\n\r\n'
)


class Recorded:
    """A socket that has received these bytes, a few at a time."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def recv_into(self, buffer: memoryview) -> int:
        piece, self._data = self._data[: min(7, len(buffer))], self._data[7:]
        buffer[: len(piece)] = piece
        return len(piece)

    def settimeout(self, _seconds: float) -> None:
        pass

    def sendall(self, _data: bytes) -> None:
        pass


def asked(service: MapService, data: bytes, monkeypatch: pytest.MonkeyPatch) -> str:
    """The pseudonym, or the reason."""

    @contextmanager
    def connected(*_: Any) -> Iterator[Recorded]:
        yield Recorded(data)

    with monkeypatch.context() as patch:
        patch.setattr(https, "_connected", connected)
        patch.setattr(service_module, "_PAUSE", 0.0)
        try:
            found = service.find(Patient(b"MRN1"))
        except (HoldObject, WaitObject) as error:
            assert "MRN1" not in str(error)
            return error.reason
    assert problem(found) == ""
    return found


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> MapService:
    pki = Pki(tmp_path_factory.mktemp("pki"))
    wanted = block({"by": "service", "url": "https://example.org/", "tls": {"trust": str(pki.ca_file)}})
    return MapService(wanted.patients, "trial42")


REASONS = {
    "patient-service-unavailable", "patient-service-failing", "patient-service-redirects", "patient-service-refuses-us",
    "patient-answer-malformed", "patient-answer-too-large", "pseudonym-invalid",
}  # fmt: skip


def test_every_cut_of_a_good_answer_waits(service: MapService, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(service, GOOD, monkeypatch) == "T42-0001"
    whole = len(GOOD) - len(b"0\r\n\r\n")
    for end in range(whole):
        assert asked(service, GOOD[:end], monkeypatch) in ("patient-service-unavailable", "patient-answer-malformed"), (
            end
        )


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_answer_raises_anything_else(
    service: MapService, monkeypatch: pytest.MonkeyPatch, data: st.DataObject
) -> None:
    answer = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(answer)))
        answer[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=12))
    found = asked(service, bytes(answer), monkeypatch)
    assert found in REASONS or problem(found) == ""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Officer]:
    folder = tmp_path_factory.mktemp("escrow")
    who = officer(folder)
    found = patients(folder / "state", block(escrow={"to": str(who.certificate), "file": str(folder / "e.p7")}))
    for number in range(3):
        ask(found, f"MRN{number}")
    return Path(folder / "e.p7").read_bytes(), who


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_no_damage_of_a_table_raises_or_goes_unsaid(table: tuple[bytes, Officer], data: st.DataObject) -> None:
    whole, who = table
    damaged = bytearray(whole)
    at = data.draw(st.integers(0, len(whole)))
    damaged[at : at + data.draw(st.integers(0, 200))] = data.draw(st.binary(max_size=20))
    rows, closed = opened(bytes(damaged), who)
    assert set(rows) <= set(opened(whole, who)[0])
    assert len(rows) == 3 or closed > 0
