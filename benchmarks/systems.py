"""The systems that are compared, each started in a fresh folder: ours, and programs nobody here wrote.

Rules of this file
* A system is a function that starts it and says where it listens and where its objects lie. `SYSTEMS` lists all.
* Each is tuned as its manual allows: large PDUs, TCP_NODELAY where it has a switch, several connections at once.
* `does` says what it does not do, where the work differs; it is printed beside its figures.
"""

from __future__ import annotations

import json
import secrets
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks import peers
from benchmarks.process import Tree, free_port, listening, said
from certs.dev import make as make_pki

COMMAND = Path(sys.executable).parent / "dicom-gateway"
HERE = Path(__file__).resolve().parent
PDU = "131072"
WORKERS = 2


@dataclass(frozen=True, slots=True)
class Site:
    """What a system is started with."""

    folder: Path  # fresh, its own
    certs: Path
    environment: Mapping[str, str]  # TCP_NODELAY=1, or nothing
    sink: int = 0  # port of the archive; end to end only


class Running(NamedTuple):
    """A started system."""

    tree: Tree
    port: int
    called: str
    stored: Path  # where ingested objects lie
    sender: str = "benchmarks.sender"  # the module that speaks with it


class System(NamedTuple):
    """One line of the comparison."""

    name: str
    start: Callable[[Site], Running]
    does: str  # in what it differs from the whole work
    missing: Callable[[], str]  # why it cannot run here; "" where it can


def program(name: str) -> str | None:
    """Debian's own: a virtual environment with pynetdicom has programs of the same names."""
    return shutil.which(name, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")


def needs(name: str) -> Callable[[], str]:
    """Says whether a program is missing."""
    return lambda: "" if program(name) else f"{name} is not installed"


def storescp(site: Site) -> Running:
    """dcmtk's storage SCP; also the archive of the end-to-end work."""
    port, stored = free_port(), site.folder / "stored"
    stored.mkdir()
    certs = site.certs
    tree = Tree(
        [
            str(program("storescp")), "--fork", "+B", "-pdu", PDU, "-aet", "ARCHIVE", "-od", stored,
            "+tls", certs / "archive.key", certs / "archive.pem", "+cf", certs / "ca.pem", str(port),
        ],
        site.folder,
        site.environment,
    )  # fmt: skip
    listening(tree, port)
    return Running(tree, port, "ARCHIVE", stored)


# Once a study is quiet it is anonymised, sent, and both copies are deleted.
LUA = """
function OnStableStudy(study, tags, metadata)
  if metadata['AnonymizedFrom'] ~= nil then return end
  local made = ParseJson(RestApiPost('/studies/' .. study .. '/anonymize', '{"Synchronous": true}', true))
  RestApiPost('/modalities/sink/store', made['ID'], true)
  RestApiDelete('/studies/' .. made['ID'], true)
  RestApiDelete('/studies/' .. study, true)
end
"""


def orthanc(site: Site) -> Running:
    """Orthanc without plugins; with a sink it anonymises and forwards each study."""
    port, stored = free_port(), site.folder / "stored"
    options: dict[str, object] = {
        "Name": "bench",
        "StorageDirectory": str(stored),
        "IndexDirectory": str(stored),
        "Plugins": [],
        "HttpServerEnabled": False,
        "DicomPort": port,
        "DicomAet": "ORTHANC",
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(site.certs / "archive.pem"),
        "DicomTlsPrivateKey": str(site.certs / "archive.key"),
        "DicomTlsTrustedCertificates": str(site.certs / "ca.pem"),
        "DicomTlsRemoteCertificateRequired": True,
        "MaximumPduLength": 131072,
        "StableAge": 1,
        "UnknownSopClassAccepted": True,
    }
    if site.sink:
        script = site.folder / "forward.lua"
        script.write_text(LUA)
        options["LuaScripts"] = [str(script)]
        sink = {"AET": "ARCHIVE", "Host": "127.0.0.1", "Port": site.sink, "UseDicomTls": True}
        options["DicomModalities"] = {"sink": sink}
    configuration = site.folder / "orthanc.json"
    configuration.write_text(json.dumps(options))
    tree = Tree([str(program("Orthanc")), configuration], site.folder, site.environment)
    listening(tree, port)
    return Running(tree, port, "ORTHANC", stored)


def pynetdicom(site: Site) -> Running:
    """pynetdicom, tuned; with a sink the naive gateway around dicom-anonymizer."""
    port, stored = free_port(), site.folder / "stored"
    stored.mkdir()
    tree = Tree(
        [peers.python(), HERE / "naive.py", str(port), stored, site.certs, str(site.sink)],
        site.folder,
        site.environment,
    )
    listening(tree, port)
    return Running(tree, port, "NAIVE", stored)


RULES = """\
version: 1
state: {{dir: ./state}}
identity: {{certificate: 'file:{certs}/gateway.pem', key: 'file:{certs}/gateway.key'}}
workers: {{count: {workers}}}
listeners:
  - id: bench
    dimse: {{ae: GATEWAY, host: 127.0.0.1, port: {port}}}
    tls: {{trust: 'file:{certs}/ca.pem'}}
destinations:
  archive:
    dimse: {{host: 127.0.0.1, port: {sink}, ae: ARCHIVE}}
    tls: {{trust: 'file:{certs}/ca.pem'}}
deidentify:
  bench: {{profile: basic, key: file:bench.key}}
routes:
  - {{id: all, match: {{SOPInstanceUID: {{exists: true}}}}, {what}}}
  - {{id: rest, otherwise: hold, reason: no-route}}
"""


def gateway(site: Site) -> Running:
    """Ours, complete: durable, ledger, audit; with a sink it de-identifies and forwards, else it holds."""
    port = free_port()
    what = "steps: [{deidentify: bench}], deliver: [archive]" if site.sink else "hold: benchmark"
    rules = RULES.format(workers=WORKERS, certs=site.certs, port=port, sink=site.sink or 1, what=what)
    (site.folder / "gateway.yaml").write_text(rules)
    (site.folder / "bench.key").write_bytes(secrets.token_bytes(32))
    (site.folder / "bench.key").chmod(0o600)
    tree = Tree([COMMAND, "serve", "gateway.yaml"], site.folder, site.environment)
    listening(tree, port)
    said(tree, "worker-ready", WORKERS)
    return Running(tree, port, "GATEWAY", site.folder / "state" / "spool")


def nothing() -> str:
    """Nothing is missing."""
    return ""


OURS = "gateway"
SYSTEMS = {
    "ingest": (
        System(OURS, gateway, "durable: synced, framed, in the ledger, audited", nothing),
        System("storescp", storescp, "dcmtk --fork +B; syncs nothing", needs("storescp")),
        System("Orthanc", orthanc, "index durable some seconds later", needs("Orthanc")),
        System("pynetdicom", pynetdicom, "chunked, tuned; syncs nothing", peers.missing),
    ),
    "end-to-end": (
        System(OURS, gateway, "Basic Profile, durable at each step", nothing),
        System(
            "Orthanc", orthanc, "Lua per study, once it is quiet for 1 s: anonymize, store, delete", needs("Orthanc")
        ),
        System("naive", pynetdicom, "pynetdicom + dicom-anonymizer; nothing is durable", peers.missing),
    ),
}


def pki(folder: Path) -> Path:
    """A development PKI for a whole run."""
    make_pki(folder)
    return folder
