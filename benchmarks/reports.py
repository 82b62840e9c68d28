"""`python -m benchmarks.reports`: SR -> CDA, how many a second on one core, and what a large one costs in memory.

    many     a report of some 20 KB, read and converted again and again
    large    one of some 5 MB (a dose report of a long procedure), in a process of its own: peak over the base

Rules of this file
* No peer does this work, so there is no ratio: the figures stand beside the targets of issue 5 (100 a second; 64 MB).
* The report is made here, from no file; what is measured is bytes in, bytes out, losses told.
* A result that does not parse is no result.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import replace

from lxml import etree

from benchmarks.resident import forget, highest
from transforms.cda.from_sr import convert
from transforms.source import BytesSource
from transforms.sr.context import settled
from transforms.sr.header import Equipment, Evidence, General, Patient, PatientIdentifier, Series, Study
from transforms.sr.model import Document, Item
from transforms.sr.read import read_file
from transforms.sr.values import Code, Coded, Container, Num, SopReference, Text
from transforms.sr.write import write_file

CT = "1.2.840.10008.5.1.4.1.1.2"
MANY, LARGE = 20_000, 5_000_000  # bytes


def report(size: int) -> bytes:
    """A report of about so many bytes: measurement groups, texts, references."""
    groups: list[Item] = []
    document = _document(())
    each = len(write_file(_document((_group(1),)))) - len(write_file(document))
    for number in range(max(1, (size - len(write_file(document))) // each)):
        groups.append(_group(number))
    return write_file(_document(tuple(groups)))


def _group(number: int) -> Item:
    site = Item("HAS CONCEPT MOD", Code("363698007", "SCT", "Finding Site"), Coded(Code("39607008", "SCT", "Lung")))
    diameter = Num(f"{number % 97}.25", Code("mm", "UCUM", "millimeter"))
    items = (
        Item("CONTAINS", Code("121071", "DCM", "Finding"), Text(f"Round density number {number} in the upper lobe.")),
        Item("CONTAINS", Code("81827009", "SCT", "Diameter"), diameter, (site,)),
        Item("CONTAINS", Code("112039", "DCM", "Tracking Identifier"), Text(f"lesion {number}")),
    )
    return Item("CONTAINS", Code("125007", "DCM", "Measurement Group"), Container("SEPARATE"), items)


def _document(groups: tuple[Item, ...]) -> Document:
    root = Item("", Code("126000", "DCM", "Imaging Measurement Report"), Container("SEPARATE"), groups)
    evidence = tuple(Evidence("2.25.5", "2.25.55", SopReference(CT, f"2.25.{number}")) for number in range(100, 120))
    return Document(
        "1.2.840.10008.5.1.4.1.1.88.33", "2.25.7", Patient("Doe^Jane", PatientIdentifier("4711")),
        Study("2.25.5", "20200102", "101112"), Series("2.25.6", "1", "SR"), Equipment("Maker"),
        General("1", "COMPLETE", verification="UNVERIFIED", content_date="20200102", content_time="101112",
                current_evidence=evidence),
        settled(replace(root, children=groups)), character_set=("ISO_IR 192",),
    )  # fmt: skip


def converted(data: bytes) -> int:
    """Bytes of the CDA of a report."""
    return sum(map(len, convert(read_file(BytesSource(data))).chunks))


def rate(data: bytes, seconds: float) -> float:
    """Reports a second, on this core."""
    etree.fromstring(convert(read_file(BytesSource(data))).data)
    count, start = 0, time.process_time()
    while (spent := time.process_time() - start) < seconds:
        converted(data)
        count += 1
    return count / spent


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--large", metavar="FILE", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.large:
        _large(given.large)
        return
    many = report(MANY)
    print(
        f"many: {len(many):,} bytes of SR, {converted(many):,} bytes of CDA, {rate(many, given.seconds):.0f} a second"
    )
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.reports", "--large", "-"],
        input=report(LARGE),
        capture_output=True,
        check=True,
    )
    print(done.stdout.decode(), end="")


def _large(_: str) -> None:
    converted(report(MANY))  # what every process has loaded
    data = sys.stdin.buffer.read()
    base = forget()
    made = converted(data)
    print(f"large: {len(data):,} bytes of SR, {made:,} bytes of CDA, {(highest() - base) / 1e6:.0f} MB above the base")


if __name__ == "__main__":
    main()
