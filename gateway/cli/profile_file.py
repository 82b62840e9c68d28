"""A site's profile for `dicom-gateway deid`: one YAML file, with the words of a `deidentify` block of gateway.yaml."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from gateway.config.schema import Block, Override, Plugin
from gateway.errors import GatewayError
from transforms.deidentify.options import CLEAN_TEXT


class ProfileFile(Block):
    """The file. An unknown key is an error."""

    extends: str = "basic"
    options: tuple[str, ...] = ()
    override: tuple[Override, ...] = ()
    media: bool = False
    documents: Literal["remove", "clean", "clean-or-hold", "hold"] = "remove"
    named_entities: Plugin | None = None  # a program that finds more names in text that is cleaned


def read(path: Path, options: tuple[str, ...] = ()) -> ProfileFile:
    """With more options than its own. Raises GatewayError with every problem of the file."""
    try:
        found = ProfileFile.model_validate(YAML(typ="safe").load(path) or {}, context={"base": path.parent.absolute()})
    except OSError as error:
        raise GatewayError("profile-unreadable", f"{path}: {os.strerror(error.errno or 5)}") from None
    except YAMLError as error:
        raise GatewayError("profile-refused", f"{path}: {error}") from None
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(str(at) for at in e['loc'])}: {e['msg']}" for e in error.errors())
        raise GatewayError("profile-refused", f"{path}: {problems}") from None
    found = found.model_copy(update={"options": (*found.options, *options)})
    if found.named_entities is not None and not CLEAN_TEXT.intersection(found.options):
        some = ", ".join(sorted(CLEAN_TEXT))
        detail = f"named_entities does nothing without an option that cleans text: {some}"
        raise GatewayError("profile-refused", f"{path}: {detail}")
    return found
