"""A small CDA document with everything in its header that a message tells of."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

ROOT = "1.2.826.0.1.999"


def cda(
    *,
    family: str = "Müller-Ødegård",
    given: str = "Jane",
    title: str = "Chest X-Ray",
    replaces: bool = False,
    signed: bool = True,
    patient_id: str = "4711",
    body: str = "No finding.",
) -> bytes:
    """The document, as bytes in UTF-8."""
    related = (
        f'<relatedDocument typeCode="RPLC"><parentDocument><id root="{ROOT}.9" extension="old"/></parentDocument>'
        "</relatedDocument>"
    )
    signer = f"""<legalAuthenticator><time value="20261126130000+0100"/><signatureCode code="S"/><assignedEntity>
      <id root="{ROOT}.3" extension="D77"/><assignedPerson><name><family>Blitz</family><given>Richard</given></name>
      </assignedPerson></assignedEntity></legalAuthenticator>"""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:ps3-20="urn:dicom-org:ps3-20">
 <typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
 <id root="{ROOT}.1" extension="doc-1"/>
 <code code="18748-4" codeSystem="2.16.840.1.113883.6.1" displayName="Diagnostic imaging report"/>
 <title>{escape(title)}</title>
 <effectiveTime value="20261126120000.123456+0100"/>
 <confidentialityCode code="R" codeSystem="2.16.840.1.113883.5.25"/>
 <recordTarget><patientRole><id root="{ROOT}.2" extension={quoteattr(patient_id)}/>
  <id root="{ROOT}.8" extension="other"/>
  <patient><name><family>{escape(family)}</family><given>{escape(given)}</given><given>Q.</given></name>
  <administrativeGenderCode code="F" codeSystem="2.16.840.1.113883.5.1"/><birthTime value="19700102"/></patient>
 </patientRole></recordTarget>
 <author><time value="20261126120000"/><assignedAuthor><id root="{ROOT}.3" extension="D78"/><assignedPerson><name>
  <family>Smith</family><given>John</given></name></assignedPerson></assignedAuthor></author>
 {signer if signed else ""}
 <inFulfillmentOf><order><id root="{ROOT}.4" extension="PL1"/>
  <ps3-20:accessionNumber root="{ROOT}.5" extension="ACC1"/>
  <code code="36572-6" codeSystem="2.16.840.1.113883.6.1" displayName="Chest AP"/></order></inFulfillmentOf>
 <documentationOf><serviceEvent><id root="1.2.3.4"/><effectiveTime><low value="20261126110000"/></effectiveTime>
 </serviceEvent></documentationOf>
 {related if replaces else ""}
 <componentOf><encompassingEncounter><id root="{ROOT}.6" extension="V1"/></encompassingEncounter></componentOf>
 <component><structuredBody><component><section><text>{escape(body)}</text></section></component></structuredBody>
 </component>
</ClinicalDocument>
""".encode()
