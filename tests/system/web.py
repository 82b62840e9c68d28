"""Sends objects to a gateway by STOW-RS over mutual TLS, with `requests`; remembers what was told to be stored."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field

import requests

from tests.system.harness import Gateway, Site, wait_for
from tests.wire.web import RELATED, digest_of, file_of, multipart, uid_of

RULES = """\
version: 1
state: {{dir: ./state}}
identity: {{certificate: file:certs/gateway.pem, key: file:certs/gateway.key}}
workers: {{count: 2}}
listeners:
  - id: hospital
    dimse: {{ae: GATEWAY, host: 127.0.0.1, port: 0}}
    tls: {{trust: file:certs/ca.pem}}
  - id: web
    stow: {{path: /dicom-web, host: 127.0.0.1, port: 0}}
    tls: {{trust: file:certs/ca.pem}}
destinations:
  archive:
    dimse: {{host: 127.0.0.1, port: {port}, ae: ARCHIVE}}
    tls: {{trust: file:certs/ca.pem}}
    retry: {{for: 1h, backoff: 200ms..1s}}
routes:
  - id: only
    match: {{SOPInstanceUID: {{exists: true}}}}
    deliver: [archive]
  - {{id: rest, otherwise: hold, reason: no-route}}
"""


def web_port(gateway: Gateway) -> int | None:
    """The port of the listener `web`, once known."""
    try:
        file = gateway.site.folder / "state/run/serving.json"
        return int(json.loads(file.read_bytes())["listeners"]["web"])
    except (OSError, ValueError, KeyError):
        return None


def session(site: Site, who: str = "modality") -> requests.Session:
    """An HTTP client with a certificate."""
    made = requests.Session()
    made.trust_env = False
    made.cert = (str(site.folder / "certs" / f"{who}.pem"), str(site.folder / "certs" / f"{who}.key"))
    made.verify = str(site.folder / "certs" / "ca.pem")
    return made


@dataclass
class WebSender:
    """One DICOMweb client; `acknowledged` maps SOP Instance UID to the SHA-256 of what was told to be stored."""

    site: Site
    gateway: Gateway
    acknowledged: dict[str, str] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)

    def send(self, numbers: list[int], study: int = 0, size: int = 2048) -> list[int]:
        """One request; the numbers that were not told to be stored."""
        port = web_port(self.gateway)
        if port is None:
            return numbers
        body = multipart(*(file_of(n, study, size) for n in numbers))
        with session(self.site) as http:
            answer = http.post(
                f"https://localhost:{port}/dicom-web/studies", data=body, headers={"Content-Type": RELATED}, timeout=60
            )
        self.statuses.append(answer.status_code)
        if answer.status_code not in (200, 202):
            return numbers
        told = answer.json().get("00081199", {}).get("Value", [])
        stored = {each["00081155"]["Value"][0] for each in told}
        for n in numbers:
            if uid_of(n) in stored:
                self.acknowledged[uid_of(n)] = digest_of(n, study, size)
        return [n for n in numbers if uid_of(n) not in stored]

    def send_all(self, numbers: list[int], study: int = 0, batch: int = 6) -> None:
        """Everything, through whatever happens to the gateway."""
        left = list(numbers)
        while left:
            try:
                rest = self.send(left[:batch], study)
            except (OSError, requests.RequestException):
                rest = left[:batch]
            if len(rest) == len(left[:batch]):
                time.sleep(0.2)
            left = rest + left[batch:]


def ready(gateway: Gateway) -> Gateway:
    """Wait until the web listener is announced."""
    wait_for(lambda: web_port(gateway))
    return gateway
