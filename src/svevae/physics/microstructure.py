"""Seeded generators of porous parts, by name in `GENERATORS`.

| name | pores |
| --- | --- |
| gaussian | irregular, in dense and in porous regions: a level set of a Gaussian random field |
| overlapping_spheres, overlapping_ellipsoids | placed at random, wherever that is: Boolean model |
| spheres, ellipsoids | placed at random, a voxel of solid apart: random sequential addition |

Each is `f(shape, rng, *, its parameters) -> (x, y, z) uint8`, 0 solid, 1 pore, z the build
direction. Lengths are in voxels; `porosity` is met to the voxel: round(porosity * voxels) voxels
are pores. The part's faces cut pores as if it were sawn from a larger piece; no part is periodic.
Every generator raises ConfigError that names the parameter, what was expected and what was
received.

Sources: Adler, The Geometry of Random Fields (1981), level sets; Torquato, Random Heterogeneous
Materials (2002), the Boolean model and random sequential addition.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy.ndimage import binary_dilation
from scipy.special import log_ndtr

from svevae.errors import ConfigError

Shape = tuple[int, int, int]
Box = tuple[slice, slice, slice]

# diameters are drawn up to this many standard deviations of their logarithm, so that a largest one
# exists
CUT = 3.0
TRIES = 2_000  # places tried for one pore before random sequential addition gives up
# eigenvalues below this fraction of the largest are rounding errors of the covariance matrix
ROUNDING = 1e-10


def random_parameters(
    generator: str, parameters: Mapping[str, Any], seed: int, part: int
) -> dict[str, float]:
    """Give each parameter of a generator a number, a random one where `parameters` has a range, as
    in `svevae.config.Generate`. They depend on `seed` and `part` alone.

    Raises ConfigError for an unknown generator, an unknown or a missing parameter.
    """
    known = parameter_names(generator)
    for name in parameters:
        if name not in known:
            raise ConfigError(f"parameters.{name}: unknown; {generator} has {', '.join(known)}")
    rng = np.random.default_rng([seed, part, 1])
    values = {}
    for name in known:
        if name not in parameters:
            raise ConfigError(f"parameters.{name}: missing; {generator} has {', '.join(known)}")
        share, given = rng.random(), parameters[name]
        if not isinstance(given, list):
            values[name] = float(given)
        elif len(given) == 3:  # even in the logarithm
            values[name] = float(given[0] * (given[1] / given[0]) ** share)
        else:
            values[name] = float(given[0] + (given[1] - given[0]) * share)
    return values


def make_part(
    generator: str, shape: Shape, seed: int, part: int, parameters: Mapping[str, float]
) -> np.ndarray:
    """Part number `part` of the series `seed`: (x, y, z) uint8 of `shape`, from the generator of
    that name.

    Raises ConfigError for an unknown generator, an unknown or missing parameter, a value that is no
    number, and as the generator does.
    """
    names = parameter_names(generator)
    for name, value in parameters.items():
        if name not in names:
            raise ConfigError(f"{name}: unknown parameter; {generator} has {', '.join(names)}")
        if not _is_number(value, Real):
            raise ConfigError(f"{name}: expected a number, received {value!r}")
    for name in names:
        if name not in parameters:
            raise ConfigError(f"{name}: missing; {generator} has {', '.join(names)}")
    for name, value in (("seed", seed), ("part", part)):
        if not _is_number(value, Integral) or value < 0:
            raise ConfigError(f"{name}: expected an integer of at least 0, received {value!r}")
    return GENERATORS[generator](shape, np.random.default_rng([seed, part]), **parameters)


def parameter_names(generator: str) -> tuple[str, ...]:
    """The parameters of the generator of that name, all of them required. Raises ConfigError for an
    unknown name.
    """
    if generator not in GENERATORS:
        raise ConfigError(
            f"generator: expected one of {', '.join(GENERATORS)}, received {generator!r}"
        )
    parameters = inspect.signature(GENERATORS[generator]).parameters.values()
    return tuple(
        parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY
    )


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
    _check_part(shape, porosity)
    _within("elongation", elongation, 0.1, 10)
    _length("pore_length", pore_length, shape)
    _length("pore_length * elongation", pore_length * elongation, shape)
    _length("modulation_length", modulation_length, shape)
    _within("modulation_strength", modulation_strength, 0, 2)
    g = gaussian_field(shape, rng, (pore_length, pore_length, pore_length * elongation))
    m = gaussian_field(shape, rng, (modulation_length, modulation_length, modulation_length))
    m = (m - m.mean()) / m.std()
    critical = log_ndtr(-g) - modulation_strength * m
    pores = round(porosity * critical.size)
    part = np.zeros(shape, np.uint8)
    part.flat[np.argpartition(critical, max(pores - 1, 0), axis=None)[:pores]] = 1
    return part


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
    _length("pore_length", pore_length, porosity.shape)
    _length("pore_length * elongation", pore_length * elongation, porosity.shape)
    g = gaussian_field(porosity.shape, rng, (pore_length, pore_length, pore_length * elongation))
    return (log_ndtr(-g) < np.log(np.maximum(porosity, 1e-300))).astype(np.uint8)


def overlapping_spheres(
    shape: Shape,
    rng: np.random.Generator,
    *,
    porosity: float,
    diameter: float,
    diameter_spread: float,
) -> np.ndarray:
    """Spheres that may overlap; see `overlapping_ellipsoids` for the parameters."""
    return _placed(
        shape, rng, porosity, diameter, diameter_spread, elongation=1, tilt=0, overlap=True
    )


def spheres(
    shape: Shape,
    rng: np.random.Generator,
    *,
    porosity: float,
    diameter: float,
    diameter_spread: float,
) -> np.ndarray:
    """Spheres that do not touch; see `overlapping_ellipsoids` for the parameters, `ellipsoids` for
    the porosity that can be reached.
    """
    return _placed(
        shape, rng, porosity, diameter, diameter_spread, elongation=1, tilt=0, overlap=False
    )


def overlapping_ellipsoids(
    shape: Shape,
    rng: np.random.Generator,
    *,
    porosity: float,
    diameter: float,
    diameter_spread: float,
    elongation: float,
    tilt: float,
) -> np.ndarray:
    """Ellipsoids of revolution that may overlap.

    `diameter` is the median diameter of the sphere of equal volume, `diameter_spread` the standard
    deviation of its logarithm, which is normal up to 3 standard deviations. `elongation` (0.1 to
    10) is the length along the axis over the width: below 1 flat pores, such as lack of fusion
    leaves across the build direction. `tilt` (0 to 90 degrees) is the largest angle between the
    axis and z: 0 all pores along z, 90 every direction alike. The last pore is shrunk to meet the
    porosity.
    """
    return _placed(shape, rng, porosity, diameter, diameter_spread, elongation, tilt, overlap=True)


def ellipsoids(
    shape: Shape,
    rng: np.random.Generator,
    *,
    porosity: float,
    diameter: float,
    diameter_spread: float,
    elongation: float,
    tilt: float,
) -> np.ndarray:
    """Ellipsoids of revolution that do not touch, not even by a corner; see
    `overlapping_ellipsoids` for the parameters.

    Raises ConfigError also where no place is found before `porosity` is reached. Measured: spheres
    of one size reach 0.25 at a diameter of 16 voxels, 0.20 at 8 and 0.16 at 4, because of the voxel
    of solid between them; with diameter_spread 0.5 about 0.09.
    """
    return _placed(shape, rng, porosity, diameter, diameter_spread, elongation, tilt, overlap=False)


GENERATORS: dict[str, Callable[..., np.ndarray]] = {
    "gaussian": gaussian,
    "overlapping_spheres": overlapping_spheres,
    "spheres": spheres,
    "overlapping_ellipsoids": overlapping_ellipsoids,
    "ellipsoids": ellipsoids,
}


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


def _placed(
    shape: Shape,
    rng: np.random.Generator,
    porosity: float,
    diameter: float,
    diameter_spread: float,
    elongation: float,
    tilt: float,
    overlap: bool,
) -> np.ndarray:
    """Pores placed one by one in the part and a margin round it, until the part has its
    porosity.
    """
    _check_part(shape, porosity)
    _within("diameter_spread", diameter_spread, 0, 2)
    _within("elongation", elongation, 0.1, 10)
    _within("tilt", tilt, 0, 90)
    _length("diameter", diameter, shape)
    along, across = elongation ** (2 / 3), elongation ** (-1 / 3)
    longest = diameter * math.exp(CUT * diameter_spread) * max(along, across)
    _length(
        f"diameter {diameter:g}, diameter_spread {diameter_spread:g}: the longest pore",
        longest,
        shape,
    )

    margin = math.ceil(longest / 2) + 1
    inside = np.pad(np.ones(shape, bool), margin)
    pores, taken = np.zeros_like(inside), np.zeros_like(inside)
    missing = target = round(porosity * math.prod(shape))
    while missing > 0:
        radius = (
            diameter / 2 * math.exp(diameter_spread * np.clip(rng.standard_normal(), -CUT, CUT))
        )
        for _ in range(TRIES):
            centre = rng.random(3) * inside.shape
            if taken[tuple(centre.astype(int))]:
                continue
            box, distance = _ellipsoid(
                centre, _axis(rng, tilt), radius * along, radius * across, inside.shape
            )
            if not (taken[box] & (distance <= 1)).any():
                break
        else:
            reached = 1 - missing / target
            raise ConfigError(
                f"porosity: expected what pores that do not touch can fill, received {porosity:g};"
                f" {porosity * reached:.3g} was reached, then {TRIES} random places for the next"
                f" pore, of diameter {2 * radius:.3g}, were taken"
            )
        gained = distance[(distance <= 1) & inside[box] & ~pores[box]]
        limit = 1 if len(gained) <= missing else np.sort(gained)[missing - 1]
        pores[box] |= distance <= limit
        missing -= len(gained)
        if not overlap:
            taken[box] |= binary_dilation(distance <= limit, np.ones((3, 3, 3)))
    return pores[inside].reshape(shape).astype(np.uint8)


def _axis(rng: np.random.Generator, tilt: float) -> np.ndarray:
    """Unit vector (3,), uniform over the directions within `tilt` degrees of z."""
    cosine = 1 - rng.random() * (1 - math.cos(math.radians(tilt)))
    sine, turn = math.sqrt(1 - cosine**2), 2 * math.pi * rng.random()
    return np.array([sine * math.cos(turn), sine * math.sin(turn), cosine])


def _ellipsoid(
    centre: np.ndarray, axis: np.ndarray, along: float, across: float, shape: tuple[int, ...]
) -> tuple[Box, np.ndarray]:
    """The box round an ellipsoid of revolution with a voxel to spare, and its voxels' squared
    distance from the centre, 1 on the surface.

    `along` and `across` are the half axes; voxel i of an axis has its centre at i + 1/2.
    """
    reach = np.sqrt(across**2 + (along**2 - across**2) * axis**2)
    low = np.maximum(np.floor(centre - reach).astype(int) - 1, 0)
    high = np.minimum(np.ceil(centre + reach).astype(int) + 1, shape)
    x, y, z = (np.arange(a, b) + 0.5 - c for a, b, c in zip(low, high, centre, strict=True))
    x, y = x[:, None, None], y[:, None]
    on_axis = axis[0] * x + axis[1] * y + axis[2] * z
    distance = (x**2 + y**2 + z**2) / across**2 + on_axis**2 * (1 / along**2 - 1 / across**2)
    i, j, k = map(slice, low, high)
    return (i, j, k), distance


def _is_number(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _check_part(shape: Shape, porosity: float) -> None:
    if np.shape(shape) != (3,) or any(not _is_number(n, Integral) or n < 2 for n in shape):
        raise ConfigError(f"shape: expected three integers of at least 2, received {shape}")
    if not 0 <= porosity < 1:
        raise ConfigError(f"porosity: expected a number from 0 to below 1, received {porosity}")


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ConfigError(f"{name}: expected a number from {low} to {high}, received {value}")


def _length(name: str, value: float, shape: Shape) -> None:
    if not 1 <= value <= min(shape):
        raise ConfigError(
            f"{name}: expected from 1 voxel to the part's smallest edge, {min(shape)} voxels,"
            f" received {value:g}"
        )
