"""The spread over seeds: prepare, train and evaluate with the parameters of params.yaml, each seed
with its own split and weights.

    python benchmarks/seeds.py [--seeds 5] [-S train.epochs=60 ...]

Each seed has a folder of its own under .checkpoints/seeds, so that a second call goes on where the
first was interrupted. Writes benchmarks/seeds.json: what ran, the scores of each seed, their mean
and standard deviation; prints them as a table. The runs are in the MLflow store of the project.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from svevae.model.scores import BASELINES, Scores

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "seeds.json"
TABLE = (
    ("mean_r2", "mean R2"),
    ("worst_r2", "worst property's R2"),
    ("unexplained_of_porosity_only", "share left unexplained, of porosity only's"),
    *((f"{baseline.key}_mean_r2", f"mean R2, {baseline.words}") for baseline in BASELINES),
    ("bce_ratio", "voxel BCE, of a constant porosity's"),
    ("pca_bce_ratio", "the same, PCA of the voxels with as many components"),
    ("dice", "Dice"),
    ("kl", "KL, nats"),
    ("active_units", "active latent units"),
    ("aggregate_kl", "aggregate posterior from N(0, I), nats"),
    ("coverage_90", "share in the 90 % intervals"),
    ("samples.posterior.two_point", "samples: two-point correlation, of what halves differ by"),
    ("samples.posterior.porosity", "samples: porosity"),
    ("samples.posterior.pore_size", "samples: pore size"),
    ("samples.prior.porosity", "prior samples: porosity"),
    ("loop_mean_r2", "solver on decoded samples, mean R2 of the predictor"),
    ("others.sve_porous_alsi10mg_32.mean_r2", "the older file of one metal: mean R2"),
    ("others.sve_porous_alsi10mg_32.coverage_90", "the same: share in the 90 % intervals"),
    ("others.spheres_32.mean_r2", "spheres: mean R2"),
    ("others.spheres_32.porosity_only_mean_r2", "spheres: mean R2, porosity only"),
    ("others.spheres_32.coverage_90", "spheres: share in the 90 % intervals"),
    ("others.spheres_32.novelty_median", "spheres: median novelty"),
    ("novelty_median", "held-out parts: median novelty"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "-S", dest="changes", action="append", default=[], metavar="SECTION.KEY=VALUE"
    )
    options = parser.parse_args()
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["train"]["from_search"] = False
    for change in options.changes:
        key, _, value = change.partition("=")
        section, name = key.split(".")
        params[section][name] = yaml.safe_load(value)
    scores = {}
    for seed in range(options.seeds):
        scores[seed] = run_seed(params, seed)
        report(params, scores)
    print("\n".join(table(scores)))


def run_seed(params: dict, seed: int) -> dict:
    """The scores of one seed, from its folder where that seed has run with these very
    parameters.
    """
    folder = ROOT / ".checkpoints" / "seeds" / str(seed)
    folder.mkdir(parents=True, exist_ok=True)
    wanted = params | {"base": params["base"] | {"seed": seed}}
    file, metrics = folder / "params.yaml", folder / "artifacts" / "evaluation" / "metrics.json"
    if not (file.is_file() and yaml.safe_load(file.read_text()) == wanted and metrics.is_file()):
        metrics.unlink(missing_ok=True)
        file.write_text(yaml.safe_dump(wanted, sort_keys=False))
        if not (folder / "data").exists():
            (folder / "data").symlink_to(ROOT / "data")
        for stage in ("prepare", "train", "evaluate"):
            print(f"seed {seed}: {stage}", file=sys.stderr, flush=True)
            subprocess.run(
                ["svevae", stage], cwd=folder, check=True, env=os.environ | {"DVC_ROOT": str(ROOT)}
            )
    return pd.json_normalize(Scores.load(metrics).values(), sep=".").iloc[0].to_dict()


def spread(scores: dict[int, dict], key: str) -> tuple[float, float]:
    values = np.array([of_seed[key] for of_seed in scores.values() if key in of_seed])
    return float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else 0.0


def report(params: dict, scores: dict[int, dict]) -> None:
    keys = [
        key
        for key in next(iter(scores.values()))
        if all(key in of_seed for of_seed in scores.values())
    ]
    summary = {key: dict(zip(("mean", "std"), spread(scores, key), strict=True)) for key in keys}
    made = {
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "train": params["train"],
        "evaluate": params["evaluate"],
    }
    beside = RESULTS.with_suffix(".part")
    beside.write_text(json.dumps(made | {"summary": summary, "seeds": scores}, indent=1) + "\n")
    os.replace(beside, RESULTS)


def table(scores: dict[int, dict]) -> list[str]:
    rows = [
        f"| held-out parts, {len(scores)} seeds | mean | standard deviation |",
        "| --- | --- | --- |",
    ]
    for key, words in TABLE:
        if all(key in of_seed for of_seed in scores.values()):
            mean, std = spread(scores, key)
            rows.append(f"| {words} | {mean:.4g} | {std:.2g} |")
    return rows


if __name__ == "__main__":
    main()
