"""`python -m benchmarks`: runs the works, prints the tables, ends with 1 where a figure of the gateway is none."""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import ssl
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import peers, systems_web, works
from benchmarks.corpus import FULL, KINDS, QUICK, Corpus, Sizes, corpus, warm
from benchmarks.pages import key, merged
from benchmarks.profile import page
from benchmarks.report import faults, order, table
from benchmarks.systems import SYSTEMS, System, gateway, nothing, pki, program
from benchmarks.works import FILES, Outcome

WORKS = ("ingest", "stow", "deidentify", "research", "end-to-end")
FILE_WORKS = {"deidentify": (), "research": works.OPTIONS}  # and the options of ours
CONNECTIONS = {"ingest": 4, "stow": 4, "end-to-end": 2}
WEB = (
    System(works.OURS, systems_web.gateway, "STOW-RS, 20 objects a request; durable as for DIMSE", nothing),
    System("gateway, DIMSE", gateway, "the same gateway's C-STORE", nothing),
    System("Orthanc", systems_web.orthanc, "DICOMweb plugin behind stunnel", systems_web.orthanc_missing),
)
OUT = works.root()
PAGE = OUT.parent.parent / "docs" / "benchmarks.md"


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Ratios against peers, in one run.")
    parser.add_argument("--quick", action="store_true", help="small corpus, 3 rounds: minutes instead of hours")
    parser.add_argument("--work", action="append", choices=WORKS, help="only this; may be repeated")
    parser.add_argument("--kind", action="append", choices=KINDS, help="only this corpus; may be repeated")
    parser.add_argument("--system", action="append", help="only the gateway and these; may be repeated")
    parser.add_argument("--rounds", type=int, help="7, or 3 with --quick")
    parser.add_argument("--objects", type=int, help="how many CT slices and reports")
    parser.add_argument("--defaults", action="store_true", help="only peers as they come: Nagle on")
    parser.add_argument("--profile", action="store_true", help="where the gateway's time goes, in one more round")
    parser.add_argument("--write", action="store_true", help="renew the measured sections of docs/benchmarks.md")
    return parser.parse_args()


def main() -> int:
    """All that was asked for."""
    asked = options()
    sizes = QUICK if asked.quick else FULL
    if asked.objects:
        sizes = sizes._replace(ct=asked.objects, reports=asked.objects)
    rounds = asked.rounds or (3 if asked.quick else 7)
    compiled()
    measured = environment()
    made: dict[str, str] = {}
    wrong: list[str] = []
    with works.removed(OUT / "run") as folder:
        certs = pki(folder / "certs")
        for work in asked.work or WORKS:
            for kind in asked.kind or (("ct",) if work in FILE_WORKS else KINDS):
                modes = [False] if asked.defaults else [True]
                if not asked.defaults and not asked.quick and (work, kind) == ("end-to-end", "ct"):
                    modes.append(False)  # with Nagle's algorithm every object of any kind waits alike
                for nodelay in modes:
                    some = fewer(sizes, work, nodelay)
                    title, text, faulty = compare(work, kind, some, rounds, nodelay, folder, certs, asked.system)
                    section = f"{title}\n\n{measured}\n\n{text}"
                    print(f"\n## {section}", flush=True)
                    if asked.profile and nodelay:
                        shown = profile(work, kind, some, folder, certs)
                        section += f"\n{shown}"
                        print(shown, flush=True)
                    wrong += [f"{title}: {fault}" for fault in faulty]
                    if not faulty:
                        made[key(title)] = section.strip() + "\n"
                    if asked.write:
                        before = PAGE.read_text() if PAGE.is_file() else ""
                        PAGE.write_text(merged(before, made, WORKS))
    for fault in wrong:
        print(f"NO FIGURE: {fault}", file=sys.stderr)
    return 1 if wrong else 0


def fewer(sizes: Sizes, work: str, nodelay: bool) -> Sizes:
    """Where the peers need a minute for each round, a part of the corpus."""
    if work != "end-to-end":
        return sizes
    return sizes._replace(reports=sizes.reports // 4, ct=sizes.ct if nodelay else sizes.ct // 4)


def compare(
    work: str, kind: str, sizes: Sizes, rounds: int, nodelay: bool, folder: Path, certs: Path, only: list[str] | None
) -> tuple[str, str, list[str]]:
    """One table: its title, its text, what forbids it."""
    systems = {s.name: s for s in (FILES if work in FILE_WORKS else WEB if work == "stow" else SYSTEMS[work])}
    if only:
        systems = {name: s for name, s in systems.items() if name in (*only, works.OURS)}
    notes = {name: s.does for name, s in systems.items()}
    for name, system in list(systems.items()):
        if why := system.missing():
            notes[name] = f"not run: {why}"
            del systems[name]
    found = corpus(OUT, kind, sizes)
    warm(found)
    results: list[dict[str, Outcome]] = []
    for number in range(rounds):
        results.append({})
        for name in order(list(systems), number):
            print(f"{work} {kind} round {number + 1}/{rounds} {name} ...", end=" ", file=sys.stderr, flush=True)
            outcome = attempt(work, systems[name], found, folder, certs, nodelay)
            if isinstance(outcome, str):
                notes[name] += f"; failed in round {number + 1}: {outcome.splitlines()[0]}"
                print(outcome, file=sys.stderr, flush=True)
            else:
                results[-1][name] = outcome
                print(f"{outcome.rate:.1f}/s {' '.join(outcome.problems)}", file=sys.stderr, flush=True)
    with (OUT / "outcomes.jsonl").open("a") as log:
        for number, each in enumerate(results):
            for outcome in each.values():
                log.write(json.dumps({"work": work, "kind": kind, "round": number, **outcome._asdict()}) + "\n")
    suites = {o.tls for each in results for o in each.values() if o.tls}
    tuned = "" if work in FILE_WORKS else ", peers with TCP_NODELAY=1" if nodelay else ", peers with their defaults"
    title = f"{work}, {kind}: {len(found.pieces)} objects, {found.size / 1e6:.0f} MB, {rounds} rounds{tuned}"
    text = table(results, list(notes), notes) + (f"\nTLS: {', '.join(sorted(suites))}\n" if suites else "")
    return title, text, faults(results)


def profile(work: str, kind: str, sizes: Sizes, folder: Path, certs: Path) -> str:
    """The gateway once more, watched."""
    if why := peers.missing():
        return f"No profile: {why}\n"
    ours = next(
        s for s in (FILES if work in FILE_WORKS else WEB if work == "stow" else SYSTEMS[work]) if s.name == works.OURS
    )
    raw = OUT / f"profile-{work}-{kind}.txt"
    raw.unlink(missing_ok=True)
    outcome = attempt(work, ours, corpus(OUT, kind, sizes), folder, certs, True, raw)
    if isinstance(outcome, str) or not raw.is_file():
        return f"No profile: {outcome.splitlines()[0] if isinstance(outcome, str) else 'py-spy wrote none'}\n"
    return page(raw.read_text(), f"{work}, {kind}")


def compiled() -> None:
    """Byte-compile what runs from this checkout, as pip does with what it installs: the peers."""
    for package in ("gateway", "transforms", "profiles"):
        compileall.compile_dir(OUT.parent.parent / package, quiet=1)


def attempt(
    work: str, system: System, found: Corpus, folder: Path, certs: Path, nodelay: bool, raw: Path | None = None
) -> Outcome | str:
    """The outcome, or why there is none."""
    try:
        if work in FILE_WORKS:
            return works.deidentify(system, found, folder / "one", FILE_WORKS[work], raw)
        doing = works.end_to_end if work == "end-to-end" else works.ingest
        nagle = {"TCP_NODELAY": "1"} if nodelay else {}
        return doing(system, found, folder / "one", certs, nagle, CONNECTIONS[work], raw)
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        return str(error) or type(error).__name__


def environment() -> str:
    """What the figures hang on."""
    versions = [f"Python {platform.python_version()}", ssl.OPENSSL_VERSION, f"{os.cpu_count()} cores"]
    for name in ("storescp", "Orthanc"):
        if path := program(name):
            done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
            versions.append((done.stdout or done.stderr).splitlines()[0].strip("$ ").split("/")[-1])
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    when = f"{time.strftime('%Y-%m-%d')} at {commit.stdout.strip() or 'no commit'}"
    return f"{when}; {platform.system()} {platform.release()}, {', '.join(versions)}."


if __name__ == "__main__":
    sys.exit(main())
