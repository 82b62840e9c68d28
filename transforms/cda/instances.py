"""SOP Instance Observation (10.8) and observationMedia (10.3): references to images, and pictures of them."""

from __future__ import annotations

import base64
from collections.abc import Callable

from profiles.cda import ENTRIES
from transforms.cda import display
from transforms.cda.display import where
from transforms.cda.making import Making
from transforms.sr.model import Item
from transforms.sr.values import Code, Composite, Image, SopReference, Waveform


def sop_instance(making: Making, item: Item, also: Callable[[], None]) -> None:
    """The observation of a reference, with the purpose it was referred to for; `also` writes what is below the item."""
    given = item.value
    assert isinstance(given, (Image, Composite, Waveform))

    def below() -> None:
        _purpose(making, item.name, where(item))
        if isinstance(given, Image):
            _image(making, given, where(item))
        elif isinstance(given, Waveform) and given.channels:
            making.losses.left_out(where(item), "channels of a waveform: only named in the narrative")
        if item.observed_at:
            making.losses.left_out(where(item), "when the reference was made (Observation DateTime)")
        if item.observation_uid:
            making.losses.left_out(where(item), "Observation UID of a reference")
        also()

    frames = given.frames if isinstance(given, Image) else ()
    state = given.presentation_state if isinstance(given, Image) else None
    if state is None:
        reference(making, given.reference, where(item), frames, below)
        return

    def image() -> None:  # the presentation state has the image as its subject
        with making.writer.element("entryRelationship", {"typeCode": "SUBJ"}):
            reference(making, given.reference, where(item), frames, below)

    reference(making, state, where(item), (), image)


def reference(
    making: Making,
    given: SopReference,
    at: str,
    frames: tuple[int, ...] = (),
    also: Callable[[], None] | None = None,
    created: str = "",
) -> None:
    """One instance."""
    writer = making.writer
    with writer.element("observation", {"classCode": "DGIMG", "moodCode": "EVN"}):
        writer.leaf("templateId", {"root": ENTRIES["sop-instance"]})
        making.uid("id", given.sop_instance, at)
        making.code("code", Code(given.sop_class, "DCMUID", display.sop_class_name(given.sop_class)), at)
        if link := making.links.to(given, frames):
            with writer.element("text", {"mediaType": "application/dicom"}):
                writer.leaf("reference", {"value": link})
        if created:
            writer.leaf("effectiveTime", {"value": created})
        if also is not None:
            also()


def _purpose(making: Making, name: Code | None, at: str) -> None:
    if name is None:
        return  # absent: the purpose is not known (10.8)
    writer = making.writer
    with (
        writer.element("entryRelationship", {"typeCode": "RSON"}),
        writer.element("observation", {"classCode": "OBS", "moodCode": "EVN"}),
    ):
        writer.leaf("code", {"code": "ASSERTION", "codeSystem": "2.16.840.1.113883.5.4"})
        making.code("value", name, at, type="CD")


def _image(making: Making, given: Image, at: str) -> None:
    writer = making.writer
    if given.frames:
        with (
            writer.element("entryRelationship", {"typeCode": "COMP"}),
            writer.element("observation", {"classCode": "ROIBND", "moodCode": "EVN"}),
        ):
            making.concept("code", "121190", "Referenced Frames")
            with (
                writer.element("entryRelationship", {"typeCode": "COMP"}),
                writer.element("observation", {"classCode": "OBS", "moodCode": "EVN"}),
            ):
                making.concept("code", "113036", "Frames for Display")
                for frame in given.frames:
                    writer.leaf("value", {"xsi:type": "INT", "value": str(frame)})
    if given.segments:
        making.losses.left_out(at, "referenced segments: only named in the narrative")
    if given.icon:
        making.losses.left_out(at, "icon of the image")
    if given.real_world_value_mapping is not None:
        with writer.element("entryRelationship", {"typeCode": "SUBJ"}):
            reference(making, given.real_world_value_mapping, at)


def media(making: Making, item: Item) -> bool:
    """The picture of an image, if the shell has one."""
    picture = making.picture(item)
    if picture is None:
        return False
    writer = making.writer
    with writer.element("observationMedia", {"ID": f"m{where(item)}", "classCode": "OBS", "moodCode": "EVN"}):
        writer.leaf("templateId", {"root": ENTRIES["media"]})
        making.named(f"{where(item)} picture")
        writer.leaf(
            "value",
            {"mediaType": picture.media_type, "representation": "B64"},
            base64.b64encode(picture.data).decode("ascii"),
        )
    return True
