"""Pores placed one by one against closed forms and against scikit-image."""

from __future__ import annotations

import numpy as np
import pytest

from svevae.errors import ConfigError
from svevae.physics.placed_pores import CUT, grains, overlapping_spheres
from tests.physics.pores import boolean_pair_probability, pair_probability, part, whole_pores


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
    """The Boolean model, in closed form. 8 parts of 64^3, 3 standard errors."""
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
        exact = boolean_pair_probability(p, lag / d)
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


def test_grains_are_what_overlapping_spheres_leave() -> None:
    """The complement of the spheres that the same draws place at porosity 1 - p, and none at p = 0,
    which no number of grains reaches.
    """
    values = {"diameter": 6.0, "diameter_spread": 0.2}
    for p in (0.001, 0.3):
        found = grains((32, 32, 32), np.random.default_rng(1), porosity=p, **values)
        solid = overlapping_spheres(
            (32, 32, 32), np.random.default_rng(1), porosity=1 - p, **values
        )
        np.testing.assert_array_equal(found, 1 - solid)
    assert not grains((32, 32, 32), np.random.default_rng(1), porosity=0.0, **values).any()


def test_pair_probability_of_pores_between_grains() -> None:
    """Both points of a pair lie outside all spheres: p^(1 + 3 r / (2 d) - r^3 / (2 d^3)), Torquato
    (2002). 8 parts of 64^3, 3 standard errors.
    """
    p, d = 0.3, 10.0
    changes = {"porosity": p, "diameter": d, "diameter_spread": 0.0}
    parts = [part("grains", (64, 64, 64), number=i, **changes) for i in range(8)]
    for lag in (1, 2, 4, 7):
        exact = p ** (1 + 1.5 * lag / d - 0.5 * (lag / d) ** 3)
        for axis in range(3):
            seen = [pair_probability(voxels, axis, lag) for voxels in parts]
            assert abs(np.mean(seen) - exact) < max(3 * np.std(seen) / 8**0.5, 0.02 * exact)


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
