"""Generators of porous parts against closed forms, against GSTools and scikit-image, and against
the reference dataset.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import NamedTuple

import gstools
import h5py
import numpy as np
import pytest
from scipy.special import ndtr, ndtri, owens_t
from skimage.measure import label, regionprops

from svevae.errors import ConfigError
from svevae.physics.level_sets import gaussian_field
from svevae.physics.microstructure import GENERATORS, make_part, parameter_names
from svevae.physics.placed_pores import CUT
from tests.conftest import REFERENCE

GAUSSIAN = {
    "porosity": 0.05,
    "pore_length": 4.0,
    "elongation": 1.5,
    "modulation_length": 20.0,
    "modulation_strength": 0.5,
}
SPHERES = {"porosity": 0.05, "diameter": 6.0, "diameter_spread": 0.2}
ELLIPSOIDS = {**SPHERES, "elongation": 2.0, "tilt": 30.0}
MODULATION = {"modulation_length": 20.0, "modulation_strength": 0.5}
GAS = SPHERES | MODULATION | {"cluster_pores": 4.0, "cluster_length": 5.0}
LACK_OF_FUSION = SPHERES | MODULATION | {"flatness": 0.3, "tilt": 20.0, "roughness": 0.2}
LACK_OF_FUSION |= {"layer": 9.0, "layer_spread": 1.0}
KEYHOLE = SPHERES | MODULATION | {"elongation": 1.5, "wander": 0.2}
KEYHOLE |= {"chain_pores": 5.0, "chain_spacing": 1.2}
MIXTURE = SPHERES | MODULATION | {"irregular": 0.5, "flat": 1.0, "chained": 0.3}
PARAMETERS = {
    "gaussian": GAUSSIAN,
    "spinodal": {"porosity": 0.05, "wavelength": 10.0, "stretch": 1.5},
    "grains": SPHERES,
    "gas": GAS,
    "lack_of_fusion": LACK_OF_FUSION,
    "keyhole": KEYHOLE,
    "mixture": MIXTURE,
    "overlapping_spheres": SPHERES,
    "spheres": SPHERES,
    "overlapping_ellipsoids": ELLIPSOIDS,
    "ellipsoids": ELLIPSOIDS,
}
SHAPE = (40, 32, 36)


def part(
    generator: str,
    shape: tuple[int, int, int] = SHAPE,
    seed: int = 0,
    number: int = 0,
    **changes: float,
) -> np.ndarray:
    return make_part(generator, shape, seed, number, {**PARAMETERS[generator], **changes})


def digest(voxels: np.ndarray) -> str:
    return hashlib.sha256(voxels.tobytes()).hexdigest()


def pair_probability(voxels: np.ndarray, axis: int, lag: int) -> float:
    """Share of the pairs of voxels `lag` apart along `axis` of which both are pores; axis -1 is z
    of a part and of many SVEs.
    """
    moved = np.moveaxis(voxels, axis, 0)
    return float((moved[lag:] & moved[:-lag]).mean())


def level_set_pair_probability(
    porosity: np.ndarray | float, correlation: float
) -> np.ndarray | float:
    """P(g > t, g' > t) = Phi(-t) - 2 T(t, sqrt((1 - c) / (1 + c))), Owen's T; unit Gaussians of
    correlation c, Phi(-t) = porosity.
    """
    t = -ndtri(porosity)
    return ndtr(-t) - 2 * owens_t(t, np.sqrt((1 - correlation) / (1 + correlation)))


# Every generator


def test_every_generator_is_tested() -> None:
    assert set(PARAMETERS) == set(GENERATORS)
    for name, values in PARAMETERS.items():
        assert set(parameter_names(name)) == set(values)


@pytest.mark.parametrize("porosity", [0.0, 2e-5, 0.0031, 0.1])
@pytest.mark.parametrize("generator", GENERATORS)
def test_porosity_is_exact(generator: str, porosity: float) -> None:
    """Of N voxels round(porosity N) are pores: none at porosity 0, one at 2e-5 of 46,080."""
    voxels = part(generator, porosity=porosity)
    assert voxels.shape == SHAPE
    assert voxels.dtype == np.uint8
    assert set(np.unique(voxels)) <= {0, 1}
    assert voxels.sum() == round(porosity * voxels.size)


@pytest.mark.parametrize(("porosity", "pores"), [(0.999, 7992), (0.99995, 8000)])
@pytest.mark.parametrize("generator", ["gaussian", "overlapping_spheres", "overlapping_ellipsoids"])
def test_pores_that_overlap_can_fill_all(generator: str, porosity: float, pores: int) -> None:
    assert part(generator, (20, 20, 20), porosity=porosity).sum() == pores


@pytest.mark.parametrize("generator", GENERATORS)
def test_seed_and_part_decide(generator: str) -> None:
    """The same seed and part number give the same bytes, another of either gives another part."""
    first = part(generator)
    assert first.tobytes() == part(generator).tobytes()
    assert not np.array_equal(first, part(generator, number=1))
    assert not np.array_equal(first, part(generator, seed=1))
    assert not np.array_equal(part(generator, number=1), part(generator, seed=1))


@pytest.mark.parametrize(
    ("generator", "expected"),
    [
        ("gaussian", "c8c3dfb573ead07e07a70ba6debb5f7ead63f764636b2a97088fbd7a30f80e85"),
        ("ellipsoids", "387f5a941e0c494d3a63e7e0976eeded43cc4edb0601ab30011a6cecf3d2a24c"),
    ],
)
def test_bytes_are_those_of_the_day_they_were_written(generator: str, expected: str) -> None:
    """A change here means that datasets made from a seed can no longer be made again: say so in
    CHANGELOG.md.
    """
    assert digest(part(generator)) == expected


def test_bytes_do_not_depend_on_the_number_of_threads() -> None:
    code = (
        "import hashlib; from svevae.physics.microstructure import"
        " make_part;print(hashlib.sha256(make_part('gaussian', (96, 64, 96), 0, 0,"
        f" {GAUSSIAN}).tobytes()).hexdigest())"
    )
    seen = set()
    for threads in ("1", "2"):
        environment = {
            **os.environ,
            "OPENBLAS_NUM_THREADS": threads,
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
        }
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
        seen.add(done.stdout.strip())
    assert seen == {digest(part("gaussian", (96, 64, 96)))}


# The Gaussian field and its level set


class _Impulse(NamedTuple):
    """Stands for a random generator: its white noise is 1 at one voxel."""

    voxel: int

    def standard_normal(self, shape: tuple[int, int, int]) -> np.ndarray:
        noise = np.zeros(shape)
        noise.flat[self.voxel] = 1
        return noise


@pytest.mark.parametrize("lengths", [(2.0, 2.0, 4.0), (1.0, 3.0, 5.0)])
def test_covariance_of_the_field_is_exact(lengths: tuple[float, float, float]) -> None:
    """The field is linear in its white noise, so its responses R to unit impulses give its
    covariance R R^T without sampling.

    Exact: GSTools' Gaussian model, which is exp(-(r/l)^2) when it does not rescale l; voxel by
    voxel, without a trace of periodicity.
    """
    shape = (6, 7, 5)
    response = np.stack(
        [gaussian_field(shape, _Impulse(voxel), lengths).ravel() for voxel in range(6 * 7 * 5)],
        axis=1,
    )
    positions = np.indices(shape).reshape(3, -1)
    lags = positions[:, :, None] - positions[:, None, :]
    exact = (
        gstools.Gaussian(dim=3, len_scale=lengths, rescale=1)
        .cor_spatial(lags.reshape(3, -1))
        .reshape(len(response), -1)
    )
    np.testing.assert_allclose(response @ response.T, exact, atol=1e-9)


def test_variogram_of_a_sample() -> None:
    """Estimated by GSTools from 4 fields of 64^3, lengths 3, 3, 6: 1 - exp(-(r/l)^2); its standard
    error is 1.5 % of the sill.
    """
    fields = [
        gaussian_field((64, 64, 64), np.random.default_rng(i), (3.0, 3.0, 6.0)) for i in range(4)
    ]
    for axis, length in (("x", 3), ("y", 3), ("z", 6)):
        variogram = np.mean(
            [gstools.vario_estimate_axis(field, direction=axis)[:10] for field in fields], axis=0
        )
        np.testing.assert_allclose(
            variogram, 1 - np.exp(-((np.arange(10) / length) ** 2)), atol=0.06
        )


def test_pores_are_the_level_set_of_their_definition() -> None:
    """g exceeds the normal quantile of 1 - phi exactly in the pores, phi = phi0 exp(s m - s^2/2)
    with the phi0 of the last pore.

    m has mean 0 and standard deviation 1 over the part, which a field of 30 voxels length in a part
    of 32 is far from by itself.
    """
    s, length = 0.8, 30.0
    voxels = part("gaussian", modulation_length=length, modulation_strength=s)
    rng = np.random.default_rng([0, 0])
    g, m = (
        gaussian_field(SHAPE, rng, (4.0, 4.0, 6.0)),
        gaussian_field(SHAPE, rng, (length, length, length)),
    )
    assert m.std() < 0.9
    weight = np.exp(s * (m - m.mean()) / m.std() - s**2 / 2)
    phi0 = (ndtr(-g) / weight)[voxels == 1].max() * (1 + 1e-9)
    np.testing.assert_array_equal(voxels, g > -ndtri(phi0 * weight))


def test_pair_probability_of_the_level_set() -> None:
    """Without modulation the probability of two pores at a lag is Owen's T of the correlation
    exp(-(r/l)^2), along x and y.

    Along z, with elongation 2, it is the same at twice the lag. 8 parts of 64^3; the tolerance is 3
    standard errors.
    """
    changes = {"porosity": 0.08, "modulation_strength": 0.0, "elongation": 2.0}
    parts = [part("gaussian", (64, 64, 64), number=i, **changes) for i in range(8)]
    for lag in (1, 2, 4):
        exact = level_set_pair_probability(0.08, np.exp(-((lag / 4) ** 2)))
        for axis, factor in ((0, 1), (1, 1), (2, 2)):
            seen = [pair_probability(voxels, axis, factor * lag) for voxels in parts]
            assert abs(np.mean(seen) - exact) < max(3 * np.std(seen) / 8**0.5, 0.02 * exact), (
                lag,
                axis,
            )


def test_modulation_makes_dense_and_porous_regions() -> None:
    """log phi has standard deviation s over the part, so the relative variance of phi is exp(s^2) -
    1.

    Regions (24 voxels) are wider than SVEs (8): the relative variance of their porosities grows by
    that much, less what varies inside an SVE; between half of it and all of it, over 6 parts.
    """

    def relative_variance(strength: float) -> float:
        changes = {
            "pore_length": 2.0,
            "elongation": 1.0,
            "modulation_length": 24.0,
            "modulation_strength": strength,
            "porosity": 0.1,
        }
        cubes = [
            part("gaussian", (64, 64, 64), number=i, **changes)
            .reshape(8, 8, 8, 8, 8, 8)
            .mean((1, 3, 5))
            for i in range(6)
        ]
        return float(np.var(cubes) / 0.1**2)

    gained = relative_variance(0.7) - relative_variance(0.0)
    assert 0.5 * np.expm1(0.7**2) < gained < np.expm1(0.7**2)


def test_lengths_have_the_convention_of_the_reference_dataset() -> None:
    """Pairs of pores at lag 2 in the 21 reference parts of weak modulation (s < 0.3), against
    exp(-(r/l)^2) and the length given.

    Closed form: Owen's T, averaged over the log-normal porosity phi. exp(-r^2 / (2 l^2)) and
    GSTools' exp(-pi/4 (r/l)^2) expect too many.
    """
    with h5py.File(REFERENCE, "r") as file:
        table, voxels, part_id = (
            file["parts"][:].astype(float),
            file["voxels"][:],
            file["part_id"][:],
        )
    points, weights = np.polynomial.hermite_e.hermegauss(31)
    ratios = {1.0: [], np.pi / 4: [], 0.5: []}
    for number, length, elongation, _, _, strength, porosity in table[table[:, 5] < 0.3]:
        phi = porosity * np.exp(strength * points - strength**2 / 2)
        for axis, stretch in ((-3, 1), (-2, 1), (-1, elongation)):
            seen = pair_probability(voxels[part_id == number], axis, 2)
            for factor, found in ratios.items():
                exact = (
                    level_set_pair_probability(phi, np.exp(-factor * (2 / (stretch * length)) ** 2))
                    @ weights
                    / weights.sum()
                )
                found.append(seen / exact)
    assert np.mean(ratios[1.0]) == pytest.approx(1, abs=0.02)
    assert np.mean(ratios[np.pi / 4]) < 0.95
    assert np.mean(ratios[0.5]) < 0.85


# Spheres and ellipsoids


def whole_pores(voxels: np.ndarray, connectivity: int = 3) -> list:
    """scikit-image's regions of connected pores that no face of the part cuts; connectivity 3 joins
    voxels by corners too.
    """
    return [
        region
        for region in regionprops(label(voxels, connectivity=connectivity))
        if min(region.bbox[:3]) > 0
        and all(high < n for high, n in zip(region.bbox[3:], voxels.shape, strict=True))
    ]


def test_spheres_of_one_size_stay_apart() -> None:
    """Every connected pore inside is one sphere: volume pi d^3 / 6 (3 % for voxels), d long on each
    axis; only the last is smaller.
    """
    pores = whole_pores(
        part("spheres", (64, 64, 64), porosity=0.12, diameter=10.0, diameter_spread=0.0)
    )
    full = [pore for pore in pores if pore.area > 0.9 * np.pi * 10**3 / 6]
    assert len(full) >= len(pores) - 1
    assert len(full) > 25
    for pore in full:
        assert pore.area == pytest.approx(np.pi * 10**3 / 6, rel=0.03)
        sides = np.subtract(pore.bbox[3:], pore.bbox[:3])
        assert set(sides) <= {9, 10, 11}


def test_number_of_spheres() -> None:
    """Spheres of one size at porosity p: the density of whole ones is 6 p / (pi d^3) for centres
    half a diameter inside; 4 parts, 3 %.
    """
    n, d, p = 96, 6.0, 0.06
    seen = [
        len(
            whole_pores(
                part("spheres", (n, n, n), number=i, porosity=p, diameter=d, diameter_spread=0.0)
            )
        )
        for i in range(4)
    ]
    assert np.mean(seen) == pytest.approx(6 * p / (np.pi * d**3) * (n - d - 1) ** 3, rel=0.03)


def test_sizes_are_log_normal() -> None:
    """Median d and standard deviation of log d as asked for; each pore is weighed by 1 / its chance
    of not being cut by a face.
    """
    voxels = part("spheres", (128, 128, 128), porosity=0.05, diameter=7.0, diameter_spread=0.25)
    diameters = np.array([(6 * pore.area / np.pi) ** (1 / 3) for pore in whole_pores(voxels)])
    weights = (128 - diameters) ** -3.0
    weights /= weights.sum()
    assert len(diameters) > 250
    logs = np.log(diameters)
    mean = logs @ weights
    order = np.argsort(diameters)
    median = diameters[order][np.searchsorted(np.cumsum(weights[order]), 0.5)]
    assert median == pytest.approx(7, rel=0.05)
    assert np.sqrt((logs - mean) ** 2 @ weights) == pytest.approx(0.25, rel=0.1)
    assert diameters.max() < 7 * np.exp(CUT * 0.25) + 1


@pytest.mark.parametrize("elongation", [0.4, 2.5])
def test_ellipsoids_along_z(elongation: float) -> None:
    """No tilt: pores are 2 a = d e^(2/3) long along z and d e^(-1/3) wide, to a voxel, of the
    volume of a sphere of diameter d.
    """
    pores = whole_pores(
        part(
            "ellipsoids",
            (64, 64, 64),
            porosity=0.06,
            diameter=12.0,
            diameter_spread=0.0,
            elongation=elongation,
            tilt=0.0,
        )
    )
    full = [pore for pore in pores if pore.area > 0.9 * np.pi * 12**3 / 6]
    assert len(full) > 5
    for pore in full:
        assert pore.area == pytest.approx(np.pi * 12**3 / 6, rel=0.04)
        sides = np.subtract(pore.bbox[3:], pore.bbox[:3])
        np.testing.assert_allclose(
            sides, 12 * elongation ** np.array([-1 / 3, -1 / 3, 2 / 3]), atol=1.01
        )


@pytest.mark.parametrize("tilt", [40.0, 90.0])
def test_tilt(tilt: float) -> None:
    """Axes uniform over the cap of half angle `tilt`: |cos| is uniform between cos(tilt) and 1;
    every azimuth alike.
    """
    pores = whole_pores(
        part(
            "ellipsoids",
            (112, 112, 112),
            porosity=0.05,
            diameter=8.0,
            diameter_spread=0.0,
            elongation=2.5,
            tilt=tilt,
        )
    )
    axes = []
    for pore in pores:
        if pore.area > 0.9 * np.pi * 8**3 / 6:
            _, vectors = np.linalg.eigh(np.cov(pore.coords.T))
            axes.append(vectors[:, -1])
    axes = np.array(axes) * np.sign(np.array(axes)[:, 2:])
    cosines = axes[:, 2]
    low = np.cos(np.radians(tilt))
    assert len(axes) > 100
    assert cosines.min() > low - 0.05
    assert cosines.mean() == pytest.approx(
        (1 + low) / 2, abs=3 * (1 - low) / np.sqrt(12 * len(axes))
    )
    assert cosines.std() == pytest.approx((1 - low) / np.sqrt(12), rel=0.15)
    assert np.mean(axes[:, 0] ** 2) == pytest.approx(np.mean(axes[:, 1] ** 2), abs=0.06)
    np.testing.assert_allclose(axes[:, :2].mean(axis=0), 0, atol=3 * np.sqrt(1 / (3 * len(axes))))


def test_pair_probability_of_overlapping_spheres() -> None:
    """The Boolean model of spheres of diameter d at porosity p: 2 p - 1 + (1 - p)^(1 + 3 r / (2 d)
    - r^3 / (2 d^3)) for r < d.

    Torquato, Random Heterogeneous Materials (2002). 8 parts of 64^3, 3 standard errors.
    """
    p, d = 0.2, 10.0
    parts = [
        part(
            "overlapping_spheres",
            (64, 64, 64),
            number=i,
            porosity=p,
            diameter=d,
            diameter_spread=0.0,
        )
        for i in range(8)
    ]
    for lag in (1, 2, 4, 7):
        exact = 2 * p - 1 + (1 - p) ** (1 + 1.5 * lag / d - 0.5 * (lag / d) ** 3)
        for axis in range(3):
            seen = [pair_probability(voxels, axis, lag) for voxels in parts]
            assert abs(np.mean(seen) - exact) < max(3 * np.std(seen) / 8**0.5, 0.02 * exact), (
                lag,
                axis,
            )


def test_faces_of_the_part_are_as_porous_as_its_inside() -> None:
    """The part is sawn from a larger piece: its outer layers have the porosity of the whole, 10 %,
    over 24 parts, 4 standard errors.
    """
    for generator in ("spheres", "overlapping_spheres"):
        seen = []
        for i in range(24):
            voxels = part(generator, (32, 32, 32), number=i, porosity=0.1)
            inside = voxels[3:-3, 3:-3, 3:-3]
            seen.append((voxels.sum() - inside.sum()) / (voxels.size - inside.size))
        assert abs(np.mean(seen) - 0.1) < 4 * np.std(seen) / 24**0.5


# What cannot be made

WRONG = [
    ("gaussian", {"porosity": 1.0}, "porosity: expected a number from 0 to below 1, received 1.0"),
    (
        "spheres",
        {"porosity": -0.01},
        "porosity: expected a number from 0 to below 1, received -0.01",
    ),
    (
        "ellipsoids",
        {"porosity": float("nan")},
        "porosity: expected a number from 0 to below 1, received nan",
    ),
    ("gaussian", {"porosity": "5 %"}, "porosity: expected a number, received '5 %'"),
    ("gaussian", {"porosity": True}, "porosity: expected a number, received True"),
    (
        "gaussian",
        {"pore_length": 0.0},
        "pore_length: expected from 1 voxel to the part's smallest edge, 32 voxels, received 0",
    ),
    (
        "gaussian",
        {"pore_length": 33.0},
        "pore_length: expected from 1 voxel .* 32 voxels, received 33",
    ),
    (
        "gaussian",
        {"pore_length": float("nan")},
        "pore_length: expected from 1 voxel .* received nan",
    ),
    (
        "gaussian",
        {"pore_length": 20.0, "elongation": 2.0},
        r"pore_length \* elongation: expected from 1 voxel .* received 40",
    ),
    ("gaussian", {"elongation": 0.0}, "elongation: expected a number from 0.1 to 10, received 0.0"),
    (
        "gaussian",
        {"modulation_length": -3.0},
        "modulation_length: expected from 1 voxel .* received -3",
    ),
    (
        "gaussian",
        {"modulation_length": 96.0},
        "modulation_length: expected from 1 voxel .* 32 voxels, received 96",
    ),
    (
        "gaussian",
        {"modulation_strength": -0.1},
        "modulation_strength: expected a number from 0 to 2, received -0.1",
    ),
    (
        "gaussian",
        {"modulation_strength": float("inf")},
        "modulation_strength: expected a number from 0 to 2, received inf",
    ),
    ("spheres", {"diameter": 0.5}, "diameter: expected from 1 voxel .* received 0.5"),
    (
        "overlapping_spheres",
        {"diameter": 40.0},
        "diameter: expected from 1 voxel .* 32 voxels, received 40",
    ),
    (
        "spheres",
        {"diameter_spread": -1.0},
        "diameter_spread: expected a number from 0 to 2, received -1.0",
    ),
    (
        "spheres",
        {"diameter": 8.0, "diameter_spread": 0.5},
        "diameter 8, diameter_spread 0.5: the longest pore: expected .* received 35.85",
    ),
    (
        "ellipsoids",
        {"elongation": 11.0},
        "elongation: expected a number from 0.1 to 10, received 11.0",
    ),
    ("ellipsoids", {"tilt": 91.0}, "tilt: expected a number from 0 to 90, received 91.0"),
]


@pytest.mark.parametrize(("generator", "changes", "message"), WRONG)
def test_wrong_values(generator: str, changes: Mapping[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}"):
        part(generator, **changes)


@pytest.mark.parametrize("shape", [(32, 32), (32, 32, 1), (32.0, 32.0, 32.0), 32, "cube"])
@pytest.mark.parametrize("generator", ["gaussian", "spheres"])
def test_wrong_shape(generator: str, shape: object) -> None:
    with pytest.raises(
        ConfigError, match=r"^shape: expected three integers of at least 2, received"
    ):
        part(generator, shape)


@pytest.mark.parametrize(
    ("seed", "number", "name"),
    [(-1, 0, "seed"), (0, -1, "part"), (0.5, 0, "seed"), (0, None, "part")],
)
def test_wrong_seed(seed: object, number: object, name: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name}: expected an integer of at least 0, received"):
        part("spheres", seed=seed, number=number)


def test_wrong_names() -> None:
    with pytest.raises(
        ConfigError,
        match=r"^generator: expected one of gaussian, spinodal, .*, received 'cubes'",
    ):
        make_part("cubes", SHAPE, 0, 0, SPHERES)
    with pytest.raises(
        ConfigError,
        match=r"^radius: unknown parameter; spheres has porosity, diameter, diameter_spread",
    ):
        part("spheres", radius=3.0)
    with pytest.raises(
        ConfigError,
        match=(
            r"^tilt: missing; ellipsoids has porosity, diameter, diameter_spread, elongation, tilt"
        ),
    ):
        make_part("ellipsoids", SHAPE, 0, 0, {**SPHERES, "elongation": 1.0})


def test_jammed() -> None:
    """Spheres placed at random and never moved jam at 38 % (Torquato 2002), less with a voxel of
    solid between them: 60 % is an error.
    """
    with pytest.raises(
        ConfigError,
        match=(
            r"^porosity: expected what pores that do not touch can fill, received 0.6; 0.\d+ was"
            r" reached, then"
        ),
    ):
        part("spheres", (24, 24, 24), porosity=0.6, diameter_spread=0.0)
