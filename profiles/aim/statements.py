"""The statements that AIM v4 knows: the values of xsi:type in a statement collection."""

from __future__ import annotations

from typing import Final

STATEMENTS: Final = frozenset(
    {
        "AnnotationEntityHasPerformedTaskContextEntityStatement",
        "AnnotationEntityHasPlannedTaskContextEntityStatement",
        "AnnotationOfAnnotationHasAnnotationOfAnnotationStatement",
        "AnnotationOfAnnotationHasAnnotationRoleEntityStatement",
        "AnnotationOfAnnotationHasCalculationEntityStatement",
        "AnnotationOfAnnotationHasGeneralLesionObservationEntityStatement",
        "AnnotationOfAnnotationHasImageAnnotationStatement",
        "AnnotationOfAnnotationHasImagingObservationEntityStatement",
        "AnnotationOfAnnotationHasImagingPhysicalEntityStatement",
        "AnnotationOfAnnotationHasInferenceEntityStatement",
        "AnnotationOfAnnotationHasTimePointLesionObservationEntityStatement",
        "AnnotationOfAnnotationIsComparedWithAnnotationOfAnnotationStatement",
        "AnnotationOfAnnotationIsComparedWithImageAnnotationStatement",
        "CalculationEntityIsComparedWithCalculationEntityStatement",
        "CalculationEntityReferencesCalculationEntityStatement",
        "CalculationEntityUsesCalculationEntityStatement",
        "DicomImageReferenceEntityHasCalculationEntityStatement",
        "DicomImageReferenceEntityHasImagingObservationEntityStatement",
        "DicomImageReferenceEntityHasImagingPhysicalEntityStatement",
        "DicomSegmentationEntityHasImagingObservationEntityStatement",
        "GeneralLesionObservationEntityHasImagingPhysicalEntityStatement",
        "ImageAnnotationHasAnnotationRoleEntityStatement",
        "ImageAnnotationHasCalculationEntityStatement",
        "ImageAnnotationHasChildImageAnnotationStatement",
        "ImageAnnotationHasDicomImageReferenceEntityStatement",
        "ImageAnnotationHasDicomSegmentationEntityStatement",
        "ImageAnnotationHasGeneralLesionObservationEntityStatement",
        "ImageAnnotationHasImagingObservationEntityStatement",
        "ImageAnnotationHasImagingPhysicalEntityStatement",
        "ImageAnnotationHasInferenceEntityStatement",
        "ImageAnnotationHasTextAnnotationEntityStatement",
        "ImageAnnotationHasThreeDimensionGeometricShapeEntityStatement",
        "ImageAnnotationHasTimePointLesionObservationEntityStatement",
        "ImageAnnotationHasTwoDimensionGeometricShapeEntityStatement",
        "ImageAnnotationHasUriImageReferenceEntityStatement",
        "ImageAnnotationIsComparedWithAnnotationOfAnnotationStatement",
        "ImageAnnotationIsComparedWithImageAnnotationStatement",
        "ImagingObservationEntityHasCalculationEntityStatement",
        "ImagingObservationEntityIsFoundInImagingPhysicalEntityStatement",
        "ImagingObservationEntityIsIdentifiedByTextAnnotationEntityStatement",
        "ImagingObservationEntityIsIdentifiedByThreeDimensionGeometricShapeEntityStatement",
        "ImagingObservationEntityIsIdentifiedByTwoDimensionGeometricShapeEntityStatement",
        "ImagingPhysicalEntityHasCalculationEntityStatement",
        "ImagingPhysicalEntityHasImagingObservationEntityStatement",
        "ImagingPhysicalEntityHasTextAnnotationEntityStatement",
        "ImagingPhysicalEntityHasThreeDimensionGeometricShapeEntityStatement",
        "ImagingPhysicalEntityHasTwoDimensionGeometricShapeEntityStatement",
        "ThreeDimensionGeometricShapeEntityExcludesThreeDimensionGeometricShapeEntityStatement",
        "ThreeDimensionGeometricShapeEntityIsComprisedOfThreeDimensionGeometricShapeEntityStatement",
        "TimePointLesionObservationEntityHasImagingPhysicalEntityStatement",
        "TwoDimensionGeometricShapeEntityExcludesTwoDimensionGeometricShapeEntityStatement",
        "TwoDimensionGeometricShapeEntityIsComprisedOfTwoDimensionGeometricShapeEntityStatement",
        "UriImageReferenceEntityHasCalculationEntityStatement",
        "UriImageReferenceEntityHasImagingObservationEntityStatement",
        "UriImageReferenceEntityHasImagingPhysicalEntityStatement",
    }
)

# AIM 4.2: which region a measurement was made on (PS3.21 A.6.1.2).
ON_MARKUP: Final = "CalculationEntityReferencesMarkupEntityStatement"
ON_SEGMENTATION: Final = "CalculationEntityReferencesSegmentationEntityStatement"
STATEMENTS_4_2: Final = frozenset({ON_MARKUP, ON_SEGMENTATION})
