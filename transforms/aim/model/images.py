"""The images that an annotation is of, and segmentations of them. AIM v4 (rv44), fields in the schema's order."""

from __future__ import annotations

from dataclasses import dataclass, field

from transforms.aim.model.datatypes import V4_2, Code, Real, St, Stamp, Uid
from transforms.aim.model.entities import Entity


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneralImage:
    """Patient orientation of a projection image."""

    patient_orientation_column: St | None = None
    patient_orientation_row: St | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePlane:
    """Where a slice lies: cosines, mm (PS3.3 C.7.6.2)."""

    row_image_orientation_x: Real | None = None
    row_image_orientation_y: Real | None = None
    row_image_orientation_z: Real | None = None
    column_image_orientation_x: Real | None = None
    column_image_orientation_y: Real | None = None
    column_image_orientation_z: Real | None = None
    vertical_pixel_spacing: Real | None = None
    horizontal_pixel_spacing: Real | None = None
    slice_thickness: Real | None = None
    image_position_x: Real | None = None
    image_position_y: Real | None = None
    image_position_z: Real | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One SOP Instance."""

    sop_class_uid: Uid
    sop_instance_uid: Uid
    image_plane: ImagePlane | None = None
    general_image: GeneralImage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSeries:
    """A series, and which of its images."""

    instance_uid: Uid
    modality: Code
    image_collection: tuple[Image, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferencedDicomObject:
    """Another object of the study, such as a presentation state."""

    modality: Code
    sop_instance_uid: Uid


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageStudy:
    """A study, and which of its series."""

    instance_uid: Uid
    start_date: Stamp
    start_time: Stamp
    procedure_description: St | None = None
    accession_number: St | None = field(default=None, metadata=V4_2)
    image_series: ImageSeries
    referenced_dicom_object_collection: tuple[ReferencedDicomObject, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReferenceEntity(Entity):
    """An image that the annotation is of. Abstract."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomImageReferenceEntity(ImageReferenceEntity):
    """Images in DICOM."""

    image_study: ImageStudy


@dataclass(frozen=True, slots=True, kw_only=True)
class UriImageReferenceEntity(ImageReferenceEntity):
    """An image at a URI."""

    uri: St
    mime_type: St


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentationEntity(Entity):
    """A region given voxel by voxel elsewhere. Abstract."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomSegmentationEntity(SegmentationEntity):
    """A segment of a Segmentation object, and the image it was made of."""

    sop_instance_uid: Uid
    study_instance_uid: Uid | None = field(default=None, metadata=V4_2)
    series_instance_uid: Uid | None = field(default=None, metadata=V4_2)
    sop_class_uid: Uid
    referenced_sop_instance_uid: Uid
    segment_number: int
