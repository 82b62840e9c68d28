"""A gateway whose every system call is written down, on a plaintext listener so that its answers can be read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import Dataset

from gateway.dimse.client import Association, ProposedContext
from gateway.errors import DestinationDown
from tests.power import trace
from tests.power.order import Judgement, Layout, judge
from tests.power.trace import Call
from tests.system.harness import COMMAND, Gateway, Site, wait_for
from tests.system.senders import CT, encoded
from transforms.source import BytesSource

SEEDED = Path(__file__).parent / "seeded"
RULES = """\
version: 1
state: {dir: ./state}
workers: {count: 1}
listeners:
  - id: hospital
    dimse: {ae: GATEWAY, host: 127.0.0.1, port: 0}
    unsafe_plaintext: a test reads the answers in a trace of system calls
destinations:
  archive: {folder: {dir: ./out}}
routes:
  - {id: all, match: {SOPInstanceUID: {exists: true}}, DO}
  - {id: rest, otherwise: hold, reason: no-route}
"""


class Bare(Site):
    """A folder with a rule file and no PKI."""

    def __init__(self, folder: Path, do: str = "hold: wait", *, begun: bool = False) -> None:
        """`begun`: its folders are there already, so that calls can be counted (`inject`) from the first object on."""
        self.folder = folder
        if begun:
            for name in ("run", "rules", "audit", "spool/incoming", "spool/objects"):
                (folder / "state" / name).mkdir(mode=0o700, parents=True)
        self.write(RULES.replace("DO", do))


class Seeded(Gateway):
    """A `serve` that runs with a fault of seeded/faults.py in each of its processes, under strace where asked."""

    def __init__(self, site: Site, fault: str = "", traced: bool = False, inject: str = "") -> None:
        super().__init__(site)
        self.fault = fault
        self.traced = traced
        self.inject = inject
        self.trace = site.folder / "trace"

    def start(self) -> Seeded:
        """Start it and wait until it takes connections."""
        (self.site.folder / "state" / "run" / "serving.json").unlink(missing_ok=True)
        before = self.log.read_bytes().count(b"worker-ready") if self.log.exists() else 0
        command = [sys.executable, COMMAND, "serve", self.file.name]
        if self.traced:
            more = ["-e", f"inject={self.inject}"] if self.inject else []
            command = trace.command(str(self.trace), *command, more=more)
        environment = {**os.environ}
        if self.fault:
            environment |= {"PYTHONPATH": str(SEEDED), "DICOM_GATEWAY_SEEDED_FAULT": self.fault}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.site.folder, stdout=log, stderr=log, env=environment, start_new_session=True
            )
        wait_for(lambda: self._up(before), 60)
        return self

    def end(self) -> None:
        """SIGTERM to the gateway itself: strace ends after it, and has then written its last line whole."""
        assert self.process is not None
        pid = int(json.loads((self.site.folder / "state/run/serving.json").read_bytes())["pid"])
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        self.process.wait(60)

    def calls(self) -> list[Call]:
        """The trace, once all is over."""
        with self.trace.open(encoding="ascii") as lines:
            return trace.read(lines)

    def judgement(self) -> Judgement:
        """The trace against the order of P1."""
        return judge(self.calls(), Layout.of(str(self.site.folder / "state")))


@dataclass
class Modality:
    """A storage SCU without TLS; what was answered, by SOP Instance UID.

    It is ours, not pynetdicom's: that one's reactor thread now and then takes an answer from the thread that waits for
    it, which then waits to its timeout. Here only the trace is the judge.
    """

    gateway: Gateway
    title: str = "CT1"
    statuses: dict[str, int] = field(default_factory=dict)

    def send(self, objects: list[Dataset]) -> None:
        """One association with all of them, or as far as it goes."""
        port = self.gateway.port_or_none()
        assert port is not None
        contexts = [ProposedContext(CT, ("1.2.840.10008.1.2.1",))]
        try:
            association = Association.open(
                ("127.0.0.1", port), calling_ae=self.title, called_ae="GATEWAY", contexts=contexts, timeout=30
            )
            for each in objects:
                uid = str(each.SOPInstanceUID)
                self.statuses[uid] = association.store(CT, uid, 1, BytesSource(encoded(each))).status
            association.release()
        except DestinationDown:
            pass  # what was not answered was not promised

    @property
    def acknowledged(self) -> set[str]:
        """Whose answer was 0x0000."""
        return {uid for uid, status in self.statuses.items() if status == 0}
