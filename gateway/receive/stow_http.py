"""The DICOMweb origin server of one listener: requests in, answers out (PS3.18 10.5 Store, 8.9 Capabilities).

Rules of this file
* In this order: who asks, whether there is room, what is asked, what the body is. Only then is a byte of it read.
* A body is read under `Pace` and a total deadline, and is written to the spool while it comes, block after block.
* Nothing blocks here: what waits for a disk, the writer or a key service runs on a thread.
* An answer tells a caller of its own objects only. What goes wrong inside is told as a code in the log.
* No reference is followed: nothing that a caller writes makes this process connect to anything.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from functools import partial
from typing import TypeVar

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from gateway.config.schema import StowLimits
from gateway.dimse.limits import Limits
from gateway.dimse.messages import is_uid
from gateway.dimse.pace import Pace
from gateway.errors import RefusePeer, StorageFailed
from gateway.logs import fields
from gateway.receive.capabilities import capabilities
from gateway.receive.stow import Caller, Here, Storing, alert
from gateway.receive.stow_metadata import Metadata, MetadataRequest
from gateway.web import media
from gateway.web.answers import status_of, written
from gateway.web.bearer import TokenRefused, Tokens
from gateway.web.connection import BLOCK, Connection, Direct
from gateway.web.multipart import BadMultipart, Related

log = logging.getLogger("web")

RETRY_AFTER = 30  # seconds
LINGER = 1 << 20  # bytes of a refused body that are read past, so that the refusal is seen
LINGER_TIME = 2.0
_T = TypeVar("_T")


class Refused(Exception):
    """The answer is decided before the body is stored."""

    def __init__(self, status: int, reason: str, *, headers: dict[str, str] | None = None, alert: bool = False) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = headers or {}
        self.alert = alert


class StowServer:
    """All requests of one listener."""

    def __init__(
        self,
        here: Here,
        readers: Executor,
        admitted: Callable[[Connection], Awaitable[bool]],
        tokens: Tokens | None,
        draining: Callable[[], bool],
    ) -> None:
        """`admitted`: whether there is room for one more caller; may wait. `readers`: threads that read bodies."""
        assert here.listener.stow is not None
        self._here = here
        self._stow = here.listener.stow
        self._limits: StowLimits = self._stow.limits
        self._pace = Limits(stall=self._limits.stall, min_rate=self._limits.min_rate)
        self._readers = readers
        self._admitted = admitted
        self._tokens = tokens
        self._draining = draining
        path = self._stow.path
        self.app = Starlette(
            routes=[
                Route("/health", self._health, methods=["GET"]),
                Route("/ready", self._ready, methods=["GET"]),
                Route(path or "/", self._capabilities, methods=["GET", "OPTIONS"]),
                Route(f"{path}/studies", self._studies, methods=["POST", "OPTIONS"]),
                Route(f"{path}/studies/{{study}}", self._studies, methods=["POST", "OPTIONS"]),
            ]
        )
        self.app.router.redirect_slashes = False

    async def _health(self, request: Request) -> Response:
        """This process answers."""
        return PlainTextResponse("ok\n")

    async def _ready(self, request: Request) -> Response:
        """What is stored now would be durable, and whoever may store could be let in."""
        reason = ""
        try:
            if self._draining():
                raise StorageFailed("draining")
            self._here.writer.check()
            self._here.spool.check()
        except StorageFailed as error:
            reason = error.reason
        if not reason and self._tokens is not None and not await self._run(self._tokens.ready):
            reason = "keys-unavailable"
        if reason:
            return PlainTextResponse(f"{reason}\n", 503, {"Retry-After": str(RETRY_AFTER)})
        return PlainTextResponse("ready\n")

    async def _capabilities(self, request: Request) -> Response:
        try:
            await self._caller(request)
        except Refused as refused:
            return await self._refusal(request, refused)
        return JSONResponse(capabilities(self._here.listener), headers={"Allow": "GET, OPTIONS"})

    async def _studies(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            response = await self._capabilities(request)
            if response.status_code == 200:
                response.headers["Allow"] = "POST, OPTIONS"
            return response
        try:
            return await self._store(request)
        except Refused as refused:
            return await self._refusal(request, refused)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        except Exception as error:
            log.error(fields("request-failed", listener=self._here.listener.id, error=type(error).__name__))
            return PlainTextResponse("internal error\n", 500, {"Connection": "close"})

    async def _store(self, request: Request) -> Response:
        caller = await self._caller(request)
        await self._room(request)
        study = request.path_params.get("study", "")
        if study and not is_uid(study):
            raise Refused(400, "study-malformed")
        try:
            kind = media.answer_kind(request.headers.get("accept", ""))
        except ValueError as error:
            raise Refused(400, "accept-malformed") from error
        if not kind:
            raise Refused(406, "not-acceptable")
        storing = Storing(self._here, caller, study)
        parser = self._parser(request, storing)
        try:
            reason = await self._read(request, storing, parser)
        finally:
            parser.close()
        results = await self._run(lambda: storing.finish(understood=not reason))
        status = 413 if reason == "too-many-parts" else status_of(results, understood=not reason)
        if not results and reason:
            raise Refused(status, reason)
        headers = {"Retry-After": str(RETRY_AFTER)} if status == 503 else {}
        if reason:
            headers["Connection"] = "close"
        stored = sum(not each.failure for each in results)
        log.info(
            fields(
                "request-ended",
                listener=self._here.listener.id,
                association=storing.origin.association,
                status=status,
                stored=stored,
                failed=len(results) - stored,
                reason=reason or "answered",
            )
        )
        return Response(written(results, kind, understood=not reason), status, headers, kind)

    def _parser(self, request: Request, storing: Storing) -> Related | _Single:
        """What reads this body. Raises Refused."""
        if request.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
            raise Refused(415, "body-compressed")
        try:
            kind = media.parse(request.headers.get("content-type", ""))
        except ValueError as error:
            raise Refused(415, "content-type-malformed") from error
        if kind.name == media.DICOM:
            return _Single(storing)
        if kind.name != media.RELATED:
            raise Refused(415, "content-type-not-supported")
        root = kind.parameters.get("type", "").lower()
        boundary, limits = kind.parameters.get("boundary", ""), self._limits
        try:
            if root == media.DICOM:
                return Related(boundary, storing, parts=limits.parts, part_head=limits.part_head)
            if root in (media.JSON, media.XML):
                metadata = Metadata(storing, root, self._here.spool.room(), limits.metadata)
                return MetadataRequest(boundary, metadata, parts=limits.parts, part_head=limits.part_head)
        except BadMultipart as error:
            raise Refused(400, error.reason) from error
        except StorageFailed as error:
            raise Refused(503, error.reason, headers={"Retry-After": str(RETRY_AFTER)}) from error
        raise Refused(415, "content-type-not-supported")

    async def _read(self, request: Request, storing: Storing, parser: Related | _Single) -> str:
        """The whole body into the parser; "" or the reason why it was not understood to its end."""
        body = _Body(request, self._pace, self._limits.request_time)
        request.state.body = body
        writing: asyncio.Future[None] | None = None
        try:
            while block := await body.block():
                if writing is not None:
                    await writing
                writing = self._run(partial(parser.feed, block))  # while the next one comes
            if writing is not None:
                await writing
            await self._run(parser.end)
        except BadMultipart as error:
            await body.linger()
            return error.reason
        except BaseException as error:
            if writing is not None:
                await asyncio.wait([writing])
            await asyncio.shield(self._run(storing.abort))
            if isinstance(error, RefusePeer):
                raise Refused(408, error.reason, alert=True) from error
            raise
        return ""

    async def _caller(self, request: Request) -> Caller:
        """Who asks. Raises Refused."""
        connection: Connection = request.scope["state"]["connection"]
        # h11 holds the limit only while a head is incomplete
        if sum(len(name) + len(value) for name, value in request.scope["headers"]) > self._limits.head:
            raise Refused(431, "request-head-too-long")
        if self._stow.subjects and connection.subject not in self._stow.subjects:
            raise Refused(403, "subject-refused", alert=True)
        subject = connection.subject
        if self._tokens is not None:
            try:
                told = await self._run(partial(self._tokens.subject, request.headers.getlist("authorization")))
            except TokenRefused as error:
                challenge = 'Bearer realm="DICOMweb"' + (f', error="{error.error}"' if error.error else "")
                headers = {"WWW-Authenticate": challenge}
                if error.status == 503:
                    headers["Retry-After"] = str(RETRY_AFTER)
                raise Refused(error.status, error.reason, headers=headers, alert=bool(error.error)) from error
            subject = subject or told
        return Caller(connection.address, subject)

    async def _room(self, request: Request) -> None:
        """Whether one more caller may be, and whether anything could be stored. Raises Refused."""
        connection: Connection = request.scope["state"]["connection"]
        retry = {"Retry-After": str(RETRY_AFTER)}
        if not connection.admitted:
            connection.admitted = await self._admitted(connection)
        if not connection.admitted:
            raise Refused(503, "too-many-callers", headers=retry)
        if self._draining():
            raise Refused(503, "draining", headers=retry)
        try:
            self._here.writer.check()
            self._here.spool.check()
        except StorageFailed as error:
            raise Refused(503, error.reason, headers=retry) from error

    async def _refusal(self, request: Request, refused: Refused) -> Response:
        here = self._here
        log.info(fields("request-refused", listener=here.listener.id, status=refused.status, reason=refused.reason))
        if refused.alert:
            connection: Connection = request.scope["state"]["connection"]
            alert(here, Caller(connection.address, connection.subject), refused.reason)
        body: _Body = getattr(request.state, "body", None) or _Body(request, self._pace, LINGER_TIME)
        await body.linger()
        headers = {**refused.headers, "Connection": "close"}
        return PlainTextResponse(f"{refused.reason}\n", refused.status, headers)

    def _run(self, what: Callable[[], _T]) -> asyncio.Future[_T]:
        return asyncio.get_running_loop().run_in_executor(self._readers, what)


class _Single:
    """A body that is one DICOM file, as PS3.18 allows since 2021."""

    def __init__(self, storing: Storing) -> None:
        self._storing = storing
        self._storing.head({})

    def feed(self, data: bytes | bytearray) -> None:
        """More of the file."""
        self._storing.data(memoryview(data))

    def end(self) -> None:
        """It has come whole."""
        self._storing.ended()

    def close(self) -> None:
        """Nothing is held."""


class _Body:
    """A request's body in blocks, under a rate and a deadline. Raises RefusePeer, ClientDisconnect."""

    def __init__(self, request: Request, limits: Limits, seconds: float) -> None:
        self._request = request
        self._pace = Pace(limits, time.monotonic)
        self._deadline = time.monotonic() + seconds
        self._done = False
        self._begun = False
        self._direct: Direct | None = None

    async def block(self) -> bytes | bytearray:
        """What comes next, b"" at its end. It lives until the next but one is asked for."""
        if not self._begun:
            self._pace.begin()
            first = await self._message()
            if not self._done:
                connection: Connection = self._request.scope["state"]["connection"]
                self._direct = connection.direct(len(first))
            if first:
                return first
        elif self._direct is not None and self._direct.full:
            self._done = not self._direct.left
            if not self._done:
                self._direct.begin()
        if self._done:
            return b""
        if self._direct is not None:
            return await self._filled(self._direct)
        some: list[bytes] = []
        while not self._done and sum(map(len, some)) < BLOCK:
            some.append(await self._message())
        return b"".join(some)

    async def _filled(self, direct: Direct) -> bytearray:
        """A whole block."""
        self._pace.earned(direct.filled)
        while not direct.full:
            try:
                async with asyncio.timeout(self._left()):
                    await direct.whole(self._arrived)
            except TimeoutError:
                self._waited()
            except ConnectionError:
                self._done = True
                raise ClientDisconnect from None
        return direct.block

    def _arrived(self, octets: int) -> None:
        """Some of a block, while we wait for the rest. Raises RefusePeer."""
        self._pace.came()
        self._pace.earned(octets)
        self._pace.waiting()

    def _waited(self) -> None:
        """As long as was left when the wait began. Raises RefusePeer, unless what came since has earned more."""
        if time.monotonic() >= self._deadline:
            raise self._slow()
        try:
            self._pace.came()
        except RefusePeer:
            raise self._slow() from None

    async def _message(self) -> bytes:
        """Some of it, by ASGI."""
        self._begun = True
        try:
            async with asyncio.timeout(self._left()):
                message = await self._request.receive()
        except TimeoutError:
            raise self._slow() from None
        self._pace.came()
        if message["type"] == "http.disconnect":
            self._done = True
            raise ClientDisconnect
        data: bytes = message.get("body", b"")
        self._pace.earned(len(data))
        self._done = not message.get("more_body", False)
        return data

    def _left(self) -> float:
        """Seconds that may be waited for more."""
        return min(self._pace.waiting(), self._deadline - time.monotonic())

    def _slow(self) -> RefusePeer:
        over = time.monotonic() >= self._deadline
        return RefusePeer("request-too-long" if over else "too-slow", security=True)

    async def linger(self) -> None:
        """Read past a little of a body that is not wanted: who still sends would see a reset and not the answer."""
        if "expect" in self._request.headers and not self._begun:
            return  # nothing is sent before we say so
        left = LINGER
        try:
            async with asyncio.timeout(LINGER_TIME):
                while left > 0 and (block := await self.block()):
                    left -= len(block)
        except (TimeoutError, ClientDisconnect, RefusePeer):
            return
