"""The model card: what a model is, what it was measured by, what it is for and what it is not.

Its text is the template model-card.md.jinja beside this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from svevae.model.contract import ModelContract
from svevae.model.scores import BASELINES, OtherScores, Scores

TEMPLATE = "model-card.md.jinja"
TRAINED_BY = (
    "architecture",
    "latent_dim",
    "width",
    "depth",
    "blocks",
    "block",
    "elastic",
    "property_weight",
    "kl_weight",
    "epochs",
)
SAMPLES = {"posterior": "the aggregate posterior", "prior": "the prior"}
SPREAD = {
    "mean_r2": "mean R2",
    "worst_r2": "R2 of the worst property",
    **{f"{baseline.key}_mean_r2": f"mean R2, {baseline.words}" for baseline in BASELINES},
    "bce_ratio": "voxel cross entropy, of a constant porosity's",
    "coverage_90": "in the 90 % intervals",
    "loop_mean_r2": "mean R2, solver on decoded samples",
}


def model_card(
    contract: ModelContract, scores: Scores, spread: Mapping[str, Any] | None = None
) -> str:
    """Markdown from a model's contract and scores; `spread` is the content of the file that
    `benchmarks/seeds.py` writes, if it has run.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown
    )
    environment.filters["number"] = number
    closed_loop = scores.closed_loop()
    return environment.get_template(TEMPLATE).render(
        contract=contract,
        scores=scores,
        spread=spread,
        trained_by=TRAINED_BY,
        units=dict(zip(contract.names, contract.units, strict=True)),
        baselines=scores.baselines(),
        samples=SAMPLES,
        closed_loop=closed_loop,
        worst=min(closed_loop.of, key=closed_loop.of.__getitem__)
        if closed_loop and closed_loop.of
        else None,
        std_ratios={name: _std_ratio(other, scores) for name, other in scores.others.items()},
        spread_rows=SPREAD,
    )


def number(value: float | None, form: str) -> str:
    """`value` in the form ".4f"; a dash for what is not defined."""
    return "-" if value is None else format(value, form)


def _std_ratio(other: OtherScores, scores: Scores) -> float:
    """The median standard deviation over that of the held-out SVEs, mean over the properties."""
    ratios = [other.median_std[name] / std for name, std in scores.median_std.items()]
    return sum(ratios) / len(ratios)
