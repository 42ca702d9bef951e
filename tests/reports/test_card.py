"""The model card of a pipeline that has run."""

from __future__ import annotations

import json
from pathlib import Path

from svevae.reports.card import model_card


def read(path: Path) -> dict:
    return json.loads(path.read_text())


def test_the_card_holds_data_scores_baselines_and_limits(finished: Path) -> None:
    text = (finished / "artifacts" / "evaluation" / "model-card.md").read_text()
    scores = read(finished / "artifacts" / "evaluation" / "metrics.json")
    contract = read(finished / "artifacts" / "model" / "contract.json")
    assert f"DVC md5 `{contract['dataset_digest']}`" in text
    assert (
        "train 72 SVEs of 6 parts, validation 12 SVEs of 1 parts, test 12 SVEs of 1 parts" in text
    )
    for key in (
        "mean_r2",
        "porosity_only_mean_r2",
        "two_point_mean_r2",
        "elastic_ridge_mean_r2",
        "regressor_mean_r2",
    ):
        assert f"{scores[key]:.4f}" in text, key
    assert f"| E_z | {scores['r2']['E_z']:.4f} | {scores['porosity_only_r2']['E_z']:.4f} |" in text
    for title in ("## Data", "## Samples", "## Intended use", "## Limits"):
        assert title in text
    assert "## Other data" not in text  # the tiny project names none


def test_the_spread_and_other_data_have_their_place(finished: Path) -> None:
    scores = read(finished / "artifacts" / "evaluation" / "metrics.json")
    contract = read(finished / "artifacts" / "model" / "contract.json")
    spread = {
        "train": {"epochs": 16},
        "seeds": {"0": {}, "1": {}},
        "summary": {"mean_r2": {"mean": 0.9, "std": 0.01}},
    }
    text = model_card(contract, scores | {"others": {"spheres": scores}}, spread)
    assert "16 epochs, 2 seeds" in text
    assert "| mean R2 | 0.9000 | 0.0100 |" in text
    assert f"| spheres | {scores['mean_r2']:.4f} |" in text
