"""`python -m benchmarks.answers make|score`: the set and its key, or the score of outputs by a key.

Ends with 0 where nothing leaked and enough stayed, 1 where not, 2 where it could not be told.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.answers import key, make, score, told


def command_line() -> argparse.ArgumentParser:
    """The two commands."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.answers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make", help="objects with planted identifiers, and the key")
    making.add_argument("out", type=Path, help="new folder; gets in/ and key.sqlite")
    making.add_argument("--count", type=int, default=make.SMALL, help=f"objects ({make.SMALL}; a long run: 10000)")
    making.add_argument("--seed", type=int, default=42)
    making.add_argument("--option", action="append", default=[], choices=make.OPTIONS, help="of PS3.15 E.3; repeat")
    making.add_argument("--kind", action="append", choices=make.EVERY_KIND, help="only these; repeat")
    making.add_argument("--corpus", type=Path, help="real objects to plant into as well")
    scoring = commands.add_parser("score", help="score outputs by a key of ours or MIDI-B's")
    scoring.add_argument("--key", type=Path, required=True)
    scoring.add_argument("--out", type=Path, required=True, help="folder of the outputs")
    scoring.add_argument("--mapping", type=Path, required=True, help="folder with uid.csv and patient_id.csv")
    scoring.add_argument("--keep", type=float, default=100 * score.KEEP, help="percent that must stay (99.95)")
    scoring.add_argument("--json", type=Path, help="write the score there too")
    scoring.add_argument("--wrong", type=int, default=40, help="how many wrong answers to print (40)")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """What was asked for; its exit code."""
    asked = command_line().parse_args(arguments)
    try:
        return _make(asked) if asked.command == "make" else _score(asked)
    except (key.BadKey, make.CannotMake, OSError) as error:
        why = type(error).__name__ if isinstance(error, OSError) else str(error)  # an OSError shows a path
        print(f"refused: {why}", file=sys.stderr)
        return 2


def _make(asked: argparse.Namespace) -> int:
    wanted = make.Wanted(
        asked.count, asked.seed, frozenset(asked.option), tuple(asked.kind or make.KINDS), asked.corpus
    )
    count = make.write(asked.out, wanted)
    print(f"{count.objects} objects, {count.answers} answers, {count.planted} planted: invented people, our own set.")
    return 0


def _score(asked: argparse.Namespace) -> int:
    if not asked.out.is_dir():
        raise key.BadKey("there is no such folder of outputs")
    uids, patients = (score.table(asked.mapping / name) for name in score.TABLES)
    result = score.score(key.read(asked.key), asked.out, uids, patients)
    keep = asked.keep / 100
    print(told.page(result, key.made_with(asked.key), asked.wrong), end="")
    if asked.json:
        asked.json.write_text(json.dumps(told.numbers(result, keep), indent=1) + "\n")
    return 0 if result.passes(keep) else 1


if __name__ == "__main__":
    sys.exit(main())
