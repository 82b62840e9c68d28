"""Where the gateway's time goes: py-spy looks at all its processes while one more, uncounted, round runs.

Gives the functions by own time and by time with what they call, as shares of the samples in which a thread worked.
py-spy stops a process for each look, so nothing measured meanwhile is a figure.
"""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks import peers

RATE = 200  # looks a second
TOP = 15


@contextlib.contextmanager
def watched(pid: int, raw: Path) -> Iterator[None]:
    """Look at a process and all below it until the end of the block."""
    spy = subprocess.Popen(
        [
            peers.FOLDER / "bin" / "py-spy", "record", "--pid", str(pid), "--subprocesses", "--rate", str(RATE),
            "--native", "--format", "raw", "--output", raw, "--duration", "unlimited",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        spy.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            spy.wait(30)
        if spy.poll() is None:
            spy.kill()
            spy.wait()


def shares(raw: str) -> tuple[Counter[str], Counter[str], int]:
    """(own, with callees, samples) of py-spy's raw format: `frame;frame;frame count` a line."""
    own: Counter[str] = Counter()
    within: Counter[str] = Counter()
    total = 0
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        if not stack or not count.isdigit():
            continue
        frames = [re.sub(r":\d+\)$", ")", frame) for frame in stack.split(";")]
        frames = [frame for frame in frames if not frame.startswith(("process ", "thread "))]
        if not frames or any("importlib" in frame for frame in frames):
            continue  # start-up is taken off the figures, too
        total += int(count)
        own[frames[-1]] += int(count)
        for frame in set(frames):
            within[frame] += int(count)
    return own, within, total


def page(raw: str, title: str) -> str:
    """The profile as Markdown."""
    own, within, total = shares(raw)
    if not total:
        return f"### Profile: {title}\n\nNo samples.\n"
    lines = [f"### Profile: {title}", "", f"{total} samples of working threads.", ""]
    for head, counted in (("own time", own), ("with what it calls", within)):
        lines += [f"| {head} | share |", "|---|---|"]
        lines += [f"| `{name}` | {100 * count / total:.1f} % |" for name, count in counted.most_common(TOP)]
        lines.append("")
    return "\n".join(lines)
