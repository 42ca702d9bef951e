"""What a trained model is worth on SVEs that it has not seen, beside its baselines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import ks_2samp

from svevae.dataset.batches import PackedVoxels
from svevae.dataset.split import Split
from svevae.dataset.statistics import pore_sizes
from svevae.dataset.store import LabelledDataset
from svevae.model import metrics
from svevae.model.baselines import TWO_POINT_COMPONENTS, RidgeBaseline, VoxelPCA, two_point_map
from svevae.model.elastic import elastic_statistics
from svevae.model.latent import LatentModel, sigmoid
from svevae.model.losses import kl_divergence
from svevae.model.sampling import draw

PCA_SVES = 2048  # training SVEs, evenly taken, whose voxels the PCA sees: 270 MB at n = 32


@dataclass(frozen=True)
class Subset:
    """SVEs with their labels: voxels, properties (sve, property), part_id and porosity (sve,)."""

    voxels: PackedVoxels
    properties: np.ndarray
    part_id: np.ndarray
    porosity: np.ndarray

    @classmethod
    def read(cls, data: LabelledDataset, index: np.ndarray) -> Subset:
        voxels = PackedVoxels(data, index)
        porosity = np.concatenate(
            [cubes.mean((1, 2, 3), dtype=np.float64) for cubes in voxels.blocks()]
        )
        return cls(voxels, data.properties[index].astype(np.float64), data.part_id[index], porosity)


def subset(data: LabelledDataset, split: Split, name: str) -> Subset:
    """The SVEs of one subset of the split."""
    return Subset.read(data, split.index(name, data.part_id))


def run_model(
    model: LatentModel, held: Subset, constant: float, random: np.random.Generator
) -> dict[str, np.ndarray]:
    """What the model gives for each SVE, a block at a time, so that voxels need not be in memory
    together.

    Keys: properties, properties_std (sve, property), novelty (sve,), latent_mean, latent_std and kl
    (sve, latent), bce and constant_bce (sve,), the latter at a porosity of `constant`, overlap
    (2,), and two-point correlations s2_truth, s2_reconstruction (sve, distance), the latter of
    binary SVEs drawn from the decoded probabilities.
    """
    kept: dict[str, list[np.ndarray]] = {}
    overlap = np.zeros(2)
    for cubes in held.voxels.blocks():
        found = model.model.predict(cubes, batch_size=model.batch_size, verbose=0)
        logits = found["logits"]
        drawn = draw(sigmoid(logits), model.grain, random)
        rows = {
            "properties": found["properties"].astype(np.float64),
            "properties_std": found["properties_std"].astype(np.float64),
            "novelty": found["novelty"][:, 0],
            "latent_mean": found["latent_mean"],
            "latent_std": np.exp(found["latent_log_var"] / 2),
            "kl": np.asarray(kl_divergence(found["latent_mean"], found["latent_log_var"])),
            "bce": metrics.voxel_cross_entropy(cubes, logits),
            "constant_bce": metrics.constant_cross_entropy(
                cubes.mean((1, 2, 3), dtype=np.float64), constant, model.n
            ),
            "s2_truth": metrics.two_point_correlations(cubes),
            "s2_reconstruction": metrics.two_point_correlations(drawn),
        }
        for key, row in rows.items():
            kept.setdefault(key, []).append(row)
        overlap += metrics.overlap(cubes, logits)
    return {key: np.concatenate(blocks) for key, blocks in kept.items()} | {"overlap": overlap}


def property_scores(
    names: tuple[str, ...],
    true: np.ndarray,
    found: dict[str, np.ndarray],
    porosity_only: np.ndarray,
) -> dict[str, Any]:
    """R2, mean absolute error and calibration of predicted properties, beside those of the porosity
    alone; arrays (sve, property).
    """
    r2, porosity_r2 = metrics.r2(true, found["properties"]), metrics.r2(true, porosity_only)
    inside = metrics.coverage(true, found["properties"], found["properties_std"])
    return {
        "mean_r2": float(r2.mean()),
        "porosity_only_mean_r2": float(porosity_r2.mean()),
        "unexplained_of_porosity_only": float((1 - r2.mean()) / (1 - porosity_r2.mean())),
        "worst_r2": float(r2.min()),
        "r2": _named(names, r2),
        "porosity_only_r2": _named(names, porosity_r2),
        "mae": _named(names, metrics.mean_absolute_error(true, found["properties"])),
        "porosity_only_mae": _named(names, metrics.mean_absolute_error(true, porosity_only)),
        "coverage_90": float(inside.mean()),
        "coverage_90_of": _named(names, inside),
        "median_std": _named(names, np.median(found["properties_std"], axis=0)),
        "novelty_median": float(np.median(found["novelty"])),
        "novel": float((found["novelty"] > 1).mean()),
    }


def voxel_scores(model: LatentModel, found: dict[str, np.ndarray]) -> dict[str, float]:
    """Reconstruction and latent space."""
    bce, constant = float(found["bce"].mean()), float(found["constant_bce"].mean())
    hit, total = found["overlap"]
    return {
        "bce": bce,
        "bce_constant_porosity": constant,
        "bce_ratio": bce / constant,
        "dice": float(hit / total) if total else 1.0,
        "kl": float(found["kl"].sum(axis=1).mean()),
        "active_units": metrics.active_units(found["latent_mean"]),
        "latent_dim": model.latent_dim,
        "aggregate_kl": metrics.divergence_from_prior(found["latent_mean"], found["latent_std"]),
    }


def baseline_scores(
    names: tuple[str, ...], train: Subset, held: Subset, latent_dim: int
) -> dict[str, Any]:
    """Ridge regression from two-point statistics (PCA) and from the elastic statistics; PCA of the
    voxels with as many components.

    R2 on `held`, and the voxel cross entropy of the PCA over that of the training porosity
    everywhere.
    """
    elastic = elastic_statistics(held.voxels.n)
    statistics = {
        "two_point": (two_point_map, TWO_POINT_COMPONENTS),
        "elastic_ridge": (lambda cubes: elastic.predict(cubes, verbose=0), None),
    }
    scores: dict[str, Any] = {}
    for key, (function, components) in statistics.items():
        known, new = (
            np.concatenate([function(cubes) for cubes in part.voxels.blocks()])
            for part in (train, held)
        )
        baseline = RidgeBaseline(train.porosity, known, train.properties, components)
        r2 = metrics.r2(held.properties, baseline.predict(held.porosity, new))
        scores |= {f"{key}_mean_r2": float(r2.mean()), f"{key}_r2": _named(names, r2)}
    count = len(train.voxels)
    pca = VoxelPCA(
        train.voxels[np.linspace(0, count - 1, min(count, PCA_SVES)).astype(int)], latent_dim
    )
    constant = metrics.constant_cross_entropy(
        held.porosity, float(train.porosity.mean()), held.voxels.n
    ).mean()
    scores["pca_bce_ratio"] = float(
        np.concatenate([pca.cross_entropy(cubes) for cubes in held.voxels.blocks()]).mean()
        / constant
    )
    return scores


def sample_scores(
    held: Subset, samples: np.ndarray, random: np.random.Generator
) -> dict[str, float]:
    """How far binary samples (sve, n, n, n) are from the held-out SVEs, over how far halves of
    these are from each other.

    The distances: of mean two-point correlations, of the distributions of porosities, and of those
    of pore sizes (all pores together). Each is divided by the 95 % quantile over random halves by
    part (`metrics.half_distances`): below 1 the samples are not to be told from held-out SVEs by
    that measure.
    """

    def measured(cubes: Iterator[np.ndarray]) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
        s2, porosity, sizes = [], [], []
        for block in cubes:
            s2.append(metrics.two_point_correlations(block))
            porosity.append(block.mean((1, 2, 3)))
            sizes += [pore_sizes(cube[None], 1.0) for cube in block]
        return np.concatenate(s2), np.concatenate(porosity), sizes

    true, drawn = measured(held.voxels.blocks()), measured(iter([samples]))

    def joined(sizes: list[np.ndarray], index: np.ndarray) -> np.ndarray:
        return np.concatenate([np.zeros(1), *(sizes[i] for i in index)])

    everything, all_drawn = np.arange(len(true[1])), np.arange(len(samples))
    distances = {
        "two_point": (
            lambda a, b: metrics.correlation_distance(
                true[0][a].mean(axis=0), true[0][b].mean(axis=0)
            ),
            metrics.correlation_distance(drawn[0].mean(axis=0), true[0].mean(axis=0)),
        ),
        "porosity": (
            lambda a, b: _distribution_distance(true[1][a], true[1][b]),
            _distribution_distance(drawn[1], true[1]),
        ),
        "pore_size": (
            lambda a, b: _distribution_distance(joined(true[2], a), joined(true[2], b)),
            _distribution_distance(joined(drawn[2], all_drawn), joined(true[2], everything)),
        ),
    }
    return {
        key: (
            found
            / max(
                float(np.quantile(metrics.half_distances(held.part_id, distance, random), 0.95)),
                1e-12,
            )
        )
        for key, (distance, found) in distances.items()
    }


def _distribution_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Kolmogorov and Smirnov's: the largest difference of two empirical distribution functions."""
    return float(ks_2samp(a, b, method="asymp").statistic)


def _named(names: tuple[str, ...], values: np.ndarray) -> dict[str, float]:
    return dict(zip(names, map(float, values), strict=True))
