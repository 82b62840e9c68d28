"""The command line of `dicom-gateway deid`, as Typer reads and explains it; deid.py does the work.

A plain command line is read by deid_line.py, which takes a tenth of the time and knows the same options: a test holds
the two together. What that does not take whole comes here, and so do all mistakes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.deid import Asked, Documents, deidentify_files


def deid(
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT...", help="Part 10 files, and folders of them.")],
    key_file: Annotated[
        Path, typer.Option("--key", "--key-file", help="The project's key: a file of at least 16 bytes.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of the outputs; made where it is missing.")],
    profile: Annotated[str, typer.Option(metavar="NAME|FILE", help="A profile, or a YAML file.")] = "basic",
    option: Annotated[list[str] | None, typer.Option(help="An option of PS3.15 E.3; may be repeated.")] = None,
    project: Annotated[str, typer.Option(help="Domain of the pseudonyms: another project, other pseudonyms.")] = "deid",
    documents: Annotated[
        Documents | None, typer.Option(help="Encapsulated documents: what becomes of them; else as the profile says.")
    ] = None,
    devices: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.yaml", help="With clean-pixel-data: the site's devices and where they burn text in."
        ),
    ] = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write what came of each input.")] = None,
    names: Annotated[bool, typer.Option("--names", help="Put the inputs' paths into the report.")] = False,
    patients: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Pseudonyms: issuer,patient_id,pseudonym; else the key's.")
    ] = None,
    allow_merge: Annotated[
        bool, typer.Option("--allow-merge", help="Two of its patients may get one pseudonym.")
    ] = False,
    mapping: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write who became whom (id_old,id_new). It identifies patients.")
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(metavar="FILE.p7m", help="Write what was done, signed, for `manifest verify`.")
    ] = None,
    sign: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="CERT KEY", help="Who signs the manifest (PEM; a certificate for signing)."),
    ] = None,
    recipient: Annotated[
        list[Path] | None,
        typer.Option(metavar="CERT", help="Who may go back (`reidentify`): originals stay in, encrypted; repeatable."),
    ] = None,
    issuer: Annotated[
        str, typer.Option(metavar="NAME", help="Whose the Patient IDs are of objects that name no issuer.")
    ] = "",
    processes: Annotated[int, typer.Option(min=0, help="Processes; 0: one for each processor.")] = 0,
) -> None:
    """De-identify files and folders: PS3.15 profiles, keyed UIDs and pseudonyms, names of outputs that say nothing.

    The same key, project and profile give the same outputs. An existing file is never overwritten.
    """
    sys.exit(
        deidentify_files(
            Asked(
                tuple(inputs),
                key_file,
                out,
                profile,
                tuple(option or ()),
                project,
                documents,
                devices,
                report,
                names,
                patients,
                allow_merge,
                mapping,
                manifest,
                sign,
                tuple(recipient or ()),
                issuer,
                processes,
            )
        )
    )
