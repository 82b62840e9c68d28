"""Coded values of PS3.15 A.5 and PS3.16 (CID 400 to 405), and our own where the standard has none.

`csd-code`, `codeSystemName`, `originalText` are the attributes of A.5.1's schema. Our own coding scheme is private
(PS3.3 8.2: designators that begin with 99); docs/audit.md explains each of its codes.
"""

from __future__ import annotations

from typing import NamedTuple

OWN = "99DCMGW"


class Code(NamedTuple):
    """One coded value."""

    value: str
    scheme: str
    meaning: str


# CID 400 Audit Event ID
APPLICATION_ACTIVITY = Code("110100", "DCM", "Application Activity")
BEGIN_TRANSFERRING = Code("110102", "DCM", "Begin Transferring DICOM Instances")
INSTANCES_TRANSFERRED = Code("110104", "DCM", "DICOM Instances Transferred")
EXPORT = Code("110106", "DCM", "Export")
SECURITY_ALERT = Code("110113", "DCM", "Security Alert")
OBJECT_HELD = Code("HELD", OWN, "Object Held")
OBJECT_RELEASED = Code("RELEASED", OWN, "Object Released")
OBJECT_DROPPED = Code("DROPPED", OWN, "Object Dropped")
OBJECT_DISCARDED = Code("DISCARDED", OWN, "Object Discarded")
MANIFEST_MADE = Code("MANIFEST", OWN, "Manifest Made")
ROWS_FORGOTTEN = Code("FORGOTTEN", OWN, "Ledger Rows Forgotten")
GROUP_CLOSED = Code("GROUPCLOSED", OWN, "Group Closed by Hand")
REIDENTIFIED = Code("REIDENTIFIED", OWN, "Object Re-identified")

# CID 401 Audit Event Type Code, CID 403 Security Alert Type Code
APPLICATION_START = Code("110120", "DCM", "Application Start")
APPLICATION_STOP = Code("110121", "DCM", "Application Stop")
NODE_AUTHENTICATION = Code("110126", "DCM", "Node Authentication")

# CID 402 Audit Active Participant Role ID Code
APPLICATION = Code("110150", "DCM", "Application")
DESTINATION = Code("110152", "DCM", "Destination Role ID")
SOURCE = Code("110153", "DCM", "Source Role ID")
DESTINATION_MEDIA = Code("110154", "DCM", "Destination Media")

# CID 404 Audit Participant Object ID Type Code; RFC 3881 5.5.4
STUDY_INSTANCE_UID = Code("110180", "DCM", "Study Instance UID")
NODE_ID = Code("110182", "DCM", "Node ID")
PATIENT_NUMBER = Code("2", "RFC-3881", "Patient Number")
LEDGER = Code("LEDGER", OWN, "Ledger")
RULES_HASH = Code("RULES", OWN, "SHA-256 of the rules")

# CID 405 Media Type Code
EMAIL = Code("110031", "DCM", "Email")
URI = Code("110037", "DCM", "URI")
