"""How much memory a process had at most, as Linux counts it (VmHWM of /proc/PID/status).

`ru_maxrss` is not that: a new process begins with its parent's, so a small program started by a large one seems large,
and a growth seems to be none.
"""

from __future__ import annotations

import os
import re
from pathlib import Path


def highest(pid: int = 0) -> int:
    """Most bytes resident so far, of this process or of another; 0 where it is gone."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid or os.getpid()}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) << 10 if found else 0


def forget() -> int:
    """What this process has now, from where its peak is counted anew."""
    Path("/proc/self/clear_refs").write_text("5")
    return highest()
