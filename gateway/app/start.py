"""How every process beneath the supervisor starts: its arguments, its limits, its log, its rules."""

from __future__ import annotations

import argparse
import logging
import os
import resource
import socket
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from gateway.config.kept import kept
from gateway.config.schema import Config
from gateway.errors import GatewayError, HoldObject
from gateway.logs import configure, fields


class Start(NamedTuple):
    """What the supervisor gave us."""

    config: Config
    digest: str  # of the rules
    name: str  # unique among all processes of this state directory
    control: socket.socket


def run(kind: str, serve: Callable[[Start], None]) -> int:
    """Read the arguments, serve, and give the exit status."""
    parser = argparse.ArgumentParser(prog=f"gateway.app.{kind}")
    parser.add_argument("--rules", required=True)
    parser.add_argument("--state", required=True, type=Path)
    parser.add_argument("--name", required=True)
    parser.add_argument("--control", required=True, type=int)
    arguments = parser.parse_args()
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core would hold patients
    configure(os.environ.get("DICOM_GATEWAY_LOG", "INFO"))
    logging.getLogger().name = arguments.name
    try:
        config = kept(arguments.state, arguments.rules)
        serve(Start(config, arguments.rules, arguments.name, socket.socket(fileno=arguments.control)))
    except (GatewayError, HoldObject) as error:
        log = logging.getLogger(kind)
        log.error(fields("worker-cannot-start", reason=error.reason, detail=error.detail))
        return 2
    return 0
