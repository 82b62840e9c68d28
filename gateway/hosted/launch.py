"""Run as a script: sets the limits of its own process, then becomes the program it was asked to run.

    launch.py MEMORY CPU OUTPUT PROGRAM ARGUMENT...      bytes, seconds, bytes of one file

* Limits are set here and not between fork and exec: the parent has threads. They hold for what the program starts, too.
* On Linux it dies with the thread that started it: a gateway that is killed leaves no program behind.
* It imports nothing of the gateway: it starts in a hundredth of a second.
"""

import os
import resource
import sys


def main() -> None:
    """Set the limits and become the program. Exit code 127 where it cannot be run."""
    memory, cpu, output = (int(each) for each in sys.argv[1:4])
    _die_with_parent()
    for kind, limit in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_FSIZE, output),
        (resource.RLIMIT_AS, memory),
    ):
        hard = resource.getrlimit(kind)[1]
        wanted = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        try:
            resource.setrlimit(kind, (wanted, wanted))
        except (ValueError, OSError):
            if kind != resource.RLIMIT_AS:  # macOS knows it and refuses it
                sys.exit(127)
    try:
        os.execvp(sys.argv[4], sys.argv[4:])  # noqa: S606 - what the rule file names; no shell
    except (OSError, ValueError):
        sys.exit(127)


def _die_with_parent() -> None:
    """PR_SET_PDEATHSIG, where there is one."""
    if sys.platform == "linux":
        import ctypes
        import signal

        parent = os.getppid()
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit(127)


if __name__ == "__main__":
    main()
