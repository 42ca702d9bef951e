"""The model card, from the scores of the kept champion."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from svevae.model.contract import ModelContract
from svevae.model.scores import Scores
from svevae.reports.card import model_card

EVALUATED = Path(__file__).parent / "evaluated"


@pytest.fixture
def contract() -> ModelContract:
    return ModelContract.load(EVALUATED / "contract.json")


@pytest.fixture
def scores() -> Scores:
    return Scores.load(EVALUATED / "metrics.json")


def test_the_whole_card(contract: ModelContract, scores: Scores) -> None:
    """To the letter, with the spread over seeds; the text was written by the code before the
    template.
    """
    spread = json.loads((EVALUATED / "seeds.json").read_text(encoding="utf-8"))
    assert model_card(contract, scores, spread) == (EVALUATED / "model-card.md").read_text(
        encoding="utf-8"
    )


def test_without_search_spread_loop_or_other_data(contract: ModelContract, scores: Scores) -> None:
    least = replace(
        scores,
        loop_mean_r2=None,
        loop_r2=None,
        loop_sves=None,
        others={},
    )
    text = model_card(contract, least)
    for words in (
        "The loop closed",
        "## Other data",
        "## Over seeds",
    ):
        assert words in (EVALUATED / "model-card.md").read_text(encoding="utf-8")
        assert words not in text
    assert "| E_z | 0.9987 | 0.9725 | 0.9979 | 0.9989 | 66.5 MPa | 89.8% |" in text
    assert "\n\n\n" not in text


def test_the_card_of_a_pipeline_that_has_run(finished: Path) -> None:
    artifacts = finished / "artifacts"
    text = (artifacts / "evaluation" / "model-card.md").read_text(encoding="utf-8")
    scores = Scores.load(artifacts / "evaluation" / "metrics.json")
    contract = ModelContract.load(artifacts / "model" / "contract.json")
    assert f"DVC md5 `{contract.dataset_digest}`" in text
    assert (
        "train 72 SVEs of 6 parts, validation 12 SVEs of 1 parts, test 12 SVEs of 1 parts" in text
    )
    assert len(scores.baselines()) == 3
    for r2 in scores.baselines().values():
        assert f"{r2.mean:.4f}" in text
    assert f"| E_z | {scores.r2['E_z']:.4f} | {scores.porosity_only_r2['E_z']:.4f} |" in text
    for title in ("## Data", "## Samples", "## Intended use", "## Limits"):
        assert title in text
    assert "## Other data" not in text  # the tiny project names none
