"""The facts of PS3.21 A.7: the sample annotation in AIM 4.2, and what its SR says, item by item."""

from __future__ import annotations

from transforms.aim.model.annotation import ImageAnnotation, ImageAnnotationCollection
from transforms.aim.model.calculation import CalculationEntity, CompactCalculationResult, Dimension
from transforms.aim.model.context import Equipment, Person, User
from transforms.aim.model.datatypes import Attribute, Code, St, Stamp, Uid
from transforms.aim.model.images import (
    DicomImageReferenceEntity,
    DicomSegmentationEntity,
    Image,
    ImageSeries,
    ImageStudy,
)

SUV = Code("126401", "DCM", "SUVbw")
STATISTICS = (  # uid, derivation, value
    ("2.25.51420968257530981243824658943871973198", Code("255605001", "SCT", "Minimum"), "1.98024"),
    ("2.25.205292243885258032428819330909580896146", Code("56851009", "SCT", "Maximum"), "5.68816"),
    ("2.25.70160252080234577167847509948368893276", Code("373098007", "SCT", "Mean"), "2.329186593407"),
    ("2.25.140657026119469861895824082767088344984", Code("386136009", "SCT", "Standard Deviation"), "1.8828952323684"),
)
PET_IMAGE = "2.25.319214308104243787945491694789635628411"
SEGMENTATION = "2.25.134884066033959077306435705240550195701"
PET = "1.2.840.10008.5.1.4.1.1.128"
SEG = "1.2.840.10008.5.1.4.1.1.66.4"
ANNOTATION = "2.25.56002466128627498886935079903172938041"
TRACKING = "2.25.165294254063588909770717555738008800301"
REFERENCE = "2.25.239108061065263370785162033783811931375"
SEGMENT_ENTITY = "2.25.318310842062810077214341266367812728264"

SAMPLE = ImageAnnotationCollection(
    aim_version=Attribute("AIMv4_2"),
    unique_identifier=Uid("2.25.224793923339609181243139195858254344686"),
    study_instance_uid=Uid("2.25.80159168229010751652502576830057032194"),
    series_instance_uid=Uid("2.25.323817225444021135415209334192751441320"),
    accession_number=St("AN5678AIM"),
    date_time=Stamp("20170201180043"),
    user=User(name=St("Doe^Jane"), login_name=St("jdoe"), role_in_trial=St("")),
    equipment=Equipment(
        manufacturer_name=St("Acme Medical Systems"), manufacturer_model_name=St(""), software_version=St("36.00")
    ),
    person=Person(
        name=St("CM-1-111-000000"),
        id=St("293761767066931586407385203810190772174"),
        birth_date=Stamp("19600101000000"),
        sex=St("M"),
        ethnic_group=St(""),
    ),
    image_annotations=(
        ImageAnnotation(
            unique_identifier=Uid(ANNOTATION),
            type_code=(Code("52988006", "SCT", "Lesion"),),
            date_time=Stamp("20170201180043"),
            name=St("Lesion1"),
            comment=St("PT / WB NAC P600 / 0"),
            tracking_unique_identifier=Uid(TRACKING),
            calculation_entity_collection=tuple(
                CalculationEntity(
                    unique_identifier=Uid(uid),
                    type_code=(SUV, derivation),
                    description=St(f"SUVbw {derivation.meaning}"),
                    math_ml=St(""),
                    calculation_result_collection=(
                        CompactCalculationResult(
                            type=Attribute("Scalar"),
                            unit_of_measure=St("g/ml{SUVbw}"),
                            data_type=Code("C48870", "NCI", "Double"),
                            dimension_collection=(Dimension(index=0, size=1, label=St(derivation.meaning)),),
                            value=St(value),
                        ),
                    ),
                )
                for uid, derivation, value in STATISTICS
            ),
            segmentation_entity_collection=(
                DicomSegmentationEntity(
                    unique_identifier=Uid(SEGMENT_ENTITY),
                    sop_instance_uid=Uid(SEGMENTATION),
                    study_instance_uid=Uid("2.25.19202292006231006756726546749423641172"),
                    series_instance_uid=Uid("2.25.225493840038502954753967211679094249480"),
                    sop_class_uid=Uid(SEG),
                    referenced_sop_instance_uid=Uid(PET_IMAGE),
                    segment_number=1,
                ),
            ),
            image_reference_entity_collection=(
                DicomImageReferenceEntity(
                    unique_identifier=Uid(REFERENCE),
                    image_study=ImageStudy(
                        instance_uid=Uid("2.25.52186905385055707830834793159643714079"),
                        start_date=Stamp("20170113"),
                        start_time=Stamp("070844"),
                        accession_number=St("AN1234IMG"),
                        image_series=ImageSeries(
                            instance_uid=Uid("2.25.263500776851326986665835510707132143772"),
                            modality=Code("PT", "DCM", "Positron emission tomography"),
                            image_collection=(Image(sop_class_uid=Uid(PET), sop_instance_uid=Uid(PET_IMAGE)),),
                        ),
                    ),
                ),
            ),
        ),
    ),
)

# A.7.2: depth, relationship, value type, code of the concept name, value, Observation UID
TREE = (
    (0, "", "CONTAINER", "126000", "", ""),
    (1, "HAS CONCEPT MOD", "CODE", "121049", "eng", ""),
    (2, "HAS CONCEPT MOD", "CODE", "121046", "US", ""),
    (1, "HAS OBS CONTEXT", "PNAME", "121008", "Doe^Jane", ""),
    (1, "HAS OBS CONTEXT", "TEXT", "128774", "jdoe", ""),
    (1, "HAS CONCEPT MOD", "CODE", "121058", "44136-0", ""),
    (1, "CONTAINS", "CONTAINER", "111028", "", ""),
    (2, "CONTAINS", "CONTAINER", "126200", "", REFERENCE),
    (3, "CONTAINS", "IMAGE", "", PET_IMAGE, ""),
    (4, "HAS ACQ CONTEXT", "CODE", "121139", "PT", ""),
    (4, "HAS ACQ CONTEXT", "TEXT", "121022", "AN1234IMG", ""),
    (4, "HAS ACQ CONTEXT", "DATE", "111060", "20170113", ""),
    (4, "HAS ACQ CONTEXT", "TIME", "111061", "070844", ""),
    (1, "CONTAINS", "CONTAINER", "126010", "", ""),
    (2, "CONTAINS", "CONTAINER", "125007", "", ANNOTATION),
    (3, "HAS OBS CONTEXT", "TEXT", "112039", "Lesion1", ""),
    (3, "HAS OBS CONTEXT", "UIDREF", "112040", TRACKING, ""),
    (3, "CONTAINS", "CODE", "121071", "52988006", ""),
    (3, "CONTAINS", "IMAGE", "121191", SEGMENTATION, SEGMENT_ENTITY),
    (3, "CONTAINS", "IMAGE", "121233", PET_IMAGE, ""),
    *(
        row
        for uid, derivation, value in STATISTICS
        for row in (
            (3, "CONTAINS", "NUM", "126401", value, uid),
            (4, "HAS CONCEPT MOD", "CODE", "121401", derivation.code, ""),
        )
    ),
    (3, "CONTAINS", "TEXT", "121106", "PT / WB NAC P600 / 0", ""),
)
