"""The process that watches folders: one thread a listener. No socket of its own, no database handle, no jobs.

    python -m gateway.app.inbox --rules HASH --state DIR --name NAME --control FD

Drain (a word from the supervisor, or its death, or SIGTERM): the file under way is finished, then it exits 0. The next
generation waits for the lock of each folder.
"""

from __future__ import annotations

import logging
import signal
import socket
import threading

from gateway.app import control
from gateway.app.control import Frame, Word
from gateway.app.start import Start, run
from gateway.logs import fields
from gateway.receive.folder import Inbox
from gateway.receive.media import MediaInbox
from gateway.rulebook import compile_ruleset
from gateway.store.spool import Spool
from gateway.writer.client import WriterClient

log = logging.getLogger("inbox")

DRAIN_TIME = 30.0  # seconds that an object under way gets


def serve(start: Start) -> None:
    """Watch until drained."""
    state = start.config.state.dir
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: _wake(start.control))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor gets it too, and tells us
    writer = WriterClient(state / "run" / "writer.sock", start.name, None)
    writer.connect()
    ruleset = compile_ruleset(start.config, start.digest)
    spool = Spool(state / "spool", reserve=start.config.state.reserve)
    threads = []
    for listener in start.config.listeners:
        inbox: Inbox | MediaInbox
        if listener.folder is not None:
            inbox = Inbox(listener, ruleset, spool, writer, stop.is_set)
        elif listener.media is not None:
            inbox = MediaInbox(listener, ruleset, spool, writer, stop.is_set)
        else:
            continue
        threads.append(threading.Thread(target=inbox.run, args=(stop.wait,), name=listener.id, daemon=True))
    for thread in threads:
        thread.start()
    control.send(start.control, Frame(Word.READY))
    log.info(fields("inbox-ready", listeners=len(threads), rules=start.digest[:12]))
    while True:
        frame, _ = control.receive(start.control)
        if frame is None or frame.word is Word.DRAIN:
            break
    log.info("draining")
    stop.set()
    for thread in threads:
        thread.join(DRAIN_TIME)
    writer.close(DRAIN_TIME)
    log.info("drained")


def _wake(sock: socket.socket) -> None:
    """Make the wait for a word end."""
    sock.shutdown(socket.SHUT_RD)


def main() -> int:
    """Entry point of the process."""
    return run("inbox", serve)


if __name__ == "__main__":
    raise SystemExit(main())
