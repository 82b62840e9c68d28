"""AIM v4 (PS3.21): a frozen model, a strict reader, a writer, and the way to and from DICOM SR TID 1500."""
