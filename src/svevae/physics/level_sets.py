"""Parts whose pores are level sets of random fields."""

from __future__ import annotations

import numpy as np
from scipy.special import log_ndtr

from svevae.errors import ConfigError
from svevae.physics.part_checks import Shape, check_length, check_part, within

# eigenvalues below this fraction of the largest are rounding errors of the covariance matrix
ROUNDING = 1e-10
WAVES = 200  # of a spinodal field: its distribution is then normal to 1/WAVES


def gaussian(
    shape: Shape,
    rng: np.random.Generator,
    *,
    porosity: float,
    pore_length: float,
    elongation: float,
    modulation_length: float,
    modulation_strength: float,
) -> np.ndarray:
    """Pore where a unit Gaussian field g exceeds the (1 - phi) normal quantile, with phi = phi0
    exp(s m - s^2/2).

    The covariance of g is exp(-(r/l)^2), l = `pore_length` along x and y and `elongation` times
    that along z. m is a second field of length `modulation_length` in every direction, brought to
    mean 0 and standard deviation 1 over the part; s = `modulation_strength` (0 to 2) is then the
    standard deviation of log phi over the part. These are the conventions of the reference dataset
    (measured from its 64 parts). phi0 follows from `porosity`: a voxel becomes a pore at phi0 =
    Phi(-g) / exp(s m - s^2/2), and those that do so first are the pores.
    """
    check_part(shape, porosity)
    within("elongation", elongation, 0.1, 10)
    check_length("pore_length", pore_length, shape)
    check_length("pore_length * elongation", pore_length * elongation, shape)
    check_length("modulation_length", modulation_length, shape)
    within("modulation_strength", modulation_strength, 0, 2)
    g = gaussian_field(shape, rng, (pore_length, pore_length, pore_length * elongation))
    m = gaussian_field(shape, rng, (modulation_length, modulation_length, modulation_length))
    m = (m - m.mean()) / m.std()
    critical = log_ndtr(-g) - modulation_strength * m
    return highest(-critical, porosity)


def spinodal(
    shape: Shape,
    rng: np.random.Generator,
    *,
    porosity: float,
    wavelength: float,
    stretch: float,
) -> np.ndarray:
    """Pore where the sum of WAVES plane waves of one length and of random directions and phases is
    highest: the winding network of a spinodal decomposition, of a dealloyed metal.

    The waves are `wavelength` long (2 to the part's smallest edge), and `stretch` (0.1 to 10) times
    that along z.
    """
    check_part(shape, porosity)
    within("stretch", stretch, 0.1, 10)
    check_length("wavelength", wavelength, shape, 2)
    check_length("wavelength * stretch", wavelength * stretch, shape, 2)
    directions = rng.standard_normal((WAVES, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    numbers = directions * (2 * np.pi / wavelength) / np.array([1, 1, stretch])
    x, y, z = (
        np.exp(1j * np.outer(np.arange(count), k))
        for count, k in zip(shape, numbers.T, strict=True)
    )
    z = z * np.exp(2j * np.pi * rng.random(WAVES))
    plane = (x[:, None] * y).reshape(-1, WAVES)
    return highest((plane @ z.T).real.reshape(shape), porosity)


def graded(
    porosity: np.ndarray, rng: np.random.Generator, *, pore_length: float, elongation: float
) -> np.ndarray:
    """Pores as `gaussian` makes them where the porosity is given in space: (x, y, z) -> (x, y, z)
    uint8.

    Pore where a unit Gaussian field exceeds the (1 - porosity) normal quantile, so each voxel is
    one with its own probability.
    """
    porosity = np.asarray(porosity, float)
    if porosity.ndim != 3 or not ((porosity >= 0) & (porosity < 1)).all():
        raise ConfigError(
            "porosity: expected a field (x, y, z) from 0 to below 1, received shape"
            f" {porosity.shape}"
        )
    check_length("pore_length", pore_length, porosity.shape)
    check_length("pore_length * elongation", pore_length * elongation, porosity.shape)
    g = gaussian_field(porosity.shape, rng, (pore_length, pore_length, pore_length * elongation))
    return (log_ndtr(-g) < np.log(np.maximum(porosity, 1e-300))).astype(np.uint8)


def gaussian_field(
    shape: Shape, rng: np.random.Generator, lengths: tuple[float, float, float]
) -> np.ndarray:
    """Gaussian field of mean 0 and covariance exp(-sum((r_i / lengths_i)^2)), exact on the grid:
    (x, y, z) float64.

    The covariance is a product over the axes, so white noise times the symmetric square root of
    each axis' covariance matrix has it.
    """
    field = rng.standard_normal(shape)
    for count, length in zip(shape, lengths, strict=True):
        lag = np.subtract.outer(np.arange(count), np.arange(count)) / length
        values, vectors = np.linalg.eigh(np.exp(-(lag**2)))
        # the root of a rounding error is 1e-8: enough to let two machines disagree on a voxel
        roots = np.sqrt(np.where(values > ROUNDING * values[-1], values, 0))
        # takes the first axis and puts its image last: after three turns the order is x, y, z again
        field = np.tensordot(field, (vectors * roots) @ vectors.T, axes=(0, 0))
    return field


def highest(field: np.ndarray, porosity: float) -> np.ndarray:
    """1 in that share of the voxels where `field` (x, y, z) is highest: (x, y, z) uint8."""
    pores = round(porosity * field.size)
    part = np.zeros(field.shape, np.uint8)
    part.flat[np.argpartition(-field, max(pores - 1, 0), axis=None)[:pores]] = 1
    return part
