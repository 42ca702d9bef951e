"""`python -m benchmarks.leaderboard score MINE.csv`, `baselines`, `networks`, `table`; see
README.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.leaderboard.score import as_table, open_frozen, read_predictions, scores

from svevae.errors import SvevaeError

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
FROZEN, RESULTS = FOLDER / "frozen.json", FOLDER / "results.json"
PREDICTIONS = ROOT / ".checkpoints" / "leaderboard"


def score(options: argparse.Namespace) -> None:
    data = open_frozen(ROOT / frozen()["file"], frozen()["digest"])
    found = {options.name or options.csv.stem: scores(data, *read_predictions(options.csv, data))}
    print(as_table(found))
    for name, sets in found.items():
        if options.name:
            keep(name, sets)
        for one, row in sets.items():
            inside = f", {row['coverage_90']:.2f} inside 90 %" if "coverage_90" in row else ""
            print(f"{one}: worst {row['worst']}, yields off by {row['yield_error']:.2f} %{inside}")


def baselines(options: argparse.Namespace) -> None:
    from benchmarks.leaderboard.baselines import BASELINES, predict

    from svevae.dataset.store import open_dataset

    data = open_frozen(ROOT / frozen()["file"], frozen()["digest"])
    train = open_dataset(options.train)
    for name in BASELINES:
        path = PREDICTIONS / f"{name}.csv"
        predict(name, train, data, path)
        keep(name, scores(data, *read_predictions(path, data)))
    table(options)


def networks(options: argparse.Namespace) -> None:
    from benchmarks.leaderboard.networks import check, named, predict, validate

    from svevae.dataset.store import open_dataset

    data = open_frozen(ROOT / frozen()["file"], frozen()["digest"])
    train, chosen = open_dataset(options.train), named(options.only)
    for network in chosen.values():
        check(network)
    for name, network in chosen.items():
        if options.validate:
            folder = PREDICTIONS / f"{name}, validation"
            found = validate(name, network, train, options.validate, folder)
            print(f"{name}: mean R2 {found.mean():.4f}, worst {found.min():.3f}")
        else:
            path = PREDICTIONS / f"{name}.csv"
            predict(name, network, train, data, path)
            keep(name, scores(data, *read_predictions(path, data)))
    if not options.validate:
        table(options)


def table(_: argparse.Namespace) -> None:
    print(as_table(json.loads(RESULTS.read_text(encoding="utf-8"))))


def frozen() -> dict[str, str]:
    return json.loads(FROZEN.read_text(encoding="utf-8"))


def keep(name: str, sets: dict[str, dict[str, object]]) -> None:
    kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps(kept | {name: sets}, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.leaderboard", description="The leaderboard: see README.md there."
    )
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("score", help="score a CSV of predictions of the test SVEs")
    one.add_argument("csv", type=Path)
    one.add_argument("--name", help="keep the scores in results.json under this name")
    one.set_defaults(run=score)
    two = commands.add_parser("baselines", help="fit, predict and score the baselines")
    two.set_defaults(run=baselines)
    three = commands.add_parser("networks", help="train, predict and score the networks")
    three.add_argument("--only", metavar="NAME", help="one of them, as the table calls it")
    three.add_argument(
        "--validate",
        type=int,
        metavar="EPOCHS",
        help="train so long without an eighth of the training parts, and score on these alone",
    )
    three.set_defaults(run=networks)
    for each in (two, three):
        each.add_argument("--train", type=Path, default=ROOT / "data" / "porous_metals_32.h5")
    commands.add_parser("table", help="print the table").set_defaults(run=table)
    options = parser.parse_args()
    try:
        options.run(options)
    except SvevaeError as error:
        print(f"leaderboard: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("leaderboard: interrupted", file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
