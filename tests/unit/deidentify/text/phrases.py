"""Phrases in the manner of the field, with invented people: templates x names x forms, and harmless descriptions."""

from __future__ import annotations

from collections.abc import Iterator

PEOPLE = ("Mustermann^Erika", "MUELLER-LUEDENSCHEID^HANS^PETER", "O'Hara^Scarlett", "van Dyke^Dick", "Garcia Lopez^Ana",
          "Li^Wei", "Nguyen^Thi", "Smith^John^Q", "Schulze^Käthe", "Åberg^Björn")  # fmt: skip
TEMPLATES = (
    "CT head {}", "{} knee left", "Head of {}", "seen with {} today", "{}: chest pa", "MR spine ({})", "f/u {} post op",
    "CT abdomen, {}, contrast", "{}", "Thorax {} nativ", "scan_{}_axial", "for {} only", "{}'s brain", "AX T2 {} 5mm",
    "report on {} and hip", "copy of {}, lateral", "Mrs. {} calm", "Dr. {} asked", "Patient: {}", "referred by {}",
)  # fmt: skip
DATES = (
    "1964-08-12",
    "12.08.1964",
    "08/12/1964",
    "19640812",
    "12 Aug 1964",
    "August 12, 1964",
    "12-AUG-1964",
    "12.8.64",
)
NUMBERS = ("MRN-4711-0815", "47110815", "4711 0815", "+49 221 4711 0815", "(221) 471-1081", "erika@example.org",
           "1.2.840.99999.4711.0815.1", "HW4711081", "078-05-1120", "Heidestrasse 17")  # fmt: skip
HARMLESS = tuple(
    """
    CT Thorax nativ 1.25 B30f|T1 AX FLAIR 3MM|CHEST 2V PA/LAT|AX T2 FSE 5.0 x 1.0|SE 2500/90|DWI b1000 ADC
    Scout|LOCALIZER|3-plane loc|t1_mprage_sag_p2_iso|t2_tse_tra_320|ep2d_diff_4scan_trace_p2_ADC|SAG STIR
    Abdomen portal venous phase 70s|CT Head W/O|CTA Carotids 0.75 I26f 3|MIP cor 10/2|VRT Range|Topogram 0.6 T20f
    Knee left lateral|US Abdomen complete|MAMMO R CC|MAMMO L MLO|DX Hand 3 views|XR Foot AP/OBL|NM Bone whole body
    PET/CT FDG 60 min p.i.|PET AC 3D|CTAC 4.0 HD_FoV|WB MIP|SUV max|Delayed 5 min|Dual energy 80/Sn140 kV
    Follow-up 3 months|Baseline visit|Week 12|Screening visit 1|Cycle 2 Day 8|Lesion 2, slice 14|12 mm nodule, left lung
    no acute findings|mild degenerative change L4/L5|Segment VIII|grade 2 of 3|BI-RADS 4|Gleason 3+4|LV EF 55 %
    Ultravist 370|Gadovist 0.1 mmol/kg|KM i.v.|ohne KM|nativ und KM|arterielle Phase|Schnittdicke 5 mm|LWS seitlich
    HWS 2 Ebenen|BWS ap|Becken Uebersicht|Kopf nativ|Schaedel CT|Hals/Thorax/Abdomen|Ganzkörper|Sono Schilddrüse
    TE 90 TR 4500 TI 150|FA 12|matrix 512 x 512|FOV 350|kV 120 mAs 80|pitch 1.2|kernel B70s|window 400/40
    Dose Report|Patient Protocol|Screen Save|Key Images|Results MM Oncology Reading|Processed Images|3D Saved State
    coronal reformat|curved MPR|perfusion map CBF|MTT|time of flight|phase contrast|cine retro|short axis stack
    series 4 image 12|echo 2 of 8|frame 3|run 2|table speed 40 mm/s|rotation 0.5 s|slice 0.6 mm|increment 0.4 mm
    heart rate 62 bpm|gated|breath hold|free breathing|supine|prone|feet first|head first|decubitus|erect
    anterior|posterior|superior|inferior|medial|proximal|distal|bilateral|unilateral|contralateral|ipsilateral
    fracture distal radius|torn ACL|meniscus|rotator cuff|disc protrusion|spinal stenosis|scoliosis|hip replacement
    pneumothorax|pleural effusion|consolidation|atelectasis|nodule 8 mm|ground glass|emphysema|fibrosis
    hepatic steatosis|gallstones|hydronephrosis|renal cyst|aortic aneurysm 5.2 cm|stent|bypass|shunt|ventricles
    Rectum T3 N1|prostate MRI 3T|breast MRI dynamic|cardiac MRI|fetal|neonatal head US|hip dysplasia|scaphoid
    IAC|orbits|sella|TMJ|sinus|mastoid|larynx|thyroid|parotid|brachial plexus|sacrum|coccyx|SI joints
    recon 1|recon 2 lung|recon 3 bone|thin slices|thick MIP|average IP|subtraction|color map|fused|overlay|ROI 3
    """.replace("\n", "|").split("|")
)
HARMLESS = tuple(text for text in (each.strip() for each in HARMLESS) if text)


def forms(person: str) -> Iterator[str]:
    """How a name is written: orders, cases, initials, transliterations."""
    family, given, *_ = [*person.split("^"), "", ""]
    yield f"{given} {family}"
    yield f"{family}, {given}"
    yield f"{family} {given}".upper()
    yield f"{given[0]}. {family}"
    yield f"{family}, {given[0]}."
    yield family
    yield f"{family}^{given}"
    plain = family.lower().replace("ä", "ae").replace("ö", "oe").replace("ü", "ue")
    yield plain
    if "ue" in plain:
        yield family.replace("UE", "Ü")


def phrases() -> Iterator[tuple[str, str]]:
    """(person, phrase)."""
    for person in PEOPLE:
        for number, form in enumerate(forms(person)):
            for template in TEMPLATES[number % 3 :: 3]:
                yield person, template.format(form)
