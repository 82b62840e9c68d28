"""The sender of the STOW work: one process, one HTTPS connection, Store requests of some objects one after the other.

    python -m benchmarks.sender_web < JSON lines

It speaks with the harness as sender.py does. A latency is that of a request.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.sender import tls
from gateway.web import answers, media
from gateway.web.client import Client, Url

BATCH = 20  # objects in a request
_CHUNK = 1 << 18
_BOUNDARY = "benchmark-0123456789"
_OPENING = f"--{_BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
_CLOSING = f"--{_BOUNDARY}--\r\n".encode()


def body(files: list[Path]) -> Iterator[bytes]:
    """The files as one multipart body."""
    for file in files:
        yield _OPENING
        with file.open("rb") as source:
            while chunk := source.read(_CHUNK):
                yield chunk
        yield b"\r\n"
    yield _CLOSING


def length(files: list[Path]) -> int:
    """Bytes of that body."""
    return sum(len(_OPENING) + file.stat().st_size + 2 for file in files) + len(_CLOSING)


def main() -> None:
    """One sender."""
    order = json.loads(sys.stdin.readline())
    files = [Path(file) for file in order["files"]]
    client = Client(Url("https", "127.0.0.1", order["port"], order["called"]), tls(Path(order["certs"])), 600.0)
    headers = {
        "Content-Type": f'{media.RELATED}; type="{media.DICOM}"; boundary={_BOUNDARY}',
        "Accept": media.JSON,
    }
    print("ready", flush=True)
    sys.stdin.readline()
    latencies, refused = [], 0
    began = time.time()
    for at in range(0, len(files), BATCH):
        some = files[at : at + BATCH]
        then = time.perf_counter()
        answer = client.request("POST", f"{order['called']}/studies", headers, body(some), length(some))
        latencies.append(time.perf_counter() - then)
        told = answers.read(answer.body)
        refused += len(some) - (len(told.stored) if told else 0)
    print(json.dumps({"began": began, "ended": time.time(), "latencies": latencies, "refused": refused}), flush=True)
    sys.stdin.readline()
    client.close()


if __name__ == "__main__":
    main()
