"""`svevae keep`: copy the model of the last evaluation, its card and figures into a folder of their
own that DVC keeps beside the data.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from svevae.errors import ConfigError
from svevae.files import repair_folder, replace_folder
from svevae.model.contract import CONTRACT_FILE, MODEL_FILE, ModelContract
from svevae.model.scores import Scores
from svevae.reports.card import model_card

MODEL = Path("artifacts/model")
CONTRACT = MODEL / CONTRACT_FILE
EVALUATION = Path("artifacts/evaluation")
METRICS = EVALUATION / "metrics.json"
SEEDS = Path("benchmarks/seeds.json")
KEPT = Path("champion")


def keep() -> str:
    """Copy artifacts into champion/, with the spread over seeds in its card where it was measured;
    says what was kept, in words.

    The folder is replaced whole. Raises ConfigError where nothing was evaluated, and where a better
    model of the same test SVEs is kept already.
    """
    for path in (MODEL / MODEL_FILE, METRICS):
        if not path.is_file():
            raise ConfigError(
                f"{path}: expected what the pipeline writes, found nothing; run `make repro` or"
                " `make full` first"
            )
    contract, scores = ModelContract.load(CONTRACT), Scores.load(METRICS)
    repair_folder(KEPT)
    if KEPT.is_dir():
        before = Scores.load(KEPT / METRICS.name)
        test_digest = ModelContract.load(KEPT / "model" / CONTRACT.name).test_digest
        if test_digest == contract.test_digest and _is_better(before.mean_r2, scores.mean_r2):
            better = f"a model of mean R2 {before.mean_r2:.4f} is kept, on the same test SVEs"
            raise ConfigError(
                f"{KEPT}: {better}; received {_r2(scores.mean_r2)}. Remove {KEPT} to keep the new"
                " one all the same"
            )
    beside = Path(f".{KEPT}.{os.getpid()}.part")
    try:
        shutil.copytree(MODEL, beside / "model")
        shutil.copytree(EVALUATION / "plots", beside / "plots")
        shutil.copy(METRICS, beside)
        spread = json.loads(SEEDS.read_text(encoding="utf-8")) if SEEDS.is_file() else None
        (beside / "model-card.md").write_text(
            model_card(contract, scores, spread), encoding="utf-8"
        )
        replace_folder(beside, KEPT)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return (
        f"{KEPT}: mean R2 {_r2(scores.mean_r2)}, its card {KEPT}/model-card.md; next: dvc add"
        f" {KEPT} && dvc push"
    )


def _is_better(before: float | None, new: float | None) -> bool:
    """Whether a mean R2 is above another; any is above one that is undefined, None."""
    return before is not None and (new is None or before > new)


def _r2(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"
