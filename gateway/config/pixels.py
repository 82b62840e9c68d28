"""Cross references of `pixels` in a `deidentify` block: what it needs from this machine, and what would do nothing."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from gateway.config.document import Positions
from gateway.config.plain import given, mapping, text, words
from gateway.config.problems import Loc, Problem
from transforms.deidentify.options import PIXELS, VISUAL_FEATURES


def detector() -> bool:
    """The extra `ocr` is installed: text in images can be found."""
    return find_spec("rapidocr") is not None and find_spec("onnxruntime") is not None


def problems(block: Any, loc: Loc, places: Positions) -> list[Problem]:
    """Every problem of one block's pixels."""
    chosen = {option: (*loc, *below) for below, option in words(block, "options")}
    found = []
    if PIXELS in chosen and text(mapping(block, "pixels"), "text") in (None, "look") and not detector():
        message = (
            "text in images is found by the extra `ocr`, which is not installed: pip install 'dicom-gateway[ocr]'; "
        )
        message += "or write `pixels: {text: none}`: images of unknown devices are then held"
        found.append(places.at_value(chosen[PIXELS], message))
    if given(block, "pixels") and PIXELS not in chosen:
        found.append(places.at_key((*loc, "pixels"), f"`pixels` does nothing without the option {PIXELS}"))
    if given(block, "visual_features") and VISUAL_FEATURES not in chosen:
        message = f"`visual_features` does nothing without the option {VISUAL_FEATURES}"
        found.append(places.at_key((*loc, "visual_features"), message))
    if VISUAL_FEATURES in chosen and not given(block, "visual_features"):
        message = "which program does it? Name one under `visual_features: {command: [...]}` (docs/plugins.md)"
        found.append(places.at_value(chosen[VISUAL_FEATURES], message))
    return found
