"""The data set of a storage commitment message on its way in: gathered in memory, read, and given to the service."""

from __future__ import annotations

from gateway.dimse.commitment import MOST_BYTES, BadCommitment, read_report, read_request
from gateway.dimse.messages import N_ACTION_RQ, Command
from gateway.dimse.service import StorageService, StoreResponse
from gateway.errors import RefuseObject, StorageFailed

RESOURCE_LIMITATION = 0x0213  # PS3.7 C.5.25
INVALID_ARGUMENT = 0x0115  # PS3.7 C.5.9


class CommitmentSink:
    """A Sink, so that a storage commitment is received as a C-STORE is."""

    def __init__(self, service: StorageService, command: Command, syntax: str) -> None:
        self._service = service
        self._command = command
        self._syntax = syntax
        self._data = bytearray()

    def write(self, chunk: memoryview) -> None:
        """Raises RefuseObject where it is larger than any transaction that is taken here."""
        if len(self._data) + len(chunk) > MOST_BYTES:
            raise RefuseObject("commitment-too-large", RESOURCE_LIMITATION, "more references than are taken here")
        self._data += chunk

    def finish(self) -> StoreResponse:
        """Raises RefuseObject."""
        try:
            if self._command.field == N_ACTION_RQ:
                return StoreResponse(self._service.commit(read_request(bytes(self._data), self._syntax)))
            report = read_report(bytes(self._data), self._syntax, self._command.type_id or 0)
            return StoreResponse(self._service.committed(report))
        except BadCommitment as error:
            raise RefuseObject("commitment-malformed", INVALID_ARGUMENT, str(error)) from error
        except StorageFailed as error:
            raise RefuseObject(error.reason, RESOURCE_LIMITATION, error.reason) from error

    def abort(self) -> None:
        """Forget it."""
        self._data.clear()
