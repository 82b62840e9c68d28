"""README.md's quick tour runs as it stands: every line of it, in one shell, ends with 0."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def tour() -> list[str]:
    """The lines of the section, without the prompt."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## A quick tour", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^    \$ (.+)$", section, re.MULTILINE)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_quick_tour(tmp_path: Path) -> None:
    lines = tour()
    assert any("serve" in line for line in lines)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    script = ["set -eum"]
    for line in lines:
        script += [f"echo {line!r}", line]
        if line.startswith("cp "):  # other ports than the ones that everybody tries
            script.append(f"sed -i 's/27620/{free_port()}/; s/27621/{free_port()}/' gateway.yaml")
            script.append("port=$(grep -o 'port: [0-9]*' gateway.yaml | head -1 | tr -dc 0-9)")
        if line.endswith("&"):
            script.append(
                'for i in $(seq 300); do (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break; sleep 0.1; done'
            )
    text = "\n".join(script).replace("127.0.0.1:27620", '"127.0.0.1:$port"')
    text = re.sub(r"^echo .*$", lambda found: found[0].replace('"', ""), text, flags=re.MULTILINE)
    process = subprocess.Popen(
        ["bash", "-c", text],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=180)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, output
    made = list((tmp_path / "tour" / "pseudonymous").rglob("*.dcm"))
    assert len(made) == len(list((tmp_path / "tour" / "study").iterdir())), output
    assert not any(b"Mustermann" in file.read_bytes() for file in made)
    assert len(list((tmp_path / "tour" / "landing").rglob("*.dcm"))) == 10, output  # 8 CT, MR, SR
    assert "Mustermann" not in re.sub(r"(?m)^(?:\$|dicom-gateway).*$", "", output)
