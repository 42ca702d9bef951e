"""What `make repro` ends with: the scores beside the baseline, where the champion is, how to look
further.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path

from svevae.errors import ConfigError
from svevae.model.contract import ModelContract
from svevae.model.scores import Scores
from svevae.records import read_record
from svevae.search.found import BEST, read_found
from svevae.words import counted

METRICS = Path("artifacts/evaluation/metrics.json")
CONTRACT = Path("artifacts/model/contract.json")
REGISTERED = Path("artifacts/registered.json")


@dataclass(frozen=True)
class Registered:
    """What `svevae register` wrote; `champion_version` is None where there is no champion."""

    name: str
    version: str
    champion_version: str | None
    reason: str
    store: str


def summary() -> str:
    """The table, from files alone. Raises ConfigError where the pipeline has not run."""
    for path in (METRICS, CONTRACT, REGISTERED):
        if not path.is_file():
            raise ConfigError(
                f"{path}: expected what the pipeline writes, found nothing; run `make repro` or"
                " `dvc repro --pull` first"
            )
    scores, contract = Scores.load(METRICS), ModelContract.load(CONTRACT)
    registered = read_record(Registered, REGISTERED)
    rows = [
        *_table(contract, scores),
        "without a network: cubic in the porosity; ridge regression from two-point statistics;"
        " the same from the elastic statistics",
        "",
        f"voxel BCE {scores.bce:.0f} nats an SVE, {scores.bce_ratio:.3f} of what a constant"
        f" porosity costs ({scores.bce_constant_porosity:.0f}), {scores.pca_bce_ratio:.3f} for a"
        f" PCA; Dice {scores.dice:.3f}",
        f"KL {scores.kl:.1f} nats; {scores.active_units} of {scores.latent_dim} latent units"
        " active",
        *_other_checks(scores),
        *_search(contract),
        "",
        *_registry(registered),
        "",
        "look further:",
        (
            "  artifacts/evaluation/model-card.md     what the model is, its scores beside"
            " baselines, its limits"
        ),
        "  svevae ui                              MLflow: runs, comparison, registered models",
        "  artifacts/search/report.html           the search: front, importance, best trials",
        (
            "  dvc plots show --open                  the pictures of artifacts/evaluation/plots in"
            " one page"
        ),
        "  dvc exp run -S train.latent_dim=16     another model; then dvc metrics diff",
        (
            "  python -c 'import svevae;"
            f' print(svevae.load("models:/{registered.name}@champion").names)\''
        ),
    ]
    return "\n".join(rows)


def _table(contract: ModelContract, scores: Scores) -> list[str]:
    """R2 of each property beside that of the baselines, error and calibration."""
    baselines = {line: r2 for line, r2 in scores.baselines().items() if line.head}
    heads = [*(baseline.head for baseline in baselines), "mean error", "in 90 %"]
    rows = [f"{'held-out parts':<16}{'R2':>8}{''.join(f'{head:>12}' for head in heads)}   unit"]
    for name, unit in zip(contract.names, contract.units, strict=True):
        values = "".join(_number(r2.of.get(name), 12) for r2 in baselines.values())
        error, inside = scores.mae[name], scores.coverage_90_of[name]
        r2 = _number(scores.r2.get(name), 8)
        rows.append(f"{name:<16}{r2}{values}{error:>12.4g}{inside:>12.1%}   {unit}")
    means = "".join(_number(r2.mean, 12) for r2 in baselines.values())
    mean = _number(scores.mean_r2, 8)
    rows.append(f"{'mean':<16}{mean}{means}{'':>12}{scores.coverage_90:>12.1%}")
    return rows


def _number(value: float | None, width: int) -> str:
    """An R2 with four digits; a dash where it is undefined."""
    return f"{'-':>{width}}" if value is None else f"{value:>{width}.4f}"


def _other_checks(scores: Scores) -> list[str]:
    """The closed loop and other files, where there are such."""
    lines = []
    closed_loop = scores.closed_loop()
    if closed_loop and closed_loop.mean is not None:
        lines.append(
            f"the solver on {counted(scores.loop_sves or 0, 'decoded sample')} against the"
            f" predictor: mean R2 {closed_loop.mean:.4f}"
        )
    for name, other in scores.others.items():
        lines.append(
            f"{name}: mean R2 {_number(other.mean_r2, 0)}, porosity only"
            f" {_number(other.porosity_only_mean_r2, 0)}"
        )
    return lines


def _search(contract: ModelContract) -> list[str]:
    """What the model owes to the search; nothing where it was trained without."""
    if not contract.search or not BEST.is_file():
        return []
    reason = read_found(BEST)["reason"]
    return textwrap.wrap(f"search: {reason}", 140, subsequent_indent="  ")


def _registry(registered: Registered) -> list[str]:
    name, version, champion = registered.name, registered.version, registered.champion_version
    if champion is None:
        lines = [
            f"registered as models:/{name}/{version}; there is no champion: {registered.reason}"
        ]
    elif champion == version:
        lines = [f"champion: models:/{name}@champion, version {version}: {registered.reason}"]
    else:
        lines = [
            f"registered as models:/{name}/{version}; champion stays version {champion}:"
            f" {registered.reason}"
        ]
    store = registered.store
    if store.startswith("sqlite:///") and not Path(store.removeprefix("sqlite:///")).is_file():
        lines.append(
            f"but its store {store} is gone: `dvc repro --single-item --force register` registers"
            " it again"
        )
    return lines
