"""Peers of storage commitment by pynetdicom: an archive that is asked (SCP), a modality that asks (SCU)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import (
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from tests.system.harness import Gateway, Sink, Site
from tests.system.senders import CT


def _items(references: list[tuple[str, str]], reason: int | None = None) -> list[Dataset]:
    made = []
    for sop_class, uid in references:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, uid
        if reason is not None:
            item.FailureReason = reason
        made.append(item)
    return made


def report_of(transaction: str, committed: list[tuple[str, str]], failed: list[tuple[str, str]]) -> Dataset:
    """The data set of an N-EVENT-REPORT."""
    made = Dataset()
    made.TransactionUID = transaction
    if committed:
        made.ReferencedSOPSequence = _items(committed)
    if failed:
        made.FailedSOPSequence = _items(failed, 0x0112)
    return made


class Archive(Sink):
    """A Sink that also commits: to what it has received, and to nothing else.

    `report`: "same" association, a "new" one, or "never"; a callable scripts it: (transaction, references) -> how.
    """

    def __init__(self, site: Site, report: str | Callable[[str, list[tuple[str, str]]], str] = "new") -> None:
        self.site = site
        self.gateway: Gateway | None = None
        self.report = report
        self.asked: list[tuple[str, list[tuple[str, str]]]] = []
        self.statuses: list[int] = []
        super().__init__(site)
        self._server.ae.add_supported_context(StorageCommitmentPushModel)
        self._server.contexts = self._server.ae.supported_contexts
        self._server.bind(evt.EVT_N_ACTION, self._asked)

    def _asked(self, event: evt.Event) -> tuple[int, None]:
        information = event.action_information
        references = [
            (str(each.ReferencedSOPClassUID), str(each.ReferencedSOPInstanceUID))
            for each in information.ReferencedSOPSequence
        ]
        transaction = str(information.TransactionUID)
        self.asked.append((transaction, references))
        how = self.report if isinstance(self.report, str) else self.report(transaction, references)
        if how == "new":
            threading.Thread(target=self.tell, args=(transaction, references), daemon=True).start()
        elif how == "same":
            threading.Thread(target=self._tell_same, args=(event.assoc, transaction, references), daemon=True).start()
        return 0x0000, None

    def _judged(self, transaction: str, references: list[tuple[str, str]]) -> tuple[Dataset, int]:
        committed = [pair for pair in references if pair[1] in self.received]
        failed = [pair for pair in references if pair[1] not in self.received]
        return report_of(transaction, committed, failed), 2 if failed else 1

    def _tell_same(self, association: Any, transaction: str, references: list[tuple[str, str]]) -> None:
        time.sleep(0.3)
        data, kind = self._judged(transaction, references)
        status, _ = association.send_n_event_report(
            data, kind, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
        )
        self.statuses.append(status.get("Status", -1))

    def tell(self, transaction: str, references: list[tuple[str, str]], title: str = "ARCHIVE") -> int:
        """Report on an association of our own, as SCP; the status, -1 where none came."""
        data, kind = self._judged(transaction, references)
        return self.say(data, kind, title)

    def say(self, data: Dataset, kind: int, title: str = "ARCHIVE", who: str = "archive") -> int:
        """Any report, by anybody."""
        assert self.gateway is not None
        ae = AE(ae_title=title)
        ae.add_requested_context(StorageCommitmentPushModel)
        association = ae.associate(
            "127.0.0.1",
            self.gateway.port,
            ae_title="GATEWAY",
            ext_neg=[build_role(StorageCommitmentPushModel, scp_role=True)],
            tls_args=(self.site.context(who=who), "localhost"),
        )
        if not association.is_established:
            self.statuses.append(-1)
            return -1
        status, _ = association.send_n_event_report(
            data, kind, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
        )
        association.release()
        self.statuses.append(status.get("Status", -1))
        return self.statuses[-1]


class Asking:
    """A modality that asks for commitment, and hears reports on the same association or on its own port."""

    def __init__(self, site: Site, title: str = "CT1") -> None:
        self.site = site
        self.title = title
        self.reports: list[tuple[int, str, list[str], dict[str, int]]] = []  # type, transaction, committed, failed
        ae = AE(ae_title=title)
        ae.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)
        self._server = ae.start_server(
            ("127.0.0.1", 0),
            block=False,
            evt_handlers=[(evt.EVT_N_EVENT_REPORT, self._heard)],
            ssl_context=site.context(server=True, who="archive"),
        )
        self.port = self._server.socket.getsockname()[1]

    def _heard(self, event: evt.Event) -> int:
        data = event.event_information
        committed = [str(each.ReferencedSOPInstanceUID) for each in data.get("ReferencedSOPSequence", [])]
        failed = {str(i.ReferencedSOPInstanceUID): int(i.FailureReason) for i in data.get("FailedSOPSequence", [])}
        self.reports.append((event.request.EventTypeID, str(data.TransactionUID), committed, failed))
        return 0x0000

    def ask(self, gateway: Gateway, transaction: str, uids: list[str], stay: float = 0.0) -> int:
        """N-ACTION; its status. `stay`: seconds that the association is kept open for a report."""
        ae = AE(ae_title=self.title)
        ae.add_requested_context(StorageCommitmentPushModel)
        association = ae.associate(
            "127.0.0.1",
            gateway.port,
            ae_title="GATEWAY",
            evt_handlers=[(evt.EVT_N_EVENT_REPORT, self._heard)],
            tls_args=(self.site.context(), "localhost"),
        )
        assert association.is_established
        data = Dataset()
        data.TransactionUID = transaction
        data.ReferencedSOPSequence = _items([(CT, uid) for uid in uids])
        status, _ = association.send_n_action(data, 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance)
        deadline = time.monotonic() + stay
        while time.monotonic() < deadline and not self.reports:
            time.sleep(0.05)
        association.release()
        return int(status.get("Status", -1))

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
