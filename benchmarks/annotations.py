"""`python -m benchmarks.annotations`: conversions a second of one core, AIM to SR and SR to AIM, of one lesion.

Rules of this file
* A conversion is what `convert` does: bytes in, bytes out, with the loss report, which converts back.
* A figure of a conversion that lost a value is none: each result is read and compared before the clock starts.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from transforms.aim import canonical
from transforms.aim.convert import aim_to_sr, load, sr_to_aim
from transforms.conversion import Converted, Given
from transforms.loss import Losses

LESION = Path(__file__).resolve().parent.parent / "examples" / "annotations" / "lesion.aim.xml"


def rate(convert: Callable[[bytes, Given], Converted], data: bytes, seconds: float) -> float:
    """Conversions a second of processor time: others on the machine do not count."""
    given = Given(datetime.now(UTC))
    began, count = time.process_time(), 0
    while time.process_time() - began < seconds:
        convert(data, given)
        count += 1
    return count / (time.process_time() - began)


def judged(aim: bytes) -> bytes:
    """The SR of an AIM document. Exits where the way there and back loses something."""
    given = Given(datetime.now(UTC))
    made = aim_to_sr(aim, given).data
    losses = Losses()
    canonical.compare(canonical.of_aim(load(aim)), canonical.of_aim(load(sr_to_aim(made, given).data)), losses)
    if losses.lines:
        sys.exit(f"{len(losses.lines)} lost: no figure")
    return made


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("aim", nargs="?", type=Path, default=LESION)
    options = parser.parse_args()
    aim = options.aim.read_bytes()
    made = judged(aim)
    for name, convert, data in (("AIM -> SR", aim_to_sr, aim), ("SR -> AIM", sr_to_aim, made)):
        rates = [rate(convert, data, options.seconds) for _ in range(options.rounds)]
        print(f"{name}: {statistics.median(rates):.0f}/s ({min(rates):.0f}-{max(rates):.0f})")


if __name__ == "__main__":
    main()
