"""A map service: one question a patient, over HTTPS, looked up before anything is done to an object.

    POST https://example.org/path      {"project": "trial42", "patient_id": "4711", "issuer": "HOSPITAL"}
    200  application/json       {"pseudonym": "T42-0001"}
    404                         the service does not have this patient
    409                         it has several of this Patient ID, and no issuer was named

Rules of this file
* POST, not GET: what stands in a URL ends in logs.
* An answer about the patient decides: 200, 404, 409; 400 and 422 (it cannot take the identifier) hold the object.
  Everything else is the service's own trouble: the object waits, nothing is counted.
* After a failure the service is left alone for a while (`_PAUSE`), and whoever asks waits at once.
* The token goes into one header and nowhere else. Nothing is logged but a code.

Reasons: patient-unmapped, patient-ambiguous, patient-service-refuses-patient, patient-answer-malformed,
patient-answer-too-large, charset-undecodable, pseudonym-invalid, pseudonym-is-identifier (hold);
patient-service-unavailable, -timeout, -certificate, -refuses-us, -redirects, -failing (wait).
"""

from __future__ import annotations

import json
import ssl
import time
from threading import Lock

from gateway.config.schema import Patients, Tls
from gateway.config.secrets import resolve
from gateway.errors import GatewayError, HoldObject, WaitObject
from gateway.patients.https import Answer, Endpoint, TooLarge, post
from gateway.security.tls import client_context
from transforms.deidentify.patient import Patient, problem

_PAUSE = 5.0  # seconds
_HOLDS = {
    404: ("patient-unmapped", "the map service does not have this patient"),
    409: ("patient-ambiguous", "the map service has several patients of this Patient ID"),
    400: ("patient-service-refuses-patient", "the map service cannot take this identifier (400)"),
    422: ("patient-service-refuses-patient", "the map service cannot take this identifier (422)"),
}


class MapService:
    """One configured service. Safe to use from many threads. Raises ConfigRefused, GatewayError where it is made."""

    def __init__(self, block: Patients, project: str) -> None:
        assert block.url is not None and block.tls is not None  # config/patients.py
        self._endpoint = Endpoint.of(block.url)
        self._project = project
        self._timeout = block.timeout
        self._limit = block.max_answer
        self._context = context(block)
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if block.token is not None:
            self._headers["Authorization"] = f"Bearer {_token(block.token)}"
        self._lock = Lock()
        self._failed: tuple[float, WaitObject] | None = None

    def find(self, patient: Patient) -> str:
        """The pseudonym of a patient. Raises HoldObject or WaitObject."""
        if not patient.text:
            raise HoldObject("charset-undecodable", "a service cannot be asked for an identifier with code extensions")
        self._rested()
        question = {"project": self._project, "patient_id": patient.patient_id.decode()}
        if patient.issuer:
            question["issuer"] = patient.issuer.decode()
        body = json.dumps(question).encode("ascii")
        try:
            answer = post(self._endpoint, self._headers, body, self._context, self._timeout, self._limit)
            found = _read(answer)
        except TooLarge:
            raise HoldObject("patient-answer-too-large", "the map service's answer is longer than max_answer") from None
        except WaitObject as error:
            with self._lock:
                self._failed = (time.monotonic(), error)
            raise
        if found.casefold() == patient.patient_id.decode().casefold():
            raise HoldObject("pseudonym-is-identifier", "the map service gave the Patient ID itself")
        return found

    def _rested(self) -> None:
        """Raises WaitObject where the service has failed just now."""
        with self._lock:
            if self._failed is not None:
                when, error = self._failed
                if time.monotonic() - when < _PAUSE:
                    raise WaitObject(error.reason, error.detail)
                self._failed = None


def context(block: Patients) -> ssl.SSLContext:
    """TLS towards the service: always verified, mutual where the block has an identity. Raises ConfigRefused."""
    assert block.tls is not None
    tls = Tls(profile=block.tls.profile, trust=block.tls.trust, crl=block.tls.crl)
    return client_context(tls, block.tls.identity, anonymous=block.tls.identity is None)


def _token(ref: str) -> str:
    """A bearer token (RFC 6750 2.1). Raises GatewayError."""
    found = resolve(ref)
    if not all(0x21 <= each < 0x7F for each in found):
        raise GatewayError("token-invalid", f"{ref}: a token is of ASCII letters, digits and signs, without blanks")
    return found.decode("ascii")


def _read(answer: Answer) -> str:
    """The pseudonym in an answer. Raises HoldObject, WaitObject."""
    if answer.status in _HOLDS:
        raise HoldObject(*_HOLDS[answer.status])
    if 300 <= answer.status < 400:
        raise WaitObject("patient-service-redirects", f"the map service answers {answer.status}; none is followed")
    if answer.status != 200:
        reason = "patient-service-refuses-us" if 400 <= answer.status < 500 else "patient-service-failing"
        raise WaitObject(reason, f"the map service answers {answer.status}")
    try:
        found = json.loads(answer.body, object_pairs_hook=list) if answer.kind == "application/json" else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or len(found) != 1 or not isinstance(found[0], tuple):
        found = [("", None)]
    name, pseudonym = found[0]
    if name != "pseudonym" or not isinstance(pseudonym, str):
        raise HoldObject("patient-answer-malformed", 'the map service\'s answer is not {"pseudonym": "..."} as JSON')
    if why := problem(pseudonym):
        raise HoldObject("pseudonym-invalid", why)
    return pseudonym
