"""The systems of the STOW work: ours over HTTPS, ours over DIMSE, and Orthanc with its DICOMweb plugin behind stunnel.

Orthanc's own TLS crashes in the version of Debian 12; stunnel is the least that can stand in for it.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from benchmarks.process import Tree, free_port, listening, said
from benchmarks.systems import COMMAND, WORKERS, Running, Site, program

PATH = "/dicom-web"
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
RULES = """\
version: 1
state: {{dir: ./state}}
identity: {{certificate: 'file:{certs}/gateway.pem', key: 'file:{certs}/gateway.key'}}
workers: {{count: {workers}}}
listeners:
  - id: bench
    stow: {{path: {path}, host: 127.0.0.1, port: {port}}}
    tls: {{trust: 'file:{certs}/ca.pem'}}
routes:
  - {{id: all, match: {{SOPInstanceUID: {{exists: true}}}}, hold: benchmark}}
  - {{id: rest, otherwise: hold, reason: no-route}}
"""


def gateway(site: Site) -> Running:
    """Ours over HTTPS, complete: durable, ledger, audit; it holds."""
    port = free_port()
    (site.folder / "gateway.yaml").write_text(RULES.format(workers=WORKERS, certs=site.certs, port=port, path=PATH))
    tree = Tree([COMMAND, "serve", "gateway.yaml"], site.folder, site.environment)
    listening(tree, port)
    said(tree, "web-ready", WORKERS)
    return Running(tree, port, PATH, site.folder / "state" / "spool", "benchmarks.sender_web")


def orthanc(site: Site) -> Running:
    """Orthanc's Store, mutual TLS by stunnel."""
    port, inner, stored = free_port(), free_port(), site.folder / "stored"
    options = {
        "Name": "bench",
        "StorageDirectory": str(stored),
        "IndexDirectory": str(stored),
        "Plugins": [str(PLUGIN)],
        "DicomServerEnabled": False,
        "HttpPort": inner,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomWeb": {"Enable": True, "Root": f"{PATH}/"},
    }
    (site.folder / "orthanc.json").write_text(json.dumps(options))
    lines = ["foreground = yes", "pid =", "debug = warning", "[in]"]
    lines += [f"accept = 127.0.0.1:{port}", f"connect = 127.0.0.1:{inner}"]
    lines += [f"cert = {site.certs / 'archive.pem'}", f"key = {site.certs / 'archive.key'}"]
    lines += [f"CAfile = {site.certs / 'ca.pem'}", "verifyChain = yes", "requireCert = yes", "socket = l:TCP_NODELAY=1"]
    (site.folder / "stunnel.conf").write_text("\n".join([*lines, ""]))
    both = f"{program('stunnel4')} stunnel.conf & exec {shlex.quote(str(program('Orthanc')))} orthanc.json"
    tree = Tree(["/bin/sh", "-c", both], site.folder, site.environment)
    listening(tree, inner)
    listening(tree, port)
    return Running(tree, port, PATH, stored, "benchmarks.sender_web")


def orthanc_missing() -> str:
    """Why Orthanc cannot be compared here; "" where it can."""
    if not program("Orthanc") or not program("stunnel4"):
        return "Orthanc or stunnel4 is not installed"
    return "" if PLUGIN.exists() else "orthanc-dicomweb is not installed"
