"""The obvious Python gateway, as a peer: pynetdicom, and dicom-anonymizer before forwarding.

    PEERS/bin/python naive.py PORT STORED CERTS SINK      SINK 0: store as it is, chunked

Run by the harness inside the peers' own environment; it imports nothing of ours.
"""

from __future__ import annotations

import ssl
import sys
import tempfile
import threading
from pathlib import Path

from pynetdicom import AE, StoragePresentationContexts, _config, evt

PDU = 131072


def context(certs: Path, *, server: bool) -> ssl.SSLContext:
    """Mutual TLS."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.load_cert_chain(certs / "archive.pem", certs / "archive.key")
    made.load_verify_locations(certs / "ca.pem")
    made.verify_mode = ssl.CERT_REQUIRED
    return made


def main() -> None:
    """Serve until a signal."""
    port, stored, certs, sink = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
    tempfile.tempdir = str(stored)
    _config.LOG_HANDLER_LEVEL = "none"
    _config.STORE_RECV_CHUNKED_DATASET = not sink
    ae = AE("NAIVE")
    ae.maximum_pdu_size = PDU
    ae.maximum_associations = 50
    syntaxes = ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"]
    for each in StoragePresentationContexts:
        ae.add_supported_context(each.abstract_syntax, syntaxes)
    handler = forward(ae, certs, sink) if sink else keep(stored)
    ae.start_server(("127.0.0.1", port), ssl_context=context(certs, server=True), evt_handlers=[handler])


def keep(stored: Path) -> tuple[object, ...]:
    """Store: rename the file that pynetdicom wrote the chunks to."""

    def on_store(event: evt.Event) -> int:
        event.dataset_path.rename(stored / f"{event.request.AffectedSOPInstanceUID}.dcm")
        return 0x0000

    return (evt.EVT_C_STORE, on_store)


def forward(ae: AE, certs: Path, sink: int) -> tuple[object, ...]:
    """Anonymise and send on, one association out for each association in; answer what the archive answers."""
    from dicomanonymizer import anonymize_dataset

    out = threading.local()
    tls = context(certs, server=False)

    def on_store(event: evt.Event) -> int:
        data = event.dataset
        data.file_meta = event.file_meta
        anonymize_dataset(data)
        association = getattr(out, "association", None)
        if association is None or not association.is_established:
            caller = AE("NAIVE")
            caller.maximum_pdu_size = PDU
            for each in event.assoc.accepted_contexts:
                caller.add_requested_context(each.abstract_syntax, each.transfer_syntax)
            association = out.association = caller.associate(
                "127.0.0.1", sink, ae_title="ARCHIVE", max_pdu=PDU, tls_args=(tls, None)
            )
        return int(association.send_c_store(data).get("Status", 0xC000))

    return (evt.EVT_C_STORE, on_store)


if __name__ == "__main__":
    main()
