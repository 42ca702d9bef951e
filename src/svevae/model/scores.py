"""What `svevae evaluate` measures, and its file metrics.json.

The file is flat: its keys are the names of the metrics in MLflow and in `dvc metrics diff`. Scores
by property are mappings from its name; a baseline called `two_point` has the keys
`two_point_mean_r2` and `two_point_r2`.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from svevae.files import write_json
from svevae.records import read_record


def by_name(names: tuple[str, ...], values: np.ndarray) -> dict[str, float]:
    """A value for each property (property,), by its name."""
    return dict(zip(names, map(float, values), strict=True))


class R2(NamedTuple):
    """Coefficients of determination: their mean over the properties, and each by name. A property
    that is constant has none; where all are, the mean is None.
    """

    mean: float | None
    of: dict[str, float]

    @classmethod
    def of_columns(cls, names: tuple[str, ...], r2: np.ndarray) -> R2:
        """From R2 of each property (property,), NaN where it is undefined."""
        of = {name: value for name, value in by_name(names, r2).items() if not math.isnan(value)}
        return cls(float(r2[~np.isnan(r2)].mean()) if of else None, of)


class Baseline(NamedTuple):
    """What a model is held against: the beginning of its keys, and what it is called in a
    sentence and at the head of a narrow column (nothing where the table leaves it out).
    """

    key: str
    words: str
    head: str


BASELINES = (
    Baseline("porosity_only", "porosity only", "porosity"),
    Baseline("two_point", "two-point statistics, ridge", "two-point"),
    Baseline("elastic_ridge", "elastic statistics, ridge", "elastic"),
)


@dataclass(frozen=True, kw_only=True)
class PropertyScores:
    """R2, mean absolute error and calibration of the predicted properties, beside those of a cubic
    in the porosity. `coverage_90` is the share within the intervals of 90 %, `novel` the share of
    SVEs with a novelty above 1. A property that is constant in these SVEs has no R2 and is left out
    of the mean; where all are, mean and worst R2 are None.
    """

    mean_r2: float | None = None
    porosity_only_mean_r2: float | None = None
    unexplained_of_porosity_only: float | None = None
    worst_r2: float | None = None
    r2: dict[str, float]
    porosity_only_r2: dict[str, float]
    mae: dict[str, float]
    porosity_only_mae: dict[str, float]
    coverage_90: float
    coverage_90_of: dict[str, float]
    median_std: dict[str, float]
    novelty_median: float
    novel: float


@dataclass(frozen=True, kw_only=True)
class OtherScores(PropertyScores):
    """Scores on another file; `bce_ratio` as in `VoxelScores`, None where no SVE has a pore."""

    bce_ratio: float | None = None


@dataclass(frozen=True, kw_only=True)
class VoxelScores:
    """Reconstruction and latent space: voxel cross entropy (nats an SVE), that of a constant
    porosity and their ratio, Dice coefficient, KL (nats), active of all latent units, and the
    distance of the aggregate posterior from N(0, I) (nats).
    """

    bce: float
    bce_constant_porosity: float
    bce_ratio: float
    dice: float
    kl: float
    active_units: int
    latent_dim: int
    aggregate_kl: float


@dataclass(frozen=True, kw_only=True)
class BaselineScores:
    """R2 of ridge regressions, and the voxel cross entropy of a PCA over that of a constant
    porosity.
    """

    two_point_mean_r2: float | None = None
    two_point_r2: dict[str, float]
    elastic_ridge_mean_r2: float | None = None
    elastic_ridge_r2: dict[str, float]
    pca_bce_ratio: float


@dataclass(frozen=True, kw_only=True)
class SampleScores:
    """How far samples are from the held-out SVEs, over how far halves of these are from each other:
    by two-point correlation, porosity and pore size.
    """

    two_point: float
    porosity: float
    pore_size: float


@dataclass(frozen=True, kw_only=True)
class Scores(BaselineScores, VoxelScores, PropertyScores):  # their fields come last base first
    """All of metrics.json.

    `samples` has the keys "posterior" and "prior", and none where the held-out parts cannot be
    halved (`svevae.model.assess.sample_scores`), `others` the stems of the other files. The
    closed loop (`loop_sves` samples that the solver labelled) may be left out.
    """

    samples: dict[str, SampleScores]
    loop_mean_r2: float | None = None
    loop_r2: dict[str, float] | None = None
    loop_sves: int | None = None
    others: dict[str, OtherScores] = field(default_factory=dict)
    format: Literal[1] = 1

    @classmethod
    def load(cls, path: Path) -> Scores:
        """The scores that `save` wrote. Raises DataError that names the file and the key."""
        return read_record(cls, path)

    def save(self, path: Path) -> None:
        """Write as JSON, whole or not at all."""
        write_json(path, {"format": self.format} | self.values())

    def values(self) -> dict[str, Any]:
        """Every score that was measured, by its key."""
        values = dataclasses.asdict(self)
        del values["format"]
        return _measured(values)

    def baselines(self) -> dict[Baseline, R2]:
        """R2 of each baseline that was measured."""
        measured = {}
        for baseline in BASELINES:
            of = getattr(self, f"{baseline.key}_r2")
            if of is not None:
                measured[baseline] = R2(getattr(self, f"{baseline.key}_mean_r2"), of)
        return measured

    def closed_loop(self) -> R2 | None:
        """R2 of the predictor against the solver on decoded samples; None where nothing was
        solved.
        """
        if self.loop_r2 is None:
            return None
        return R2(self.loop_mean_r2, self.loop_r2)


def _measured(values: dict[str, Any]) -> dict[str, Any]:
    """`values` without None, in mappings within too."""
    return {
        key: _measured(value) if isinstance(value, dict) else value
        for key, value in values.items()
        if value is not None
    }
