"""Metrics that a model is judged by, in numpy."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.special import xlog1py, xlogy

QUANTILE_90 = 1.6448536  # of |N(0, 1)|: an interval of 90 % is +- this many standard deviations
HALVINGS = 200  # random divisions of the held-out parts into two halves
# A latent unit is active where the variance of its mean exceeds this: Burda et al. (2016),
# section 5.2.
ACTIVE_VARIANCE = 0.01


def r2(true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Coefficient of determination of each column; (sve, property) twice -> (property,). NaN where
    `true` is constant, which has no variance to explain.
    """
    residual = np.square(true - predicted).sum(axis=0)
    total = np.square(true - true.mean(axis=0)).sum(axis=0)
    return 1 - np.divide(residual, total, out=np.full(residual.shape, np.nan), where=total > 0)


def mean_absolute_error(true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Mean absolute error of each column, in its unit; (sve, property) twice -> (property,)."""
    return np.abs(true - predicted).mean(axis=0)


def voxel_cross_entropy(voxels: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """-log Bernoulli likelihood summed over voxels, nats; (sve, n, n, n) twice -> (sve,)."""
    return (np.logaddexp(0, logits) - voxels * logits).sum(axis=(1, 2, 3), dtype=np.float64)


def constant_cross_entropy(porosity: np.ndarray, constant: float, n: int) -> np.ndarray:
    """The same where every voxel is a pore with probability `constant` (the training mean), nats.

    `porosity` (sve,) of SVEs of n^3 voxels -> (sve,).
    """
    return -(n**3) * (xlogy(porosity, constant) + xlog1py(1 - porosity, -constant))


def overlap(voxels: np.ndarray, logits: np.ndarray) -> tuple[int, int]:
    """Numerator and denominator of the Dice coefficient 2 |A and B| / (|A| + |B|) of the pores,
    decoded at probability 1/2.
    """
    decoded = logits > 0
    return 2 * int((decoded & (voxels == 1)).sum()), int(decoded.sum() + voxels.sum(dtype=np.int64))


def active_units(latent_mean: np.ndarray) -> int:
    """How many latent units carry information; (sve, latent) -> count."""
    return int((latent_mean.var(axis=0) > ACTIVE_VARIANCE).sum())


def divergence_from_prior(mean: np.ndarray, std: np.ndarray) -> float:
    """KL(N(m, S) || N(0, I)) of the aggregate posterior, nats: m and S are the mean and covariance
    of all samples of all SVEs.

    Posterior means and standard deviations (sve, latent).
    """
    centre = mean.mean(axis=0, dtype=np.float64)
    covariance = np.cov(mean.T.astype(np.float64), bias=True).reshape(len(centre), -1) + np.diag(
        np.square(std).mean(axis=0)
    )
    return float(
        0.5
        * (np.trace(covariance) + centre @ centre - len(centre) - np.linalg.slogdet(covariance)[1])
    )


def two_point_correlation(fields: np.ndarray) -> np.ndarray:
    """S2(r): the mean over SVEs and over x, y, z of the chance that two voxels r apart along an
    axis are both pores.

    Periodic, by the Fourier transform (Torquato 2002, section 2.2). Fields (sve, n, n, n) of 0 and
    1 -> (n // 2 + 1,) for r = 0 ... n // 2 voxels; S2(0) is the porosity.
    """
    return two_point_of_each(fields).mean(axis=0)


def two_point_of_each(fields: np.ndarray) -> np.ndarray:
    """S2(r) of each SVE by itself, see `two_point_correlation`: (sve, n // 2 + 1)."""
    half = fields.shape[-1] // 2 + 1
    means = np.empty((len(fields), half))
    for i, field in enumerate(fields.astype(np.float32)):
        correlation = (
            np.fft.irfftn(np.abs(np.fft.rfftn(field)) ** 2, s=field.shape, axes=(0, 1, 2))
            / field.size
        )
        means[i] = (
            correlation[:half, 0, 0] + correlation[0, :half, 0] + correlation[0, 0, :half]
        ) / 3
    return means


def coverage(true: np.ndarray, predicted: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Share of each column within the predicted interval of 90 %, +- 1.645 std; (sve, property)
    thrice -> (property,).
    """
    return (np.abs(true - predicted) <= QUANTILE_90 * std).mean(axis=0)


def correlation_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Root mean square difference of two two-point correlations (distance,), over the mean of the
    second; infinite where that has no pores.
    """
    mean = b.mean()
    return float(np.sqrt(np.square(a - b).mean()) / mean) if mean > 0 else math.inf


def distribution_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Kolmogorov and Smirnov's: the largest difference of the empirical distribution functions of
    two samples (any,) and (other,), neither empty.
    """
    everywhere = np.concatenate([a, b])
    below = [np.searchsorted(np.sort(x), everywhere, "right") / len(x) for x in (a, b)]
    return float(np.abs(below[0] - below[1]).max())


def half_distances(
    part_id: np.ndarray,
    distance: Callable[[np.ndarray, np.ndarray], float],
    random: np.random.Generator,
) -> np.ndarray:
    """How far two halves of the held-out SVEs are apart, for random divisions of their parts:
    (200,).

    `distance` takes two arrays of indices of SVEs. Samples of the model are compared with these
    distances: they are indistinguishable from held-out SVEs as long as they are no further from
    them than most halves are from each other. One part has no halves: (0,).
    """
    parts = np.unique(part_id)
    if len(parts) < 2:
        return np.empty(0)
    distances = []
    for _ in range(HALVINGS):
        first = np.isin(part_id, random.permutation(parts)[: max(1, len(parts) // 2)])
        distances.append(distance(np.flatnonzero(first), np.flatnonzero(~first)))
    return np.array(distances)
