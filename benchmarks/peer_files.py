"""A peer's de-identification of files, as its own documentation says: PEERS/bin/python peer_files.py NAME OUT IN."""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> None:
    """Every file of IN, one after the other."""
    name, out, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    files = sorted(folder.iterdir())
    if name == "dcmanon":
        from dcmanon import Anonymizer

        anonymizer = Anonymizer()
        for file in files:
            (out / file.name).write_bytes(anonymizer.anonymize(str(file)))
    elif name == "dicom-anonymizer":
        from dicomanonymizer import anonymize_dicom_file

        for file in files:
            anonymize_dicom_file(str(file), str(out / file.name))
    else:
        sys.exit(f"no such peer: {name}")


if __name__ == "__main__":
    main()
