"""What `make repro` ends with: the scores beside the baseline, where the champion is, how to look
further.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import yaml

from svevae.errors import ConfigError

METRICS = Path("artifacts/evaluation/metrics.json")
CONTRACT = Path("artifacts/model/contract.json")
REGISTERED = Path("artifacts/registered.json")
BEST = Path("artifacts/search/best.yaml")


def summary() -> str:
    """The table, from files alone. Raises ConfigError where the pipeline has not run."""
    for path in (METRICS, CONTRACT, REGISTERED):
        if not path.is_file():
            raise ConfigError(
                f"{path}: expected what the pipeline writes, found nothing; run `make repro` or"
                " `dvc repro --pull` first"
            )
    scores, contract, registered = (
        json.loads(path.read_text()) for path in (METRICS, CONTRACT, REGISTERED)
    )
    heads = ("porosity", "two-point", "elastic", "mean error", "in 90 %")
    rows = [f"{'held-out parts':<16}{'R2':>8}{''.join(f'{head:>12}' for head in heads)}   unit"]
    for name, unit in zip(contract["names"], contract["units"], strict=True):
        r2, *others = (
            scores[key][name]
            for key in ("r2", "porosity_only_r2", "two_point_r2", "elastic_ridge_r2")
        )
        values = "".join(f"{value:>12.4f}" for value in others)
        rows.append(
            f"{name:<16}{r2:>8.4f}{values}{scores['mae'][name]:>12.4g}{scores['coverage_90_of'][name]:>12.1%}"
            f"   {unit}"
        )
    means = [scores[f"{key}_mean_r2"] for key in ("porosity_only", "two_point", "elastic_ridge")]
    rows += [
        (
            f"{'mean':<16}{scores['mean_r2']:>8.4f}{''.join(f'{value:>12.4f}' for value in means)}{'':>12}{scores['coverage_90']:>12.1%}"
        ),
        (
            "without a network: cubic in the porosity; ridge regression from two-point statistics;"
            " the same from the elastic statistics"
        ),
        "",
        (
            f"voxel BCE {scores['bce']:.0f} nats an SVE, {scores['bce_ratio']:.3f} of what a"
            f" constant porosity costs ({scores['bce_constant_porosity']:.0f}),"
            f" {scores['pca_bce_ratio']:.3f} for a PCA; Dice {scores['dice']:.3f}"
        ),
        (
            f"KL {scores['kl']:.1f} nats; {scores['active_units']} of {scores['latent_dim']} latent"
            " units active"
        ),
        *_loop(scores),
        *_search(contract),
        "",
        *_registry(registered),
        "",
        "look further:",
        (
            "  artifacts/evaluation/model-card.md     what the model is, its scores beside"
            " baselines, its limits"
        ),
        "  make ui                                MLflow: runs, comparison, registered models",
        "  artifacts/search/report.html           the search: front, importance, best trials",
        (
            "  dvc plots show --open                  the pictures of artifacts/evaluation/plots in"
            " one page"
        ),
        "  dvc exp run -S train.latent_dim=16     another model; then dvc metrics diff",
        (
            "  python -c 'import svevae;"
            f' print(svevae.load("models:/{registered["name"]}@champion").names)\''
        ),
    ]
    return "\n".join(rows)


def _loop(scores: dict) -> list[str]:
    lines = []
    if "loop_mean_r2" in scores:
        lines.append(
            f"the solver on {scores['loop_sves']} decoded samples against the predictor: mean R2"
            f" {scores['loop_mean_r2']:.4f}"
        )
    for name, found in scores["others"].items():
        lines.append(
            f"{name}: mean R2 {found['mean_r2']:.4f}, porosity only"
            f" {found['porosity_only_mean_r2']:.4f}"
        )
    return lines


def _search(contract: dict) -> list[str]:
    """What the model owes to the search; nothing where it was trained without."""
    if not contract["search"] or not BEST.is_file():
        return []
    reason = yaml.safe_load(BEST.read_text())["reason"]
    return textwrap.wrap(f"search: {reason}", 140, subsequent_indent="  ")


def _registry(registered: dict) -> list[str]:
    name, version, champion = (
        registered["name"],
        registered["version"],
        registered["champion_version"],
    )
    if champion is None:
        lines = [
            f"registered as models:/{name}/{version}; there is no champion: {registered['reason']}"
        ]
    elif champion == version:
        lines = [f"champion: models:/{name}@champion, version {version}: {registered['reason']}"]
    else:
        lines = [
            f"registered as models:/{name}/{version}; champion stays version {champion}:"
            f" {registered['reason']}"
        ]
    store = registered["store"]
    if store.startswith("sqlite:///") and not Path(store.removeprefix("sqlite:///")).is_file():
        lines.append(
            f"but its store {store} is gone: `dvc repro --single-item --force register` registers"
            " it again"
        )
    return lines
