"""Pores of powder-bed fusion: where they are, beside what else, and of which shape."""

from __future__ import annotations

import numpy as np
import pytest

from svevae.errors import ConfigError
from svevae.physics.defects import ROUGHEST
from svevae.physics.level_sets import gaussian_field, highest
from tests.physics.pores import (
    PARAMETERS,
    SHAPE,
    boolean_pair_probability,
    pair_probability,
    part,
    whole_pores,
)

CUBE = (64, 64, 64)
EVEN = {"modulation_strength": 0.0, "diameter_spread": 0.0}
SINGLE = EVEN | {"cluster_pores": 1.0}
ROUND = EVEN | {"irregular": 0.0, "flat": 0.0, "chained": 0.0}


@pytest.mark.parametrize(("generator", "changes"), [("gas", SINGLE), ("mixture", ROUND)])
def test_single_round_pores_are_the_boolean_model(
    generator: str, changes: dict[str, float]
) -> None:
    """Gas in clusters of one, and a mixture in which all else weighs 0. 8 parts of 64^3, 3 standard
    errors.
    """
    p, d = 0.2, 10.0
    parts = [
        part(generator, CUBE, number=i, **changes | {"porosity": p, "diameter": d})
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


def relative_variance(edge: int, **changes: float) -> float:
    """Variance of the porosities of cubes of `edge` voxels in 6 parts of gas, over the square of
    its porosity, 2 %.
    """
    n, count = 96, 96 // edge
    cubes = [
        part("gas", (n, n, n), number=i, **EVEN | {"porosity": 0.02, "diameter": 3.0} | changes)
        .reshape(count, edge, count, edge, count, edge)
        .mean(axis=(1, 3, 5))
        for i in range(6)
    ]
    return float(np.var(cubes) / 0.02**2)


def test_clusters() -> None:
    """Counts in cubes that are wide beside a cluster vary by E[N^2]/E[N] as much as those of single
    pores, N = 1 + Poisson(4) the pores of a cluster: (1 + 3 4 + 4^2) / 5 = 5.8; half of it and more
    where the cube's faces part clusters.
    """
    clustered = relative_variance(24, cluster_pores=5.0, cluster_length=2.0)
    assert 0.5 < clustered / relative_variance(24, cluster_pores=1.0) / 5.8 < 1.1


def test_modulation_makes_dense_and_porous_regions() -> None:
    """The density of pores varies as exp(s m): its relative variance is exp(s^2) - 1. That of cubes
    of 8 voxels, narrow beside the regions of 24, grows by about that much.
    """
    changes = {"cluster_pores": 1.0, "modulation_length": 24.0}
    even = relative_variance(8, **changes)
    gained = relative_variance(8, **changes, modulation_strength=0.7) - even
    assert 0.5 * np.expm1(0.7**2) < gained < 1.1 * np.expm1(0.7**2)


LONG = {"chain_pores": 8.0, "chain_spacing": 1.4, "elongation": 1.5}
CHAINED = {"irregular": 0.0, "flat": 0.0, "chained": 1.0}


@pytest.mark.parametrize(
    ("generator", "changes"),
    [
        ("gas", {"cluster_pores": 5.0, "cluster_length": 10.0}),
        ("lack_of_fusion", {"layer": 24.0}),
        ("keyhole", LONG),
        ("mixture", CHAINED),
    ],
)
def test_the_part_is_sawn_from_a_larger_piece(generator: str, changes: dict[str, float]) -> None:
    """The bottom, the top and a side have the porosity of the whole, although chains and clusters
    that begin far outside reach into the part: 24 parts, 4 standard errors.
    """
    parts = np.stack(
        [
            part(generator, (40, 40, 40), number=i, **EVEN | {"diameter": 4.0} | changes)
            for i in range(24)
        ]
    )
    for slab in (parts[..., :6], parts[..., -6:], parts[:, :6]):
        seen = slab.mean(axis=(1, 2, 3))
        assert abs(seen.mean() - 0.05) < 4 * seen.std() / 24**0.5


# Lack of fusion

FLAT = EVEN | {"tilt": 0.0, "layer_spread": 0.0, "roughness": 0.0}


def test_layers() -> None:
    """Layers 8 voxels apart: the profile along z of a part of 64 has its largest amplitude at 8
    waves, and none along x; layers of no account with a scatter of their distance.
    """

    def waves(axis: int, layer_spread: float) -> np.ndarray:
        across = tuple({0, 1, 2} - {axis})
        changes = FLAT | {"layer": 8.0, "layer_spread": layer_spread, "flatness": 0.3}
        profiles = [
            part("lack_of_fusion", CUBE, number=i, **changes).mean(axis=across) for i in range(4)
        ]
        return np.square(np.abs(np.fft.rfft(profiles))).mean(axis=0)[1:]

    along = waves(2, 0.0)
    assert along.argmax() == 7
    assert along[7] > 20 * waves(0, 0.0)[7]
    assert along[7] > 20 * waves(2, 8.0)[7]


def test_flat_pores() -> None:
    """Without tilt and roughness pores are ellipsoids of the volume of a sphere of diameter d, d
    f^(2/3) thick and d f^(-1/3) wide, to a voxel.
    """
    d, f = 12.0, 0.3
    changes = FLAT | {"porosity": 0.01, "diameter": d, "flatness": f, "layer": 30.0}
    pores = [
        pore
        for i in range(4)
        for pore in whole_pores(part("lack_of_fusion", CUBE, number=i, **changes))
        if 0.9 < pore.area / (np.pi * d**3 / 6) < 1.1  # the last, and pairs that overlap
    ]
    assert len(pores) >= 4
    for pore in pores:
        assert pore.area == pytest.approx(np.pi * d**3 / 6, rel=0.05)
        sides = np.subtract(pore.bbox[3:], pore.bbox[:3])
        np.testing.assert_allclose(sides, d * f ** np.array([-1 / 3, -1 / 3, 2 / 3]), atol=1.5)


def test_rough_pores() -> None:
    """The surface's distance from the centre is that of a sphere times exp(-h g), g a unit normal
    within ROUGHEST: the mean volume grows by the mean of its cube, 1.16 at h = 0.2.
    """
    h, d = 0.2, 10.0
    g = np.random.default_rng(0).standard_normal(100_000).clip(-ROUGHEST, ROUGHEST)
    exact = np.exp(-3 * h * g).mean()
    changes = FLAT | {"flatness": 1.0, "roughness": h, "diameter": d, "porosity": 0.006}
    volumes = np.array(
        [
            pore.area / (np.pi * d**3 / 6)
            for i in range(8)
            for pore in whole_pores(
                part("lack_of_fusion", (96, 96, 96), number=i, **changes | {"layer": 12.0})
            )
        ]
    )
    volumes = volumes[(volumes > 0.5) & (volumes < 2.1)]
    assert len(volumes) > 40
    assert volumes.mean() == pytest.approx(exact, abs=4 * volumes.std() / len(volumes) ** 0.5)
    assert volumes.std() > 0.1


def test_layers_that_cannot_hold_the_porosity() -> None:
    """Flat pores in layers 16 voxels apart never fill 80 %."""
    with pytest.raises(
        ConfigError,
        match=(
            r"^porosity: expected what such pores can fill, received 0\.8; the last 2000 of them"
            r" found no solid, with \d+ voxels missing$"
        ),
    ):
        part("lack_of_fusion", (20, 20, 20), **FLAT | {"porosity": 0.8, "layer": 16.0} | SMALL)


SMALL = {"modulation_length": 8.0, "diameter": 4.0, "flatness": 0.3}


# Keyholes


def test_chains_along_z() -> None:
    """Drops of d = 6 that overlap by half, without wander: chains are d wide, to a voxel, and on
    average d + 4 d/2 long, 5 the mean number of drops.
    """
    d = 6.0
    changes = EVEN | {"diameter": d, "elongation": 1.0, "wander": 0.0, "porosity": 0.004}
    changes |= {"chain_pores": 5.0, "chain_spacing": 0.5}
    sides = np.array(
        [
            np.subtract(pore.bbox[3:], pore.bbox[:3])
            for i in range(8)
            for pore in whole_pores(part("keyhole", (96, 96, 96), number=i, **changes))
        ]
    )
    alone = sides[(sides[:, :2] <= d + 1).all(axis=1)]
    assert len(alone) > 0.8 * len(sides) > 30
    assert alone[:, :2].min() >= d - 2
    assert alone[:, 2].mean() == pytest.approx(3 * d, rel=0.1)


def test_spacing_of_a_chain() -> None:
    """Drops 2 diameters of 4 apart: a pore has another 8 voxels above it, and none 4 above."""
    changes = EVEN | {"diameter": 4.0, "elongation": 1.0, "wander": 0.0, "chain_spacing": 2.0}
    voxels = part("keyhole", CUBE, **changes, chain_pores=8.0)
    near, there, far = (pair_probability(voxels, 2, lag) for lag in (4, 8, 12))
    assert there > 4 * max(near, far)
    assert there > 4 * pair_probability(voxels, 0, 8)
    wandering = part("keyhole", CUBE, **changes | {"wander": 2.0, "chain_pores": 8.0})
    assert there > 4 * pair_probability(wandering, 2, 8)


# The mixture


def test_irregular_pores_have_their_share() -> None:
    """Of equal weight beside round ones, half of the pores are the highest of the second field that
    the part's generator draws, after that of the modulation.
    """
    changes = {"irregular": 1.0, "flat": 0.0, "chained": 0.0, "porosity": 0.1, "diameter": 6.0}
    voxels = part("mixture", **changes)
    rng = np.random.default_rng([0, 0])
    gaussian_field(SHAPE, rng, (PARAMETERS["mixture"]["modulation_length"],) * 3)
    irregular = highest(gaussian_field(SHAPE, rng, (3.0, 3.0, 3.0)), 0.05) == 1
    assert voxels[irregular].all()
    assert voxels[~irregular].sum() == pytest.approx(irregular.sum(), abs=1)


@pytest.mark.parametrize(
    ("kind", "axis", "lag"), [("flat", 0, 6), ("chained", 2, 6), ("irregular", None, 6)]
)
def test_flat_and_chained_pores_show_their_direction(kind: str, axis: int | None, lag: int) -> None:
    """Flat pores reach along x and y, chains along z; irregular ones know no direction."""
    changes = ROUND | {kind: 1.0, "diameter": 6.0}
    parts = [part("mixture", CUBE, number=i, **changes) for i in range(6)]
    x, y, z = (np.mean([pair_probability(v, k, lag) for v in parts]) for k in range(3))
    if axis is None:
        np.testing.assert_allclose([x / z, y / z], 1, atol=0.15)
    elif axis == 0:
        assert min(x, y) > 1.3 * z
    else:
        assert z > 1.3 * max(x, y)
