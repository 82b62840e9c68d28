"""The sender of the STOW work: one process, one HTTPS connection, Store requests of some objects one after the other.

    python -m benchmarks.sender_web < JSON lines

It speaks with the harness as sender.py does. Bodies are made before it is ready. A latency is that of a request.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from benchmarks.sender import tls
from gateway.web import answers, media
from gateway.web.client import Client, Url

BATCH = 20  # objects in a request
_BOUNDARY = "benchmark-0123456789"
_OPENING = f"--{_BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
_CLOSING = f"--{_BOUNDARY}--\r\n".encode()


def body(files: list[Path]) -> bytes:
    """The files as one multipart body."""
    return b"".join([*(part for file in files for part in (_OPENING, file.read_bytes(), b"\r\n")), _CLOSING])


def main() -> None:
    """One sender."""
    order = json.loads(sys.stdin.readline())
    files = [Path(file) for file in order["files"]]
    client = Client(Url("https", "127.0.0.1", order["port"], order["called"]), tls(Path(order["certs"])), 600.0)
    headers = {
        "Content-Type": f'{media.RELATED}; type="{media.DICOM}"; boundary={_BOUNDARY}',
        "Accept": media.JSON,
    }
    bodies = [(some, body(some)) for some in (files[at : at + BATCH] for at in range(0, len(files), BATCH))]
    print("ready", flush=True)
    sys.stdin.readline()
    latencies, refused = [], 0
    began = time.time()
    for some, whole in bodies:
        then = time.perf_counter()
        answer = client.request("POST", f"{order['called']}/studies", headers, [whole], len(whole))
        latencies.append(time.perf_counter() - then)
        told = answers.read(answer.body)
        refused += len(some) - (len(told.stored) if told else 0)
    print(json.dumps({"began": began, "ended": time.time(), "latencies": latencies, "refused": refused}), flush=True)
    sys.stdin.readline()
    client.close()


if __name__ == "__main__":
    main()
