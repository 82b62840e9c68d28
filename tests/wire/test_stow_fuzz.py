"""Fuzzing the HTTP interface: no 5xx from bad input, no file outside the spool, no connection to anywhere.

schemathesis draws requests from a description of the interface, valid and invalid ones; hypothesis writes raw ones.
"""

from __future__ import annotations

import socket
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.wire.web import RELATED, Server, file_of, multipart, request, serving, store, talk, uid_of

STORE = {
    "parameters": [
        {"name": "Accept", "in": "header", "schema": {"type": "string"}},
        {"name": "Content-Encoding", "in": "header", "schema": {"type": "string"}},
        {"name": "query", "in": "query", "schema": {"type": "string"}},
    ],
    "requestBody": {
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}}
            for kind in ("application/dicom", "application/dicom+json", "text/plain")
        }
    },
    "responses": {"200": {"description": "stored"}},
}
STUDY = {"name": "study", "in": "path", "required": True, "schema": {"type": "string", "maxLength": 200}}
DESCRIPTION = {
    "openapi": "3.0.3",
    "info": {"title": "STOW-RS", "version": "1"},
    "paths": {
        "/dicom-web/studies": {"post": STORE},
        "/dicom-web/studies/{study}": {"post": {**STORE, "parameters": [*STORE["parameters"], STUDY]}},
        "/dicom-web": {"get": {"responses": {"200": {"description": "capabilities"}}}},
        "/health": {"get": {"responses": {"200": {"description": "ok"}}}},
        "/ready": {"get": {"responses": {"200": {"description": "ready"}}}},
    },
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all: what one request breaks the next would show. `connects` counts what it dials."""
    with serving(tmp_path_factory.mktemp("fuzz")) as made:
        yield made


@pytest.fixture(autouse=True)
def unharmed(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Afterwards it stores as before; nothing lies but in the spool; nobody but the test has connected to anything."""
    dialled: list[object] = []
    plain = socket.socket.connect

    def connect(self: socket.socket, address: object) -> None:
        if address != ("127.0.0.1", server.port):
            dialled.append(address)
        plain(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", connect)
    root = server.spool.folder.parent.parent
    before = {path for path in root.rglob("*") if server.spool.folder not in path.parents}
    yield
    assert store(server.port, file_of(1)).referenced() == {uid_of(1)}
    assert {path for path in root.rglob("*") if server.spool.folder not in path.parents} == before
    assert not [name for name in server.files() if name.startswith("incoming/")]
    assert dialled == []


OPERATIONS = [("/dicom-web/studies", "POST"), ("/dicom-web/studies/{study}", "POST"), ("/dicom-web", "GET")]


@pytest.mark.parametrize(("path", "method"), [*OPERATIONS, ("/health", "GET"), ("/ready", "GET")])
def test_schemathesis_finds_no_server_error(server: Server, path: str, method: str) -> None:
    schema = schemathesis.openapi.from_dict(DESCRIPTION)
    seen: set[int] = set()

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(schema[path][method].as_strategy())
    def each(case: schemathesis.Case) -> None:
        answer = case.call(base_url=f"http://127.0.0.1:{server.port}", timeout=20)
        seen.add(answer.status_code)
        assert answer.status_code < 500, (answer.status_code, case.headers)

    each()
    assert seen


TOKEN = string.ascii_letters + string.digits + "-_"
paths = st.one_of(
    st.sampled_from(["/dicom-web/studies", "/dicom-web/studies/1.2.3", "/", "*", "/health", "//dicom-web//studies"]),
    st.lists(
        st.sampled_from(
            ["..", ".", "%2e%2e", "%2f", "dicom-web", "studies", "%00", "\\", "a", "", ";x=y", "?", "#", "1.2"]
        ),
        max_size=8,
    ).map(lambda parts: "/" + "/".join(parts)),
    st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), max_size=60).map(lambda text: "/" + text),
)
kinds = st.one_of(
    st.sampled_from(
        [
            RELATED,
            "application/dicom",
            'multipart/related; type="application/dicom+json"; boundary=frontier',
            'multipart/related; type="application/dicom+xml"; boundary=frontier',
            "multipart/related; boundary=frontier",
        ]
    ),
    st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=80),
)
headers = st.lists(
    st.tuples(
        st.sampled_from(
            ["Accept", "Content-Encoding", "Expect", "Authorization", "X-Forwarded-For", "Range", "Upgrade",
             "Connection", "Origin", "Cookie", "Content-Location", "Location", "X-HTTP-Method-Override", "Host",
             "Transfer-Encoding"]
        ),
        st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
    ),
    max_size=4,
).map(lambda pairs: tuple(f"{name}: {value}" for name, value in pairs))  # fmt: skip
fragments = st.sampled_from(
    [b"--frontier", b"--frontier\r\n", b"--frontier--", b"\r\n", b"\r\n\r\n", b"Content-Type: application/dicom\r\n",
     b"Content-Type: application/dicom+json\r\n", b"Content-Location: ../../x\r\n", b"Content-Location: file:///x\r\n",
     b'[{"7FE00010": {"vr": "OW", "BulkDataURI": "http://127.0.0.1:9/x"}}]',
     b"<!DOCTYPE x SYSTEM 'http://127.0.0.1:9/'>",
     b"<NativeDicomModel/>", b"\0" * 128 + b"DICM", b"DICM", file_of(2), file_of(3)[:300], b"\xff" * 40]
)  # fmt: skip
bodies = st.one_of(
    st.binary(max_size=200), st.lists(fragments, max_size=14).map(b"".join), st.just(multipart(file_of(2)))
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(["POST"] * 5 + ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "CONNECT", "X"]),
    paths, kinds, headers, bodies,
)  # fmt: skip
def test_raw_requests_find_no_server_error(server: Server, method, path, kind, extra, body) -> None:
    raw = request(body, path, kind, extra=(*extra, "Connection: close"), method=method)
    reply = talk(server.port, raw, half_close=True)
    assert reply.status < 500 or (reply.status == 501 and "Transfer-Encoding" in str(extra)), reply.raw[:300]


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=300))
def test_any_bytes_are_no_server_error(server: Server, data: bytes) -> None:
    assert talk(server.port, data + b"\r\n\r\n", half_close=True).status < 500
