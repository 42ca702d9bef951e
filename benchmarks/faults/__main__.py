"""`python -m benchmarks.faults kill`, `fuzz`, `soak`, `tables`; see docs/reliability.md."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.faults import report


def run_kill(options: argparse.Namespace) -> None:
    from benchmarks.faults.commands import COMMANDS
    from benchmarks.faults.fuzz import code_digest
    from benchmarks.faults.kill import disturb
    from benchmarks.faults.project import WORK

    kept = WORK / "kill" / f"{options.seed}-{options.kills}-{code_digest()}.json"
    kept.parent.mkdir(parents=True, exist_ok=True)
    found = json.loads(kept.read_text()) if kept.exists() else {}
    for name in options.command or COMMANDS:
        if name not in found:  # else an interrupted run did it
            folder = WORK / "kill" / "".join(c if c.isalnum() else "-" for c in name)
            found[name] = disturb(COMMANDS[name], folder, options.kills, options.seed)
            kept.write_text(json.dumps(found))
    rows = {name: found[name] for name in COMMANDS if name in found}
    show(options, "kill", {"seed": options.seed, "commands": rows})
    for name, row in rows.items():
        for text in row["failed"]:
            print(f"\n{name}: {text}")


def run_fuzz(options: argparse.Namespace) -> None:
    from benchmarks.faults.fuzz import fuzz

    show(options, "fuzz", fuzz(options.cases, options.seed, options.processes))


def run_case(options: argparse.Namespace) -> None:
    from benchmarks.faults.fuzz import one

    print(one(options.seed, options.case, options.folder))


def run_soak(options: argparse.Namespace) -> None:
    from benchmarks.faults.soak import soak

    show(options, "soak", soak(options.minutes, options.restarts, options.seed))


def show(options: argparse.Namespace, part: str, found: dict) -> None:
    if not options.trial:
        report.keep(part, found)
    print(f"\n{report.TABLES[part](found)}")


def run_tables(_: argparse.Namespace) -> None:
    for part, table in report.tables().items():
        print(f"{part}\n\n{table}\n")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parsers = parser.add_subparsers(required=True)
    kill = parsers.add_parser("kill", help="kill each long command again and again")
    kill.add_argument("--kills", type=int, default=20, help="of each (default: %(default)s)")
    kill.add_argument("--command", action="append", help="one of them; repeat it (default: all)")
    kill.set_defaults(run=run_kill)
    fuzz = parsers.add_parser("fuzz", help="feed damaged files to every command that reads")
    fuzz.add_argument("--cases", type=int, default=5000, help="default: %(default)s")
    fuzz.add_argument("--processes", type=int, help="default: one for each core")
    fuzz.set_defaults(run=run_fuzz)
    case = parsers.add_parser("case", help="one case of fuzz, and what the command said")
    case.add_argument("case", type=int)
    case.add_argument("folder", type=Path, help="where to put the damaged files")
    case.set_defaults(run=run_case)
    soak = parsers.add_parser("soak", help="a search on a database that is killed")
    soak.add_argument("--minutes", type=float, default=60, help="default: %(default)s")
    soak.add_argument("--restarts", type=int, default=3, help="default: %(default)s")
    soak.set_defaults(run=run_soak)
    for command in (kill, fuzz, case, soak):
        command.add_argument("--seed", type=int, default=0)
        command.add_argument(
            "--trial", action="store_true", help="leave benchmarks/faults.json as it is"
        )
    parsers.add_parser("tables", help="of benchmarks/faults.json").set_defaults(run=run_tables)
    options = parser.parse_args()
    try:
        options.run(options)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where it stopped", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
