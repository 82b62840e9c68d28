"""Starts, kills and questions whole gateways; makes their PKI, their peers and their rule files.

`Site` is one folder with a development PKI and rule files. `Gateway` is one `dicom-gateway serve` in it.
`Sink` is a pynetdicom storage SCP that remembers the SHA-256 of every data set it confirmed.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.presentation import StoragePresentationContexts

PENDING = ("waiting", "sending", "confirming")
COMMAND = str(Path(sys.executable).parent / "dicom-gateway")

RULES = """\
version: 1
state: {{dir: ./state}}
identity: {{certificate: file:certs/gateway.pem, key: file:certs/gateway.key}}
workers: {{count: 2}}
listeners:
  - id: hospital
    dimse: {{ae: GATEWAY, host: 127.0.0.1, port: 0}}
    tls: {{trust: file:certs/ca.pem}}
destinations:
  archive:
    dimse: {{host: 127.0.0.1, port: {port}, ae: ARCHIVE}}
    {sink_security}
    retry: {{for: 1h, backoff: 200ms..1s}}
deidentify:
  trial: {{profile: basic, key: file:trial.key}}
routes:
  - id: only
    match: {{SOPInstanceUID: {{exists: true}}}}
    {steps}
    deliver: [archive]
  - {{id: rest, otherwise: hold, reason: no-route}}
"""


def wait_for(what: Callable[[], object], seconds: float = 30.0, every: float = 0.05) -> Any:
    """The first true value of `what`, or AssertionError."""
    deadline = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"still not so after {seconds} s: {what}")
        time.sleep(every)


class Site:
    """A folder with PKI, key and rule file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run([COMMAND, "certs", "dev", "certs"], cwd=folder, check=True, capture_output=True)
        (folder / "trial.key").write_bytes(b"a key of the tests, 32 bytes....")
        (folder / "trial.key").chmod(0o600)

    def write(self, text: str, name: str = "gateway.yaml") -> Path:
        """Put a rule file there."""
        (self.folder / name).write_text(text)
        return self.folder / name

    def context(self, server: bool = False, who: str = "modality") -> ssl.SSLContext:
        """A TLS context of a peer: a modality that calls, or an archive that is called."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
        context.load_cert_chain(self.folder / "certs" / f"{who}.pem", self.folder / "certs" / f"{who}.key")
        context.load_verify_locations(self.folder / "certs" / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        return context


class Gateway:
    """One `serve`, in its own process group."""

    def __init__(self, site: Site, name: str = "gateway.yaml") -> None:
        self.site = site
        self.file = site.folder / name
        self.log = site.folder / "gateway.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Gateway:
        """Start it and wait until it takes connections."""
        (self.site.folder / "state" / "run" / "serving.json").unlink(missing_ok=True)
        before = self.log.read_bytes().count(b"worker-ready") if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [COMMAND, "serve", self.file.name],
                cwd=self.site.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(lambda: self._up(before), 60)
        return self

    def _up(self, before: int) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError("gateway ended:\n" + self.log.read_text())
        return self.log.read_bytes().count(b"worker-ready") > before and self.port_or_none() is not None

    def port_or_none(self) -> int | None:
        """The port of the listener `hospital`, once known."""
        try:
            return int(json.loads((self.site.folder / "state/run/serving.json").read_bytes())["listeners"]["hospital"])
        except (OSError, ValueError, KeyError):
            return None

    @property
    def port(self) -> int:
        """The port of the listener `hospital`."""
        return int(wait_for(self.port_or_none))

    def stop(self) -> int:
        """SIGTERM and wait; the exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(90)

    def kill(self) -> None:
        """SIGKILL to all of it at once."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def children(self, module: str) -> list[int]:
        """Process ids of the tree that run this module."""
        assert self.process is not None
        found = []
        for entry in Path("/proc").iterdir():
            try:
                command = (entry / "cmdline").read_bytes()
                group = os.getpgid(int(entry.name))
            except (OSError, ValueError):
                continue
            if module.encode() in command and group == self.process.pid:
                found.append(int(entry.name))
        return found

    def status(self) -> dict[str, Any]:
        """`status --json --all`."""
        done = subprocess.run(
            [COMMAND, "status", "--json", "--all", "--limit", "100000", "--config", self.file.name],
            cwd=self.site.folder,
            check=True,
            capture_output=True,
        )
        parsed: dict[str, Any] = json.loads(done.stdout)
        return parsed

    def settled(self, seconds: float = 60.0) -> list[dict[str, Any]]:
        """The rows, once nothing is waiting or being sent."""

        def rows() -> list[dict[str, Any]] | None:
            found: list[dict[str, Any]] = self.status()["rows"]
            return found if found and not any(r["state"] in PENDING for r in found) else None

        result: list[dict[str, Any]] = wait_for(rows, seconds, 0.5)
        return result

    def command(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """A command of ours in the site's folder."""
        return subprocess.run([COMMAND, *arguments], cwd=self.site.folder, capture_output=True, check=False)


class Sink:
    """A storage SCP by pynetdicom; `delay` seconds before each confirmation; statuses may be scripted."""

    def __init__(
        self, site: Site | None = None, port: int = 0, delay: float = 0.0, syntaxes: list[str] | None = None
    ) -> None:
        self.delay = delay
        self.received: dict[str, list[str]] = defaultdict(list)  # SOP Instance UID -> SHA-256 of each data set
        self.datasets: dict[str, bytes] = {}
        self.syntaxes: dict[str, str] = {}
        self.status: Callable[[str], int] = lambda uid: 0x0000
        self._lock = threading.Lock()
        self._closed = False
        ae = AE(ae_title="ARCHIVE")
        for context in StoragePresentationContexts:
            ae.add_supported_context(context.abstract_syntax, syntaxes or ALL_SYNTAXES)
        ae.maximum_pdu_size = 131072
        ae.supported_contexts = ae.supported_contexts[:]
        self._server = ae.start_server(
            ("127.0.0.1", port),
            block=False,
            evt_handlers=[(evt.EVT_C_STORE, self._store)],
            ssl_context=site.context(server=True, who="archive") if site else None,
        )
        self.port = self._server.socket.getsockname()[1]

    def _store(self, event: evt.Event) -> int:
        request = event.request
        data = request.DataSet.getvalue()
        uid = str(request.AffectedSOPInstanceUID)
        if self.delay:
            time.sleep(self.delay)
        status = self.status(uid)
        if status == 0:
            with self._lock:
                self.received[uid].append(hashlib.sha256(data).hexdigest())
                self.datasets[uid] = data
                self.syntaxes[uid] = str(event.context.transfer_syntax)
        return status

    def close(self) -> None:
        """Stop listening. A second time does nothing."""
        if not self._closed:
            self._closed = True
            self._server.shutdown()


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _all_syntaxes() -> list[str]:
    from pydicom.uid import UID_dictionary

    return [uid for uid, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax"]


ALL_SYNTAXES = _all_syntaxes()
