"""The SR of PS3.20 C.5.1, value by value: a chest radiograph with a round density of 45 mm (TID 2000)."""

from __future__ import annotations

from transforms.cda.options import Authorities, Options, Organization
from transforms.sr.header import (
    Equipment,
    Evidence,
    General,
    Identifier,
    Issuer,
    Patient,
    PatientIdentifier,
    Person,
    Request,
    Series,
    Study,
    Verifier,
)
from transforms.sr.model import Document, Item, ObservationContext, Observer
from transforms.sr.values import Code, Coded, Container, Image, Num, PName, SopReference, Template, Text

STUDY = "1.2.840.113619.2.62.994044785528.114289542805"
SERIES = "1.2.840.113619.2.62.994044785528.20060823223142485051"
SR_SERIES = "1.2.840.113619.2.62.994044785528.20060823223142485052"
SR = "1.2.840.113619.2.62.994044785528.20060823.200608232232322.9"
PA = "1.2.840.113619.2.62.994044785528.20060823.200608232232322.3"
LAT = "1.2.840.113619.2.62.994044785528.20060823.200608232231422.3"
CR = "1.2.840.10008.5.1.4.1.1.1"
ROOT = "1.2.840.113619.2.62.994044785528"

XRAY = Code("11123", "99WUHID", "X-Ray Study")
FINDING = (
    "The cardiomediastinum is within normal limits. The trachea is midline. The previously described opacity at the "
    "medial right lung base has cleared. There are no new infiltrates. There is a new round density at the left hilus, "
    "superiorly (diameter about 45mm). A CT scan is recommended for further evaluation. The pleural spaces are clear. "
    "The visualized musculoskeletal structures and the upper abdomen are stable and unremarkable."
)
IMPRESSION = (
    "No acute cardiopulmonary process. Round density in left superior hilus, further evaluation with CT is recommended "
    "as underlying malignancy is not excluded."
)
OBSERVED = ObservationContext((Observer("PSN", "Blitz^Richard^^^MD"),))
ENGLISH = Code("en-US", "ISO639_1", "English (U.S.)")


def _dcm(value: str, meaning: str) -> Code:
    return Code(value, "DCM", meaning)


def _item(
    position: tuple[int, ...],
    relationship: str,
    name: Code,
    value: object,
    children: tuple[Item, ...] = (),
    observed_at: str = "",
) -> Item:
    return Item(relationship, name, value, children, position, observed_at, context=OBSERVED, language=ENGLISH)  # type: ignore[arg-type]


def _mod(number: int, name: Code, value: object) -> Item:
    return _item((1, number), "HAS CONCEPT MOD", name, value)


def _section(number: int, name: Code, *children: Item) -> Item:
    return _item((1, number), "CONTAINS", name, Container("SEPARATE"), children)


def document() -> Document:
    """The whole of it."""
    source = _item(
        (1, 8, 1, 1, 1), "INFERRED FROM", _dcm("121112", "Source of Measurement"), Image(SopReference(CR, PA))
    )
    diameter = _item(
        (1, 8, 1, 1), "INFERRED FROM", Code("81827009", "SCT", "Diameter"), Num("45", Code("mm", "UCUM", "mm")),
        (source,), "20060823223912",
    )  # fmt: skip
    finding = _item((1, 8, 1), "CONTAINS", _dcm("121071", "Finding"), Text(FINDING), (diameter,))
    root = Item(
        "",
        Code("18782-3", "LN", "X-Ray Report"),
        Container("SEPARATE", Template("2000")),
        (
            _mod(1, _dcm("122142", "Acquisition Device Type"), Coded(_dcm("XR", "XR"))),
            _mod(2, _dcm("123014", "Target Region"), Coded(Code("51185008", "SCT", "Chest"))),
            _mod(3, _dcm("121049", "Language of Content Item and Descendants"), Coded(ENGLISH)),
            _mod(4, _dcm("121050", "Equivalent Meaning of Concept Name"), Text("Chest X-Ray, PA and LAT View")),
            _item((1, 5), "HAS OBS CONTEXT", _dcm("121005", "Observer Type"), Coded(_dcm("121006", "Person"))),
            _item((1, 6), "HAS OBS CONTEXT", _dcm("121008", "Person Observer Name"), PName("Blitz^Richard^^^MD")),
            _section(
                7, _dcm("121060", "History"),
                _item((1, 7, 1), "CONTAINS", _dcm("121060", "History"), Text("Sore throat.")),
            ),
            _section(8, _dcm("121070", "Findings"), finding),
            _section(
                9, _dcm("121072", "Impressions"),
                _item((1, 9, 1), "CONTAINS", _dcm("121073", "Impression"), Text(IMPRESSION)),
            ),
        ),
        context=OBSERVED,
        language=ENGLISH,
    )  # fmt: skip
    accession = Identifier("10523475", Issuer("WUH-RIS", f"{ROOT}.27", "ISO"))
    return Document(
        "1.2.840.10008.5.1.4.1.1.88.22",
        SR,
        Patient(
            "Doe^John", PatientIdentifier("0000680029", "World University Hospital", f"{ROOT}.10", "ISO"),
            birth_date="19641128", sex="M",
        ),
        Study(
            STUDY, "20060823", "222400", "10523475", accession=accession, referring=Person("Smith^John^^^MD"),
            procedure_codes=(XRAY,),
        ),
        Series(SR_SERIES, "560", "SR"),
        Equipment("DicomWg20"),
        General(
            "07851", "COMPLETE", verification="VERIFIED", content_date="20060823", content_time="224352",
            creation_date="20060827", creation_time="224157",
            verifiers=(
                Verifier(
                    "Blitz^Richard^^^MD", "World University Hospital", "20060827141500",
                    (Code("08150000", "99WUHID", "Verifying Observer ID"),),
                ),
            ),
            requests=(
                Request(
                    STUDY, accession, Identifier("123451", Issuer("WUH-CPOE", f"{ROOT}.29", "ISO")),
                    procedure_id="123453", procedure_description="CHEST TWO VIEWS, PA AND LATERAL",
                    procedure_codes=(XRAY,), reason="Suspected lung tumor",
                ),
            ),
            performed_codes=(XRAY,),
            current_evidence=tuple(Evidence(STUDY, SERIES, SopReference(CR, each)) for each in (PA, LAT)),
        ),
        root,
        language=ENGLISH,
    )  # fmt: skip


# What C.5.2 has "based on organizational policy", and the OID of the hospital's own codes
SITE = Options(
    custodian=Organization("World University Hospital", "2.16.840.1.113883.19.5"),
    coding_schemes={"99WUHID": "1.2.840.113619.2.62.5661"},
    authorities=Authorities(person=f"{ROOT}.33"),
    wado="http://example.org/wado",
    wado_style="uri",
)
