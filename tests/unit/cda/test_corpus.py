"""Every SR of the corpus, of pydicom and of other packages: converted, or refused with a reason."""

from __future__ import annotations

from pathlib import Path

from tests.unit.cda.reading import parsed
from transforms.cda.from_sr import convert
from transforms.errors import TransformError
from transforms.source import BytesSource
from transforms.sr.read import read_file


def test_every_report_converts_or_says_why(corpus_files: list[Path]) -> None:
    import pydicom

    packages = Path(pydicom.__file__).parent.parent
    others = [each for name in ("highdicom", "dcmqi") for each in (packages / name).rglob("*.dcm")]
    converted, refused = 0, {}
    for path in (*corpus_files, *others):
        data = path.read_bytes()
        if b"1.2.840.10008.5.1.4.1.1.88." not in data[:100_000]:
            continue
        try:
            document = read_file(BytesSource(data))
            parsed(convert(document).data)
            converted += 1
        except TransformError as error:
            refused[path.name] = error.reason
    assert converted >= 1
    assert set(refused.values()) <= {"sr-not-a-report", "not-part10", "item-expected"}, refused
