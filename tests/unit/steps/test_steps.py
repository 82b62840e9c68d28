"""The tables of steps and destinations say the same, and a route whose parts do not fit is refused with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import kinds
from gateway.config.kinds import Flow, Kind
from gateway.config.load import examine_bytes
from gateway.config.schema import Destination, Step
from gateway.deliver.folder import SUFFIXES
from gateway.deliver.table import CARRIERS
from gateway.steps.table import STEPS, named, told

FILE = """\
version: 1
state: {dir: ./state}
listeners: [{id: a, dimse: {ae: GATEWAY, port: 2762}, unsafe_plaintext: a test}]
destinations:
  pacs: {dimse: {host: localhost, port: 104, ae: PACS}, unsafe_plaintext: a test}
  landing: {folder: {dir: ./landing}}
deidentify: {trial: {key: file:project.key}}
routes:
  - {id: one, match: {Modality: SR}, steps: STEPS, deliver: [pacs, landing]}
  - {id: rest, otherwise: hold}
"""


def errors(steps: str) -> list[str]:
    _, found = examine_bytes(FILE.replace("STEPS", steps).encode(), "gateway.yaml", Path("/base"))
    return [str(each) for each in found if each.severity == "error"]


def test_the_tables_name_the_same_steps_and_destinations() -> None:
    assert set(STEPS) == set(kinds.STEPS) == set(Step.model_fields)
    assert set(CARRIERS) == set(kinds.DESTINATIONS)
    assert set(kinds.DESTINATIONS) <= set(Destination.model_fields)
    assert set(SUFFIXES) == set(Kind)


def test_a_step_is_told_by_its_own_words() -> None:
    step = Step(deidentify="trial")
    assert (named(step), told(step)) == ("deidentify", "de-identified as trial")


@pytest.mark.parametrize("steps", ["[{deidentify: trial}]", "[]"])
def test_what_fits_is_taken(steps: str) -> None:
    assert errors(steps) == []


@pytest.mark.parametrize("steps", ["[{}]", "[{deidentify: null}]"])
def test_a_step_that_is_none_is_told_what_there_is(steps: str) -> None:
    [found] = errors(steps)
    assert "gateway.yaml:9:" in found and "exactly one transform" in found


def test_what_does_not_fit_is_refused_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(kinds.STEPS, "deidentify", Flow(Kind.DICOM, Kind.CDA))
    [found] = errors("[{deidentify: trial}]")
    assert found.startswith("gateway.yaml:9:")
    assert "'pacs' is a dimse and takes dicom; this route gives cda" in found


def test_a_step_gets_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(kinds.STEPS, "deidentify", Flow(Kind.CDA, Kind.DICOM))
    [found] = errors("[{deidentify: trial}]")
    assert "`deidentify` takes cda, and what comes here is dicom" in found
