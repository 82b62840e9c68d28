"""Runs the demo: everything the README promises of `make demo`, in about a minute, and exits 0 if all of it held.

It uses only the commands that a user has. What it makes lies in `demo-out/`, which is made anew.
"""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
OUT = ROOT / "demo-out"
COMMAND = Path(sys.executable).parent / "dicom-gateway"
SLICES = 8


def main() -> int:
    """Set the stage, play, show, clean up."""
    prepare()
    processes = [start("archive.yaml", "archive-state"), start("gateway.yaml", "state")]
    try:
        send()
        settled = wait_until_settled()
        show(settled)
        problems = judge(settled)
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            process.wait(60)
    title("The audit trail")
    problems += run("audit", "verify", "--config", "gateway.yaml", allowed=(0,))
    title("Where it all lies")
    for path, what in (
        ("study", "what the scanner sent"),
        ("archive", "what the archive received: pseudonymous"),
        ("landing", "the same as files with server-made names"),
        ("state/audit", "the audit trail, hash-chained; `dicom-gateway audit show`"),
        ("gateway.log", "the log; it names no patient"),
    ):
        print(f"  {(OUT / path).relative_to(ROOT)!s:24} {what}")
    print(f"\n{'demo complete' if not problems else 'the demo FAILED'}")
    return 1 if problems else 0


def prepare() -> None:
    """A fresh demo-out/ with PKI, key, study and rule files."""
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    title("A development PKI, a key, a study with invented identities")
    run("certs", "dev", "certs")
    (OUT / "trial42.key").write_bytes(secrets.token_bytes(32))
    (OUT / "trial42.key").chmod(0o600)
    subprocess.run(
        [sys.executable, str(ROOT / "examples" / "study.py"), "study", "--slices", str(SLICES)], cwd=OUT, check=True
    )
    for name in ("gateway.yaml", "archive.yaml"):
        text = (HERE / name).read_text()
        for port in ("27620", "27621"):
            text = text.replace(port, str(PORTS[port]))
        (OUT / name).write_text(text)
    title("The rule file: checked, and its own cases run")
    run("check", "gateway.yaml")
    run("test", "gateway.yaml")


def free(port: int) -> int:
    """That port, or another where it is taken."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


PORTS = {port: free(int(port)) for port in ("27620", "27621")}


def start(file: str, state: str) -> subprocess.Popen[bytes]:
    """`dicom-gateway serve FILE`, once it is ready."""
    with (OUT / file.replace(".yaml", ".log")).open("wb") as log:
        process = subprocess.Popen([COMMAND, "serve", file], cwd=OUT, stdout=log, stderr=log)
    deadline = time.monotonic() + 60
    log_file = OUT / file.replace(".yaml", ".log")
    while b"worker-ready" not in log_file.read_bytes():
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"{file} does not start:\n{log_file.read_text()}")
        time.sleep(0.1)
    return process


def send() -> None:
    """The scanner's part."""
    title("The scanner sends its study over mutual TLS")
    certs = ["--cert", "certs/modality.pem", "--key", "certs/modality.key", "--ca", "certs/ca.pem"]
    run("echo", f"127.0.0.1:{PORTS['27620']}", "--called", "GATEWAY", "--calling", "CT1", *certs)
    run("send", f"127.0.0.1:{PORTS['27620']}", "--called", "GATEWAY", "--calling", "CT1", *certs, "study")


def wait_until_settled() -> dict[str, object]:
    """The gateway's own account, once nothing is on its way any more."""
    deadline = time.monotonic() + 60
    while True:
        done = subprocess.run(
            [COMMAND, "status", "--json", "--all", "--config", "gateway.yaml"], cwd=OUT, check=True, capture_output=True
        )
        status: dict[str, object] = json.loads(done.stdout)
        rows = status["rows"]
        assert isinstance(rows, list)
        if rows and not any(row["state"] in ("waiting", "sending") for row in rows):
            return status
        if time.monotonic() > deadline:
            sys.exit("deliveries do not end: see demo-out/gateway.log")
        time.sleep(0.3)


def show(status: dict[str, object]) -> None:
    """What came of it."""
    title("What became of each object")
    run("status", "--all", "--config", "gateway.yaml")
    title("Why: the first CT slice, route and elements (no values)")
    first = sorted((OUT / "study").rglob("*.dcm"))[0]
    run("explain", "gateway.yaml", str(first.relative_to(OUT)))
    title("What is held, and what a person can do about it")
    run("held", "list", "--config", "gateway.yaml")


def judge(status: dict[str, object]) -> int:
    """Count by hand what the gateway claims: problems found."""
    rows = status["rows"]
    assert isinstance(rows, list)
    sent = len(list((OUT / "study").rglob("*.dcm")))
    archived = len(list((OUT / "archive").rglob("*.dcm")))
    landed = len(list((OUT / "landing").rglob("*.dcm")))
    held = len({row["instance"] for row in rows if row["state"] == "held"})
    print(f"\nsent {sent}, in the archive {archived}, landed {landed}, held {held}")
    problems = int(archived + held != sent or landed != archived or not held)
    identities = (b"Mustermann", b"MUSTERMANN")
    leaks = [
        f
        for place in ("archive", "landing")
        for f in (OUT / place).rglob("*.dcm")
        if any(word in f.read_bytes() for word in identities)
    ]
    if leaks:
        print(f"LEAK: {len(leaks)} delivered files still name the patient")
    return problems + len(leaks)


def run(*arguments: str, allowed: tuple[int, ...] = (0,)) -> int:
    """One command of ours, shown as a user would type it. 0 when it ended as it should."""
    print(f"$ dicom-gateway {' '.join(arguments)}", flush=True)
    status = subprocess.run([COMMAND, *arguments], cwd=OUT, check=False).returncode
    if status not in allowed:
        sys.exit(f"ended with status {status}")
    return 0


def title(text: str) -> None:
    """A heading."""
    print(f"\n== {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
