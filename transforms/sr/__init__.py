"""Structured Reports (PS3.3 A.35, C.17): one reader and one writer of content trees, for CDA, AIM, HL7 v2 and others.

model    the frozen document: header, content tree, typed values
values   the typed values of content items, one class a value type
header   who, when, what of a document: patient, study, requests, verification, evidence
read     bytes -> Document: read_header, read_items over level (one level of the data set), context, references
write    Document -> bytes: write_items over dataset/attributes
templates  which template a document follows
"""
