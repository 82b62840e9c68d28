"""What a site says of its HL7 v2 messages; a CDA document knows none of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from transforms.errors import TransformError

_ID_TYPES = ("PI", "MR", "PT", "AN", "NI", "SS")


@dataclass(frozen=True, slots=True)
class MdmOptions:
    """Fields of MSH, and what every message is told by. Application and facility are HD: namespace, or OID."""

    sending_application: str = "DICOM-GATEWAY"  # MSH-3
    sending_facility: str = ""  # MSH-4
    receiving_application: str = ""  # MSH-5
    receiving_facility: str = ""  # MSH-6
    processing: str = "P"  # MSH-11: P production, T training, D debugging
    patient_class: str = "N"  # PV1-2 (HL70004): N not applicable, I inpatient, O outpatient, E emergency ...
    patient_id_type: str = "PI"  # PID-3.5 (HL70203)
    document_type: str = "DI"  # TXA-2 (HL70270): diagnostic imaging

    def __post_init__(self) -> None:
        if self.processing not in ("P", "T", "D"):
            raise ValueError("processing is P, T or D")
        if not self.patient_class or not self.document_type or not self.sending_application:
            raise ValueError("patient_class, document_type and sending_application are not empty")

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> MdmOptions:
        """From a site's options: its block `mdm:`, where there is one. Raises TransformError('options-invalid')."""
        block = given.get("mdm", {})
        known = {field.name for field in fields(cls)}
        if not isinstance(block, Mapping) or not all(isinstance(value, str) for value in block.values()):
            raise TransformError("options-invalid", "`mdm:` holds lines of `name: text`")
        unknown = sorted(set(block) - known)
        if unknown:
            raise TransformError("options-invalid", f"`mdm:` has no {unknown[0]!r}; it has {', '.join(sorted(known))}")
        try:
            return cls(**block)
        except ValueError as error:
            raise TransformError("options-invalid", f"`mdm:` {error}") from error
