"""HL7 v2 messages that carry reports, and the acknowledgements that answer them.

facts  what a message needs to know of a CDA document
er7    the delimiters and escapes of HL7 v2
mdm    CDA -> MDM^T02 or T10
ack    what an acknowledgement says
"""
