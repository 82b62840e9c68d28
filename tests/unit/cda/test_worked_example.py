"""PS3.20 C.5: the SR of C.5.1 converted, and every element of C.5.2 looked for in it.

SAME are the elements that are as the example has them; DIFFERENT those that are not, each with its reason, as
docs/reports.md tells them.
"""

from __future__ import annotations

import pytest
from lxml import etree

from tests.unit.cda.reading import found, one, parsed, section
from tests.unit.cda.worked import CR, FINDING, IMPRESSION, LAT, PA, ROOT, SERIES, SITE, SR, STUDY, document
from transforms.cda.from_sr import convert

_DOC = "/c:ClinicalDocument"
_PERSON = "c:assignedPerson/c:name"
_FINDING = f"{section('59776-5')}/c:entry/c:observation"
_DIAMETER = f"{_FINDING}/c:entryRelationship[@typeCode='SPRT']/c:observation"
_IMAGE = f"{_DIAMETER}/c:entryRelationship/c:observation[@classCode='DGIMG']"
_CATALOG = f"{section('121181')}/c:entry/c:act"
_CR_SERIES = f"{_CATALOG}/c:entryRelationship/c:act[c:id/@root='{SERIES}']"
_TECHNIQUE = f"{section('55111-9')}/c:entry/c:procedure"
_WADO = "http://example.org/wado?requestType=WADO&studyUID={}&seriesUID={}&objectUID={}&contentType=application%2Fdicom"

SAME = (
    (f"{_DOC}/c:realmCode/@code", "UV"),
    (f"{_DOC}/c:typeId/@root", "2.16.840.1.113883.1.3"),
    (f"{_DOC}/c:typeId/@extension", "POCD_HD000040"),
    (f"{_DOC}/c:templateId[1]/@root", "1.2.840.10008.9.1"),
    (f"{_DOC}/c:templateId[2]/@root", "1.2.840.10008.9.20"),
    (f"{_DOC}/c:templateId[3]/@root", "1.2.840.10008.9.21"),
    (f"{_DOC}/c:templateId[4]/@root", "1.2.840.10008.9.22"),
    (f"{_DOC}/c:title", "Chest X-Ray, PA and LAT View"),
    (f"{_DOC}/c:confidentialityCode/@code", "N"),
    (f"{_DOC}/c:confidentialityCode/@codeSystem", "2.16.840.1.113883.5.25"),
    (f"{_DOC}/c:languageCode/@code", "en-US"),
    ("//c:patientRole/c:id/@root", f"{ROOT}.10"),
    ("//c:patientRole/c:id/@extension", "0000680029"),
    ("//c:patientRole/c:addr/@nullFlavor", "NI"),
    ("//c:patientRole/c:telecom/@nullFlavor", "NI"),
    ("//c:patient/c:name/c:given", "John"),
    ("//c:patient/c:name/c:family", "Doe"),
    ("//c:administrativeGenderCode/@code", "M"),
    ("//c:administrativeGenderCode/@codeSystem", "2.16.840.1.113883.5.1"),
    ("//c:birthTime/@value", "19641128"),
    (f"{_DOC}/c:author/c:time/@value", "20060823224352"),
    (f"{_DOC}/c:author/c:assignedAuthor/c:addr/@nullFlavor", "NI"),
    (f"{_DOC}/c:author/c:assignedAuthor/c:telecom/@nullFlavor", "NI"),
    (f"{_DOC}/c:author/c:assignedAuthor/{_PERSON}/c:given", "Richard"),
    (f"{_DOC}/c:author/c:assignedAuthor/{_PERSON}/c:family", "Blitz"),
    (f"{_DOC}/c:author/c:assignedAuthor/{_PERSON}/c:suffix", "MD"),
    ("//c:representedCustodianOrganization/c:id/@root", "2.16.840.1.113883.19.5"),
    ("//c:representedCustodianOrganization/c:name", "World University Hospital"),
    ("//c:representedCustodianOrganization/c:telecom/@nullFlavor", "NI"),
    ("//c:representedCustodianOrganization/c:addr/@nullFlavor", "NI"),
    ("//c:legalAuthenticator/c:time/@value", "20060827141500"),
    ("//c:legalAuthenticator/c:signatureCode/@code", "S"),
    ("//c:legalAuthenticator/c:assignedEntity/c:id/@extension", "08150000"),
    ("//c:legalAuthenticator/c:assignedEntity/c:addr/@nullFlavor", "NI"),
    ("//c:legalAuthenticator/c:assignedEntity/c:telecom/@nullFlavor", "NI"),
    (f"//c:legalAuthenticator/c:assignedEntity/{_PERSON}/c:given", "Richard"),
    (f"//c:legalAuthenticator/c:assignedEntity/{_PERSON}/c:family", "Blitz"),
    (f"//c:legalAuthenticator/c:assignedEntity/{_PERSON}/c:suffix", "MD"),
    (f"{_DOC}/c:participant/@typeCode", "REF"),
    ("//c:associatedEntity/@classCode", "PROV"),
    ("//c:associatedEntity/c:id/@nullFlavor", "NI"),
    ("//c:associatedEntity/c:addr/@nullFlavor", "NI"),
    ("//c:associatedEntity/c:telecom/@nullFlavor", "NI"),
    ("//c:associatedPerson/c:name/c:given", "John"),
    ("//c:associatedPerson/c:name/c:family", "Smith"),
    ("//c:associatedPerson/c:name/c:suffix", "MD"),
    ("//c:order/c:id/@extension", "123451"),
    ("//c:order/c:id/@root", f"{ROOT}.29"),
    ("//c:order/ps3-20:accessionNumber/@extension", "10523475"),
    ("//c:order/ps3-20:accessionNumber/@root", f"{ROOT}.27"),
    ("//c:serviceEvent/@classCode", "ACT"),
    ("//c:serviceEvent/c:id/@root", STUDY),
    ("//c:serviceEvent/c:code/@code", "11123"),
    ("//c:serviceEvent/c:code/@codeSystem", "1.2.840.113619.2.62.5661"),
    ("//c:serviceEvent/c:code/@codeSystemName", "99WUHID"),
    ("//c:serviceEvent/c:code/@displayName", "X-Ray Study"),
    ("//c:serviceEvent/c:code/c:translation[1]/@code", "XR"),
    ("//c:serviceEvent/c:code/c:translation[1]/@codeSystem", "1.2.840.10008.2.16.4"),
    ("//c:serviceEvent/c:code/c:translation[2]/@code", "51185008"),
    ("//c:serviceEvent/c:code/c:translation[2]/@codeSystem", "2.16.840.1.113883.6.96"),
    ("//c:serviceEvent/c:effectiveTime/c:low/@value", "20060823222400"),
    (f"{_DOC}/c:relatedDocument/@typeCode", "XFRM"),
    (f"{_DOC}/c:relatedDocument/c:parentDocument/c:id/@root", SR),
    (f"{section('55752-0')}/c:templateId/@root", "1.2.840.10008.9.2"),
    (f"{section('55752-0')}/c:title", "Clinical Information"),
    (f"{section('59768-2')}/c:templateId/@root", "2.16.840.1.113883.10.20.22.2.29"),
    (f"{section('59768-2')}/c:title", "Indications for Procedure"),
    (f"{section('59768-2')}/c:text", "Suspected lung tumor"),
    (f"{section('11329-0')}/c:templateId/@root", "2.16.840.1.113883.10.20.22.2.39"),
    (f"{section('11329-0')}/c:title", "History"),
    (f"{section('11329-0')}/c:text/c:paragraph/c:caption", "History"),
    (f"{section('11329-0')}/c:text/c:paragraph/c:content", "Sore throat."),
    (f"{section('11329-0')}/c:entry/c:observation/c:code/@code", "121060"),
    (f"{section('55111-9')}/c:templateId/@root", "1.2.840.10008.9.3"),
    (f"{section('55111-9')}/c:title", "Imaging Procedure Description"),
    (f"{_TECHNIQUE}/c:templateId/@root", "1.2.840.10008.9.14"),
    (f"{_TECHNIQUE}/c:code/@code", "11123"),
    (f"{_TECHNIQUE}/c:code/@codeSystem", "1.2.840.113619.2.62.5661"),
    (f"{_TECHNIQUE}/c:effectiveTime/@value", "20060823222400"),
    (f"{_TECHNIQUE}/c:methodCode/@code", "XR"),
    (f"{_TECHNIQUE}/c:targetSiteCode/@code", "51185008"),
    (f"{section('121181')}/c:templateId/@root", "2.16.840.1.113883.10.20.6.1.1"),
    (f"{_CATALOG}/c:id/@root", STUDY),
    (f"{_CATALOG}/c:code/@code", "113014"),
    (f"{_CR_SERIES}/c:code/@code", "113015"),
    (f"{_CR_SERIES}/c:code/c:qualifier/c:name/@code", "121139"),
    (f"{_CR_SERIES}/c:code/c:qualifier/c:value/@code", "CR"),
    (f"{_CR_SERIES}/c:entryRelationship[1]/c:observation/c:id/@root", PA),
    (f"{_CR_SERIES}/c:entryRelationship[2]/c:observation/c:id/@root", LAT),
    (f"{_CR_SERIES}/c:entryRelationship[1]/c:observation/c:code/@code", CR),
    (f"{_CR_SERIES}/c:entryRelationship[1]/c:observation/c:code/@codeSystem", "1.2.840.10008.2.6.1"),
    (f"{_CR_SERIES}/c:entryRelationship[1]/c:observation/c:code/@displayName", "Computed Radiography Image Storage"),
    (f"{_CR_SERIES}/c:entryRelationship[1]/c:observation/c:text/@mediaType", "application/dicom"),
    (f"{section('59776-5')}/c:templateId/@root", "2.16.840.1.113883.10.20.6.1.2"),
    (f"{section('59776-5')}/c:title", "Findings"),
    (f"{section('59776-5')}/c:text/c:paragraph/c:caption", "Finding"),
    (f"{section('59776-5')}/c:text/c:paragraph/c:content", FINDING),
    (f"{_FINDING}/c:code/@code", "121071"),
    (f"{_DIAMETER}/c:templateId/@root", "2.16.840.1.113883.10.20.6.2.14"),
    (f"{_DIAMETER}/c:effectiveTime/@value", "20060823223912"),
    (f"{_DIAMETER}/c:value/@x:type", "PQ"),
    (f"{_DIAMETER}/c:value/@value", "45"),
    (f"{_DIAMETER}/c:value/@unit", "mm"),
    (f"{_IMAGE}/c:id/@root", PA),
    (f"{_IMAGE}/c:code/@code", CR),
    (f"{_IMAGE}/c:entryRelationship[@typeCode='RSON']/c:observation/c:code/@code", "ASSERTION"),
    (f"{_IMAGE}/c:entryRelationship[@typeCode='RSON']/c:observation/c:value/@code", "121112"),
    (f"{section('19005-8')}/c:templateId/@root", "1.2.840.10008.9.5"),
    (f"{section('19005-8')}/c:title", "Impressions"),
    (f"{section('19005-8')}/c:text/c:paragraph/c:caption", "Impression"),
    (f"{section('19005-8')}/c:text/c:paragraph/c:content", IMPRESSION),
    (f"{section('19005-8')}/c:entry/c:observation/c:code/@code", "121073"),
)

# where, what the example has, what we have, why
DIFFERENT = (
    (f"{_DOC}/c:code/@code", "18748-4", "18782-3", "Table C.3-1: the root's concept name"),
    (f"{_DOC}/c:effectiveTime/@value", "20060828170821", "20060823224352", "Table C.3-1: Content Date and Time"),
    (f"{_DOC}/c:author/c:assignedAuthor/c:id/@extension", "121008", None, "no Author Observer Sequence, no id"),
    ("//c:legalAuthenticator/c:assignedEntity/c:id/@root", f"{ROOT}.33", "1.2.840.113619.2.62.5661",
     "the OID of the scheme that the code is of, as the example itself writes 99WUHID elsewhere"),
    (f"{section('11329-0')}/c:entry/c:observation/c:templateId/@root", "2.16.840.1.113883.10.20.6.2.12",
     "2.16.840.1.113883.10.20.6.2.13", "C.4.3.2: a text is a Coded Observation, not C-CDA's Text Observation"),
    (f"{section('11329-0')}/c:entry/c:observation/c:value/@x:type", "ED", "CD", "C.4.3.2, Table C.4-7"),
    (f"{_CATALOG}/c:templateId/@root", "2.16.840.1.113883.10.20.6.2.6", "1.2.840.10008.9.16", "10.6"),
    (f"{_IMAGE}/c:templateId/@root", "2.16.840.1.113883.10.20.6.2.8", "1.2.840.10008.9.18", "10.8"),
    (f"{_DIAMETER}/c:entryRelationship/@typeCode", "SUBJ", "SPRT", "C.4.3.5: INFERRED FROM is SPRT"),
    (f"{_DIAMETER}/c:code/@code", "246120007", "81827009", "Table C.4-9: the SR says Diameter"),
    (f"{_CATALOG}/c:entryRelationship[1]/c:act/c:id/@root", "1.2.840.113619.2.62.994044785528.20060823222132232023",
     "1.2.840.113619.2.62.994044785528.20060823223142485052", "the Series Instance UID that the SR has"),
    (f"{_CATALOG}/c:entryRelationship[1]/c:act/c:code/c:qualifier/c:value/@code", "CR", "SR",
     "the modality that the SR has; the example's own displayName says SR Document"),
    (f"{_CATALOG}/c:entryRelationship[1]/c:act//c:observation/c:effectiveTime/@value", "20060823223232",
     "20060827224157", "10.8: Instance Creation Date and Time"),
    (f"{_IMAGE}/c:effectiveTime/@value", "20060823223232", None, "the SR does not say when the image was made"),
    (f"{section('59776-5')}/c:code/@displayName", "Findings", "Procedure Findings", "9.5"),
)  # fmt: skip


@pytest.fixture(scope="module")
def cda() -> etree._Element:
    return parsed(convert(document(), SITE).data)


@pytest.mark.parametrize(("path", "value"), SAME, ids=[row[0] for row in SAME])
def test_as_the_example_has_it(cda: etree._Element, path: str, value: str) -> None:
    assert one(cda, path) == value


@pytest.mark.parametrize(("path", "theirs", "ours", "why"), DIFFERENT, ids=[row[0] for row in DIFFERENT])
def test_otherwise_for_a_reason(cda: etree._Element, path: str, theirs: str, ours: str | None, why: str) -> None:
    assert found(cda, path) == ([] if ours is None else [ours])
    assert theirs != ours
    assert why


def test_links_lead_to_the_image(cda: etree._Element) -> None:
    link = _WADO.format(STUDY, SERIES, PA)
    assert one(cda, f"{_IMAGE}/c:text/c:reference/@value") == link
    assert one(cda, f"{section('59776-5')}/c:text//c:linkHtml/@href") == link


def test_entries_point_to_the_words_they_say(cda: etree._Element) -> None:
    for reference in found(cda, "//c:entry//c:text/c:reference/@value"):
        if reference.startswith("#"):
            assert found(cda, f"//*[@ID='{reference[1:]}']"), reference


def test_the_same_again_is_the_same() -> None:
    first, second = convert(document(), SITE), convert(document(), SITE)
    assert first == second
