"""The blocks of gateway.yaml for HL7 v2 messages. They obey what schema.py says of all blocks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.config.block import Block


class Mdm(Block):
    """What a site says of its HL7 v2 MDM messages (docs/reports.md). Application and facility: a name, or an OID."""

    sending_application: str = "DICOM-GATEWAY"  # MSH-3
    sending_facility: str = ""
    receiving_application: str = ""
    receiving_facility: str = ""
    processing: Literal["P", "T", "D"] = "P"  # MSH-11: production, training, debugging
    patient_class: str = Field("N", min_length=1)  # PV1-2
    patient_id_type: str = "PI"  # PID-3.5
    document_type: str = Field("DI", min_length=1)  # TXA-2
