"""What a model is judged by, in numpy; a score never stands without the baseline that needs no network."""

from __future__ import annotations

import numpy as np

POROSITY_DEGREE = 3
ACTIVE_VARIANCE = 0.01  # Burda et al. (2016), section 5.2: a latent unit is active where the variance of its mean exceeds this


def r2(true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Coefficient of determination of each column; (sve, property) twice -> (property,). -inf where `true` is constant."""
    residual = np.square(true - predicted).sum(axis=0)
    total = np.square(true - true.mean(axis=0)).sum(axis=0)
    return 1 - np.divide(residual, total, out=np.full(residual.shape, np.inf), where=total > 0)


def mean_absolute_error(true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Mean absolute error of each column, in its unit; (sve, property) twice -> (property,)."""
    return np.abs(true - predicted).mean(axis=0)


class PorosityBaseline:
    """Each property as a cubic polynomial in the porosity, least squares over the training SVEs."""

    def __init__(self, porosity: np.ndarray, properties: np.ndarray):
        """porosity (sve,), properties (sve, property) in their units."""
        self.scale = max(float(porosity.max()), 1e-12)
        self.coefficients = np.linalg.lstsq(self._powers(porosity), properties.astype(np.float64), rcond=None)[0]

    def predict(self, porosity: np.ndarray) -> np.ndarray:
        """(sve,) -> (sve, property), in their units."""
        return self._powers(porosity) @ self.coefficients

    def _powers(self, porosity: np.ndarray) -> np.ndarray:
        return np.vander(porosity.astype(np.float64) / self.scale, POROSITY_DEGREE + 1, increasing=True)


def voxel_cross_entropy(voxels: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """-log Bernoulli likelihood summed over voxels, nats; (sve, n, n, n) twice -> (sve,)."""
    return (np.logaddexp(0, logits) - voxels * logits).sum(axis=(1, 2, 3), dtype=np.float64)


def constant_cross_entropy(porosity: np.ndarray, constant: float, n: int) -> np.ndarray:
    """The same where every voxel is a pore with probability `constant` (the training mean), nats.

    `porosity` (sve,) of SVEs of n^3 voxels -> (sve,).
    """
    return -(n**3) * (porosity * np.log(constant) + (1 - porosity) * np.log1p(-constant))


def overlap(voxels: np.ndarray, logits: np.ndarray) -> tuple[int, int]:
    """Numerator and denominator of the Dice coefficient 2 |A and B| / (|A| + |B|) of the pores, decoded at probability 1/2."""
    decoded = logits > 0
    return 2 * int((decoded & (voxels == 1)).sum()), int(decoded.sum() + voxels.sum(dtype=np.int64))


def active_units(latent_mean: np.ndarray) -> int:
    """How many latent units carry information; (sve, latent) -> count."""
    return int((latent_mean.var(axis=0) > ACTIVE_VARIANCE).sum())


def binarise(probability: np.ndarray) -> np.ndarray:
    """SVEs whose porosity is that of the probabilities: in each, the voxels with the highest ones are pores.

    A fixed threshold of 1/2 would lose every pore that the decoder is unsure of. (sve, n, n, n) -> (sve, n, n, n) bool.
    """
    flat = probability.reshape(len(probability), -1)
    pores = np.rint(flat.sum(axis=1, dtype=np.float64)).astype(int)
    rank = np.argsort(np.argsort(-flat, axis=1, kind="stable"), axis=1)
    return (rank < pores[:, None]).reshape(probability.shape)


def two_point_correlation(fields: np.ndarray) -> np.ndarray:
    """S2(r): the mean over SVEs and over x, y, z of the chance that two voxels r apart along an axis are both pores.

    Periodic, by the Fourier transform (Torquato 2002, section 2.2). Fields (sve, n, n, n) of 0 and 1 -> (n // 2 + 1,) for
    r = 0 ... n // 2 voxels; S2(0) is the porosity.
    """
    half = fields.shape[-1] // 2 + 1
    total = np.zeros(half)
    for field in fields.astype(np.float32):
        correlation = np.fft.irfftn(np.abs(np.fft.rfftn(field)) ** 2, s=field.shape, axes=(0, 1, 2)) / field.size
        total += (correlation[:half, 0, 0] + correlation[0, :half, 0] + correlation[0, 0, :half]) / 3
    return total / len(fields)
