"""Media as a source: ISO images, ZIP archives and File-sets that are put into a folder feed the routes.

    scan   each thing in the folder that has not changed for `quiet` seconds is complete
    take   gateway/media opens it: decrypted, verified, compared with its DICOMDIR, all of it, into the state directory;
           then each object gets the promise of C-STORE; then the medium moves to `processed` or `failed`

Rules of this file
* Nothing of a medium is stored before all of it is right: what is incomplete or not signed as asked moves to `failed`
  with its reason, and a person decides (`media open --salvage`).
* A medium leaves its place only after all its objects are durable. A crash between makes it come again, which the
  ledger takes for the duplicates they are.
* Names of media may name patients: they stand in no log line.
"""

from __future__ import annotations

import logging
import os
import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final
from uuid import uuid4

from cryptography import x509

from gateway.audit.events import Party
from gateway.config.schema import Listener, MediaListener
from gateway.config.secrets import resolve
from gateway.dimse.negotiation import AcceptancePolicy
from gateway.errors import GatewayError, RefuseObject, StorageFailed
from gateway.folders import made, mount
from gateway.logs import fields
from gateway.media.opening import open_medium
from gateway.media.secure import CmsOpener
from gateway.model import Origin
from gateway.pipeline import Claim, accept
from gateway.receive.folder import FAILED, PROCESSED, Lock, elsewhere_ends, fresh_name
from gateway.receive.parts import Part
from gateway.rulebook import Ruleset
from gateway.security.cms.envelopes import Reader
from gateway.security.cms.keys import read_holder
from gateway.security.cms.passwords import Password
from gateway.security.credentials import require_closed
from gateway.security.revocation import read_crls
from gateway.security.signers import pin_of, read_anchors
from gateway.store.spool import Incoming, Spool
from gateway.writer.client import WriterClient
from gateway.writer.messages import Closed, Opened
from transforms.dataset import part10
from transforms.errors import TransformError

log = logging.getLogger("inbox")

_CHUNK: Final = 1 << 20
_WAITS: Final = frozenset(  # ours to mend
    {"media-disk-full", "media-keys", "key-unusable", "certificate-unreadable", "trust-unreadable", "cms-password"}
    | {"crl-unreadable", "token-failed", "token-unusable"}
    | {"secret-missing", "secret-readable-by-others", "secret-too-short", "secret-too-long", "secret-too-simple"}
)


class MediaInbox:
    """One media listener. `run` in a thread of its own; one process a folder, others wait."""

    def __init__(
        self,
        listener: Listener,
        ruleset: Ruleset,
        spool: Spool,
        writer: WriterClient,
        stopping: Callable[[], bool],
        clock: Callable[[], float] = time.time,
    ) -> None:
        assert listener.media is not None
        self._listener = listener
        self._media: MediaListener = listener.media
        self._policy = AcceptancePolicy(self._media.accept, frozenset(self._media.extra_sop_classes))
        self._ruleset = ruleset
        self._spool = spool
        self._writer = writer
        self._stopping = stopping
        self._clock = clock
        self._opened = spool.folder.parent / "media" / f"in-{listener.id}"  # the one that is under way, in plain
        self._seen: dict[str, tuple[int, int, float]] = {}  # by name, as of the last scan
        self._mounts: set[str] = set()  # that were told

    def run(self, wait: Callable[[float], object]) -> None:
        """Scan until told to stop; `wait` so many seconds between two scans."""
        while not self._stopping():
            try:
                with Lock(self._media.dir) as ours:
                    if ours:
                        shutil.rmtree(self._opened, ignore_errors=True)
                    while ours and not self._stopping():
                        self.scan()
                        wait(self._media.poll)
            except (GatewayError, OSError) as error:
                reason = error.reason if isinstance(error, GatewayError) else "media-unavailable"
                log.warning(fields("inbox-waits", listener=self._listener.id, reason=reason))
            except Exception:  # a thread that ends watches nothing any more
                log.exception(fields("internal-error", listener=self._listener.id))
            wait(self._media.poll)

    def scan(self) -> int:
        """Look once; how many media were taken. Raises GatewayError (they stay where they are), OSError."""
        ends = {end: self._media.dir / end for end in (PROCESSED, FAILED)}
        for end in ends.values():
            made(end)
        elsewhere_ends(self._media.dir, ends)
        seen: dict[str, tuple[int, int, float]] = {}
        taken = 0
        for place in sorted(self._media.dir.iterdir()):
            if self._stopping() or place.name.startswith(".") or place.name in (PROCESSED, FAILED):
                continue
            if place.is_symlink() or not (place.is_dir() or place.is_file()):
                continue  # never followed, never opened
            try:
                ours = mount(place) == mount(self._media.dir)
            except OSError:  # somebody took it away again
                continue
            if not ours:  # it could never leave its place
                if place.name not in self._mounts:
                    self._mounts.add(place.name)
                    log.warning(fields("folder-elsewhere", listener=self._listener.id))
                continue
            try:
                look = _look(place)
            except FileNotFoundError:  # somebody took it away again
                continue
            except RecursionError:  # folders within folders within folders
                self._move(place, FAILED, "media-format")
                continue
            except OSError as error:  # the others go on
                reason = error.strerror or type(error).__name__
                log.warning(fields("medium-unreadable", listener=self._listener.id, reason=reason))
                continue
            quiet = self._clock() - look[2]
            if self._seen.get(place.name) == look and not 0 <= quiet < self._media.quiet:
                self._take(place)
                taken += 1
            else:
                seen[place.name] = look
        self._seen = seen
        return taken

    def _take(self, place: Path) -> None:
        """One complete medium. Raises GatewayError where it must come again."""
        opened = self._opened
        made(opened.parent)
        shutil.rmtree(opened, ignore_errors=True)  # of a process that was killed: the lock says that it is not at work
        try:
            report = open_medium(place, self._opener(), opened)
            objects = self._stored(opened)
        except StorageFailed:
            raise
        except (GatewayError, TransformError) as error:
            if error.reason in _WAITS:
                raise
            self._move(place, FAILED, str(error))
            log.warning(fields("medium-failed", listener=self._listener.id, reason=error.reason))
            return
        except OSError:
            raise
        except Exception:
            log.exception(fields("internal-error", listener=self._listener.id))
            self._move(place, FAILED, "internal-error")
            return
        finally:
            shutil.rmtree(opened, ignore_errors=True)
        log.info(fields("medium-taken", listener=self._listener.id, kind=report.kind, instances=objects))
        if report.directory or report.unlisted:
            reason = "media-directory" if report.directory else "media-unlisted"
            log.warning(fields("medium-odd", listener=self._listener.id, reason=reason))
        self._move(place, PROCESSED)

    def _opener(self) -> CmsOpener | None:
        """Its keys, read when they are needed: renewed ones count at once. Raises GatewayError."""
        by, trust, crls = readers(self._media)
        return CmsOpener(by, trust, crls) if by else None

    def _stored(self, folder: Path) -> int:
        """Every object durable; how many. Raises RefuseObject where one was not taken, after the others."""
        where = self._media.dir.resolve().as_uri()
        origin = Origin(self._listener.id, uuid4().hex, where)
        self._writer.check()
        self._writer.opened(Opened(origin.association, "in", Party("", where), Party("", "")))
        stored, first = 0, None
        try:
            for path in sorted(folder.iterdir()):
                try:
                    self._object(path, origin)
                    stored += 1
                except RefuseObject as error:
                    first = first or error
        finally:
            self._writer.closed(Closed(origin.association, first is None))
        if first is not None:
            raise first
        return stored

    def _object(self, path: Path, origin: Origin) -> None:
        """One DICOM file, durable. Raises RefuseObject, StorageFailed."""
        part = Part(self._begin, self._policy, "", self._media.object_size)
        try:
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    part.write(memoryview(chunk))
            incoming, claim = part.whole()
            here = self._listener
            accept(incoming, claim, origin, self._ruleset, self._writer, here.on_bad_framing, here.on_conflict)
        except BaseException:
            part.abort()
            raise

    def _begin(self, claim: Claim) -> Incoming:
        self._writer.check()
        return self._spool.create(part10.meta(claim.sop_class, claim.sop_instance, claim.syntax))

    def _move(self, place: Path, end: str, why: str = "") -> None:
        """To its end, under a name that nothing there has."""
        fresh = self._media.dir / end / fresh_name(place.name)
        place.rename(fresh)
        if why:
            note = os.open(f"{fresh}.reason", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(note, "w") as out:
                out.write(f"{why}\n")


def readers(media: MediaListener) -> tuple[list[Reader], list[x509.Certificate] | None, list[bytes]]:
    """Who can open them, whose signers are believed, and which of them no longer. Raises GatewayError."""
    by: list[Reader] = []
    if media.identity is not None:
        require_closed(media.identity)
        by.append(read_holder(media.identity.key, media.identity.certificate, pin_of(media.identity)))
    if media.password is not None:
        by.append(Password(resolve(media.password)))
    crls = [] if media.crl is None else read_crls(media.crl)
    return by, None if media.trust is None else read_anchors(media.trust), crls


def _look(place: Path) -> tuple[int, int, float]:
    """What a medium looks like: files, bytes, last change; while this stays nobody writes to it."""
    count, size, latest = 0, 0, place.lstat().st_mtime
    paths = [place] if place.is_file() else place.rglob("*")
    for path in paths:
        found = path.lstat()
        count += 1
        size += found.st_size if stat.S_ISREG(found.st_mode) else 0
        latest = max(latest, found.st_mtime, found.st_ctime)
    return count, size, latest
