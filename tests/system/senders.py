"""Sends objects to a gateway by pynetdicom and remembers which were acknowledged with which status."""

from __future__ import annotations

import hashlib
import io
import threading
from dataclasses import dataclass, field

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import UID, ExplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from tests.system.harness import Gateway, Site

CT = "1.2.840.10008.5.1.4.1.1.2"


def ct(number: int, study: int = 0, size: int = 2048) -> Dataset:
    """A small CT with invented identity; deterministic by number."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SpecificCharacterSet = "ISO_IR 192"
    data.SOPClassUID = UID(CT)
    data.SOPInstanceUID = f"2.25.{10**20 + number}"
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.StudyDate, data.Modality = "20200101", "CT"
    data.PatientName = "Mustermann^Erika"
    data.PatientID = f"MRN{study:05d}"
    data.StudyInstanceUID = f"2.25.{10**18 + study}"
    data.SeriesInstanceUID = f"2.25.{10**19 + study}"
    data.InstanceNumber = number
    data.Rows = data.Columns = 16
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation, data.SamplesPerPixel = 15, 0, 1
    data.PhotometricInterpretation = "MONOCHROME2"
    data.PixelData = bytes((number * 7 + i) & 0xFF for i in range(512))
    data.add_new(0x00204000, "LT", "x" * max(0, size - 1024))
    return data


def encoded(data: Dataset) -> bytes:
    """The data set's bytes, Explicit VR little endian, as pynetdicom would send them."""
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, False
    write_dataset(out, data)
    value: bytes = out.getvalue()
    return value


class _Checkpoint(threading.Event):
    """pynetdicom's checkpoint, but `clear` returns only once the association's thread stands at it.

    pynetdicom 3.0.4 asks a flag instead, which the thread puts down a moment after it has gone on: on a loaded machine
    that thread then takes the answer to our request for a request, and `send_c_store` waits for it until its time-out.
    """

    def __init__(self, association: threading.Thread) -> None:
        super().__init__()
        self.set()
        self._association = association
        self._standing = threading.Condition()
        self._stands = False

    def wait(self, timeout: float | None = None) -> bool:
        """The association's thread stands here until it may go on."""
        while True:
            with self._standing:
                self._stands = True
                self._standing.notify_all()
            super().wait(timeout)
            with self._standing:
                if self.is_set() or timeout is not None:
                    self._stands = False
                    return self.is_set()

    def clear(self) -> None:
        """Stop the thread, and wait until it has stopped."""
        with self._standing:
            super().clear()
            while not self._stands and self._association.is_alive():
                if threading.current_thread() is self._association:
                    return
                self._standing.wait(0.1)


def steady(association: Association) -> Association:
    """The same association, without the race between its own thread and whoever sends on it."""
    association._reactor_checkpoint = _Checkpoint(association)
    return association


@dataclass
class Sender:
    """One modality; `acknowledged` maps SOP Instance UID to the SHA-256 of what was answered 0x0000."""

    site: Site
    gateway: Gateway
    title: str = "CT1"
    acknowledged: dict[str, str] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    lost: int = 0

    def send(self, objects: list[Dataset], stop: threading.Event | None = None) -> list[Dataset]:
        """One association; returns what was not acknowledged."""
        ae = AE(ae_title=self.title)
        ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 20
        contexts = {(str(o.SOPClassUID), str(o.file_meta.TransferSyntaxUID)) for o in objects}
        for sop_class, syntax in sorted(contexts):
            ae.requested_contexts = [*ae.requested_contexts, build_context(sop_class, syntax)]
        port = self.gateway.port_or_none()
        if port is None:
            return objects
        left = list(objects)
        association = ae.associate(
            "127.0.0.1", port, ae_title="GATEWAY", tls_args=(self.site.context(), "localhost"), max_pdu=131072
        )
        steady(association)
        try:
            while left and association.is_established and not (stop and stop.is_set()):
                status = association.send_c_store(left[0])
                if "Status" not in status:
                    self.lost += 1
                    break
                uid = str(left[0].SOPInstanceUID)
                if status.Status == 0:
                    self.acknowledged[uid] = hashlib.sha256(encoded(left[0])).hexdigest()
                else:
                    self.refused[uid] = status.Status
                    if status.Status == 0xA700:
                        break
                left.pop(0)
        finally:
            if association.is_established:
                association.release()
        return left


def read(raw: bytes, syntax: str) -> Dataset:
    """A data set out of raw bytes."""
    uid = UID(syntax)
    from pydicom.filereader import read_dataset

    return read_dataset(io.BytesIO(raw), uid.is_implicit_VR, uid.is_little_endian)


__all__ = ["CT", "Sender", "ct", "encoded", "read", "steady"]
