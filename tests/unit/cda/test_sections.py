"""Each section of PS3.20 chapter 9 that Annex C fills, and what its template asks beside the items."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from lxml import etree

from tests.unit.cda import worked
from tests.unit.cda.reading import found, one, parsed, section
from transforms.cda.from_sr import convert
from transforms.cda.options import Options, Picture
from transforms.sr.context import settled
from transforms.sr.header import Author, Evidence, Person
from transforms.sr.model import Document, Item
from transforms.sr.values import (
    ByReference,
    Code,
    Coded,
    Composite,
    Container,
    Date,
    Image,
    Num,
    PName,
    SCoord,
    SopReference,
    Text,
    Time,
    UidRef,
)

GROUP = Container("SEPARATE")
CT = "1.2.840.10008.5.1.4.1.1.2"


def dcm(value: str, meaning: str = "") -> Code:
    return Code(value, "DCM", meaning or value)


def ln(value: str, meaning: str = "") -> Code:
    return Code(value, "LN", meaning or value)


def sct(value: str, meaning: str = "") -> Code:
    return Code(value, "SCT", meaning or value)


def item(name: Code, value: Any, *children: Item, relation: str = "CONTAINS", at: str = "") -> Item:
    return Item(relation, name, value, children, observed_at=at)


def modifier(name: Code, value: Any, *children: Item) -> Item:
    return item(name, value, *children, relation="HAS CONCEPT MOD")


def context(name: Code, value: Any, *children: Item) -> Item:
    return item(name, value, *children, relation="HAS OBS CONTEXT")


def report(*children: Item, **more: Any) -> Document:
    """The worked example's header around these sections."""
    whole = worked.document()
    root = settled(replace(whole.root, children=children))
    general = replace(whole.general, authors=(Author("PSN", Person("Blitz^Richard")),))
    return replace(whole, root=root, language=root.language, general=general, **more)


def cda(*children: Item, options: Options = worked.SITE, **more: Any) -> etree._Element:
    return parsed(convert(report(*children, **more), options).data)


def key_images() -> Document:
    image = item(dcm("121180"), Image(SopReference(CT, worked.PA), (3,)))
    text = item(dcm("113012", "Key Object Description"), Text("Look here"))
    return report(item(ln("55113-5", "Key Images"), GROUP, text, image))


@pytest.mark.parametrize(
    ("name", "code", "within"),
    [
        (ln("11329-0"), "11329-0", "55752-0"), (ln("55115-0"), "55115-0", "55752-0"),
        (dcm("121062"), "55115-0", "55752-0"),
        (ln("18785-6"), "59768-2", "55752-0"), (ln("55108-5"), "55752-0", ""), (ln("55752-0"), "55752-0", ""),
        (ln("55111-9"), "55111-9", ""), (ln("55109-3"), "55109-3", "55111-9"), (ln("73569-6"), "73569-6", "55111-9"),
        (ln("55114-3"), "18834-2", ""), (ln("18834-2"), "18834-2", ""), (ln("18782-3"), "59776-5", ""),
        (ln("59776-5"), "59776-5", ""), (ln("19005-8"), "19005-8", ""), (ln("55110-1"), "19005-8", ""),
        (ln("55112-7"), "19005-8", ""), (ln("18783-1"), "18783-1", "19005-8"), (ln("55113-5"), "55113-5", "19005-8"),
        (ln("73568-8"), "73568-8", "19005-8"), (ln("55107-7"), "55107-7", ""), (dcm("121078"), "55107-7", ""),
    ],
)  # fmt: skip
def test_table_c_4_1(name: Code, code: str, within: str) -> None:
    root = cda(item(replace(name, meaning="My title"), GROUP, item(dcm("121071"), Text("words"))))
    here = section(code)
    assert one(root, f"{here}/c:title") == "My title"
    assert "words" in one(root, f"{here}/c:text")
    if within:
        assert found(root, f"{section(within)}/c:component/c:section/c:code/@code").count(code) == 1
    else:
        assert found(root, "//c:structuredBody/c:component/c:section/c:code/@code").count(code) == 1


def test_two_sections_for_one_place_are_one_with_a_part() -> None:
    root = cda(
        item(ln("19005-8", "Impressions"), GROUP, item(dcm("121073"), Text("first"))),
        item(ln("55110-1", "Conclusions"), GROUP, item(dcm("121077"), Text("second"))),
    )
    assert one(root, f"{section('19005-8')}/c:title") == "Impressions"
    assert one(root, f"{section('19005-8')}/c:component/c:section/c:title") == "Conclusions"
    assert found(root, f"{section('19005-8')}/c:component/c:section/c:code") == []  # 9.8.9: SHALL NOT
    assert one(root, f"{section('19005-8')}/c:component/c:section/c:entry/c:act/c:code/@code") == "55110-1"


def test_addenda_are_sections_each_with_an_author() -> None:
    addendum = item(ln("55107-7", "Addendum"), GROUP, item(dcm("121071"), Text("more")))
    root = cda(addendum, addendum)
    assert found(root, f"{section('55107-7')}//c:assignedPerson/c:name/c:family") == ["Blitz", "Blitz"]
    assert len(found(root, section("55107-7"))) == 2
    assert len(found(root, f"{section('55107-7')}/c:author/c:assignedAuthor/c:assignedPerson/c:name")) == 2


def test_section_observer_context() -> None:
    """Table C.4-3."""
    root = cda(
        item(
            ln("59776-5", "Findings"), GROUP,
            context(dcm("121005"), Coded(dcm("121007", "Device"))), context(dcm("121012"), UidRef("1.2.3")),
            context(dcm("121013"), Text("CAD")), context(dcm("121015"), Text("Model 5")),
            item(dcm("121071"), Text("seen")),
        )
    )  # fmt: skip
    author = f"{section('59776-5')}/c:author/c:assignedAuthor"
    assert one(root, f"{author}/c:id/@root") == "1.2.3"
    assert one(root, f"{author}/c:assignedAuthoringDevice/c:softwareName") == "CAD"
    assert one(root, f"{author}/c:assignedAuthoringDevice/c:manufacturerModelName") == "Model 5"


def test_comparison_study() -> None:
    """Table C.4-4."""
    root = cda(
        item(
            ln("55114-3", "Prior Procedure"), GROUP,
            context(dcm("121018"), UidRef("1.2.9")), context(dcm("121023"), Coded(sct("77477000", "CT"))),
            item(dcm("111060"), Date("20050102")), item(dcm("111061"), Time("1112")),
            modifier(dcm("122142"), Coded(dcm("CT"))), modifier(dcm("123014"), Coded(sct("51185008", "Chest"))),
            item(dcm("121065", "Procedure Description"), Text("CT of the chest")),
        )
    )  # fmt: skip
    here = section("18834-2")
    technique = f"{here}/c:entry/c:procedure[c:templateId/@root='1.2.840.10008.9.14']"
    assert one(root, f"{technique}/c:code/@code") == "77477000"
    assert one(root, f"{technique}/c:effectiveTime/@value") == "200501021112"
    assert one(root, f"{technique}/c:methodCode/@code") == "CT"
    assert one(root, f"{technique}/c:targetSiteCode/@code") == "51185008"
    study = f"{here}/c:entry/c:act[c:templateId/@root='1.2.840.10008.9.16']"
    assert one(root, f"{study}/c:id/@root") == "1.2.9"
    assert one(root, f"{study}/c:text") == "CT of the chest"
    assert one(root, f"{study}/c:effectiveTime/@value") == "200501021112"


def test_fetus_subject_context() -> None:
    """Table C.4-5: each fetus a subsection of Findings."""
    sections = [
        item(
            ln("59776-5", f"Fetus {name}"), GROUP,
            context(dcm("121024", "Subject Class"), Coded(dcm("121026", "Fetus"))),
            context(dcm("121030", "Subject ID"), Text(name)), item(dcm("121071"), Text(f"of {name}")),
        )
        for name in ("A", "B")
    ]  # fmt: skip
    root = cda(*sections)
    fetus = f"{section('59776-5')}/c:component/c:section[c:code/@code='76514-9']"
    assert found(root, f"{fetus}/c:subject/c:relatedSubject/c:subject/c:name") == ["A", "B"]
    assert set(found(root, f"{fetus}/c:subject/c:relatedSubject/c:code/@code")) == {"121026"}


def test_coded_observation_with_site() -> None:
    """Table C.4-6; a retired code of SNOMED RT becomes SNOMED CT, and stays beside it."""
    site = modifier(Code("G-C0E3", "SRT", "Finding Site"), Coded(Code("T-28000", "SRT", "Lung")),
                    modifier(sct("272741003"), Coded(sct("7771000", "Left"))))  # fmt: skip
    root = cda(item(ln("59776-5"), GROUP, item(dcm("121071"), Coded(sct("427359005", "Nodule")), site, at="20200102")))
    entry = f"{section('59776-5')}/c:entry/c:observation"
    assert one(root, f"{entry}/c:value/@code") == "427359005"
    assert one(root, f"{entry}/c:effectiveTime/@value") == "20200102"
    assert one(root, f"{entry}/c:targetSiteCode/@code") == "39607008"
    assert one(root, f"{entry}/c:targetSiteCode/c:translation/@code") == "T-28000"
    assert one(root, f"{entry}/c:targetSiteCode/c:qualifier/c:name/@code") == "272741003"
    assert one(root, f"{entry}/c:targetSiteCode/c:qualifier/c:value/@code") == "7771000"
    assert found(root, f"{entry}/c:entryRelationship") == []


@pytest.mark.parametrize(
    ("given", "attributes"),
    [
        (Num("4.50", Code("mm", "UCUM", "mm")), {"value": "4.50", "unit": "mm"}),
        (Num("7", Code("1", "UCUM", "no units")), {"value": "7", "unit": "1"}),
        (Num("7", Code("mil", "99X", "mils")), {"nullFlavor": "OTH"}),
        (Num("", None, dcm("114010", "Value unknown")), {"nullFlavor": "UNK"}),
        (Num("", None, dcm("114000", "Not a number")), {"nullFlavor": "NA"}),
        (Num("", None), {"nullFlavor": "NI"}),
    ],
)
def test_numbers(given: Num, attributes: dict[str, str]) -> None:
    root = cda(item(ln("59776-5"), GROUP, item(sct("81827009", "Diameter"), given)))
    (value,) = root.xpath("//c:entry/c:observation/c:value", namespaces={"c": "urn:hl7-org:v3"})
    plain = {key: text for key, text in value.attrib.items() if "type" not in key}
    assert plain == attributes
    if given.unit is not None and given.unit.scheme != "UCUM":
        assert one(root, "//c:value/c:translation/@value") == "7"
        assert one(root, "//c:value/c:translation/c:originalText") == "mils (mil, 99X)"


def test_coordinates_leave_their_image_behind() -> None:
    """C.1, C.4.3.7: no ROI overlay; the image that they were selected from supports the measurement."""
    image = item(dcm("121112", "Source"), Image(SopReference(CT, worked.PA)), relation="SELECTED FROM")
    line = item(dcm("111030"), SCoord("POLYLINE", (1.0, 1.0, 2.0, 2.0)), image, relation="INFERRED FROM")
    document = report(item(ln("59776-5"), GROUP, item(sct("81827009"), Num("4", Code("mm", "UCUM", "mm")), line)))
    made = convert(document)
    root = parsed(made.data)
    assert (
        one(root, "//c:entryRelationship[@typeCode='SPRT']/c:observation[@classCode='DGIMG']/c:id/@root") == worked.PA
    )
    assert found(root, "//c:regionOfInterest") == []
    assert [line.where for line in made.losses.lines if "coordinates" in line.what] == ["1.1.1.1"]


def test_by_reference() -> None:
    number = item(sct("81827009", "Diameter"), Num("4", Code("mm", "UCUM", "mm")))
    root = cda(
        item(
            ln("59776-5"), GROUP, number,
            Item("CONTAINS", dcm("121071"), Text("so"), (Item("INFERRED FROM", None, ByReference((1, 1, 1))),)),
        )
    )  # fmt: skip
    supported = "//c:observation[c:code/@code='121071']/c:entryRelationship[@typeCode='SPRT']/c:observation"
    assert one(root, f"{supported}/c:id/@extension") == "1.1.1"
    assert one(root, "//c:text//c:linkHtml[@href='#i1.1.1']") == "Diameter: 4 mm"


def test_medications() -> None:
    """10.2."""
    root = cda(
        item(
            ln("29549-3", "Medications Administered"), GROUP,
            item(
                dcm("122083", "Drug administered"), Coded(sct("7140000", "Iodinated contrast")),
                modifier(sct("410675002", "Route"), Coded(sct("47625008", "Intravenous"))),
                item(dcm("122091", "Volume"), Num("80", Code("ml", "UCUM", "ml")), relation="HAS PROPERTIES"),
            ),
        )
    )  # fmt: skip
    given = f"{section('55111-9')}/c:entry/c:substanceAdministration"
    assert one(root, f"{given}/c:templateId/@root") == "1.2.840.10008.9.13"
    assert one(root, f"{given}/c:routeCode/@code") == "47625008"
    assert one(root, f"{given}/c:doseQuantity/@value") == "80"
    assert one(root, f"{given}//c:manufacturedMaterial/c:code/@code") == "7140000"
    assert "Iodinated contrast" in one(root, f"{section('55111-9')}/c:text")


def test_radiation_exposure() -> None:
    """Table C.4-12."""
    root = cda(
        item(
            ln("55111-9", "Current Procedure"), GROUP,
            item(dcm("113701", "Dose"), Composite(SopReference("1.2.840.10008.5.1.4.1.1.88.67", "1.2.7"))),
            item(dcm("111050", "Quality Assessment"), Coded(dcm("111051", "Good"))),
        ),
        item(
            ln("73569-6", "Radiation"), GROUP,
            item(dcm("113850", "Irradiation Authorizing"), PName("Curie^Marie")),
            item(dcm("111532", "Pregnancy Status"), Coded(sct("60001007", "Not pregnant"))),
            item(ln("18785-6", "Indications"), Text("cough")),
            item(dcm("113921", "Radiation Exposure"), Text("2 mGy")),
            item(dcm("113922", "Radioactive Substance Administered"), Text("Tc-99m")),
        ),
    )  # fmt: skip
    here = section("73569-6")
    exposure = f"{here}/c:entry/c:procedure[c:code/@code='121290']"
    assert one(root, f"{exposure}/c:participant[@typeCode='RESP']//c:name/c:family") == "Curie"
    assert one(root, f"{here}/c:entry/c:observation[@classCode='DGIMG']/c:id/@root") == "1.2.7"
    assert one(root, f"{here}/c:entry/c:observation[c:code/@code='364320009']/c:value/@code") == "60001007"
    assert one(root, f"{here}/c:entry/c:observation[c:code/@code='432678004']/c:value/c:originalText") == "cough"
    assert one(root, f"{here}/c:entry/c:observation[c:code/@code='113921']/c:value/c:originalText") == "2 mGy"
    assert one(root, f"{here}/c:entry/c:substanceAdministration/c:code/@code") == "440252007"
    assert one(root, f"{here}/c:entry/c:substanceAdministration//c:originalText") == "Tc-99m"
    quality = f"{section('55111-9')}/c:entry/c:observation[c:templateId/@root='1.2.840.10008.9.15']"
    assert one(root, f"{quality}/c:value/@code") == "111051"


def test_communication_and_recommendation() -> None:
    """9.8.10, 9.8.11."""
    root = cda(
        item(ln("73568-8"), GROUP, item(dcm("121071"), Text("Told Dr. Who by phone"), at="202001021530")),
        item(
            ln("18783-1"), GROUP,
            item(dcm("121075", "Recommendation"), Coded(sct("77477000", "CT")),
                 item(dcm("111054", "Recommended Follow-up Date"), Date("20200401"), relation="HAS PROPERTIES")),
        ),
    )  # fmt: skip
    act = f"{section('73568-8')}/c:entry/c:act[c:code/@code='121291']"
    assert one(root, f"{act}/c:effectiveTime/@value") == "202001021530"
    assert one(root, f"{act}/c:performer//c:family") == "Blitz"
    assert one(root, f"{act}/c:participant/@typeCode") == "NOT"
    assert one(root, f"{act}/c:text/c:reference/@value") == "#i1.1.1"
    proposed = f"{section('18783-1')}/c:entry/c:procedure[@moodCode='PRP']"
    assert one(root, f"{proposed}/c:code/@code") == "77477000"
    assert one(root, f"{proposed}/c:effectiveTime/c:high/@value") == "20200401"


def test_key_images() -> None:
    """Table C.4-13."""
    asked = []

    def picture(image: Image) -> Picture:
        asked.append(image)
        return Picture("image/jpeg", b"JPEG")

    document = key_images()
    root = parsed(convert(document, worked.SITE, pictures=picture).data)
    here = section("55113-5")
    assert "Look here" in one(root, f"{here}/c:text")
    assert one(root, f"{here}/c:text//c:linkHtml/@href").startswith("http://example.org/wado?")
    media = f"{here}/c:entry/c:observationMedia"
    assert one(root, f"{here}/c:text//c:renderMultiMedia/@referencedObject") == one(root, f"{media}/@ID")
    assert one(root, f"{media}/c:value/@mediaType") == "image/jpeg"
    assert one(root, f"{media}/c:value/@representation") == "B64"
    assert one(root, f"{media}/c:value") == "SlBFRw=="
    assert one(root, f"{here}//c:observation[c:code/@code='113036']/c:value/@value") == "3"
    assert len(asked) == 1


def test_the_predecessor_of_a_presentation_state_is_its_image() -> None:
    state = SopReference("1.2.840.10008.5.1.4.1.1.11.1", "1.2.8")
    root = cda(
        item(ln("55113-5"), GROUP, item(dcm("121180"), Image(SopReference(CT, "1.2.9"), presentation_state=state)))
    )
    outer = f"{section('55113-5')}/c:entry/c:observation[c:id/@root='1.2.8']"
    assert one(root, f"{outer}/c:entryRelationship[@typeCode='SUBJ']/c:observation/c:id/@root") == "1.2.9"


def test_measurements_keep_their_groups() -> None:
    """TID 1500: not of Annex C; its groups are labelled subsections of Findings."""
    group = item(
        dcm("125007", "Measurement Group"), GROUP, item(sct("81827009", "Diameter"), Num("4", Code("mm", "UCUM", "mm")))
    )
    root = cda(item(dcm("126010", "Imaging Measurements"), GROUP, group))
    inner = f"{section('59776-5')}/c:component/c:section/c:component/c:section"
    assert one(root, f"{section('59776-5')}/c:component/c:section/c:title") == "Imaging Measurements"
    assert one(root, f"{inner}/c:title") == "Measurement Group"
    assert one(root, f"{inner}/c:entry/c:act/c:code/@code") == "125007"
    assert one(root, f"{inner}/c:entry/c:observation/c:value/@value") == "4"


def test_short_texts_stand_in_rows_and_long_ones_do_not() -> None:
    short = [item(dcm("112039", "Tracking Identifier"), Text(f"lesion {number}")) for number in (1, 2)]
    long = item(dcm("121071", "Finding"), Text("words " * 20))
    root = cda(item(ln("59776-5"), GROUP, *short, long, item(dcm("121071"), Text("two\nlines"))))
    text = f"{section('59776-5')}/c:text"
    assert found(root, f"{text}/c:table//c:td") == ["lesion 1", "lesion 2"]
    assert found(root, f"{text}/c:paragraph/c:content") == ["words " * 20, "two\nlines"]


def test_a_segmentation_is_no_modality_of_the_study() -> None:
    evidence = tuple(Evidence("1.2", "1.3", SopReference(each, "1.4")) for each in (CT, "1.2.840.10008.5.1.4.1.1.66.4"))
    whole = report()
    document = replace(whole, general=replace(whole.general, current_evidence=evidence))
    root = parsed(convert(document).data)
    assert found(root, "//c:serviceEvent/c:code/c:translation/@code") == ["CT"]


def test_a_code_without_an_oid_is_kept_as_text() -> None:
    root = cda(item(ln("59776-5"), GROUP, item(dcm("121071"), Coded(Code("17", "99OTHER", "Odd")))))
    assert one(root, "//c:entry/c:observation/c:value/@nullFlavor") == "OTH"
    assert one(root, "//c:entry/c:observation/c:value/c:originalText") == "Odd (17, 99OTHER)"


def everything() -> Document:
    """Every section of PS3.20 and every entry in one report, for judges."""
    when = "20200102030405"
    mm = Code("mm", "UCUM", "millimeter")
    image = item(dcm("121180", "Key image"), Image(SopReference(CT, worked.PA), (3, 4)))
    route = modifier(sct("410675002", "Route"), Coded(sct("47625008", "Intravenous")))
    volume = item(dcm("122091", "Volume"), Num("80", Code("ml", "UCUM", "milliliter")), relation="HAS PROPERTIES")
    site = modifier(sct("363698007", "Finding Site"), Coded(sct("39607008", "Lung")),
                    modifier(sct("272741003", "Laterality"), Coded(sct("7771000", "Left"))))  # fmt: skip
    due = item(dcm("111054", "Date"), Date("20200401"), relation="HAS PROPERTIES")
    return report(
        item(ln("11329-0", "History"), GROUP, item(dcm("121060", "History"), Text("none"), at=when)),
        item(ln("55115-0", "Request"), GROUP, item(dcm("121062", "Request"), Text("please"))),
        item(ln("18785-6", "Indications"), GROUP, item(dcm("121109", "Indication"), Coded(sct("49727002", "Cough")))),
        item(
            ln("55111-9", "Procedure"), GROUP,
            item(dcm("111060", "Study Date"), Date("20200102")), item(dcm("111061", "Study Time"), Time("0304")),
            item(dcm("113701", "Dose"), Composite(SopReference("1.2.840.10008.5.1.4.1.1.88.67", "1.2.7"))),
            item(dcm("111050", "Quality"), Coded(dcm("111051", "Good"))),
        ),
        item(ln("55109-3", "Complications"), GROUP, item(dcm("121071", "Finding"), Text("none"))),
        item(
            ln("29549-3", "Medications"), GROUP,
            item(dcm("122083", "Drug"), Coded(sct("7140000", "Contrast")), route, volume, at=when),
            item(dcm("122083", "Drug"), Text("Buscopan"), at=when), item(dcm("121071", "x"), UidRef("1.2.3")),
        ),
        item(
            ln("73569-6", "Radiation"), GROUP,
            item(dcm("113850", "Irradiation Authorizing"), PName("Curie^Marie=居里^玛丽")),
            item(dcm("111532", "Pregnancy Status"), Coded(sct("60001007", "Not pregnant")), at=when),
            item(ln("18785-6", "Indications"), Text("cough")), item(dcm("113921", "Exposure"), Text("2 mGy")),
            item(dcm("113922", "Substance"), Text("Tc-99m"), volume),
        ),
        item(
            ln("55114-3", "Prior"), GROUP, context(dcm("121018", "Study"), UidRef("1.2.9")),
            context(dcm("121023", "Code"), Coded(sct("77477000", "CT"))), item(dcm("111060", "Date"), Date("20050102")),
            modifier(dcm("122142", "Modality"), Coded(dcm("CT"))), item(dcm("121069", "Finding"), Text("before")),
        ),
        item(
            ln("59776-5", "Findings"), GROUP,
            context(dcm("121005", "Observer Type"), Coded(dcm("121007", "Device"))),
            context(dcm("121012", "Device UID"), UidRef("1.2.3")), context(dcm("121013", "Device"), Text("CAD")),
            item(sct("81827009", "Diameter"), Num("4", mm), site, image, at=when),
            item(dcm("121071", "Finding"), Coded(sct("427359005", "Nodule")), site),
            item(dcm("125007", "Group"), GROUP, item(dcm("121071", "Finding"), Text("inner"))),
        ),
        item(
            ln("59776-5", "Fetus A"), GROUP, context(dcm("121024", "Subject Class"), Coded(dcm("121026", "Fetus"))),
            context(dcm("121030", "Subject ID"), Text("A")), item(dcm("121071", "Finding"), Text("of A")),
        ),
        item(ln("19005-8", "Impressions"), GROUP, item(dcm("121073", "Impression"), Text("well"))),
        item(ln("18783-1", "Recommendations"), GROUP,
             item(dcm("121075", "Recommendation"), Coded(sct("77477000", "CT")), due)),
        item(ln("73568-8", "Communication"), GROUP, item(dcm("121071", "Told"), Text("by phone"), at=when)),
        item(ln("55113-5", "Key Images"), GROUP, item(dcm("113012", "Description"), Text("look")), image),
        item(ln("55107-7", "Addendum"), GROUP, item(dcm("121071", "Finding"), Text("more"))),
    )  # fmt: skip
